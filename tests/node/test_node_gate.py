"""The gate before fusion: what passes is in one order of time, and nothing older comes after it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from node_benches import MS, S, block, pairs

from drivers.samples import SampleBlock
from edge.node.gate import Gate

NOW = 1000 * S


def gate(**rates: float) -> Gate:
    return Gate({name: (2, rate) for name, rate in rates.items()})


def test_what_comes_in_order_passes_as_it_is():
    it = gate(a=100.0)
    came = block("a", (NOW - 30, 0), (NOW - 30, 1), (NOW - 20, 0))
    (passed,) = it.passed([came], NOW)
    assert pairs(passed) == pairs(came)
    assert it.advance(NOW) == NOW - 20


def test_time_is_where_the_slowest_living_board_is():
    it = gate(a=100.0, b=100.0)
    it.passed([block("a", (NOW - 10, 0)), block("b", (NOW - 500 * MS, 0))], NOW)
    assert it.advance(NOW) == NOW - 500 * MS


def test_a_dead_board_holds_up_nobody():
    """Contract: not heard for 2 s, not waited for."""
    it = gate(a=100.0, b=100.0)
    it.passed([block("a", (NOW, 0)), block("b", (NOW, 0))], NOW)
    it.advance(NOW)
    later = NOW + 2 * S + 1
    it.passed([block("a", (later, 0))], later)
    assert it.advance(later) == later


def test_a_slow_board_is_given_its_own_time():
    """At 1 Hz a sample that is judged by the next one is 2 s old when it comes, and is no loss."""
    it = gate(a=100.0, b=1.0)
    it.passed([block("a", (NOW, 0)), block("b", (NOW, 0))], NOW)
    it.advance(NOW)
    later = NOW + 3 * S
    it.passed([block("a", (later, 0))], later)
    assert it.advance(later) == NOW
    (passed,) = it.passed([block("b", (NOW + S, 0))], later)
    assert len(passed) == 1
    assert it.boards["b"].refused.total == 0


def test_what_comes_back_with_old_samples_is_counted_and_kept_out():
    """P3: a USB stall of 5 s gives what can still be used; the rest is counted."""
    it = gate(a=100.0, b=100.0)
    it.passed([block("a", (NOW, 0)), block("b", (NOW, 0))], NOW)
    it.advance(NOW)
    later = NOW + 5 * S
    it.passed([block("a", (later - 10 * MS, 0))], later)
    assert it.advance(later) == later - 10 * MS
    burst = block("b", *[(NOW + k * 10 * MS, k % 2) for k in range(1, 500)])
    (passed,) = it.passed([burst], later)
    assert passed.time_ns[0] == later - 10 * MS
    assert it.boards["b"].refused.too_late == 498
    assert it.boards["b"].refused.longest_s > 4.9


def test_a_board_that_was_just_started_is_given_its_time():
    """A link holds its first samples back until it knows their times: they aren't lost to a faster board."""
    it = gate(a=100.0, b=100.0)
    it.passed([block("a", (NOW, 0))], NOW)
    it.boards["b"].started_ns = NOW
    later = NOW + S
    it.passed([block("a", (later, 0))], later)
    assert it.advance(later) == NOW
    it.passed([block("b", (NOW + 10 * MS, 0), (later, 0))], later)
    assert it.boards["b"].refused.total == 0
    assert it.advance(later) == later


def test_samples_from_the_future_and_of_no_cell_are_kept_out():
    """P7: a wrong clock at an MCU doesn't carry the whole node away."""
    it = gate(a=100.0)
    (passed,) = it.passed([block("a", (NOW - 5, 0), (NOW - 4, 7), (NOW + 3600 * S, 0))], NOW)
    assert pairs(passed) == [(NOW - 5, 0)]
    assert (it.boards["a"].refused.from_future, it.boards["a"].refused.not_ours) == (1, 1)
    assert it.advance(NOW) == NOW - 5


def test_time_goes_on_with_nobody_there():
    it = gate(a=100.0)
    assert it.advance(NOW) == NOW - 2 * S
    assert it.advance(NOW + S) == NOW - S


def test_time_never_goes_back():
    it = gate(a=100.0, b=100.0)
    it.passed([block("a", (NOW, 0))], NOW)
    assert it.advance(NOW) == NOW
    it.boards["b"].started_ns = NOW - S
    assert it.advance(NOW) == NOW


_times = st.lists(
    st.tuples(st.integers(-4000, 100), st.integers(0, 2), st.integers(0, 1)), min_size=0, max_size=12
)  # ms before the round, cell (2 is none of ours), board


@given(st.lists(st.tuples(st.integers(1, 3000), _times), min_size=1, max_size=12))
def test_whatever_drivers_do_the_order_is_a_recordings(rounds):
    """P8: per board in order of (time, cell) as a trace gives it back; nothing before a time that was given out; and
    what doesn't pass is counted."""
    it = gate(a=100.0, b=10.0)
    now, until, came, passed = NOW, None, 0, []
    for step_ms, samples in rounds:
        now += step_ms * MS
        blocks = []
        for index, name in enumerate("ab"):
            mine = [(now + at * MS, cell) for at, cell, of in samples if of == index]
            blocks.append(block(name, *mine))
            came += len(mine)
        found = it.passed(blocks, now)
        for each in found:
            assert until is None or int(each.time_ns[0]) >= until
            assert int(each.time_ns[-1]) <= now
        passed += found
        later = it.advance(now)
        assert until is None or later >= until
        assert later <= now
        until = later
    assert sum(map(len, passed)) + sum(each.refused.total for each in it.boards.values()) == came
    for name in "ab":
        mine = [each for each in passed if each.board == name]
        if mine:
            whole = SampleBlock.join(mine)
            order = np.lexsort((whole.cell, whole.time_ns))
            assert (order == np.arange(len(whole))).all()
