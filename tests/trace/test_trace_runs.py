"""The longest run of one code, however the samples are cut into blocks."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.trace.runs import LongestRun


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_runs_go_on_from_block_to_block(codes: list[int], cuts: list[int]) -> None:
    """The first of the longest runs, with its first and last time; empty blocks change nothing."""
    run, counts, times = LongestRun(), np.array(codes, np.int32), np.arange(len(codes)) * 10
    for begin, end in itertools.pairwise([0, *sorted(min(cut, len(codes)) for cut in cuts), len(codes)]):
        run.add(times[begin:end], counts[begin:end])
    found, at = [], 0
    for code, group in itertools.groupby(codes):
        length = len(list(group))
        found.append((length, code, at * 10, (at + length - 1) * 10))
        at += length
    longest = max(found, key=lambda entry: entry[0])
    assert (run.length, run.code, run.begin_ns, run.end_ns) == longest
