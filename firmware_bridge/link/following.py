"""Which messages belong to the MCU's stream: a message is believed when it follows the one before it."""

from __future__ import annotations

from typing import NamedTuple

from firmware_bridge.protocol.identity import Identity
from firmware_bridge.protocol.messages import McuMessage

_FRAMES_A_NS = 2500 / 1e9  # the line can carry no more
_SPARE = 64
_ANY = 0x8000


class Met(NamedTuple):
    """A message that is part of the stream.

    Attributes:
        message: the message.
        now_ns: when it came in.
        frame_ns: when its frame began on the line, at the latest.
        frames_lost: frames missing before it; 1 where it is unknown how many.
        begins: True where it is the first known of another boot.
    """

    message: McuMessage
    now_ns: int
    frame_ns: int
    frames_lost: int
    begins: bool


class Following:
    """Keeps what follows and holds back what doesn't, until the next one bears it out.

    A CRC of 16 bits lets one damaged frame of 65 536 through. Such a frame has a boot and a sequence number of its own,
    and one that fits neither is held; it is used only if the next message follows it (the MCU did restart), else
    dropped. So garbage is heard with a chance of about 2^-40 a frame.
    """

    def __init__(self) -> None:
        self.boot: int | None = None
        self.strays = 0  # messages with a good CRC that belonged nowhere
        self._seq = 0
        self._seen_ns: int | None = None  # None: out of sight, the next may be any number of frames later
        self._held: tuple[McuMessage, int, int] | None = None

    def meet(self, message: McuMessage, now_ns: int, frame_ns: int) -> list[Met]:
        """The messages that this one lets be believed, itself among them: none, one, or the one held and this."""
        if self.boot is not None and message.boot == self.boot:
            if self._seen_ns is None:
                self._drop_held()
                return [self._take(message, now_ns, frame_ns, 1, begins=False)]
            ahead = (message.seq - self._seq) & 0xFFFF
            if 1 <= ahead <= self._reach(now_ns - self._seen_ns):
                self._drop_held()
                return [self._take(message, now_ns, frame_ns, ahead - 1, begins=False)]
        held = self._held
        if isinstance(message, Identity) and message.boot_count & 0xFFFF == message.boot and message.seq == 0:
            self._drop_held()
            return [self._take(message, now_ns, frame_ns, 0, begins=True)]
        if held is not None and held[0].boot == message.boot:
            ahead = (message.seq - held[0].seq) & 0xFFFF
            if 1 <= ahead <= self._reach(now_ns - held[1]):
                self._held = None
                first = self._take(*held, frames_lost=1, begins=held[0].boot != self.boot)
                return [first, self._take(message, now_ns, frame_ns, ahead - 1, begins=False)]
        self._drop_held()
        self._held = (message, now_ns, frame_ns)
        return []

    def lose_sight(self) -> None:
        """The port was closed: what comes next may be any number of frames later."""
        self._drop_held()
        self._seen_ns = None

    def _reach(self, elapsed_ns: int) -> int:
        return int(min(_SPARE + elapsed_ns * _FRAMES_A_NS, _ANY))

    def _drop_held(self) -> None:
        self.strays += self._held is not None
        self._held = None

    def _take(self, message: McuMessage, now_ns: int, frame_ns: int, frames_lost: int, begins: bool) -> Met:
        self.boot, self._seq, self._seen_ns = message.boot, message.seq, now_ns
        return Met(message, now_ns, frame_ns, frames_lost, begins)
