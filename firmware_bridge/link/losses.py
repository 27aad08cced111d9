"""Every conversion of an MCU is received or lost, and each lost one has a cause: the books of one link."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Literal

from firmware_bridge.protocol.codes import McuFlag
from firmware_bridge.protocol.messages import ChipStatus

Cause = Literal[
    "link damage", "host overrun", "mcu overrun", "tx full", "stream off", "mcu restart", "unplugged", "unexplained"
]
_BREAKS: tuple[Cause, ...] = ("unplugged", "host overrun", "stream off", "link damage")  # the gravest first

_MOST_PENDING = 2048  # gaps that wait for the next STATUS to tell their cause
_MOST_LOSSES = 8192  # not taken by whoever reads; the accounts count on
_TURN = 256  # of a sample's number


@dataclass(frozen=True, slots=True)
class Loss:
    """Conversions of one chip that didn't come.

    Attributes:
        chip: 0..7.
        cause: 'link damage' (bytes damaged or lost on the line), 'host overrun' (the host didn't read in time), 'mcu
            overrun' (not read or kept in the MCU in time), 'tx full' (no room in the MCU's send buffer), 'stream off'
            (held back on command), 'mcu restart', 'unplugged'; 'unexplained' where nothing accounts for it.
        begin_ns: edge of the last sample before them, host monotonic.
        end_ns: edge of the first one after them, or when the loss was known if none has come since.
        samples: how many.
        estimated: True where the MCU's own count was lost with it (a restart): then `samples` is what the chip's period
            makes of the time, and stands outside of received + lost = conversions.
    """

    chip: int
    cause: Cause
    begin_ns: int
    end_ns: int
    samples: int
    estimated: bool = False


@dataclass(slots=True)
class Account:
    """One chip's books, over all boots since the link was made.

    Attributes:
        received: samples delivered.
        lost: exact losses by cause.
        estimated: losses by cause where only time tells how many.
        out_of_step: samples whose number can't be (a number repeated, or ahead of the MCU's own counter). Always 0 with
            firmware that keeps the contract.
    """

    received: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    estimated: Counter[str] = field(default_factory=Counter)
    out_of_step: int = 0


@dataclass(slots=True)
class _Gap:
    """A loss whose cause the next STATUS will tell; `cause` if that knows nothing of it."""

    chip: int
    cause: Cause
    begin_ns: int
    end_ns: int
    samples: int


class _Chip:
    """Where one chip's numbering stands in this boot of the MCU."""

    def __init__(self) -> None:
        self.account = Account()
        self.last_edge_ns = 0
        self.period_ns = 0.0
        self.restarted: Cause | None = None  # the MCU began anew, and no sample came since
        self.begin(fresh=False)

    def begin(self, fresh: bool) -> None:
        self.last: int | None = 0 if fresh else None  # number of the last conversion booked, not wrapped
        self.sure = fresh  # whether its high bits are known
        self.status: int | None = None  # the counter in the last STATUS
        self.breaks = 0  # how many breaks of the line there were when it was last heard
        self.overruns = self.told_overruns = 0  # by the MCU's counter; booked as such
        # Losses at a break of the line that were booked as the MCU's own by its counters alone, by the break's cause.
        self.lent: Counter[Cause] = Counter()


class Books:
    """The accounts of all chips. Fed in the order of the line; gives each `Loss` once its cause is sure.

    Every boot of the MCU is met with `begin` before its first sample.
    """

    def __init__(self, chips: int) -> None:
        self._chips = [_Chip() for _ in range(chips)]
        self._losses: deque[Loss] = deque(maxlen=_MOST_LOSSES)
        self._gaps: list[_Gap] = []
        self.begin(fresh=False, cause="unplugged")

    def accounts(self) -> list[Account]:
        """Per chip; the live objects."""
        return [chip.account for chip in self._chips]

    def take(self) -> list[Loss]:
        """The losses that became known since the last call."""
        losses = list(self._losses)
        self._losses.clear()
        return losses

    def begin(self, fresh: bool, cause: Cause) -> None:
        """The MCU's counters begin at zero. ``fresh``: nothing of this boot was missed, else it was met in the middle.

        ``cause`` is why the boot before ended, where there was one.
        """
        self._settle(told=False)
        for chip in self._chips:
            if chip.last_edge_ns and chip.restarted is None:
                chip.restarted = cause
            chip.begin(fresh)
        self._met = not fresh  # the first STATUS of a boot met in the middle tells what was before us
        self._dropped = self._told_dropped = 0
        self._breaks = 0
        self._broke_at: dict[Cause, int] = {}
        self._streaming = True

    def line_broke(self, cause: Cause) -> None:
        """From here on something may be missing, for this cause."""
        self._breaks += 1
        self._broke_at[cause] = self._breaks

    def streaming(self, on: bool) -> None:
        """STREAM was carried out."""
        if self._streaming and not on:
            self.line_broke("stream off")
        self._streaming = on

    def sample(self, index: int, number: int, flags: int, edge_ns: int) -> tuple[int, int]:
        """One sample came. Gives its number, not wrapped, and how many of its boot before it are lost."""
        chip = self._chips[index]
        chip.account.received += 1
        last = chip.last
        if last is None:
            at, missing = number, 0
        else:
            at = last + ((number - last - 1) & 0xFF) + 1
            if chip.period_ns and chip.last_edge_ns and chip.breaks != self._breaks:
                expected = last + (edge_ns - chip.last_edge_ns) / chip.period_ns
                at += max(round((expected - at) / _TURN), 0) * _TURN  # several turns may be lost; STATUS will tell
            missing = at - last - 1
        if chip.restarted is not None:
            self._restarted(index, chip, missing, edge_ns)
        if missing:
            self._missing(index, chip, missing, flags, edge_ns)
        elif chip.last_edge_ns and not chip.period_ns:
            chip.period_ns = float(edge_ns - chip.last_edge_ns)
        chip.last, chip.last_edge_ns = at, edge_ns
        if self._streaming:
            chip.breaks = self._breaks
        return at, missing

    def status(self, rows: tuple[ChipStatus, ...], samples_dropped: int, now_ns: int) -> None:
        """The MCU's own counters. What they counted a STATUS ago must have come by now, or is lost."""
        if self._met:
            self._told_dropped = samples_dropped
        self._dropped = samples_dropped
        for index, (chip, row) in enumerate(zip(self._chips, rows, strict=False)):
            if self._met:
                chip.told_overruns = row.overruns
            chip.overruns = row.overruns
            if chip.last is not None:
                self._compare(index, chip, row.conversions, now_ns)
            chip.status = row.conversions
            if row.period_10us:
                chip.period_ns = row.period_10us * 10_000.0
        self._met = False
        self._settle(told=True)

    def not_taken(self, index: int, edge_ns: int) -> None:
        """A sample that was received and booked, but had to be thrown away because nobody took it."""
        self._chips[index].account.received -= 1
        self._lost(index, "host overrun", edge_ns, edge_ns, 1)

    def closed(self) -> None:
        """The port went: no STATUS will tell more about the gaps that wait for one."""
        self._settle(told=False)
        self.line_broke("unplugged")

    def _restarted(self, index: int, chip: _Chip, missing: int, edge_ns: int) -> None:
        assert chip.restarted is not None
        period_ns = chip.period_ns or float(edge_ns - chip.last_edge_ns)
        gone = max(round((edge_ns - chip.last_edge_ns) / period_ns) - 1 - missing, 0)
        chip.account.estimated[chip.restarted] += gone
        self._losses.append(Loss(index, chip.restarted, chip.last_edge_ns, edge_ns, gone, estimated=True))
        chip.restarted = None

    def _compare(self, index: int, chip: _Chip, conversions: int, now_ns: int) -> None:
        assert chip.last is not None
        if not chip.sure:  # met in the middle: now the high bits of its number are known
            chip.last += max(conversions - chip.last, 0) & ~0xFF
            chip.sure = True
        turns = (conversions - chip.last) // _TURN  # samples are a few behind the counter, never ahead or a turn behind
        if turns:
            self._correct(index, chip, turns * _TURN)
        if chip.status is not None and chip.last < chip.status:
            self._missing(index, chip, chip.status - chip.last, 0, now_ns)
            chip.last = chip.status

    def _correct(self, index: int, chip: _Chip, by: int) -> None:
        """The number was taken for one some turns off: its last gap was so much longer or shorter than booked."""
        assert chip.last is not None
        for gap in reversed(self._gaps):
            if gap.chip == index and gap.samples + by >= 0:
                gap.samples += by
                chip.last += by
                return
        if by < 0:
            chip.account.out_of_step += 1
            chip.last += by

    def _missing(self, index: int, chip: _Chip, missing: int, flags: int, end_ns: int) -> None:
        begin_ns = chip.last_edge_ns or end_ns
        cause: Cause = "unexplained"
        for why in _BREAKS:
            if self._broke_at.get(why, 0) > chip.breaks:
                cause = why
                break
        if cause == "unexplained" and flags & McuFlag.OVERRUN:
            cause = "mcu overrun"
        self._gaps.append(_Gap(index, cause, begin_ns, end_ns, missing))
        if len(self._gaps) > _MOST_PENDING:
            self._settle(told=False)

    def _settle(self, told: bool) -> None:
        """Say the cause of the gaps that wait: what the MCU counted as its own, where it ``told``, then the line."""
        # those that a sample's OVERRUN flag told of first: the counters are theirs before they are anyone's
        for gap in sorted(self._gaps, key=lambda gap: gap.cause != "mcu overrun"):
            chip, rest = self._chips[gap.chip], gap.samples
            if told:
                own = min(rest, max(chip.overruns - chip.told_overruns, 0))
                chip.told_overruns += own
                self._lost(gap.chip, "mcu overrun", gap.begin_ns, gap.end_ns, own)
                full = min(rest - own, max(self._dropped - self._told_dropped, 0))
                self._told_dropped += full
                self._lost(gap.chip, "tx full", gap.begin_ns, gap.end_ns, full)
                rest -= own + full
                if gap.cause in _BREAKS:
                    chip.lent[gap.cause] += own + full
            if gap.cause == "unexplained":  # what the counters meant then, and the line's loss was that before
                for cause in _BREAKS:
                    back = min(rest, chip.lent[cause])
                    chip.lent[cause] -= back
                    rest -= back
                    self._lost(gap.chip, cause, gap.begin_ns, gap.end_ns, back)
            self._lost(gap.chip, gap.cause, gap.begin_ns, gap.end_ns, rest)
        self._gaps.clear()

    def _lost(self, index: int, cause: Cause, begin_ns: int, end_ns: int, samples: int) -> None:
        if samples:
            self._chips[index].account.lost[cause] += samples
            self._losses.append(Loss(index, cause, begin_ns, end_ns, samples))
