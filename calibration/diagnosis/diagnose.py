"""The diagnosis of boards: one pure function from samples to verdicts, whatever the samples came from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from calibration.diagnosis.board import SHAKEN_G, board_verdict, shaking_g, swapped, weight_of
from calibration.diagnosis.cell import CellLook, cell_verdict, look
from calibration.diagnosis.changes import Change, changes_of
from calibration.diagnosis.creep import CREEP_UNSEEN, creep_finding, rests
from calibration.diagnosis.drifting import by_temperature, drift_of_all
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.impulses import lone_impulses
from calibration.diagnosis.physics import GRID_HZ, alias_hz
from calibration.diagnosis.samples import BoardSamples, cells_of
from calibration.diagnosis.shared_clock import shared_clock
from calibration.diagnosis.spectrum import stands_out
from calibration.diagnosis.verdicts import PartVerdict, Verdict, part

ALONE_G, AMBIENT_G, AMBIENT_TIMES = 0.5, 4.5, 2.5  # of an only cell, and of others, rms; over the next one's
IN_STEP_FROM_HZ, IN_STEP = 40.0, 0.15
SAME_HZ = 0.4  # two or three bins of the spectra
_ITS_OWN = frozenset(Fault) - {
    Fault.WRONG_RATE, Fault.RESTARTS, Fault.NOT_SETTLED, Fault.LOST, Fault.CORRUPT, Fault.DRIFT, Fault.CREEP,
}  # fmt: skip
"""Faults of a cell after which its part in the board's load can't be judged."""


_EXPLAINS = {
    Fault.BROWN_OUT: (Fault.RESTARTS, Fault.NOT_SETTLED),
    Fault.SHARED_CLOCK: (Fault.NOT_READY, Fault.CORRUPT, Fault.IMPULSES, Fault.RESTARTS, Fault.UNSTEADY_CLOCK),
    Fault.WARM_UP: (Fault.DRIFT,),
    Fault.TEMPERATURE: (Fault.DRIFT,),
}
"""What is wrong with a board, and what that makes of its cells: there it is a remark."""


@dataclasses.dataclass(frozen=True, slots=True)
class BoardLook:
    """A board with everything that was measured of it, for pictures."""

    board: BoardSamples
    cells: tuple[CellLook, ...]
    changes: tuple[Change, ...]


def diagnose_boards(
    boards: Sequence[BoardSamples], now: datetime | None = None
) -> tuple[list[PartVerdict], list[BoardLook]]:
    """Verdicts on all boards and their cells, each board before its cells, and what was measured."""
    parts: list[PartVerdict] = []
    looks: list[BoardLook] = []
    at: list[int] = []
    for board in boards:
        found, seen = _one(board, now)
        at.append(len(parts))
        parts += found
        looks.append(seen)
    weights = [weight_of(seen.cells) for seen in looks]
    for a, b, wrong in swapped(boards, weights):
        for index in (a, b):
            old = parts[at[index]]
            parts[at[index]] = part(old.kind, old.name, [*old.findings, wrong], old.unseen, old.figures)
    return parts, looks


def _one(board: BoardSamples, now: datetime | None) -> tuple[list[PartVerdict], BoardLook]:
    cells = cells_of(board)
    looks = [look(cell, board.rate_hz) for cell in cells]
    shaking = shaking_g(looks)
    shaken = shaking is not None and shaking > SHAKEN_G
    end_s = max((float(cell.time_s[-1]) for cell in cells if len(cell)), default=0.0)
    noise = [seen.noise.counts if seen.noise is not None else None for seen in looks]
    verdicts = [
        cell_verdict(
            board.board,
            seen,
            board.rate_hz,
            board.supply_v,
            board.expected_s,
            end_s,
            lone_impulses(cells, noise, k, seen.clock.rate_hz),
            shaken,
            _shared_line(k, looks),
            _ambient(k, looks),
            _lone_harmonic(k, looks),
        )
        for k, seen in enumerate(looks)
    ]
    faulty = [any(f.fault in _ITS_OWN and f.verdict > Verdict.PASS for f in each.findings) for each in verdicts]
    rates = [seen.clock.rate_hz for seen in looks if seen.clock.rate_hz > 0]
    levels = [math.inf if sd is None or bad else sd for sd, bad in zip(noise, faulty, strict=True)]
    changes = changes_of(cells, levels, min(rates)) if rates else []
    verdicts = [_with_creep(each, looks[k]) for k, each in enumerate(verdicts)]
    verdicts = [_with_temperature(each, board, looks[k]) for k, each in enumerate(verdicts)]
    common = [*shared_clock(looks), *drift_of_all(looks, [cell.name for cell in board.cells], board.record)]
    whole = board_verdict(board, looks, changes, faulty, _age_years(board, now), common)
    for fault in whole.faults:
        for explained in _EXPLAINS.get(fault.fault, ()):
            verdicts = [_explained(each, explained) for each in verdicts]
    return [whole, *verdicts], BoardLook(board, tuple(looks), tuple(changes))


def _with_creep(verdict: PartVerdict, seen: CellLook) -> PartVerdict:
    """The cell's verdict with its creep, which explains what looks like a drift."""
    if seen.noise is None or any(each.fault in _ITS_OWN for each in verdict.faults):
        return verdict
    found = list(creep_finding(seen.samples, seen.noise, seen.clock.rate_hz))
    unseen = [] if rests(seen.samples, seen.noise, seen.clock.rate_hz) else [CREEP_UNSEEN]
    told = part(verdict.kind, verdict.name, [*verdict.findings, *found], [*verdict.unseen, *unseen], verdict.figures)
    return _explained(told, Fault.DRIFT) if found else told


def _with_temperature(verdict: PartVerdict, board: BoardSamples, seen: CellLook) -> PartVerdict:
    """The cell's verdict, its drift with what the board's temperature run says of it."""
    name = seen.samples.cell.name
    findings = [
        by_temperature(each, board.record, name, each.numbers["drift_counts_per_min"])
        if each.fault is Fault.DRIFT
        else each
        for each in verdict.findings
    ]
    return part(verdict.kind, verdict.name, findings, verdict.unseen, verdict.figures)


def _explained(verdict: PartVerdict, fault: Fault) -> PartVerdict:
    """A cell's verdict with one fault as a remark: its board's verdict has named the cause."""
    findings = [
        dataclasses.replace(each, verdict=Verdict.PASS) if each.fault is fault else each for each in verdict.findings
    ]
    return part(verdict.kind, verdict.name, findings, verdict.unseen, verdict.figures)


def _ambient(index: int, looks: Sequence[CellLook]) -> bool:
    """Whether a cell's noise may be what shakes the rack: real shelves have 1.2 to 2.4 g at rest (facts/field.md 4),
    and all cells of a board feel it.
    """
    noise_g = [
        seen.noise.floor_counts / abs(seen.samples.counts_per_gram)
        for seen in looks
        if seen.noise is not None and seen.samples.counts_per_gram
    ]
    if len(noise_g) < len(looks):
        return False
    fast = looks[index].clock.rate_hz >= IN_STEP_FROM_HZ
    if (
        fast
        and len(looks) > 1
        and max(_in_step(looks[index], other) for other in looks if other is not looks[index]) < IN_STEP
    ):
        return False
    own = noise_g.pop(index)
    return own < ALONE_G if not noise_g else own < AMBIENT_G and own < AMBIENT_TIMES * max(noise_g)


def _in_step(one: CellLook, other: CellLook) -> float:
    """How alike two cells' noise is, 0 to 1; chips that give 10 samples a second fold a shake each in its own way."""
    a, b = one.samples, other.samples
    time_s, counts = a.time_s[a.usable], a.counts[a.usable]
    if time_s.size < 48 or np.count_nonzero(b.usable) < 48:
        return 0.0
    theirs = np.interp(time_s, b.time_s[b.usable], b.counts[b.usable])
    apart = [np.diff(values, 2) for values in (counts, theirs)]  # without what goes slowly
    calm = np.all([np.abs(each) < 4.0 * 1.48 * np.median(np.abs(each)) for each in apart], axis=0)
    if np.count_nonzero(calm) < 40:
        return 0.0
    return float(abs(np.corrcoef(apart[0][calm], apart[1][calm])[0, 1]))


def _shared_line(index: int, looks: Sequence[CellLook]) -> bool:
    """Whether what looks like the mains in this cell is in another one at the same frequency, where its chip's rate
    would fold the mains to another: then it is the board that moves.
    """
    own = looks[index].spectrum
    if own is None or own.mains is None:
        return False
    for k, other in enumerate(looks):
        if k == index or other.spectrum is None or not other.clock.rate_hz:
            continue
        apart = abs(alias_hz(own.mains.true_hz, other.clock.rate_hz) - own.mains.hz) > SAME_HZ
        if apart and stands_out(other.spectrum, own.mains.hz, SAME_HZ):
            return True
    return False


def _lone_harmonic(index: int, looks: Sequence[CellLook]) -> bool:
    """Whether a harmonic of the mains shows without what comes with it: its fundamental in the same cell, or itself in
    another one, where that chip folds it to. Alone it may as well be a machine that shakes at just there.
    """
    own = looks[index].spectrum
    if own is None or own.mains is None or own.mains.true_hz in GRID_HZ:
        return False
    true_hz = own.mains.true_hz
    grid_hz = next(grid for grid in GRID_HZ if true_hz % grid == 0.0)
    if stands_out(own, alias_hz(grid_hz, looks[index].clock.rate_hz), SAME_HZ):
        return False
    others = [look.spectrum for k, look in enumerate(looks) if k != index and look.spectrum is not None]
    return not any(other.mains is not None and other.mains.true_hz == true_hz for other in others)


def _age_years(board: BoardSamples, now: datetime | None) -> float | None:
    """Of the calibration; None where nobody wrote down when it was made."""
    if board.record is None or now is None:
        return None
    when = board.record.run.when if board.record.run is not None else board.record.made
    try:
        made = datetime.fromisoformat(when)
    except ValueError:
        return None
    made = made if made.tzinfo is not None else made.replace(tzinfo=now.tzinfo)
    return (now - made).total_seconds() / (365.25 * 86_400.0)
