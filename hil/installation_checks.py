"""The quick check on boards that were just calibrated: as they are, and as they may be a year later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.check import CalibrationCheck, CheckResult
from calibration.outcome import record_of
from calibration.prompts import Prompt, Step
from drivers.simulated import hands
from drivers.simulated.board import BoardSimulator
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.forces import Force
from drivers.simulated.physics import BoardPhysics
from drivers.simulated.scene import Put
from drivers.simulated.stage import seeded
from drivers.simulated.world import Unit
from hil.installation_tables import share
from hil.installations import BLOCK_S, Found
from hil.installer import Habits, Installer
from hil.targets import Target

CHECKS = ("healthy", "gains off by 1 %", "one gain off by 1 %", "one gain off by 5 %", "dead cell", "corner hangs")
HANGING = (0.07, 0.14)
LIMIT_S = 100.0
FALSE_FAIL, FALSE_PASS = 0.02, 0.05
WEAK = ("one gain off by 1 %",)  # within what one weight at one place can tell; told in the table, no target


@dataclass(frozen=True)
class Checked:
    """One check. ``late``: it took longer than 30 s from the prompt to put the weight down."""

    kind: str
    result: CheckResult
    seconds: float


def checked(job: tuple[int, Found, str]) -> Checked:
    """The board of a run that was accepted, some time later, checked with its own weight by the same clumsy person."""
    seed, found, kind = job
    installation = found.installation
    rng = seeded(seed, "check", kind, installation.weight_g, installation.noise_g)
    record = record_of(found.outcome, "")
    physics = _later(installation.physics, kind, rng)
    person = Installer(installation.site, installation.weight_g, Habits(), rng)
    driver = SimulatedDriver(
        BoardSimulator("shelf-1", physics, person, int(rng.integers(1 << 30))),  # type: ignore[arg-type]
        clock=lambda: 0,
    )
    driver.start()
    check = CalibrationCheck(installation.site, record, installation.weight_g)
    now_s = 0.0
    while check.result is None and now_s < LIMIT_S:
        now_s += BLOCK_S
        for said in check.push([driver.read(round(now_s * 1e9))], round(now_s * 1e9)):
            if isinstance(said, Prompt) and said.step is Step.PUT:
                _put(person, said, now_s + float(rng.uniform(3.0, 6.0)), kind)
    assert check.result is not None
    return Checked(kind, check.result, now_s)


def _put(person: Installer, prompt: Prompt, at_s: float, kind: str) -> None:
    site, rng = person.site, person.rng
    if prompt.x_mm is None or prompt.y_mm is None:
        x, y = (float(share) for share in rng.uniform(0.15, 0.85, 2) * (site.width_mm, site.depth_mm))
    else:
        x, y = person.near(prompt.x_mm, prompt.y_mm)
    unit = Unit("weight", person.weight_g, None, x, y)
    forces, _ = hands.put([unit], Put(at_s, "", contact_s=float(rng.uniform(0.5, 1.6))), rng)
    if kind == "corner hangs":  # it lies on the frame, which takes its part of any weight
        corner = (site.width_mm * float(rng.integers(2)), site.depth_mm * float(rng.integers(2)))
        held = float(rng.uniform(*HANGING)) * person.weight_g
        forces = [*forces, Force(*corner, (at_s, at_s + 0.1), (0.0, -held))]
    person.add(forces)


def _later(physics: BoardPhysics, kind: str, rng: np.random.Generator) -> BoardPhysics:
    factors = np.ones(len(physics.cells))
    k = int(rng.integers(len(physics.cells)))
    if kind == "gains off by 1 %":
        factors[:] = 1.0 + 0.01 * float(rng.choice([-1.0, 1.0]))
    elif kind.startswith("one gain off by"):
        factors[k] = 1.0 + float(kind.split()[4]) / 100 * float(rng.choice([-1.0, 1.0]))
    elif kind == "dead cell":
        factors[k] = 0.001
    cells = [
        replace(
            cell, counts_per_gram=cell.counts_per_gram * float(f), zero_counts=cell.zero_counts + rng.normal(0, 200)
        )
        for cell, f in zip(physics.cells, factors, strict=True)
    ]
    return replace(physics, cells=tuple(cells))


def check_rows(checks: Sequence[Checked]) -> list[str]:
    """For each kind, how often the check passed, how long it took, and what it said."""
    rows = [f"{'quick check':24}{'n':>5}{'passed':>10}{'s p50/max':>14}   reasons"]
    for kind in dict.fromkeys(each.kind for each in checks):
        group = [each for each in checks if each.kind == kind]
        passed = sum(each.result.holds for each in group)
        said = Counter(str(f.reason) for each in group for f in each.result.findings if f.refuses)
        seconds = [each.seconds for each in group]
        reasons = ", ".join(f"{name} {n}" for name, n in said.most_common())
        took = f"{np.median(seconds):.0f}/{max(seconds):.0f}"
        rows.append(f"{kind:24}{len(group):5}{share(passed, len(group)):>10}{took:>14}   {reasons}".rstrip())
    return rows


def check_targets(checks: Sequence[Checked]) -> list[Target]:
    """A board that is well passes, one that isn't doesn't, and it takes 30 s."""
    found = []
    for kind in dict.fromkeys(each.kind for each in checks):
        group = [each for each in checks if each.kind == kind]
        passed = sum(each.result.holds for each in group) / len(group)
        text = f"{100 * passed:.1f} %"
        if kind == "healthy":
            found.append(Target("check of a healthy board passes", ">= 98 %", text, passed >= 1 - FALSE_FAIL))
            late = float(np.median([each.seconds for each in group]))
            found.append(Target("seconds of a check, median", "<= 30", f"{late:.0f}", late <= 30.0))
        elif kind not in WEAK:
            found.append(Target(f"check passes, {kind}", "<= 5 %", text, passed <= FALSE_PASS))
    return found
