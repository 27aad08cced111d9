"""One shelf MCU that several boards may hang on: who reads which chip, and how the chips are to be set."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from drivers.errors import DriverError
from drivers.mcu_settings import McuSettings
from firmware_bridge.link.errors import LinkError, ProtocolVersionError
from firmware_bridge.link.losses import Loss
from firmware_bridge.link.notices import LinkNotice
from firmware_bridge.link.session import Link, McuSample
from firmware_bridge.protocol.codes import MOST_CHIPS, McuFlag
from firmware_bridge.protocol.identity import Identity

_MOST_WAITING = 1 << 16  # samples of a board that nobody reads: some minutes


class McuConnection(Protocol):
    """What `firmware_bridge.link.connection.Connection` is, over whatever line."""

    link: Link

    def start(self, must_open: bool = True) -> None:
        """Open the line. Raises LinkError."""

    def pump(self) -> None:
        """Bring what came in to the link, and what it says to the line. Never waits."""

    def stop(self) -> None:
        """Close the line."""


@dataclass(eq=False, slots=True)
class Inbox:
    """What came for one board: its chips' samples and losses, and notices that concern these or the whole MCU.

    Attributes:
        chips: of the board's cells, in their order.
        settings: pulses of a read for each of these chips.
        problem: why this MCU can't be this board's, as long as that is so.
    """

    board: str
    chips: tuple[int, ...]
    settings: tuple[int, ...]
    shared_clock: bool = False
    samples: deque[McuSample] = field(default_factory=deque)
    losses: deque[Loss] = field(default_factory=lambda: deque(maxlen=_MOST_WAITING))
    notices: deque[LinkNotice] = field(default_factory=lambda: deque(maxlen=1000))
    problem: str | None = None


class Mcu:
    """A connection shared by boards: open while one of them reads, and a new one each time.

    Whatever the MCU's settings are, the chips that boards read are set as these want them, and that is saved in the MCU.
    What a chip converted before it was set so is marked SETTLING.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], McuConnection],
        serial: str | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``name``: for people. ``serial``: the MCU must have it."""
        self.name = name
        self._connect = connect
        self._serial = serial
        self._clock = clock
        self._lock = threading.Lock()
        self._inboxes: list[Inbox] = []
        self._connection: McuConnection | None = None
        self._settings = McuSettings()
        self._met: Identity | None = None
        self._refused: str | None = None

    @property
    def link(self) -> Link | None:
        """The conversation, with accounts and status; None while no board reads."""
        return self._connection.link if self._connection is not None else None

    def join(self, inbox: Inbox) -> None:
        """A board begins to read. Raises DriverError where the port can't be opened or a chip is another board's."""
        with self._lock:
            for other in self._inboxes:
                self._check_together(inbox, other)
            if self._connection is None:
                connection = self._connect()
                try:
                    connection.start()
                except LinkError as error:
                    raise DriverError(f"{inbox.board}: {error}") from error
                self._connection, self._settings, self._met = connection, McuSettings(), None
            self._inboxes.append(inbox)
            if self._met is not None:
                self._meet(self._met)

    def leave(self, inbox: Inbox) -> None:
        """A board has stopped; the last one closes the port."""
        with self._lock:
            if inbox in self._inboxes:
                self._inboxes.remove(inbox)
            if not self._inboxes and self._connection is not None:
                self._connection.stop()
                self._connection = None

    def pump(self) -> None:
        """Bring everything that came in to the boards. Never waits, never raises."""
        with self._lock:
            if self._connection is None:
                return
            self._connection.pump()
            link = self._connection.link
            samples = self._samples(link)
            if link.identity is not None and link.identity is not self._met:
                self._met = link.identity
                self._meet(link.identity)
            told = self._settings.pursue(link, self._inboxes_that_fit(), self._clock())
            self._deal(samples, link.losses(), [*link.notices(), *told])

    def check(self, inbox: Inbox) -> None:
        """Raises DriverError where this MCU isn't one that this board can read, as long as it is plugged in."""
        with self._lock:
            if self._refused is not None:
                raise DriverError(f"{inbox.board}: {self._refused}")
            if inbox.problem is not None:
                raise DriverError(f"{inbox.board}: {inbox.problem}")

    def _check_together(self, inbox: Inbox, other: Inbox) -> None:
        taken = sorted(set(other.chips) & set(inbox.chips))
        if taken:
            raise DriverError(
                f"{inbox.board}: chip {taken[0]} of the MCU at {self.name} is read by board {other.board} already; "
                f"give each board chips of its own with the option chips"
            )
        if inbox.shared_clock != other.shared_clock:
            raise DriverError(
                f"{inbox.board}: boards of one MCU have one clock mode; {other.board} says shared_clock: "
                f"{str(other.shared_clock).lower()}, this one {str(inbox.shared_clock).lower()}"
            )

    def _samples(self, link: Link) -> list[McuSample]:
        try:
            samples = link.samples()
        except ProtocolVersionError as error:
            self._refused = f"{self.name}: {error}"
            return []
        if link.identity is not None:
            self._refused = None
        return samples

    def _meet(self, identity: Identity) -> None:
        """See whether this MCU is the one that the boards were told of."""
        self._settings.told(identity)
        wrong = None
        if self._serial is not None and identity.serial != self._serial:
            wrong = (
                f"the MCU at {self.name} has the serial {identity.serial!r}, expected {self._serial!r}: "
                f"plug in the right one, or correct the option serial"
            )
        for inbox in self._inboxes:
            inbox.problem = wrong
            if wrong is None and max(inbox.chips) >= identity.chips:
                inbox.problem = (
                    f"the MCU at {self.name} has chips 0 to {identity.chips - 1}, but the board is to read "
                    f"chip {max(inbox.chips)}; correct the option chips"
                )

    def _inboxes_that_fit(self) -> list[Inbox]:
        return [inbox for inbox in self._inboxes if inbox.problem is None and self._refused is None]

    def _deal(self, samples: Sequence[McuSample], losses: Sequence[Loss], notices: Sequence[LinkNotice]) -> None:
        of_chip: list[Inbox | None] = [None] * MOST_CHIPS
        for inbox in self._inboxes_that_fit():
            for chip in inbox.chips:
                of_chip[chip] = inbox
        good_from_ns = self._settings.good_from_ns
        for sample in samples:
            reader = of_chip[sample.chip]
            if reader is None:
                continue
            if sample.edge_ns < good_from_ns[sample.chip]:
                sample.flags |= McuFlag.SETTLING
            if len(reader.samples) == _MOST_WAITING:
                left = reader.samples.popleft()
                reader.losses.append(Loss(left.chip, "host overrun", left.edge_ns, left.edge_ns, 1))
            reader.samples.append(sample)
        for loss in losses:
            reader = of_chip[loss.chip]
            if reader is not None:
                reader.losses.append(loss)
        for notice in notices:
            for inbox in self._inboxes:
                if notice.chip is None or notice.chip in inbox.chips:
                    inbox.notices.append(notice)


_known: dict[tuple[str, str], Mcu] = {}
_known_lock = threading.Lock()


def shared_mcu(port: str | None, serial: str | None, make: Callable[[], Mcu]) -> Mcu:
    """The MCU of that port and serial: all boards of this process that name the same one share it."""
    with _known_lock:
        return _known.setdefault((port or "", serial or ""), make())
