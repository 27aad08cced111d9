"""Which samples may become weight: codes a healthy converter doesn't send, and single samples far from both neighbours.

HX711 readings go wrong in known ways (1.1 in 1000 on a busy Raspberry Pi): a clock pulse that lasted too long turns the
low bits into ones (codes ``2^n - 1``), a chip that wasn't ready answers 0 or -1, an open lead drives it to an end stop.
"""

from __future__ import annotations

from numba import njit

SATURATED, CORRUPT_CODE = 1, 2  # verdicts, as in `SampleFlag`; plain numbers because kernels see no enums

# Columns of the fault counters, and what people call them.
SATURATIONS, CORRUPT_CODES, SPIKES, STICKINGS, FLAGS = range(5)
FAULT_KINDS = 5
FAULT_NAMES = ("saturated", "corrupt code", "spike", "stuck", "flagged by its driver")

SHORTEST_RUN_OF_ONES = 10  # 2^10 - 1 and up; below that, codes lie within an ordinary cell's noise of each other


@njit(cache=True)
def judge_code(counts: int, adc_bits: int) -> int:
    """0 for an ordinary code, else SATURATED or CORRUPT_CODE. A corrupt code is only a suspicion: codes pass through 0.

    Args:
        counts: the converter's code, sign-extended. adc_bits: its word length, 0 if it never was a code.
    """
    if adc_bits == 0:
        return 0
    top = (1 << (adc_bits - 1)) - 1
    if counts >= top or counts <= -top - 1:
        return SATURATED
    if counts in (0, -1):
        return CORRUPT_CODE
    if counts >= (1 << SHORTEST_RUN_OF_ONES) - 1 and counts & (counts + 1) == 0:
        return CORRUPT_CODE
    return 0


@njit(cache=True)
def is_lone_spike(before: float, at: float, after: float, threshold: float) -> bool:
    """Whether ``at`` stands alone: far from both neighbours, which agree with each other far better."""
    up, down = abs(at - before), abs(at - after)
    return bool(up > threshold and down > threshold and abs(after - before) < 0.25 * min(up, down))


@njit(cache=True)
def follow_median(estimate: float, value: float, step: float) -> float:
    """One step of a running median of positive values, in the log domain (a stochastic approximation: up or down by
    the share ``step``), so that single large values can't drag it."""
    return estimate * (1.0 + step) if value > estimate else estimate * (1.0 - step)
