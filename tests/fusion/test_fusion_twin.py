"""The kernels say what their pure-Python twins say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import in_order, ingested
from twin import TwinBoard, TwinChange, TwinMove, batches, blurred_box, explanations, log_sum

from edge.fusion.frames import WINDOW_NS
from edge.fusion.likelihood import FOREIGN_PUT, NOTHING, TOP, explain, log_blurred_uniform
from edge.fusion.moves import Moves


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    cells=st.integers(1, 8),
    rate_hz=st.sampled_from([10.0, 20.0, 60.0, 80.0, 320.0]),
    begin_ns=st.integers(-(10**12), 10**15),
    gaps=st.integers(0, 3),
    flagged=st.booleans(),
)
def test_batches_are_windowed_means_of_interpolated_samples(
    seed: int, cells: int, rate_hz: float, begin_ns: int, gaps: int, flagged: bool
) -> None:
    """Every cell's samples interpolated onto one grid, and the window's mean per batch; no number where it was silent
    for half of it."""
    rng = np.random.default_rng(seed)
    period_ns = round(1e9 / rate_hz)
    per_batch = max(1, round(50e6 / period_ns))
    sent, good, flags = [], [], []
    for _ in range(cells):
        own_ns = period_ns * rng.uniform(0.95, 1.05)
        index = np.arange(int(400 * period_ns / own_ns))  # all end together: else the first to end would be lost
        for begin in rng.choice(np.arange(30, 300, 60), gaps, replace=False):
            index = index[(index < begin) | (index >= begin + int(rng.integers(8, 40)))]
        jitter = rng.uniform(-0.02, 0.02, index.size)
        time_ns = begin_ns + np.rint(own_ns * (index + rng.uniform() + jitter)).astype(np.int64)
        grams = rng.uniform(-500, 5000) + 4 * np.sin(index / rng.uniform(10, 40)) + rng.uniform(-0.3, 0.3, index.size)
        grams = np.round(grams, 3)
        flag = np.zeros(index.size, np.int64)
        flag[5:-5:9] = flagged * (rng.random(flag[5:-5:9].size) < 0.3)
        sent.append((time_ns, grams * 1000))
        flags.append(flag)
        good.append((time_ns[flag == 0], grams[flag == 0]))
    found = ingested(in_order(sent, flags), cells, 1000.0, 0, period_ns, per_batch)
    twin = batches(good, period_ns, per_batch, gap_ns=5 * period_ns, window_ns=WINDOW_NS)
    np.testing.assert_array_equal(found.number, twin.number)
    known = ~np.isnan(found.grams) & ~np.isnan(twin.grams)
    np.testing.assert_allclose(found.grams[known], twin.grams[known], rtol=1e-9, atol=1e-9)
    # Where just half of a window is known, rounding decides whether that is enough: once on either side of a gap.
    assert (np.isnan(found.grams) != np.isnan(twin.grams)).sum() <= 2 * gaps * cells
    np.testing.assert_allclose(found.swing_g, twin.swing_g, atol=1e-5)
    assert found.faults[:, 4].tolist() == [int(flag.sum()) for flag in flags]
    assert found.faults[:, :4].sum() == 0


def _as_arrays(moves: list[TwinMove]) -> Moves:
    n = len(moves)
    kinds = np.array([move.kind for move in moves], np.int64).reshape(n, 2)
    weight = np.array([move.weight_g for move in moves])
    return Moves(
        sign=np.sign(weight).astype(np.int64),
        sku=kinds[:, 0].copy(),
        slot=kinds[:, 1].copy(),
        quantity=np.ones(n, np.int64),
        weight_g=weight,
        weight_var=np.array([move.weight_var for move in moves]),
        box_mm=np.array([(*move.box_mm[0], *move.box_mm[1]) for move in moves]).reshape(n, 4),
        log_prior=np.log(np.array([move.prior for move in moves])),
        pairable=np.array([move.pairable for move in moves], np.bool_),
        weighed_here=np.array([move.weighed_here for move in moves], np.bool_),
    )


def _random_moves(rng: np.random.Generator) -> list[TwinMove]:
    moves = []
    for _ in range(int(rng.integers(1, 18))):
        slot = int(rng.integers(0, 8))
        x = -450 + 112.5 * slot
        grams = float(rng.uniform(80, 1500))
        moves.append(
            TwinMove(
                kind=(int(rng.integers(0, 6)), slot),
                weight_g=grams * (1 if rng.random() < 0.5 else -1),
                weight_var=float((grams * rng.uniform(0.002, 0.02)) ** 2),
                box_mm=((x, x + 112.5), (-200.0, 200.0)),
                prior=float(rng.uniform(0.001, 0.2)),
                pairable=bool(rng.random() < 0.7),
                weighed_here=bool(rng.random() < 0.3),
            )
        )
    return moves


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    truth=st.sampled_from(["nothing", "foreign", "one", "two", "three"]),
    sees=st.sampled_from([(True, True), (True, False), (False, True), (False, False)]),
)
def test_explanations_of_a_change_and_their_sum(seed: int, truth: str, sees: tuple[bool, bool]) -> None:
    """Nothing, one movement to three, a foreign object: the twin's best ones in the same order, the same evidence."""
    rng = np.random.default_rng(seed)
    moves = _random_moves(rng)
    board = TwinBoard(sees, ((-450.0, 450.0), (-200.0, 200.0)))
    loads: list[tuple[float, float, float]] = []
    if truth == "foreign":
        loads.append((float(rng.uniform(-1500, 1500)), float(rng.uniform(-440, 440)), float(rng.uniform(-190, 190))))
    for _ in range({"one": 1, "two": 2, "three": 3}.get(truth, 0)):
        move = moves[int(rng.integers(len(moves)))]
        grams = move.weight_g + float(rng.normal() * math.sqrt(move.weight_var))
        loads.append((grams, float(rng.uniform(*move.box_mm[0])), float(rng.uniform(*move.box_mm[1]))))
    sd = (float(rng.uniform(0.2, 3.0)), float(rng.uniform(50, 1500)), float(rng.uniform(50, 1500)))
    z = [
        sum(g for g, _, _ in loads) + float(rng.normal()) * sd[0],
        sum(g * x for g, x, _ in loads) + float(rng.normal()) * sd[1],
        sum(g * y for g, _, y in loads) + float(rng.normal()) * sd[2],
    ]
    var = [s * s for s in sd]
    gain_var = float(rng.uniform(0, 4))

    twin = explanations(TwinChange(z, var, gain_var), board, moves)
    top_log, top = np.empty(TOP), np.empty((TOP, 3), np.int64)
    evidence = explain(
        np.array(z), np.array(var), gain_var, np.array([True, *sees]), np.array([-450.0, 450.0, -200.0, 200.0]),
        _as_arrays(moves), top_log, top,
    )  # fmt: skip

    assert evidence == pytest.approx(log_sum(list(twin.values())), abs=1e-6)
    best = sorted(twin.items(), key=lambda item: -item[1])
    worth = [(rows, log) for rows, log in best[:TOP] if log > best[0][1] - 18]
    np.testing.assert_allclose(top_log[: len(worth)], [log for _, log in worth], atol=1e-6)
    for log, (i, *others) in zip(top_log[: len(worth)], top[: len(worth)].tolist(), strict=True):
        rows = {NOTHING: (), FOREIGN_PUT: (-1,)}.get(i, (i, *(row for row in others if row >= 0)))
        assert twin[rows] == pytest.approx(log, abs=1e-6)


@pytest.mark.parametrize("sd", [0.5, 8.0, 60.0])
def test_a_blurred_box_keeps_falling_however_far_outside(sd: float) -> None:
    """Where the difference of two error functions has no digits left, the tail goes on, within a nat or two."""
    off_mm = np.linspace(0.1, 25, 60) * sd
    outside = [log_blurred_uniform(100.0 + off, 0.0, 100.0, sd) for off in off_mm]
    assert np.all(np.diff(outside) < 0)
    exact = [blurred_box(100.0 + off, 0.0, 100.0, sd) for off in off_mm]
    np.testing.assert_allclose(outside, exact, atol=1.5)
