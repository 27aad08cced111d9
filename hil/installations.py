"""Random installations, calibrated by a clumsy installer: ``python -m hil.installations [--count 500] [--seed 20261]``.

Boards, cells, wiring and people are drawn here, from wider ranges than the simulator's own; the samples go through
`CalibrationSession` block by block, as fast as the machine is. Two tables come out: how good the healthy ones' gains,
wiring and places are, and for which reason the unhealthy ones were refused.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

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

REPORT_SEED = 20261
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
)


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
    """What came of one."""

    installation: Installation
    outcome: Outcome
    seconds: float
    placements: int
    load_errors: tuple[float, ...]
    place_errors_mm: tuple[float, ...]
    signs_right: bool
    wiring_right: bool


def draw_installation(seed: int, number: int, kind: str = "healthy", cells: int | None = None) -> Installation:
    """Installation ``number`` of a seed; a kind other than healthy is one of `UNHEALTHY`."""
    rng = seeded(seed, "installation", kind, number)
    if cells is None:
        cells = int(rng.choice([1, 2, 3, 4, 6, 8], p=[0.06, 0.06, 0.06, 0.7, 0.06, 0.06]))
        if kind in ("dead cell", "corners apart", "wrong place", "off the label"):
            cells = 4
    width, depth = float(rng.uniform(400, 1200)), float(rng.uniform(300, 600))
    capacity_g = float(rng.choice([5_000.0, 10_000.0, 20_000.0]))
    rate_hz = float(rng.choice([10.0, 80.0], p=[0.3, 0.7]))
    rated = 1.0 if kind == "off the label" else None
    sites = tuple(CellSite(f"c{k}", x * width, y * depth, capacity_g, rated) for k, (x, y) in enumerate(LAYOUTS[cells]))
    noise_g = float(np.exp(rng.uniform(np.log(0.1), np.log(1.0))))
    order = tuple(int(k) for k in (rng.permutation(cells) if rng.random() < 0.5 else np.arange(cells)))
    heave_hz = float(rng.uniform(10.0, 28.0))
    plate = PlatePhysics(
        width, depth, float(rng.uniform(0.0, 1.0)), heave_hz, heave_hz * float(rng.uniform(0.9, 1.4)),
        heave_hz * float(rng.uniform(0.9, 1.4)), float(np.exp(rng.uniform(np.log(0.02), np.log(0.15)))),
        float(rng.uniform(8_000, 40_000)), float(rng.uniform(0.1, 0.6)),
    )  # fmt: skip
    spread = 0.12 if kind == "off the label" else 0.2
    channels = [_channel(sites[c], capacity_g, spread, noise_g, rng) for c in order]
    weight_g = float(rng.choice([1_000.0, 2_000.0, 5_000.0]))
    _break(channels, kind, rng)
    physics = BoardPhysics(plate, tuple(channels), rate_hz, FaultRates(), marks_settling=True)
    site = BoardSite("shelf-1", width, depth, rate_hz, sites)
    people = ("weight not moved", "wrong place", "lifted too early", "wrong weight", "swapped boards",
              "corners apart", "no return to zero")  # fmt: skip
    habits = Habits(stubborn=kind if kind in people else "")
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
    return _measured(installation, outcome, now_s, rng)


def _measured(installation: Installation, outcome: Outcome, seconds: float, rng: np.random.Generator) -> Found:
    """Errors at random test loads and places, against the truth, without noise."""
    fit = outcome.fit
    physics, order = installation.physics, list(installation.cell_of)
    if fit is None:
        return Found(installation, outcome, seconds, 0, (), (), False, False)
    gains = np.array([cell.counts_per_gram for cell in physics.cells])
    signs_right = bool((np.sign(fit.grams_per_count) == np.sign(gains)).all())
    xs = np.array([cell.x_mm for cell in physics.cells])
    ys = np.array([cell.y_mm for cell in physics.cells])
    sharing = sharing_matrix(xs, ys, physics.plate.flexibility)
    middle = (float(xs.mean()), float(ys.mean()))
    sites = installation.site.xy_mm[list(fit.cell_of)]
    loads, places = [], []
    for _ in range(20):
        grams = installation.weight_g * float(rng.uniform(0.2, 1.0))
        x = installation.site.width_mm * float(rng.uniform(0.05, 0.95))
        y = installation.site.depth_mm * float(rng.uniform(0.05, 0.95))
        force = sharing @ (grams * place_vector(x, y, middle))
        bent = [f * (1 + c.nonlinearity * f / c.capacity_g) for f, c in zip(force, physics.cells, strict=True)]
        seen = fit.grams_per_count * gains * np.array(bent)
        loads.append(abs(float(seen.sum()) / grams - 1.0))
        if len(order) >= 3:
            places.append(float(np.hypot(*(seen @ sites / seen.sum() - [x, y]))))
    return Found(
        installation, outcome, seconds, len(fit.places), tuple(loads), tuple(places), signs_right,
        fit.cell_of == installation.cell_of,
    )  # fmt: skip


def healthy_rows(found: Sequence[Found]) -> list[str]:
    """The first table: a row for all, and for each kind of board."""
    groups: dict[str, list[Found]] = {"all": list(found)}
    for each in found:
        groups.setdefault(f"{len(each.installation.site.cells)} cells", []).append(each)
    four = groups.get("4 cells", [])
    for name, stiff in (("4, stiff plate", True), ("4, soft plate", False)):
        groups[name] = [f for f in four if (f.installation.physics.plate.flexibility < 0.1) == stiff]
    for name, below in (("noise < 0.3 g", True), ("noise > 0.3 g", False)):
        groups[name] = [f for f in found if (f.installation.noise_g < 0.3) == below]
    for grams in (1000.0, 2000.0, 5000.0):
        groups[f"{grams / 1000:g} kg"] = [f for f in found if f.installation.weight_g == grams]
    rows = [
        f"{'':16}{'n':>5}{'accepted':>10}{'gain error % p50/p95/max':>28}{'place mm p50/p95/max':>24}"
        f"{'wiring':>9}{'signs':>8}{'s':>6}"
    ]
    for name, group in groups.items():
        good = [each for each in group if each.outcome.accepted]
        if not group:
            continue
        load = [100 * error for each in good for error in each.load_errors]
        place = [error for each in good for error in each.place_errors_mm]
        rows.append(
            f"{name:16}{len(group):5}{_share(len(good), len(group)):>10}{_three(load, 3):>28}{_three(place, 1):>24}"
            f"{_share(sum(f.wiring_right for f in good), len(good)):>9}"
            f"{_share(sum(f.signs_right for f in good), len(good)):>8}"
            f"{np.median([f.seconds for f in group]):6.0f}"
        )
    return rows


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _three(values: list[float], digits: int) -> str:
    if not values:
        return "-"
    return " / ".join(f"{value:.{digits}f}" for value in np.quantile(values, [0.5, 0.95, 1.0]))


def unhealthy_rows(found: Sequence[Found]) -> list[str]:
    """The second table: for each kind, how often it was refused for that reason, and what else was said."""
    rows = [f"{'':20}{'n':>5}{'refused':>10}{'right reason':>14}   other first reasons"]
    for kind in dict.fromkeys(each.installation.kind for each in found):
        group = [each for each in found if each.installation.kind == kind]
        refused = [each for each in group if not each.outcome.accepted]
        right = [f for f in refused if kind in {str(finding.reason) for finding in f.outcome.refusals}]
        others = Counter(
            str(f.outcome.refusals[0].reason) if f.outcome.refusals else "accepted" for f in group if f not in right
        )
        said = ", ".join(f"{name} {n}" for name, n in others.most_common())
        shares = f"{_share(len(refused), len(group)):>10}{_share(len(right), len(group)):>14}"
        rows.append(f"{kind:20}{len(group):5}{shares}   {said}")
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="healthy installations")
    parser.add_argument("--unhealthy", type=int, default=20, help="of each unhealthy kind")
    parser.add_argument("--seed", type=int, default=REPORT_SEED)
    parser.add_argument("--extra", type=int, default=0, help="placements that may be added to the first ones")
    parser.add_argument("--only", default="", help="one kind alone")
    args = parser.parse_args()
    options = RunOptions(most_extra=args.extra, warm_up_limit_s=60.0)
    began = time.perf_counter()
    if args.only in ("", "healthy"):
        healthy = [run(draw_installation(args.seed, n), args.seed, n, options) for n in range(args.count)]
        print("\n".join(healthy_rows(healthy)))  # noqa: T201
        refused = Counter(str(f.outcome.refusals[0]) for f in healthy if f.outcome.refusals)
        print("\n".join(f"refused: {text}" for text in refused))  # noqa: T201
    kinds = [kind for kind in UNHEALTHY if args.only in ("", kind)]
    numbers = range(args.unhealthy)
    sick = [run(draw_installation(args.seed, n, kind), args.seed, n, options) for kind in kinds for n in numbers]
    if sick:
        print("\n" + "\n".join(unhealthy_rows(sick)))  # noqa: T201
    print(f"\nseed {args.seed}, {time.perf_counter() - began:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
