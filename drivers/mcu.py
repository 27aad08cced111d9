"""One shelf MCU that several boards may hang on: who reads which chip, and how the chips are to be set."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.errors import DriverError
from drivers.mcu_settings import McuSettings
from firmware_bridge.link.errors import LinkError, ProtocolVersionError
from firmware_bridge.link.losses import Loss
from firmware_bridge.link.notices import LinkNotice
from firmware_bridge.link.session import Link, McuSample
from firmware_bridge.protocol.codes import BAUD, MOST_CHIPS, McuFlag
from firmware_bridge.protocol.identity import Identity


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
class Reader:
    """One board at an MCU.

    Attributes:
        chips: of the board's cells, in their order.
        settings: pulses of a read for each of these chips.
        baud: of the line, as the board's options say.
        sample, loss: called with each of its chips'. notice: with what concerns these or the whole MCU. They must be
            quick, and bounded in what they keep: a board that nobody asks is dealt to as well.
        problem: why this MCU can't be this board's, as long as that is so.
    """

    board: str
    chips: tuple[int, ...]
    settings: tuple[int, ...]
    shared_clock: bool
    sample: Callable[[McuSample], None]
    loss: Callable[[Loss], None]
    notice: Callable[[LinkNotice], None]
    baud: int = BAUD
    problem: str | None = None


class Mcu:
    """A connection shared by boards: open while one of them reads, and a new one each time.

    Whatever the MCU's settings are, the chips that boards read are set as these want them, and that is saved in
    the MCU. What a chip converted before it was set so is marked SETTLING.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], McuConnection],
        serial: str | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        baud: int = BAUD,
    ) -> None:
        """``name``: for people. ``serial``: the MCU must have it. ``baud``: what `connect` opens the line with."""
        self.name = name
        self.baud = baud
        self._connect = connect
        self._serial = serial
        self._clock = clock
        self._lock = threading.Lock()
        self._readers: list[Reader] = []
        self._connection: McuConnection | None = None
        self._settings = McuSettings()
        self._met: Identity | None = None
        self._refused: str | None = None
        self._good_when_gone: int | None = None  # frames until the port went, while it is away

    @property
    def link(self) -> Link | None:
        """The conversation, with accounts and status; None while no board reads."""
        return self._connection.link if self._connection is not None else None

    def join(self, reader: Reader) -> None:
        """A board begins to read. Raises DriverError where the port can't be opened or a chip is another board's."""
        with self._lock:
            for other in self._readers:
                self._check_together(reader, other)
            if self._connection is None:
                connection = self._connect()
                try:
                    connection.start()
                except LinkError as error:
                    raise DriverError(f"{reader.board}: {error}") from error
                self._connection, self._settings, self._met = connection, McuSettings(), None
                self._refused = self._good_when_gone = None
            self._readers.append(reader)
            if self._met is not None:
                self._see_who_fits(self._met)

    def leave(self, reader: Reader) -> None:
        """A board has stopped; the last one closes the port."""
        with self._lock:
            if reader in self._readers:
                self._readers.remove(reader)
            if not self._readers and self._connection is not None:
                self._connection.stop()
                self._connection = None

    def pump(self) -> None:
        """Bring everything that came in to the boards. Never waits, never raises."""
        with self._lock:
            if self._connection is None:
                return
            self._connection.pump()
            link = self._connection.link
            self._see_whether_gone(link)
            samples = self._samples(link)
            if link.identity is not None and link.identity is not self._met:
                self._met = link.identity
                self._settings.told(link.identity)
                self._see_who_fits(link.identity)
            told = self._settings.pursue(link, self._fitting(), self._clock())
            self._deal(samples, link.losses(), [*link.notices(), *told])

    def check(self, reader: Reader) -> None:
        """Raises DriverError where this MCU isn't one that this board can read, as long as it is plugged in."""
        with self._lock:
            if self._good_when_gone is not None:
                return
            if self._refused is not None:
                raise DriverError(f"{reader.board}: {self._refused}")
            if reader.problem is not None:
                raise DriverError(f"{reader.board}: {reader.problem}")

    def _check_together(self, reader: Reader, other: Reader) -> None:
        taken = sorted(set(other.chips) & set(reader.chips))
        if taken:
            raise DriverError(
                f"{reader.board}: chip {taken[0]} of the MCU at {self.name} is read by board {other.board} already; "
                f"give each board chips of its own with the option chips"
            )
        if reader.baud != other.baud:
            raise DriverError(
                f"{reader.board}: boards of one MCU have one line; {other.board} says baud: {other.baud}, "
                f"this one {reader.baud}"
            )
        if reader.shared_clock != other.shared_clock:
            raise DriverError(
                f"{reader.board}: boards of one MCU have one clock mode; {other.board} says shared_clock: "
                f"{str(other.shared_clock).lower()}, this one {str(reader.shared_clock).lower()}"
            )

    def _see_whether_gone(self, link: Link) -> None:
        """While the MCU is unplugged, and until one speaks again, what was wrong with it is no longer known."""
        good = link.counts.good
        if link.state(self._clock()) == "closed":
            self._good_when_gone = good
        elif good != self._good_when_gone:
            self._good_when_gone = None

    def _samples(self, link: Link) -> list[McuSample]:
        try:
            samples = link.samples()
        except ProtocolVersionError as error:
            self._refused = f"{self.name}: {error}"
            return []
        if link.identity is not None:
            self._refused = None
        return samples

    def _see_who_fits(self, identity: Identity) -> None:
        """Whether this MCU is the one that the boards were told of."""
        wrong = None
        if self._serial is not None and identity.serial != self._serial:
            wrong = (
                f"the MCU at {self.name} has the serial {identity.serial!r}, expected {self._serial!r}: "
                f"plug in the right one, or correct the option serial"
            )
        for reader in self._readers:
            reader.problem = wrong
            if wrong is None and max(reader.chips) >= identity.chips:
                reader.problem = (
                    f"the MCU at {self.name} has chips 0 to {identity.chips - 1}, but the board is to read "
                    f"chip {max(reader.chips)}; correct the option chips"
                )

    def _fitting(self) -> list[Reader]:
        return [reader for reader in self._readers if reader.problem is None and self._refused is None]

    def _deal(self, samples: Sequence[McuSample], losses: Sequence[Loss], notices: Sequence[LinkNotice]) -> None:
        owner: list[Reader | None] = [None] * MOST_CHIPS
        for reader in self._fitting():
            for chip in reader.chips:
                owner[chip] = reader
        good_from_ns = self._settings.good_from_ns
        for sample in samples:
            to = owner[sample.chip]
            if to is not None:
                if sample.edge_ns < good_from_ns[sample.chip]:
                    sample.flags |= McuFlag.SETTLING
                to.sample(sample)
        for loss in losses:
            to = owner[loss.chip]
            if to is not None:
                to.loss(loss)
        for notice in notices:
            for reader in self._readers:
                if notice.chip is None or notice.chip in reader.chips:
                    reader.notice(notice)


_known: dict[tuple[str, str], Mcu] = {}
_known_lock = threading.Lock()


def shared_mcu(port: str | None, serial: str | None, make: Callable[[], Mcu]) -> Mcu:
    """The MCU of that port and serial: all boards of this process that name the same one share it.

    One that no board reads through gives way to a new one, unless it is the same; while boards do, `Mcu.join` tells the
    new board what doesn't agree.
    """
    with _known_lock:
        key, new = (port or "", serial or ""), make()
        known = _known.get(key)
        if known is None or (known.link is None and known.baud != new.baud):
            known = _known[key] = new
        return known
