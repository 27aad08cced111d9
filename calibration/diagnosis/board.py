"""A board's verdict: what its cells say together about mechanics, wiring, calibration and stock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from calibration.diagnosis.cell import ROAMS_OVER_NOISE, ROAMS_UNEVEN, CellLook
from calibration.diagnosis.changes import Change
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.noise import CellNoise
from calibration.diagnosis.samples import BoardSamples
from calibration.diagnosis.sharing import LEAST_CHANGES, explain
from calibration.diagnosis.verdicts import Finding, PartKind, PartVerdict, Verdict, finding, part

TOGETHER_S = 1.0
SHAKEN_G = 5.0
"""rms on the whole board in its calm moments. Real shelves have 1.2 to 2.4 g at rest, over twelve plates (AIM3S,
facts/field.md 4)."""
TOGETHER_SHARE = 0.1  # what moves a board moves more than one of its cells
UNEVEN_FLOOR = 1.3  # a chip's noise alone may be so much more than its spectrum's level says
SLOWEST_SHAKE_HZ = 3.0  # footsteps and racks: 5 to 20 Hz (facts/field.md 4.1.2)
STEADY = 1.6  # the middle of the windows over the calm ones; hands on a board come and go
IMPOSSIBLE_SHARE, IMPOSSIBLE_G = 0.35, 300.0
"""A stiff plate that is loaded at one corner lifts the other with a quarter of the weight; more isn't statics."""
STOCK_SHARE, STOCK_G = 0.01, 60.0
APART = 3.0  # times that, by which two boards' stock must differ for a swap to be told
OLD_YEARS = 2.0


def board_verdict(
    board: BoardSamples,
    looks: Sequence[CellLook],
    changes: list[Change],
    faulty: Sequence[bool],
    age_years: float | None,
    common: Sequence[Finding] = (),
) -> PartVerdict:
    """``faulty``: for each cell whether it is at fault itself: then the board's sharing isn't looked at.

    ``common``: what was found of all cells together.
    """
    found: list[Finding] = [*_calibration(board, age_years), *_brown_out(looks), *common]
    unseen: list[str] = []
    shaking = shaking_g(looks)
    if shaking is not None and shaking > SHAKEN_G:
        text = _shaking_text(looks, shaking)
        found.append(finding(Fault.VIBRATION, Verdict.WARN, text, vibration_g=shaking))
    figures = {"load_changes": float(len(changes))}
    if shaking is not None:
        figures["vibration_g"] = shaking
    weight_g = weight_of(looks)
    if weight_g is not None:
        figures["weight_g"] = weight_g
    if any(faulty):
        unseen.append("how the cells share the load: a cell is at fault itself, mend that first")
    else:
        sharing = list(_sharing(board, looks, changes, weight_g))
        found += sharing or [*_impossible(looks), *_stock(board, weight_g)]
        unseen += _unseen(board, looks, changes)
    return part(PartKind.BOARD, board.board, found, unseen, figures)


def shaking_g(looks: Sequence[CellLook]) -> float | None:
    """rms of what moves the board in its calm moments, the cells in step.

    None where it can't be told: grams aren't known, or hands come and go.
    """
    shares = []
    for look in looks:
        if look.noise is None or look.noise.spread > STEADY or not look.samples.counts_per_gram:
            return None
        moved = max(0.0, look.noise.counts**2 - (UNEVEN_FLOOR * look.noise.floor_counts) ** 2)
        shares.append(math.sqrt(moved) / abs(look.samples.counts_per_gram))
    if sum(_roams(look.noise) for look in looks if look.noise is not None) > 0.5 * len(looks):
        return 0.0
    total = sum(shares)
    together = sum(share > TOGETHER_SHARE * total for share in shares) > 1
    spectrum = looks[0].spectrum
    alone = False
    if len(shares) == 1 and spectrum is not None and spectrum.mains is None and looks[0].noise is not None:
        ringing = [line.rms_counts for line in spectrum.lines if line.hz > SLOWEST_SHAKE_HZ]
        alone = max(ringing, default=0.0) > 0.5 * looks[0].noise.counts
    return total if together or alone else 0.0


def _roams(noise: CellNoise) -> bool:
    """Whether half-second means go farther than all that is in the samples would take them: a shake averages out."""
    over = noise.roaming.over_noise * noise.floor_counts / max(noise.counts, 1e-9)
    return over > ROAMS_OVER_NOISE and noise.roaming.uneven < ROAMS_UNEVEN


def weight_of(looks: Sequence[CellLook]) -> float | None:
    """What lies on the board in its calm moments, in g; None without a calibration of each cell."""
    total = 0.0
    for look in looks:
        samples = look.samples
        if look.noise is None or not samples.weighed or samples.zero_counts is None or not samples.counts_per_gram:
            return None
        total += (float(np.median(samples.counts[samples.usable])) - samples.zero_counts) / samples.counts_per_gram
    return total


def stock_of(board: BoardSamples) -> float:
    """What the planogram says lies there, in g."""
    return sum(slot.count * slot.weight_g for slot in board.slots)


def swapped(boards: Sequence[BoardSamples], weights: Sequence[float | None]) -> Iterator[tuple[int, int, Finding]]:
    """Pairs of boards each of which carries what belongs on the other."""
    for a in range(len(boards)):
        for b in range(a + 1, len(boards)):
            wa, wb = weights[a], weights[b]
            if wa is None or wb is None:
                continue
            sa, sb = stock_of(boards[a]), stock_of(boards[b])
            apart = abs(sa - sb) > APART * max(STOCK_SHARE * max(sa, sb), STOCK_G)
            if apart and _alike(wa, sb) and _alike(wb, sa):
                evidence = (
                    f"{boards[a].board} carries {wa / 1000:.2f} kg and {boards[b].board} {wb / 1000:.2f} kg; by the "
                    f"planogram it is {sa / 1000:.2f} and {sb / 1000:.2f} kg"
                )
                yield a, b, finding(Fault.SWAPPED_BOARDS, Verdict.WARN, evidence, weight_g=wa, other_weight_g=wb)


def _alike(grams: float, stock_g: float) -> bool:
    return abs(grams - stock_g) < max(STOCK_SHARE * stock_g, STOCK_G)


def _calibration(board: BoardSamples, age_years: float | None) -> Iterator[Finding]:
    if board.record is None:
        yield finding(Fault.NOT_CALIBRATED, Verdict.WARN, "there is no calibration record: nothing can be weighed")
        return
    missing = [cell.name for cell in board.cells if cell.name not in board.record.cells]
    extra = [name for name in board.record.cells if name not in {cell.name for cell in board.cells}]
    if missing or extra:
        evidence = f"the record has cells {', '.join(board.record.cells)}"
        evidence += f"; the node file has {', '.join(cell.name for cell in board.cells)}"
        yield finding(Fault.NOT_CALIBRATED, Verdict.FAIL, evidence)
    elif age_years is not None and age_years > OLD_YEARS:
        evidence = f"it was calibrated {age_years:.1f} years ago"
        yield finding(Fault.OLD_CALIBRATION, Verdict.PASS, evidence, age_years=age_years)


def _brown_out(looks: Sequence[CellLook]) -> Iterator[Finding]:
    if len(looks) < 2:
        return
    times = sorted((at_s, k) for k, look in enumerate(looks) for at_s in look.clock.restarts_s)
    together = [
        at_s for at_s, _ in times if len({k for other_s, k in times if 0 <= other_s - at_s < TOGETHER_S}) == len(looks)
    ]
    if together:
        evidence = f"all {len(looks)} chips restarted together, first at {together[0]:.1f} s"
        yield finding(Fault.BROWN_OUT, Verdict.WARN, evidence, restarts=float(len(together)))


def _sharing(
    board: BoardSamples, looks: Sequence[CellLook], changes: list[Change], weight_g: float | None
) -> Iterator[Finding]:
    cells = [look.samples for look in looks]
    if board.record is None:
        yield from _dead_uncalibrated(board, looks, changes)
        return
    why = explain(board, cells, changes, weight_g)
    if why is None:
        return
    text = f"{why.fitting} of {why.changes} load changes fit the planogram and statics as it is, {why.mended}"
    name = cells[why.cell].cell.name if why.cell >= 0 else ""
    share = 100.0 / abs(why.factor)
    match why.kind:
        case "dead":
            evidence = f"{name} doesn't move while the others carry; {why.changes} load changes were seen"
            yield finding(Fault.CELL_DEAD, Verdict.FAIL, evidence)
        case "reversed":
            evidence = f"{name} falls where it should rise: {text} with its sign turned"
            yield finding(Fault.REVERSED, Verdict.FAIL, evidence)
        case "slip" | "common slip":
            who = name or "all cells"
            evidence = f"{who}: {1 / why.factor:g} times what it should be; {text} with that put right"
            yield finding(Fault.WRONG_GAIN, Verdict.FAIL, evidence, factor=1 / why.factor)
        case "scale":
            evidence = f"{name} carries {share:.0f} % of its share; {text} with that put right"
            yield finding(Fault.BINDING, Verdict.WARN, evidence, share_percent=share)
        case "common scale":
            evidence = f"what moves weighs {share:.0f} % of what the planogram says; {text} with that put right"
            yield finding(Fault.WRONG_CALIBRATION, Verdict.WARN, evidence, share_percent=share)
        case "support":
            x, y = why.at_mm
            evidence = f"something else carries part of the board near x {x:.0f} mm, y {y:.0f} mm, {why.factor:.2g} "
            evidence += f"times as stiff as a cell; {text} with that put right"
            yield finding(Fault.UNEVEN, Verdict.WARN, evidence, x_mm=x, y_mm=y, stiffness=why.factor)
        case _:
            evidence = f"{name} gives {100 * why.factor:.0f} % of its share away to the others, as a loose mount does; "
            yield finding(Fault.UNEVEN, Verdict.WARN, evidence + f"{text} with that allowed for")


def _dead_uncalibrated(board: BoardSamples, looks: Sequence[CellLook], changes: list[Change]) -> Iterator[Finding]:
    """Without gains only this can be told: one cell stands still whatever moves."""
    if len(looks) < 3 or len(changes) < 2 * LEAST_CHANGES:
        return
    moved = np.abs(np.array([change.counts for change in changes]))
    sd = np.array([change.sd for change in changes])
    most = moved.max(axis=1)
    for k, look in enumerate(looks):
        if bool((moved[:, k] < 0.01 * most + 3.0 * sd[:, k]).all()):
            evidence = f"{look.samples.cell.name} doesn't move while the others do, in {len(changes)} load changes"
            yield finding(Fault.CELL_DEAD, Verdict.FAIL, evidence)


def _impossible(looks: Sequence[CellLook]) -> Iterator[Finding]:
    """Cells that are pushed upwards by more than statics allows: zero, sign or gain aren't what they were."""
    loads = []
    for look in looks:
        samples = look.samples
        if not samples.weighed or samples.zero_counts is None or not samples.counts_per_gram or look.noise is None:
            return
        loads.append((float(np.median(samples.counts[samples.usable])) - samples.zero_counts) / samples.counts_per_gram)
    carried = sum(load for load in loads if load > 0)
    for look, load in zip(looks, loads, strict=True):
        if load < -max(IMPOSSIBLE_SHARE * carried, IMPOSSIBLE_G):
            evidence = (
                f"by its calibration {look.samples.cell.name} is pulled up by {-load / 1000:.2f} kg while the others "
                f"carry {carried / 1000:.2f} kg: its zero, its sign or its gain isn't what it was"
            )
            yield finding(Fault.WRONG_CALIBRATION, Verdict.WARN, evidence, load_g=load)


def _stock(board: BoardSamples, weight_g: float | None) -> Iterator[Finding]:
    stock_g = stock_of(board)
    if weight_g is None or not stock_g or _alike(weight_g, stock_g):
        return
    by = "what the node has counted" if board.counted else "full by the planogram it"
    evidence = f"{weight_g / 1000:.2f} kg lie there; {by} is {stock_g / 1000:.2f} kg"
    yield finding(Fault.STOCK_DIFFERS, Verdict.PASS, evidence, weight_g=weight_g, stock_g=stock_g)


def _shaking_text(looks: Sequence[CellLook], shaking: float) -> str:
    lines = [line for look in looks if look.spectrum is not None for line in look.spectrum.lines]
    text = f"{shaking:.1f} g rms all the time; shelves at rest have 1 to 3 g"
    if lines:
        hz = float(np.median([line.hz for line in lines]))
        text += f"; strongest near {hz:.1f} Hz, in {len(lines)} of {len(looks)} cells"
    return text


def _unseen(board: BoardSamples, looks: Sequence[CellLook], changes: list[Change]) -> Iterator[str]:
    what = "a dead cell" if board.record is None else "a dead or reversed cell, a corner that hangs, a wrong gain"
    if len(changes) < LEAST_CHANGES and len(looks) > 1:
        yield f"{what}: needs load changes; lift something off each end of the board and put it back meanwhile"
    elif len(changes) < LEAST_CHANGES and board.record is not None:
        yield "a wrong gain or calibration: needs load changes; lift a few things and put them back meanwhile"
    elif board.record is not None and not board.slots:
        yield "a wrong calibration: the planogram has nothing on this board to compare with"
