"""Small setups, scenes on them, and what fusion makes of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.samples import SampleBlock
from drivers.simulated.physics import BoardPhysics, FaultRates
from drivers.simulated.scene import Action
from drivers.simulated.stage import Scene
from edge.config.setup import Setup, setup_from_texts
from edge.fusion.engine import Fusion
from edge.fusion.replay import replay
from edge.node.simulate import physics_for, simulated_blocks
from edge.trace.event import Event, Label, Status

WIDTH_MM, DEPTH_MM = 900.0, 400.0
CORNERS = {"fl": (30.0, 30.0), "fr": (870.0, 30.0), "bl": (30.0, 370.0), "br": (870.0, 370.0)}
WEIGHTS_G = (352.0, 410.0, 180.0, 95.0, 520.0, 1010.0, 260.0, 740.0)
"""Eight items side by side; slot A0 holds sku0 of WEIGHTS_G[0] and so on."""
SLOT_MM = WIDTH_MM / len(WEIGHTS_G)


def setup_of(
    boards: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
    rate_hz: float = 80.0,
    weights_g: Sequence[float] = WEIGHTS_G,
    count: int = 6,
) -> Setup:
    """A node without calibration. Boards by name, each with its cells; the first has slots A0.., the second B0.."""
    boards = boards or {"b": CORNERS}
    node = ["node: bay", "planogram: planogram.yaml", "boards:"]
    planogram = ["skus:"]
    planogram += [
        f"  sku{k}: {{name: item {k}, weight: {grams:g} g, spread: {max(1.0, 0.006 * grams):.1f} g}}"
        for k, grams in enumerate(weights_g)
    ]
    planogram.append("slots:")
    step_mm = WIDTH_MM / len(weights_g)
    for letter, (name, cells) in zip("ABCD", boards.items(), strict=False):
        node += [f"  {name}:", f"    width: {WIDTH_MM:g} mm", f"    depth: {DEPTH_MM:g} mm"]
        node += [f"    rate: {rate_hz:g} Hz", "    driver: simulated", "    cells:"]
        node += [f"      {cell}: {{x: {x:g} mm, y: {y:g} mm}}" for cell, (x, y) in cells.items()]
        planogram += [
            f"  {letter}{k}: {{board: {name}, sku: sku{k}, x: [{k * step_mm:g} mm, {(k + 1) * step_mm:g} mm], "
            f"count: {count}}}"
            for k in range(len(weights_g))
        ]
    return setup_from_texts("\n".join(node) + "\n", "\n".join(planogram) + "\n", "", "test")


@dataclass(frozen=True)
class Played:
    """A scene that was played: the calibrated setup, the truth, and the samples."""

    setup: Setup
    labels: tuple[Label, ...]
    blocks: list[list[SampleBlock]]

    def events(self) -> list[Event]:
        """What fusion makes of it."""
        return list(replay(self.blocks, self.setup))

    def finals(self) -> list[Event]:
        """The final events, in the order they were decided."""
        return [event for event in self.events() if event.status is Status.FINAL]

    def whole(self) -> list[SampleBlock]:
        """All samples, a block per board."""
        boards: dict[str, list[SampleBlock]] = {}
        for together in self.blocks:
            for block in together:
                boards.setdefault(block.board, []).append(block)
        return [SampleBlock.join(blocks) for blocks in boards.values()]

    def with_samples(self, blocks: Iterable[SampleBlock]) -> Played:
        """The same with other samples, one block per board."""
        return dataclasses.replace(self, blocks=[list(blocks)])


def script(*actions: Action) -> Scene:
    """A scene of these actions, in order of time."""
    return lambda _world: actions


def play(
    scene: Scene,
    duration_s: float,
    seed: int = 1,
    setup: Setup | None = None,
    faults: FaultRates | None = None,
    cells: Mapping[int, Mapping[str, Any]] | None = None,
    every_cell: Mapping[str, Any] | None = None,
) -> Played:
    """Play a scene on boards drawn from the seed; ``cells`` (by index) and ``every_cell`` replace what was drawn."""
    setup = setup or setup_of()
    physics = {
        name: changed(board, cells or {}, every_cell or {})
        for name, board in physics_for(setup, seed, faults or FaultRates.none()).items()
    }
    calibrated, labels, blocks = simulated_blocks(setup, physics, scene, seed, duration_s)
    return Played(calibrated, labels, list(blocks))


def changed(board: BoardPhysics, cells: Mapping[int, Mapping[str, Any]], every_cell: Mapping[str, Any]) -> BoardPhysics:
    """The board with some cells' physics replaced."""
    found = tuple(
        dataclasses.replace(cell, **{**every_cell, **cells.get(index, {})}) for index, cell in enumerate(board.cells)
    )
    return dataclasses.replace(board, cells=found)


def exact(events: Iterable[Event]) -> list[str]:
    """Events as text that is equal only where every bit is (JSON writes floats so that they read back the same)."""
    return [json.dumps(dataclasses.asdict(event), default=float) for event in events]


def pushed(setup: Setup, pieces: Iterable[Sequence[SampleBlock]], tell_time: bool = True) -> list[Event]:
    """Events of samples given in these pieces; ``tell_time``: up to when all samples of all boards have been given."""
    fusion = Fusion(setup)
    events: list[Event] = []
    newest: int | None = None
    for blocks in pieces:
        times = [int(block.time_ns[-1]) for block in blocks if len(block)]
        newest = max(times if newest is None else [newest, *times], default=None)
        events += fusion.push(blocks, newest if tell_time else None)
    return events + fusion.finish()


def told(event: Event) -> tuple[str, str | None, str | None, int]:
    """What an event says moved."""
    return event.kind.value, event.sku, event.slot, event.quantity
