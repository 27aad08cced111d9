"""Plates on three, four, six and eight cells: what carries a board beside its cells, a loose mount, a cell at fault.

The plate is stiff and stands on springs, one at each cell: a load makes it sink and tilt, and a spring carries its
stiffness times how far it is pressed in. Whatever else carries it is one more spring.
"""

from __future__ import annotations

import numpy as np
import pytest

from calibration.diagnosis.diagnose import diagnose_boards
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.samples import BoardSamples, Cell, Slot
from calibration.diagnosis.verdicts import PartVerdict, Verdict
from calibration.record import BoardCalibration, CellCalibration
from drivers.samples import SampleBlock

WIDTH, DEPTH = 1000.0, 400.0
PLACES = {
    3: ((40.0, 40.0), (960.0, 40.0), (500.0, 360.0)),
    4: ((40.0, 40.0), (960.0, 40.0), (40.0, 360.0), (960.0, 360.0)),
    6: tuple((x, y) for y in (40.0, 360.0) for x in (40.0, 500.0, 960.0)),
    8: tuple((x, y) for y in (40.0, 360.0) for x in (40.0, 350.0, 650.0, 960.0)),
}
GAIN, ZERO, RATE_HZ = 200.0, 50_000.0, 10.0
WEIGHTS_G = (420.0, 260.0, 730.0, 180.0, 550.0)
BEGIN_S, APART_S = 3.0, 2.6
Support = tuple[float, float, float]  # x, y in mm, and its stiffness in a cell's


def board(
    cells: int, factors: dict[int, float] | None = None, springs: dict[int, float] | None = None,
    support: Support | None = None,
) -> BoardSamples:  # fmt: skip
    """A unit of each of five places lifted and put back, at the front of the shelf and at its back.

    ``factors``: what a cell gives for what it carries; ``springs``: stiffness of its mount; both 1 for the others.
    ``support`` comes after the calibration and after what already lies there.
    """
    places = np.array(PLACES[cells])
    statics = np.column_stack([np.ones(cells), places])
    stiff = np.ones(cells) * (1.0 + 0.03 * np.sin(5.0 * np.arange(cells)))  # no two mounts are alike
    for cell, stiffness in (springs or {}).items():
        stiff[cell] = stiffness
    system = statics.T @ (stiff[:, None] * statics)
    if support is not None:
        at = np.array([1.0, *support[:2]])
        system = system + support[2] * np.outer(at, at)
    edges = np.linspace(0.0, WIDTH, len(WEIGHTS_G) + 1)
    slots = tuple(
        Slot(f"s{k}", (edges[k], edges[k + 1]), (0.0, DEPTH), weight, 1.0, 4) for k, weight in enumerate(WEIGHTS_G)
    )
    moves = []
    for n in range(4 * len(WEIGHTS_G)):
        slot = n // 4
        x, y = edges[slot] + 60.0 + 80.0 * (slot % 2), 90.0 if n % 4 < 2 else 320.0
        sign = -1.0 if n % 2 == 0 else 1.0
        load = sign * WEIGHTS_G[slot] * np.array([1.0, x, y])
        moves.append((BEGIN_S + APART_S * n, stiff * (statics @ np.linalg.solve(system, load))))
    seconds = BEGIN_S + APART_S * (len(moves) + 1)
    lying = sum(4 * weight for weight in WEIGHTS_G) / cells
    rng = np.random.default_rng(cells)
    times, counts = [], []
    for k in range(cells):
        rate = RATE_HZ * (1.02 + 0.01 * k)
        time_s = np.arange(int(seconds * rate)) / rate
        grams = np.full(time_s.size, lying)
        for at_s, forces in moves:
            grams += forces[k] * np.clip((time_s - at_s) / 0.3, 0.0, 1.0)
        factor = (factors or {}).get(k, 1.0)
        times.append(np.rint(time_s * 1e9).astype(np.int64))
        counts.append(np.rint(ZERO + GAIN * factor * grams + 30.0 * rng.standard_normal(time_s.size)))
    index = np.repeat(np.arange(cells), [each.size for each in times]).astype(np.uint8)
    time_ns, codes = np.concatenate(times), np.concatenate(counts).astype(np.int32)
    order = np.lexsort((index, time_ns))
    block = SampleBlock("b", time_ns[order], index[order], codes[order], np.zeros(order.size, np.uint16))
    named = {f"c{k}": CellCalibration(zero_counts=ZERO, counts_per_gram=GAIN) for k in range(cells)}
    return BoardSamples(
        "b", WIDTH, DEPTH, RATE_HZ, tuple(Cell(f"c{k}", *PLACES[cells][k]) for k in range(cells)), block, seconds,
        BoardCalibration(board="b", cells=named), slots,
    )  # fmt: skip


def whole(there: BoardSamples) -> PartVerdict:
    return diagnose_boards([there])[0][0]


@pytest.mark.parametrize("cells", PLACES)
def test_a_sound_plate_passes_on_any_number_of_cells(cells: int) -> None:
    parts, _ = diagnose_boards([board(cells)])
    assert all(part.verdict is Verdict.PASS for part in parts), parts
    assert parts[0].figures["load_changes"] == 20


@pytest.mark.parametrize("cells", PLACES)
@pytest.mark.parametrize("at", [(500.0, 0.0), (0.0, 200.0)])
def test_what_carries_the_board_beside_its_cells_is_named_with_its_place(cells: int, at: tuple[float, float]) -> None:
    found = whole(board(cells, support=(*at, 1.0)))
    assert [each.fault for each in found.faults] == [Fault.UNEVEN]
    numbers = found.findings[0].numbers
    assert np.hypot(numbers["x_mm"] - at[0], numbers["y_mm"] - at[1]) < 250.0
    assert 0.5 < numbers["stiffness"] < 2.0


@pytest.mark.parametrize("cell", range(4))
def test_a_mount_that_gives_way_is_named_with_its_cell(cell: int) -> None:
    """Weight and place stay right: only the twist says so, which three numbers of statics don't hold."""
    found = whole(board(4, springs={cell: 0.15}))
    assert [each.fault for each in found.faults] == [Fault.UNEVEN]
    assert "loose mount" in found.findings[0].evidence
    opposite = 3 - cell  # a plate on four springs can't tell a soft one from its diagonal's
    assert f"c{cell} " in found.findings[0].evidence or f"c{opposite} " in found.findings[0].evidence


FAULTS = {0.0: Fault.CELL_DEAD, -1.0: Fault.REVERSED, 0.5: Fault.WRONG_GAIN, 2.0: Fault.WRONG_GAIN, 0.3: Fault.BINDING}


@pytest.mark.parametrize("cells", [3, 6, 8])
@pytest.mark.parametrize("factor", FAULTS)
def test_a_cell_at_fault_is_named_on_three_six_and_eight_cells(cells: int, factor: float) -> None:
    for cell in (0, cells - 1):
        found = whole(board(cells, factors={cell: factor}))
        assert found.findings[0].fault is FAULTS[factor], found
        assert f"c{cell}" in found.findings[0].evidence


@pytest.mark.parametrize("cells", [3, 6, 8])
@pytest.mark.parametrize(("factor", "fault"), [(0.85, Fault.WRONG_CALIBRATION), (0.5, Fault.WRONG_GAIN)])
def test_what_is_wrong_with_all_cells_is_named_on_three_six_and_eight(cells: int, factor: float, fault: Fault) -> None:
    found = whole(board(cells, factors=dict.fromkeys(range(cells), factor)))
    assert [each.fault for each in found.faults] == [fault]
