"""Two simulated nodes with clocks of their own and a network between them; the truth about the clocks is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from edge.stream.track_clock import ClockBounds
from edge.stream.track_peer import ASK_EVERY_NS

S, US = 10**9, 10**3
Delay = Callable[[random.Random, float], float]
"""The delay in ms of a message that is sent at that time in s."""


def wired(rng: random.Random, _at_s: float) -> float:
    """A switch and a broker that has nothing else to do."""
    return 0.6 + rng.expovariate(1 / 0.5)


def wireless(rng: random.Random, _at_s: float) -> float:
    """Now and then a radio that sleeps, or repeats."""
    return 2.0 + rng.expovariate(1 / 4.0) + (rng.uniform(20.0, 120.0) if rng.random() < 0.2 else 0.0)


def stalled(rng: random.Random, at_s: float) -> float:
    """A broker that stands still for a minute every ten: what waits comes at its end, oldest first."""
    since_s = at_s % 600.0
    return wired(rng, at_s) + (60_000.0 - 1e3 * since_s if since_s < 60.0 else 0.0)


def burdened(rng: random.Random, at_s: float) -> float:
    """Slow for ten minutes, if it is taken for one direction only."""
    return wired(rng, at_s) + (40.0 + rng.expovariate(1 / 20.0) if 900.0 < at_s < 1500.0 else 0.0)


def lopsided(rng: random.Random, _at_s: float) -> float:
    """Always slower, if it is taken for one direction only: nothing in the messages shows it."""
    return 8.0 + rng.expovariate(1 / 2.0)


class Line:
    """What `ClockBounds` makes of the messages between two nodes, a second at a time.

    Args:
        offset_ns: ours minus theirs, at a time of ours in seconds. there, back: delays of questions, and of answers and
            heartbeats. answers: questions are answered. silent: when nothing comes.
    """

    def __init__(
        self,
        offset_ns: Callable[[float], float],
        there: Delay,
        back: Delay,
        seed: int,
        answers: bool = True,
        silent: Callable[[float], bool] = lambda _at_s: False,
    ) -> None:
        self.bounds = ClockBounds()
        self.errors_ns: list[int] = []
        self.sds_ns: list[int] = []
        self._offset_ns, self._there, self._back = offset_ns, there, back
        self._rng, self._answers, self._silent = random.Random(seed), answers, silent

    def run(self, seconds: float, from_s: float = 0.0) -> None:
        """So many seconds; error and stated standard deviation once in each."""
        calls: list[tuple[float, Callable[[], None]]] = []
        for k in range(int(seconds)):
            at_s = from_s + k + self._rng.uniform(0.0, 0.05)
            if not self._silent(at_s):
                calls.append(self._announced(at_s))
                if self._answers and k * S % ASK_EVERY_NS == 0:
                    calls += self._asked(at_s)
            calls.append((at_s + 0.7, self._checked(at_s + 0.7)))
        for _, call in sorted(calls, key=lambda each: each[0]):
            call()

    @property
    def within(self) -> float:
        """The share of times at which the error was no more than one stated standard deviation."""
        pairs = list(zip(self.errors_ns, self.sds_ns, strict=True))
        return sum(error <= sd for error, sd in pairs) / len(pairs)

    def _theirs_ns(self, at_s: float) -> int:
        return round(at_s * S - self._offset_ns(at_s))

    def _announced(self, at_s: float) -> tuple[float, Callable[[], None]]:
        sent_ns = self._theirs_ns(at_s) // US * US
        arrived_s = at_s + self._back(self._rng, at_s) / 1e3
        return arrived_s, lambda: self.bounds.heard(sent_ns, round(arrived_s * S))

    def _asked(self, at_s: float) -> Iterator[tuple[float, Callable[[], None]]]:
        heard_s = at_s + self._there(self._rng, at_s) / 1e3
        sent_s = heard_s + self._rng.expovariate(1 / 0.001)
        arrived_s = sent_s + self._back(self._rng, sent_s) / 1e3
        heard_ns, sent_ns, arrived_ns = self._theirs_ns(heard_s), self._theirs_ns(sent_s), round(arrived_s * S)
        yield arrived_s, lambda: self.bounds.answered(round(at_s * S), heard_ns, arrived_ns)
        yield arrived_s, lambda: self.bounds.heard(sent_ns, arrived_ns)

    def _checked(self, at_s: float) -> Callable[[], None]:
        def check() -> None:
            found = self.bounds.offset(round(at_s * S))
            if found is not None:
                self.errors_ns.append(abs(found.offset_ns - round(self._offset_ns(at_s))))
                self.sds_ns.append(found.sd_ns)

        return check
