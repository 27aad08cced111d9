"""Calibration through real firmware: ``python -m hil.rig_calibration [--count 12] [--seed 20266] [--no-terminal]``.

First in lockstep, boards of unknown gains, signs and wiring in front of a clumsy installer, and boards on which
something is wrong; then one installer's visit in real time, in a terminal: calibrate, --check, teach, diagnose,
history. Prints a table each; the exit code is 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibration.findings import Reason
from calibration.record import BoardCalibration, calibration_from_json
from drivers.simulated.sharing import place_vector, sharing_matrix
from hil.calibration_rig import at_wrong_rate, calibrate_on_rig
from hil.installations import UNHEALTHY, Found, Installation, draw_installation
from hil.rig_session import SKU, LivePort, Visit, node_for, visit

REPORT_SEED = 20266
GAIN_SHARE, PLACE_MM, UNIT_OFF_G = 0.001, 3.0, 0.5
WRONG_RATE = str(Reason.WRONG_RATE)
KINDS = (*(kind for kind in UNHEALTHY if kind != "swapped boards"), WRONG_RATE)
_DIVISOR = {True: 80.0 / 8.0, False: 80.0}  # the strap makes a chip eight times slower


def drawn(seed: int, number: int, kind: str) -> Installation:
    """An installation on one shelf MCU, four cells."""
    if kind != WRONG_RATE:
        return draw_installation(seed, number, kind, cells=4)
    healthy = draw_installation(seed, number, cells=4)
    return replace(at_wrong_rate(healthy, _DIVISOR[healthy.site.rate_hz > 40.0]), kind=kind)


def lockstep_rows(found: Sequence[Found]) -> tuple[list[str], int]:
    """The table of the runs in lockstep, and how many missed."""
    rows = [
        f"{'':20}{'n':>4}{'as it should':>14}{'gain error % max':>19}{'place mm p95':>14}{'board s':>9}   otherwise"
    ]
    missed = 0
    for kind in dict.fromkeys(each.installation.kind for each in found):
        group = [each for each in found if each.installation.kind == kind]
        right = [each for each in group if is_right(each)]
        missed += len(group) - len(right)
        load = [100 * abs(error) for each in group for error in each.load_errors if each.outcome.accepted]
        place = [error for each in group for error in each.place_errors_mm if each.outcome.accepted]
        others = [_said(each) for each in group if each not in right]
        rows.append(
            f"{kind:20}{len(group):4}{f'{len(right)} of {len(group)}':>14}"
            f"{f'{max(load):.3f}' if load else '-':>19}{f'{np.quantile(place, 0.95):.1f}' if place else '-':>14}"
            f"{np.median([each.seconds for each in group]):9.0f}   {'; '.join(others)}"
        )
    return rows, missed


def is_right(found: Found) -> bool:
    """Accepted within the targets where it is healthy; else refused for its reason (or mended, where that can be)."""
    if found.installation.kind != "healthy":
        return found.right
    good = found.outcome.accepted and found.signs_right and found.wiring_right
    return good and worst_load(found) <= GAIN_SHARE and float(np.quantile(found.place_errors_mm, 0.95)) <= PLACE_MM


def worst_load(found: Found) -> float:
    """Largest error of a weight, as a share; nan where none was weighed."""
    return max((abs(error) for error in found.load_errors), default=float("nan"))


def record_errors(record: BoardCalibration, installation: Installation) -> tuple[float, float, bool]:
    """Of a saved record against the board's truth: largest gain error of a load anywhere, place error p95 in mm, and
    whether each channel is where the record has it."""
    physics, site = installation.physics, installation.site
    names = [cell.name for cell in site.cells]
    carried = record.carried(names)
    gains = np.array([record.cells[name].counts_per_gram for name in names])
    truth = np.array([cell.counts_per_gram for cell in physics.cells])
    x, y = np.array([cell.x_mm for cell in physics.cells]), np.array([cell.y_mm for cell in physics.cells])
    sharing, middle = sharing_matrix(x, y, physics.plate.flexibility), (float(x.mean()), float(y.mean()))
    loads, places = [], []
    for across in np.linspace(0.1, 0.9, 5):
        for along in np.linspace(0.15, 0.85, 4):
            at = np.array([across * site.width_mm, along * site.depth_mm])
            forces = (
                sharing @ (installation.weight_g * place_vector(float(at[0]), float(at[1]), middle)) * truth / gains
            )
            loads.append(abs(float(forces.sum()) / installation.weight_g - 1.0))
            places.append(float(np.hypot(*(forces @ site.xy_mm[carried] / forces.sum() - at))))
    return max(loads), float(np.quantile(places, 0.95)), tuple(carried) == installation.cell_of


def visit_rows(done: Visit, installation: Installation, folder: Path) -> tuple[list[str], int]:
    """The table of the visit, and how many of its steps missed."""
    rows, missed = [f"{'':26}{'exit':>5}{'s':>6}"], 0
    for step in done.steps:
        missed += not step.is_right
        rows.append(f"{step.name:26}{step.code:5}{step.seconds:6.0f}   {step.told}")
    kept = folder / "calibration" / f"{installation.site.board}.json"
    if not kept.is_file():
        return [*rows, "no record was saved"], missed + 1
    record = calibration_from_json(kept.read_text(), str(kept))[installation.site.board]
    load, place, wired = record_errors(record, installation)
    rows.append(
        f"the record against the truth: gain error {100 * load:.3f} % (<= {100 * GAIN_SHARE:g}), place {place:.1f} mm "
        f"(<= {PLACE_MM:g}), wiring {'right' if wired else 'WRONG'}, {len(record.run.places) if record.run else 0} "
        f"placements; firmware {record.run.firmware if record.run else ''}"
    )
    rows.append(f"{SKU}: {done.taught_g:.1f} g, in truth {done.unit_g:.1f} g (within {UNIT_OFF_G:g} g)")
    missed += load > GAIN_SHARE or place > PLACE_MM or not wired
    missed += not abs(done.taught_g - done.unit_g) < UNIT_OFF_G
    return rows, missed


def _said(found: Found) -> str:
    if found.outcome.refusals:
        return str(found.outcome.refusals[0])[:80]
    return f"accepted, gain error {100 * worst_load(found):.3f} %, wiring {'right' if found.wiring_right else 'wrong'}"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m hil.rig_calibration", description=__doc__)
    parser.add_argument("--count", type=int, default=12, help="healthy boards in lockstep (12)")
    parser.add_argument("--unhealthy", type=int, default=2, help="of each unhealthy kind in lockstep (2)")
    parser.add_argument("--seed", type=int, default=REPORT_SEED)
    parser.add_argument("--no-terminal", action="store_true", help="without the visit in real time")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="the visit's screens and answers")
    args = parser.parse_args()
    began_s = time.perf_counter()
    asked = [("healthy", args.count), *((kind, args.unhealthy) for kind in KINDS)]
    found = [calibrate_on_rig(drawn(args.seed, n, kind), args.seed + n) for kind, count in asked for n in range(count)]
    rows, missed = lockstep_rows(found)
    print("\n".join(rows))  # noqa: T201
    if not args.no_terminal:
        installation = draw_installation(args.seed, 0, "healthy", cells=4)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with LivePort(installation, folder, args.seed) as port:
                done = visit(port, node_for(installation, folder, port.rig.port))
            more, off = visit_rows(done, installation, folder)
        print("\n" + "\n".join(more))  # noqa: T201
        missed += off
        if args.json is not None:
            args.json.write_text(json.dumps([step.as_json() for step in done.steps], indent=1))
    print(f"\nseed {args.seed}, {missed} missed, {time.perf_counter() - began_s:.0f} s")  # noqa: T201
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
