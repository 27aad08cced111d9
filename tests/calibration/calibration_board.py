"""A board on the simulator's physics, with a script of forces instead of people: what calibration tests weigh on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from calibration.placements import BoardSite, CellSite
from calibration.prompts import Progress, Prompt, Step
from calibration.session import CalibrationSession
from drivers.samples import SampleBlock
from drivers.simulated.board import BoardSimulator
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.forces import Force, Shake
from drivers.simulated.physics import BoardPhysics, CellPhysics, FaultRates, PlatePhysics

CORNERS = {"fl": (40.0, 40.0), "fr": (860.0, 40.0), "bl": (40.0, 360.0), "br": (860.0, 360.0)}
GAINS = {"fl": 215.0, "fr": -190.0, "bl": 240.0, "br": 201.0}


@dataclass
class Script:
    """What `BoardSimulator` asks of a stage: forces, as they are added."""

    board: str = "shelf-1"
    forces: list[Force] = field(default_factory=list)
    settled_g: dict[str, list[tuple[float, float, float]]] = field(
        default_factory=lambda: {"shelf-1": [], "shelf-2": []}
    )

    def acting(self, board: str, until_s: float) -> tuple[list[Force], list[Shake]]:
        if board != self.board:
            return [], []
        due = [force for force in self.forces if force.begin_s < until_s]
        self.forces = [force for force in self.forces if force.begin_s >= until_s]
        return due, []

    def put(self, x_mm: float, y_mm: float, grams: float, at_s: float) -> None:
        """A weight comes down within 0.4 s; a negative one leaves."""
        self.forces.append(Force(x_mm, y_mm, (at_s, at_s + 0.4), (0.0, grams)))

    def lean(self, x_mm: float, y_mm: float, grams: float, at_s: float, lasts_s: float) -> None:
        """A trembling hand."""
        times = (at_s, at_s + 0.1, at_s + lasts_s - 0.1, at_s + lasts_s)
        self.forces.append(Force(x_mm, y_mm, times, (0.0, grams, grams, 0.0), 0.1, (2.0, 9.0), (0.1, 0.6)))


def site_of(
    places: dict[str, tuple[float, float]] = CORNERS, rate_hz: float = 80.0, rated: float | None = None
) -> BoardSite:
    cells = tuple(CellSite(name, x, y, 10_000.0, rated) for name, (x, y) in places.items())
    return BoardSite("shelf-1", 900.0, 400.0, rate_hz, cells)


def physics_of(
    site: BoardSite,
    gains: Sequence[float],
    wiring: Sequence[int] | None = None,
    noise_counts: float = 60.0,
    flexibility: float = 0.3,
    change: Callable[[int, CellPhysics], CellPhysics] = lambda channel, cell: cell,
) -> BoardPhysics:
    """Channel k carries cell ``wiring[k]`` with ``gains[k]``; no faults but those that ``change`` makes."""
    order = list(range(len(site.cells))) if wiring is None else list(wiring)
    cells = [
        CellPhysics(
            site.cells[c].x_mm, site.cells[c].y_mm, gains[k], 20_000.0 * (k - 1.5), 10_000.0,
            rate_error=0.02 * k, noise_counts=noise_counts, daily_g=0.1,
        )
        for k, c in enumerate(order)
    ]  # fmt: skip
    plate = PlatePhysics(site.width_mm, site.depth_mm, flexibility)
    channels = tuple(change(k, cell) for k, cell in enumerate(cells))
    return BoardPhysics(plate, channels, site.rate_hz, FaultRates.none())


def driver_for(physics: BoardPhysics, script: Script, board: str = "shelf-1", seed: int = 3) -> SimulatedDriver:
    driver = SimulatedDriver(BoardSimulator(board, physics, script, seed), clock=lambda: 0)  # type: ignore[arg-type]
    driver.start()
    return driver


def samples(physics: BoardPhysics, script: Script, until_s: float, seed: int = 3) -> SampleBlock:
    return driver_for(physics, script, seed=seed).read(round(until_s * 1e9))


Person = Callable[[Prompt, float, Script], None]


def tidy(off_mm: float = 6.0, grams: Callable[[Prompt], float] = lambda prompt: prompt.weight_g) -> Person:
    """Somebody who does what he is told; weights lie a few mm off their places, always in another direction."""
    lying: list[tuple[float, float, float]] = []
    turns = [0.0]

    def follow(prompt: Prompt, now_s: float, script: Script) -> None:
        if prompt.step is Step.TAKE_OFF and lying:
            x, y, weight = lying.pop()
            script.put(x, y, -weight, now_s + 3.0)
        elif prompt.step is Step.PUT and not lying:
            assert prompt.x_mm is not None
            assert prompt.y_mm is not None
            turns[0] += 2.4
            x, y = prompt.x_mm + off_mm * np.cos(turns[0]), prompt.y_mm + off_mm * np.sin(turns[0])
            lying.append((x, y, grams(prompt)))
            script.put(x, y, grams(prompt), now_s + 3.0)

    return follow


def run(
    session: CalibrationSession,
    physics: BoardPhysics,
    person: Person,
    script: Script | None = None,
    most_s: float = 400.0,
    block_s: float = 0.25,
    others: Sequence[SimulatedDriver] = (),
    seed: int = 3,
) -> list[Prompt]:
    """Feed the session until it is done; the prompts it gave."""
    script = script or Script()
    drivers = [driver_for(physics, script, seed=seed), *others]
    prompts: list[Prompt] = []
    now_s = 0.0
    while session.outcome is None and now_s < most_s:
        now_s += block_s
        said = session.push([driver.read(round(now_s * 1e9)) for driver in drivers], round(now_s * 1e9))
        for each in said:
            if isinstance(each, Prompt):
                prompts.append(each)
                person(each, now_s, script)
            else:
                assert isinstance(each, Progress)
    return prompts


def with_gain(channel: int, factor: float) -> Callable[[int, CellPhysics], CellPhysics]:
    return lambda k, cell: replace(cell, counts_per_gram=cell.counts_per_gram * factor) if k == channel else cell
