"""The rig's HX711 (C) and the package's (Python) are one model: same pulses and faults, same DOUT and conversions."""

from __future__ import annotations

import shutil
import subprocess
from bisect import bisect_right
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig_ready import needed

from drivers.hx711.chip import Chip, Datasheet
from drivers.hx711.chip_faults import OF_ONE_READ, ChipFault, PlannedFault
from hil.rig.build import SOURCES, build_chip_probe
from hil.rig.faults import RIG_FAULTS, order

RATE_HZ = 80.0
PERIOD_NS = 12_500_000
HORIZON_NS = 40 * PERIOD_NS


@dataclass(frozen=True)
class Edge:
    """SCK to a level (or, with None, only a look at DOUT) so long after what came before."""

    after_ns: int
    level: bool | None


def a_read(start_ns: int, high_ns: int, low_ns: int, pulses: int) -> list[Edge]:
    one = [Edge(low_ns, True), Edge(high_ns, False)]
    return [Edge(start_ns, None), *(one * pulses), Edge(low_ns, None)]


reads = st.builds(
    a_read,
    st.one_of(
        st.integers(1, 200_000), st.integers(PERIOD_NS - 150_000, PERIOD_NS + 150_000), st.integers(1, 8 * PERIOD_NS)
    ),
    st.one_of(st.integers(200, 50_000), st.sampled_from([59_999, 60_000, 60_001, 100_000])),
    st.integers(200, 30_000),
    st.sampled_from([25, 25, 25, 26, 27, 24, 28, 3, 0]),
)
looks = st.builds(lambda gap: [Edge(gap, None)], st.integers(1, PERIOD_NS))
faults = st.builds(
    lambda fault, begin, length, bit, factor: PlannedFault(
        fault,
        begin,
        None if fault in OF_ONE_READ or length is None else begin + length,
        bit,
        factor if fault is ChipFault.SLOW_CLOCK else None,
    ),
    st.sampled_from(list(ChipFault)),
    st.integers(0, HORIZON_NS),
    st.one_of(st.none(), st.integers(1, 10 * PERIOD_NS)),
    st.integers(0, 24),
    st.floats(0.5, 8.0),
)


@pytest.fixture(scope="module", autouse=True)
def compiler() -> None:
    if not (shutil.which("make") and shutil.which("cc")):
        needed("make", "cc")


def in_python(
    edges: list[Edge], plan: list[PlannedFault], levels: list[tuple[int, float]], sheet: Datasheet
) -> tuple[list[bool], list[tuple[int, int, int, int, int]]]:
    def source(at_ns: int) -> float:
        return levels[max(0, bisect_right([at for at, _ in levels], at_ns) - 1)][1]

    chip = Chip(source, RATE_HZ, PERIOD_NS, 0.0, sheet, lambda _: -3000.0)
    for planned in plan:
        chip.inject(planned)
    seen, now = [], PERIOD_NS
    for edge in edges:
        now += edge.after_ns
        if edge.level is not None:
            chip.sck(edge.level, now)
        seen.append(chip.dout(now))
    return seen, [(c.edge_ns, c.counts, int(c.setting), int(c.settled), int(c.after_restart)) for c in chip.conversions]


def in_c(
    edges: list[Edge], plan: list[PlannedFault], levels: list[tuple[int, float]], sheet: Datasheet
) -> tuple[list[bool], list[tuple[int, int, int, int, int]]]:
    lines = [f"new {RATE_HZ} {PERIOD_NS} {1 if sheet is Datasheet.FIRST else 2} 0 -3000", f"levels {len(levels)}"]
    lines += [f"{at} {counts!r}" for at, counts in levels]
    lines += [f"fault {order(planned)}" for planned in plan]
    now = PERIOD_NS
    for edge in edges:
        now += edge.after_ns
        lines.append(f"dout {now}" if edge.level is None else f"sck {int(edge.level)} {now}")
    program = build_chip_probe()
    said = subprocess.run(
        [str(program)], input="\n".join([*lines, "end", ""]), capture_output=True, text=True, check=True
    )
    words = said.stdout.splitlines()
    conversions = [tuple(int(w) for w in line.split()) for line in words[len(edges) : -1]]
    return [word == "1" for word in words[: len(edges)]], conversions  # type: ignore[return-value]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(reads, reads, looks), min_size=1, max_size=25),
    st.lists(faults, max_size=4),
    st.lists(st.floats(-9_000_000, 9_000_000), min_size=1, max_size=4),
    st.sampled_from(list(Datasheet)),
)
def test_both_chip_models_answer_the_same_pulses_and_faults_alike(
    parts: list[list[Edge]], plan: list[PlannedFault], heights: list[float], sheet: Datasheet
) -> None:
    edges = [edge for part in parts for edge in part]
    levels = [(i * 7 * PERIOD_NS, height) for i, height in enumerate(heights)]
    python_seen, python_conversions = in_python(edges, plan, levels, sheet)
    c_seen, c_conversions = in_c(edges, plan, levels, sheet)
    assert c_seen == python_seen
    assert c_conversions == python_conversions


@pytest.mark.parametrize("fault", list(ChipFault))
@pytest.mark.parametrize("bit", [0, 7, 23, 24])
def test_each_fault_alone_shows_alike_in_reads_at_every_edge(fault: ChipFault, bit: int) -> None:
    edges = [edge for _ in range(12) for edge in a_read(PERIOD_NS - 50 * 2_000, 1_000, 1_000, 25)]
    end = None if fault in OF_ONE_READ else 8 * PERIOD_NS
    plan = [PlannedFault(fault, 3 * PERIOD_NS, end, bit, 2.5 if fault is ChipFault.SLOW_CLOCK else None)]
    levels = [(0, 123_456.0), (5 * PERIOD_NS, -654_321.0)]
    assert in_c(edges, plan, levels, Datasheet.V2) == in_python(edges, plan, levels, Datasheet.V2)


def test_the_truth_names_faults_in_the_order_of_the_simulator() -> None:
    source = (SOURCES / "chip.c").read_text(encoding="utf-8")
    begin = source.index("fault_name[FAULT_KINDS] = {")
    names = source[begin : source.index("};", begin)].split("{")[1]
    assert [name.strip(' "\n') for name in names.split(",") if name.strip()] == [
        fault.value.replace(" ", "-") for fault in RIG_FAULTS
    ]
