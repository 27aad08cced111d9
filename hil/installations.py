"""Random installations, calibrated by a clumsy installer: ``python -m hil.installations [--count 500] [--seed 90418]``.

Boards, cells, wiring and people are drawn here, from wider ranges than the simulator's own; the samples go through
`CalibrationSession` block by block, as fast as the machine is. Tables come out: how good the healthy ones' gains,
wiring and places are, and how honest their stated doubts; for which reason the unhealthy ones were refused; and what
the quick check says of boards that are well and of boards that aren't any more. It ends with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from calibration.findings import Reason
from calibration.fit import BoardFit, fit_board
from calibration.more_places import places_sd_mm
from calibration.outcome import Outcome
from calibration.placements import BoardSite, CellSite
from calibration.prompts import Prompt
from calibration.session import CalibrationSession, RunOptions
from drivers.simulated.board import BoardSimulator
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.physics import BoardPhysics, CellPhysics, FaultRates, PlatePhysics
from drivers.simulated.sharing import place_vector, sharing_matrix
from drivers.simulated.stage import seeded
from hil.installer import Habits, Installer

REPORT_SEED = 90418
BLOCK_S = 0.25
MOST_S = 900.0
FULL_SCALE_COUNTS = 2.147e6  # 1 mV/V at gain 128 (facts/loadcell.md 1)
LAYOUTS = {  # cells as shares of width and depth
    1: ((0.5, 0.5),),
    2: ((0.06, 0.5), (0.94, 0.5)),
    3: ((0.5, 0.1), (0.06, 0.9), (0.94, 0.9)),
    4: ((0.05, 0.1), (0.95, 0.1), (0.05, 0.9), (0.95, 0.9)),
    6: ((0.05, 0.1), (0.5, 0.1), (0.95, 0.1), (0.05, 0.9), (0.5, 0.9), (0.95, 0.9)),
    8: ((0.05, 0.1), (0.35, 0.1), (0.65, 0.1), (0.95, 0.1), (0.05, 0.9), (0.35, 0.9), (0.65, 0.9), (0.95, 0.9)),
}
UNHEALTHY = (
    "drifting",
    "too noisy",
    "saturated",
    "dead cell",
    "stuck cell",
    "silent cell",
    "corners apart",
    "no return to zero",
    "off the label",
    "weight not moved",
    "wrong place",
    "lifted too early",
    "wrong weight",
    "swapped boards",
    "half the weight",
    "pounds for kilograms",
    "something left behind",
    "something lay there",
    "touches its neighbour",
    "never at rest",
)
REASONS: dict[str, tuple[Reason, ...]] = {  # where the kind isn't the reason's own name
    "half the weight": (Reason.WRONG_WEIGHT,),
    "pounds for kilograms": (Reason.OFF_LABEL,),
    "something left behind": (Reason.NOT_EMPTY,),
    "something lay there": (Reason.NOT_EMPTY,),
    "touches its neighbour": (Reason.CORNERS_APART, Reason.NO_RETURN),
    "never at rest": (Reason.RESTLESS, Reason.NOISY),
}
OF_PEOPLE = frozenset({
    "weight not moved", "wrong place", "lifted too early", "wrong weight", "swapped boards", "corners apart",
    "no return to zero", "half the weight", "pounds for kilograms", "something left behind", "something lay there",
    "touches its neighbour", "never at rest",
})  # fmt: skip


@dataclass(frozen=True)
class Installation:
    """One board with its truth, and who calibrates it.

    Attributes:
        site: as the node file has it. physics: cells in the order of the channels.
        cell_of: cell_of[channel], the truth.
    """

    site: BoardSite
    physics: BoardPhysics
    cell_of: tuple[int, ...]
    weight_g: float
    noise_g: float
    habits: Habits
    kind: str


@dataclass(frozen=True)
class Found:
    """What came of one.

    Attributes:
        load_errors: of weights at random places, as shares with sign. place_errors_mm: of the same.
        first_load_errors, first_place_errors_mm: by the fit of the first round alone (five placements on four cells).
        gain_sigmas: each cell's error over what the fit states. stated_mm: what it states of places, along one axis.
    """

    installation: Installation
    outcome: Outcome
    seconds: float
    placements: int
    load_errors: tuple[float, ...]
    place_errors_mm: tuple[float, ...]
    signs_right: bool
    wiring_right: bool
    first_load_errors: tuple[float, ...] = ()
    first_place_errors_mm: tuple[float, ...] = ()
    gain_sigmas: tuple[float, ...] = ()
    stated_mm: float = 0.0

    @property
    def right(self) -> bool:
        """An unhealthy one, refused for its reason, or mended by the run itself."""
        kind = self.installation.kind
        mended = kind in ("something lay there", "never at rest")  # it began again, or waited for long enough
        if mended and self.outcome.accepted:
            return max(abs(error) for error in self.load_errors) <= 0.001
        wanted = REASONS.get(kind) or (Reason(kind),)
        return any(finding.reason in wanted for finding in self.outcome.refusals)


def draw_installation(seed: int, number: int, kind: str = "healthy", cells: int | None = None) -> Installation:
    """Installation ``number`` of a seed; a kind other than healthy is one of `UNHEALTHY`."""
    rng = seeded(seed, "installation", kind, number)
    if cells is None:
        cells = int(rng.choice([1, 2, 3, 4, 6, 8], p=[0.06, 0.06, 0.06, 0.7, 0.06, 0.06]))
        if kind in ("dead cell", "corners apart", "wrong place", "off the label", "touches its neighbour"):
            cells = 4
    width, depth = float(rng.uniform(400, 1200)), float(rng.uniform(300, 600))
    capacity_g = float(rng.choice([5_000.0, 10_000.0, 20_000.0]))
    rate_hz = float(rng.choice([10.0, 80.0], p=[0.3, 0.7]))
    rated = 1.0 if kind in ("off the label", "pounds for kilograms") else None
    sites = tuple(CellSite(f"c{k}", x * width, y * depth, capacity_g, rated) for k, (x, y) in enumerate(LAYOUTS[cells]))
    noise_g = float(np.exp(rng.uniform(np.log(0.1), np.log(1.0))))
    order = tuple(int(k) for k in (rng.permutation(cells) if rng.random() < 0.5 else np.arange(cells)))
    heave_hz = float(rng.uniform(10.0, 28.0))
    plate = PlatePhysics(
        width, depth, float(rng.uniform(0.0, 1.0)), heave_hz, heave_hz * float(rng.uniform(0.9, 1.4)),
        heave_hz * float(rng.uniform(0.9, 1.4)), float(np.exp(rng.uniform(np.log(0.02), np.log(0.15)))),
        float(rng.uniform(8_000, 40_000)), float(rng.uniform(0.1, 0.6)),
    )  # fmt: skip
    spread = 0.12 if rated else 0.2
    channels = [_channel(sites[c], capacity_g, spread, noise_g, rng) for c in order]
    weight_g = float(rng.choice([1_000.0, 2_000.0, 5_000.0]))
    _break(channels, kind, rng)
    physics = BoardPhysics(plate, tuple(channels), rate_hz, FaultRates(), marks_settling=True)
    site = BoardSite("shelf-1", width, depth, rate_hz, sites)
    habits = Habits(stubborn=kind if kind in OF_PEOPLE else "")
    return Installation(site, physics, order, weight_g, noise_g, habits, kind)


def _channel(site: CellSite, capacity_g: float, spread: float, noise_g: float, rng: np.random.Generator) -> CellPhysics:
    gain = FULL_SCALE_COUNTS / capacity_g * float(rng.uniform(1 - spread, 1 + spread))
    sign = -1.0 if rng.random() < 0.2 else 1.0
    return CellPhysics(
        site.x_mm, site.y_mm, sign * gain, float(rng.uniform(-2e5, 2e5)), capacity_g,
        rate_error=float(rng.uniform(-0.03, 0.17)), noise_counts=noise_g * gain,
        nonlinearity=float(rng.uniform(-5e-4, 5e-4)),
        creep=((3.0, 3e-4 * float(rng.uniform(0.2, 1))), (60.0, 2e-4 * float(rng.uniform(0.2, 1))),
               (600.0, 4e-4 * float(rng.uniform(0.2, 1)))),
        walk_counts=float(rng.uniform(1, 5)), daily_g=float(rng.uniform(0.2, 1)), daily_phase=float(rng.random()),
        drift_g_per_h=float(rng.uniform(-10, 10)), warm_up_counts=float(rng.uniform(-200, 200)),
    )  # fmt: skip


def _break(channels: list[CellPhysics], kind: str, rng: np.random.Generator) -> None:
    """Make the installation what it is named after, where a channel is to blame."""
    k = int(rng.integers(len(channels)))
    cell = channels[k]
    if kind == "drifting":
        channels[:] = [replace(c, warm_up_counts=float(rng.uniform(15_000, 40_000)), warm_up_s=400.0) for c in channels]
    elif kind == "too noisy":
        channels[k] = replace(cell, noise_counts=float(rng.uniform(12, 60)) * abs(cell.counts_per_gram))
    elif kind == "saturated":
        channels[k] = replace(cell, zero_counts=9.5e6 * (1 if rng.random() < 0.5 else -1))
    elif kind == "dead cell":
        channels[k] = replace(cell, counts_per_gram=0.002 * cell.counts_per_gram)
    elif kind == "stuck cell":
        channels[k] = replace(cell, sticks_at_s=float(rng.uniform(0.0, 20.0)))
    elif kind == "silent cell":
        channels[k] = replace(cell, dies_at_s=float(rng.uniform(1.0, 20.0)))
    elif kind == "off the label":
        off = float(rng.uniform(1.25, 1.6))
        off = off if rng.random() < 0.5 else 1 / off
        full = FULL_SCALE_COUNTS / cell.capacity_g * np.sign(cell.counts_per_gram)
        channels[k] = replace(cell, counts_per_gram=float(full * off))


def run(installation: Installation, seed: int, number: int, options: RunOptions) -> Found:
    """Calibrate it: samples in blocks, prompts to the installer."""
    rng = seeded(seed, "person", installation.kind, number)
    swapped = installation.kind == "swapped boards"
    person = Installer(installation.site, installation.weight_g, installation.habits, rng, "shelf-2" if swapped else "")
    boards = ["shelf-1", "shelf-2"] if swapped else ["shelf-1"]
    drivers = [
        SimulatedDriver(
            BoardSimulator(board, installation.physics, person, seed * 1000 + number),  # type: ignore[arg-type]
            clock=lambda: 0,
        )
        for board in boards
    ]
    for driver in drivers:
        driver.start()
    session = CalibrationSession(installation.site, installation.weight_g, options=options)
    now_s = 0.0
    while session.outcome is None and now_s < MOST_S:
        now_s += BLOCK_S
        blocks = [driver.read(round(now_s * 1e9)) for driver in drivers]
        for said in session.push(blocks, round(now_s * 1e9)):
            if isinstance(said, Prompt):
                person.follow(said, now_s + 2.0)  # the simulation may be made up to a window ahead
    outcome = session.stop()
    return measured(installation, outcome, now_s, rng)


def measured(installation: Installation, outcome: Outcome, seconds: float, rng: np.random.Generator) -> Found:
    """Errors at random test loads and places, against the truth, without noise."""
    fit = outcome.fit
    if fit is None:
        return Found(installation, outcome, seconds, 0, (), (), False, False)
    gains = np.array([cell.counts_per_gram for cell in installation.physics.cells])
    tests = [tuple(float(share) for share in rng.uniform((0.2, 0.05, 0.05), (1.0, 0.95, 0.95))) for _ in range(20)]
    loads, places = _errors(installation, fit, tests)
    names = list(dict.fromkeys(place.placement.place for place in fit.places))
    first = [next(p.placement for p in fit.places if p.placement.place == name) for name in names]
    first_loads, first_places = loads, places
    if len(first) < len(fit.places):
        first_loads, first_places = _errors(
            installation, fit_board(fit.site, first, fit.noise, fit.common_relative_sd), tests
        )
    stated = np.array([fit.cells[c].gain_relative_sd for c in fit.cell_of])
    return Found(
        installation, outcome, seconds, len(fit.places), loads, places,
        bool((np.sign(fit.grams_per_count) == np.sign(gains)).all()), fit.cell_of == installation.cell_of,
        first_loads, first_places, tuple(((fit.grams_per_count * gains - 1.0) / stated).tolist()), places_sd_mm(fit),
    )  # fmt: skip


def _errors(
    installation: Installation, fit: BoardFit, tests: Sequence[tuple[float, ...]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of loads, as shares, and of places, in mm; ``tests``: shares of the reference weight, of the width, the depth."""
    physics, site = installation.physics, installation.site
    gains = np.array([cell.counts_per_gram for cell in physics.cells])
    xs = np.array([cell.x_mm for cell in physics.cells])
    ys = np.array([cell.y_mm for cell in physics.cells])
    sharing = sharing_matrix(xs, ys, physics.plate.flexibility)
    middle = (float(xs.mean()), float(ys.mean()))
    sites = site.xy_mm[list(fit.cell_of)]
    loads, places = [], []
    for of_weight, of_width, of_depth in tests:
        grams, x, y = installation.weight_g * of_weight, site.width_mm * of_width, site.depth_mm * of_depth
        force = sharing @ (grams * place_vector(x, y, middle))
        bent = [f * (1 + c.nonlinearity * f / c.capacity_g) for f, c in zip(force, physics.cells, strict=True)]
        seen = fit.grams_per_count * gains * np.array(bent)
        loads.append(float(seen.sum()) / grams - 1.0)
        if len(gains) >= 3:
            places.append(float(np.hypot(*(seen @ sites / seen.sum() - [x, y]))))
    return tuple(loads), tuple(places)


def one(seed: int, options: RunOptions, job: tuple[str, int, int | None]) -> Found:
    """The installation of one kind and number (and number of cells, if it isn't left to chance), calibrated."""
    kind, number, cells = job
    return run(draw_installation(seed, number, kind, cells), seed, number, options)


def main() -> None:
    """Print the tables; exit with 1 where a target is missed."""
    from hil.installation_checks import CHECKS, check_rows, check_targets, checked
    from hil.installation_tables import five_rows, healthy_rows, target_rows, targets, unhealthy_rows

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="healthy installations, most with four cells")
    parser.add_argument("--more", type=int, default=24, help="healthy ones with 6 cells, and with 8, besides those")
    parser.add_argument("--unhealthy", type=int, default=25, help="of each unhealthy kind")
    parser.add_argument("--checks", type=int, default=40, help="quick checks of each kind")
    parser.add_argument("--seed", type=int, default=REPORT_SEED)
    parser.add_argument("--only", default="", help="one kind alone")
    args = parser.parse_args()
    began = time.perf_counter()
    jobs: list[tuple[str, int, int | None]] = []
    if args.only in ("", "healthy"):
        jobs += [("healthy", n, None) for n in range(args.count)]
        jobs += [("healthy", 100_000 * cells + n, cells) for n in range(args.more) for cells in (6, 8)]
    jobs += [(kind, n, None) for kind in UNHEALTHY if args.only in ("", kind) for n in range(args.unhealthy)]
    calibrate: Callable[[tuple[str, int, int | None]], Found] = partial(
        one, args.seed, RunOptions(warm_up_limit_s=60.0)
    )
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(calibrate, jobs, chunksize=4))
        healthy = [each for each in found if each.installation.kind == "healthy"]
        sick = [each for each in found if each.installation.kind != "healthy"]
        good = [each for each in healthy if each.outcome.accepted][: args.checks]
        checks = list(pool.map(checked, [(args.seed, each, kind) for each in good for kind in CHECKS], chunksize=4))
    tables = [healthy_rows(healthy), five_rows(healthy)] if healthy else []
    tables += [unhealthy_rows(sick)] if sick else []
    tables += [check_rows(checks)] if checks else []
    wanted = [*targets(healthy, sick), *check_targets(checks)]
    tables += [target_rows(wanted)]
    print("\n\n".join("\n".join(rows) for rows in tables))  # noqa: T201
    print(f"\nseed {args.seed}, {time.perf_counter() - began:.0f} s")  # noqa: T201
    sys.exit(0 if all(each.met for each in wanted) else 1)


if __name__ == "__main__":
    main()
