"""Getting an MCU's chips set as its boards want them, and knowing from when on they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from firmware_bridge.link.asking import CommandHandle
from firmware_bridge.link.errors import CommandError
from firmware_bridge.link.notices import LinkNotice
from firmware_bridge.link.session import Link
from firmware_bridge.protocol.codes import MOST_CHIPS, ClockMode, CommandCode, Gain
from firmware_bridge.protocol.commands import configure_data
from firmware_bridge.protocol.identity import Identity

_TRY_AGAIN_NS = 10_000_000_000
_NEVER, _ALWAYS = 1 << 62, -(1 << 62)


class Wish(Protocol):
    """What one board wants of its chips."""

    @property
    def chips(self) -> tuple[int, ...]:
        """Which they are."""

    @property
    def settings(self) -> tuple[int, ...]:
        """Pulses of a read for each of them."""

    @property
    def shared_clock(self) -> bool:
        """Whether chip 0's SCK clocks all chips."""


class McuSettings:
    """One MCU's settings as last told, and what is done about it where they aren't those that are wanted.

    Chips that no board reads stay as they are.

    Attributes:
        good_from_ns: for each chip, the host's time from which on its samples are at the setting wanted. Before that
            they may be at another gain, which no one could tell from a weight.
    """

    def __init__(self) -> None:
        self.good_from_ns = [_ALWAYS] * MOST_CHIPS
        self._mode: int = ClockMode.OWN
        self._pulses: tuple[int, ...] = ()
        self._known = False
        self._asked: CommandHandle | None = None
        self._asked_for: tuple[int, tuple[int, ...]] = (ClockMode.OWN, ())
        self._save: CommandHandle | None = None
        self._again_ns = _ALWAYS
        self._complained = False

    def told(self, identity: Identity) -> None:
        """The MCU said how it is set. Whether an answer that came with this was before it nobody knows: ask again."""
        if self._asked is not None and self._asked.done:
            self._asked = None
        known = {int(gain) for gain in Gain}
        said = identity.settings.ljust(identity.chips, b"\0")[: identity.chips]
        self._mode = identity.clock_mode
        self._pulses = tuple(pulses if pulses in known else int(Gain.OFF) for pulses in said[:MOST_CHIPS])
        self._known = True

    def pursue(self, link: Link, wishes: Sequence[Wish], now_ns: int) -> list[LinkNotice]:
        """One look: whether all is set as wanted, and if it isn't, the next step. What is to be told about it."""
        notices = self._answered(now_ns)
        if not self._known or not wishes:
            return notices
        mode, pulses = self._wanted(wishes)
        if (mode, pulses) == (self._mode, self._pulses):
            return notices
        for wish in wishes:
            for chip in wish.chips:
                if self._pulses[chip] != pulses[chip] or mode != self._mode:
                    self.good_from_ns[chip] = _NEVER
        if self._asked is None and now_ns >= self._again_ns:
            try:
                self._asked = link.command(CommandCode.CONFIGURE, configure_data(mode, pulses))
                self._asked_for = (mode, pulses)
                self._save = link.command(CommandCode.SAVE)
            except CommandError:  # its queue is full just now
                self._again_ns = now_ns + _TRY_AGAIN_NS
        return notices

    def _wanted(self, wishes: Sequence[Wish]) -> tuple[int, tuple[int, ...]]:
        pulses = list(self._pulses)
        for wish in wishes:
            for chip, wanted in zip(wish.chips, wish.settings, strict=True):
                pulses[chip] = wanted
        mode = ClockMode.SHARED if any(wish.shared_clock for wish in wishes) else ClockMode.OWN
        return int(mode), tuple(pulses)

    def _answered(self, now_ns: int) -> list[LinkNotice]:
        """What became of what was asked."""
        notices = []
        if self._asked is not None and self._asked.done:
            error, self._asked = self._asked.error, None
            if error is None:
                self._mode, self._pulses = self._asked_for
                self.good_from_ns = [now_ns if since == _NEVER else since for since in self.good_from_ns]
                self._complained = False
            else:
                self._again_ns = now_ns + _TRY_AGAIN_NS
                if not self._complained:
                    text = f"the MCU's chips can't be set as the node file says, so their samples aren't used: {error}"
                    notices.append(LinkNotice("not configured", None, now_ns, 0, text))
                self._complained = True
        if self._save is not None and self._save.done:
            error, self._save = self._save.error, None
            if error is not None and not self._complained:
                text = f"the MCU's settings aren't saved, it gets them again after each restart: {error}"
                notices.append(LinkNotice("not saved", None, now_ns, 0, text))
        return notices
