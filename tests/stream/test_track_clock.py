"""How another node's clock stands to ours: the truth is always within what is stated, whatever the network does."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable

import pytest

from edge.stream.track_clock import LEAST_SD_NS, ONE_WAY_AFTER_NS, ClockBounds
from edge.stream.track_peer import ASK_EVERY_NS

S, MS, US = 10**9, 10**6, 10**3
Delay = Callable[[random.Random, float], float]  # ms, at a time in s


def wired(rng: random.Random, _at_s: float) -> float:
    return 0.6 + rng.expovariate(1 / 0.5)


def wireless(rng: random.Random, _at_s: float) -> float:
    """Now and then a radio that sleeps, or repeats."""
    return 2.0 + rng.expovariate(1 / 4.0) + (rng.uniform(20.0, 120.0) if rng.random() < 0.2 else 0.0)


def stalled(rng: random.Random, at_s: float) -> float:
    """A broker that stands still for a minute every ten: what waits comes at its end, oldest first."""
    since_s = at_s % 600.0
    return wired(rng, at_s) + (60_000.0 - 1e3 * since_s if since_s < 60.0 else 0.0)


def burdened(rng: random.Random, at_s: float) -> float:
    """Slow for some minutes, in this direction only."""
    return wired(rng, at_s) + (40.0 + rng.expovariate(1 / 20.0) if 900.0 < at_s < 1500.0 else 0.0)


class Line:
    """Two nodes with clocks of their own, and the messages between them, for so many seconds.

    Args:
        offset_ns: ours minus theirs, at a time of ours in seconds. there, back: delays. silent: when nothing comes.
    """

    def __init__(
        self, offset_ns: Callable[[float], float], there: Delay, back: Delay, seed: int, answers: bool = True,
        silent: Callable[[float], bool] = lambda _at_s: False,
    ) -> None:  # fmt: skip
        self.bounds = ClockBounds()
        self.offset_ns = offset_ns
        self.errors_ns: list[int] = []
        self.sds_ns: list[int] = []
        self._rng, self._there, self._back, self._answers, self._silent = (
            random.Random(seed),
            there,
            back,
            answers,
            silent,
        )

    def run(self, seconds: float, from_s: float = 0.0) -> None:
        calls: list[tuple[float, Callable[[], None]]] = []
        for k in range(int(seconds)):
            at_s = from_s + k + self._rng.uniform(0.0, 0.05)
            if not self._silent(at_s):
                calls.append(self._announced(at_s))
                if self._answers and k * S % ASK_EVERY_NS == 0:
                    calls.append(self._asked(at_s))
            calls.append((at_s + 0.7, self._checked(at_s + 0.7)))
        for _, call in sorted(calls, key=lambda each: each[0]):
            call()

    def _announced(self, at_s: float) -> tuple[float, Callable[[], None]]:
        sent_ns = round(at_s * S - self.offset_ns(at_s))
        arrived_s = at_s + self._back(self._rng, at_s) / 1e3
        return arrived_s, lambda: self.bounds.heard(sent_ns // US * US, round(arrived_s * S))

    def _asked(self, at_s: float) -> tuple[float, Callable[[], None]]:
        heard_s = at_s + self._there(self._rng, at_s) / 1e3
        sent_s = heard_s + self._rng.expovariate(1 / 0.001)
        arrived_s = sent_s + self._back(self._rng, sent_s) / 1e3
        heard_ns, sent_ns = (round(each * S - self.offset_ns(each)) for each in (heard_s, sent_s))

        def take() -> None:
            self.bounds.answered(round(at_s * S), heard_ns, round(arrived_s * S))
            self.bounds.heard(sent_ns, round(arrived_s * S))

        return arrived_s, take

    def _checked(self, at_s: float) -> Callable[[], None]:
        def check() -> None:
            found = self.bounds.offset(round(at_s * S))
            if found is not None:
                self.errors_ns.append(abs(found.offset_ns - round(self.offset_ns(at_s))))
                self.sds_ns.append(found.sd_ns)

        return check

    @property
    def within(self) -> float:
        """The share of times at which the error was no more than one stated standard deviation."""
        pairs = list(zip(self.errors_ns, self.sds_ns, strict=True))
        return sum(error <= sd for error, sd in pairs) / len(pairs)


@pytest.mark.parametrize(
    ("there", "back", "sd_ms"),
    [
        pytest.param(wired, wired, 1.0, id="wired"),
        pytest.param(wireless, wireless, 5.0, id="wireless"),
        pytest.param(stalled, stalled, 1.0, id="stalled"),
        pytest.param(wired, burdened, 2.0, id="burdened one way"),
        pytest.param(stalled, wired, 1.0, id="stalled one way"),
    ],
)
@pytest.mark.parametrize("ppm", [-50, 50])
def test_the_error_is_within_the_stated_sd(there: Delay, back: Delay, sd_ms: float, ppm: int) -> None:
    """An hour, clocks that differ by a day and drift apart by 50 ppm."""
    line = Line(lambda at_s: 86_400.0 * S + ppm * 1e-6 * at_s * S, there, back, seed=40 + ppm)
    line.run(3600.0)
    assert line.within == 1.0
    assert statistics.median(line.sds_ns) <= sd_ms * MS
    assert len(line.errors_ns) > 3500
    assert line.bounds.slips == 0


def test_a_long_outage_leaves_the_bounds_right_and_the_first_answer_makes_them_narrow_again() -> None:
    line = Line(
        lambda at_s: -5.0 * S + 50e-6 * at_s * S,
        wired,
        wired,
        5,
        silent=lambda at_s: 600.0 < at_s < 600.0 + 12 * 3600.0,
    )
    line.run(13 * 3600.0)
    assert line.within == 1.0
    assert max(line.sds_ns) > 4 * S  # 12 h at 100 ppm
    assert line.sds_ns[-1] < 2 * MS
    assert line.bounds.slips == 0


def test_a_clock_that_is_slewed_costs_milliseconds_for_a_while() -> None:
    """By 500 ppm each, in opposite directions: the most that kernels do. It shows when bounds contradict each other."""

    def offset_ns(at_s: float) -> float:
        return 1000e-6 * S * min(max(at_s - 600.0, 0.0), 900.0)

    line = Line(offset_ns, wired, wired, 6)
    line.run(3600.0)
    assert line.bounds.slips >= 1
    assert max(line.errors_ns) < 5 * MS
    assert line.within >= 0.95
    assert line.sds_ns[-1] < 2 * MS


@pytest.mark.parametrize("jump_s", [-300.0, 300.0])
def test_a_clock_that_slept_is_found_out_by_the_next_answer(jump_s: float) -> None:
    line = Line(lambda at_s: jump_s * S * (at_s > 100.5), wired, wired, 7)
    line.run(100.0)
    assert line.within == 1.0
    line.errors_ns.clear()
    line.run(20.0, from_s=101.0)
    assert line.bounds.slips >= 1
    assert all(error < 5 * MS for error in line.errors_ns[-15:])


def test_without_answers_a_message_is_thought_to_take_0_to_20_ms() -> None:
    line = Line(lambda at_s: 3.0 * S + 50e-6 * at_s * S, wireless, wireless, 8, answers=False)
    line.run(600.0)
    assert line.within == 1.0
    found = line.bounds.offset(600 * S)
    assert found is not None
    assert not found.two_way
    assert found.sd_ns == 10 * MS


def test_nothing_is_said_before_enough_is_known() -> None:
    bounds = ClockBounds()
    assert bounds.offset(0) is None
    bounds.heard(0, 5 * MS)
    assert bounds.offset(10 * MS) is None  # an answer may come yet
    assert bounds.offset(5 * MS + ONE_WAY_AFTER_NS) is not None
    bounds.answered(6 * MS, 7 * MS, 8 * MS)
    found = bounds.offset(8 * MS)
    assert found is not None
    assert found.two_way
    assert found.sd_ns >= LEAST_SD_NS
