"""The diagnosis of boards: one pure function from samples to verdicts, whatever the samples came from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from datetime import datetime

from calibration.diagnosis.board import SHAKEN_G, board_verdict, shaking_g, swapped, weight_of
from calibration.diagnosis.cell import CellLook, cell_verdict, look
from calibration.diagnosis.changes import Change, changes_of
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.impulses import lone_impulses
from calibration.diagnosis.physics import alias_hz
from calibration.diagnosis.samples import BoardSamples, cells_of
from calibration.diagnosis.verdicts import PartVerdict, Verdict, part

SAME_HZ = 0.4  # two or three bins of the spectra
_ITS_OWN = frozenset(Fault) - {Fault.WRONG_RATE, Fault.RESTARTS, Fault.LOST, Fault.CORRUPT, Fault.DRIFT}
"""Faults of a cell after which its part in the board's load can't be judged."""


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
        )
        for k, seen in enumerate(looks)
    ]
    faulty = [any(f.fault in _ITS_OWN and f.verdict > Verdict.PASS for f in each.findings) for each in verdicts]
    rates = [seen.clock.rate_hz for seen in looks if seen.clock.rate_hz > 0]
    levels = [math.inf if sd is None or bad else sd for sd, bad in zip(noise, faulty, strict=True)]
    changes = changes_of(cells, levels, min(rates)) if rates else []
    whole = board_verdict(board, looks, changes, faulty, _age_years(board, now))
    if any(each.fault is Fault.BROWN_OUT for each in whole.faults):
        verdicts = [_explained(each, Fault.RESTARTS) for each in verdicts]
    return [whole, *verdicts], BoardLook(board, tuple(looks), tuple(changes))


def _explained(verdict: PartVerdict, fault: Fault) -> PartVerdict:
    """A cell's verdict with one fault as a remark: its board's verdict has named the cause."""
    findings = [
        dataclasses.replace(each, verdict=Verdict.PASS) if each.fault is fault else each for each in verdict.findings
    ]
    return part(verdict.kind, verdict.name, findings, verdict.unseen, verdict.figures)


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
        lines = [*other.spectrum.lines, *([other.spectrum.mains] if other.spectrum.mains else [])]
        if apart and any(abs(line.hz - own.mains.hz) < SAME_HZ for line in lines):
            return True
    return False


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
