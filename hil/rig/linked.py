"""A lockstep rig and a host's link together: hours of a board's talk with its host in minutes."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.link.losses import Loss
from firmware_bridge.link.notices import LinkNotice
from firmware_bridge.link.session import Link, McuSample
from hil.rig.lockstep import Chunk, LockstepRig

_STEP_US = 20_000  # how often the host asks the link what to send, as `Link.to_send` wants it (at least every 50 ms)


@dataclass(frozen=True, slots=True)
class Latency:
    """How late bytes reach the host's program: USB frames, scheduling.

    Attributes:
        least_ns: always.
        typical_ns: mean of an exponential on top.
    """

    least_ns: int = 150_000
    typical_ns: int = 400_000


class LinkedRig:
    """Runs the rig in steps of 20 ms and carries bytes both ways, each later by the host's latency, in order.

    Attributes:
        rig, link: to be used directly as well.
        samples, losses, notices: all so far; empty them as you like.
    """

    def __init__(self, rig: LockstepRig, latency: Latency | None = None, seed: int = 1) -> None:
        self.rig = rig
        self.now_ns = rig.state().now_ns
        self.link = Link(self.now_ns)
        self.link.opened(self.now_ns)
        self.samples: list[McuSample] = []
        self.losses: list[Loss] = []
        self.notices: list[LinkNotice] = []
        self._latency = latency or Latency()
        self._chance = random.Random(seed)
        self._under_way: deque[tuple[int, bytes]] = deque()

    def run(self, seconds: float) -> None:
        """Let that much time pass for board and host."""
        end_ns = self.now_ns + round(seconds * 1e9)
        while self.now_ns < end_ns:
            step_ns = min(_STEP_US * 1000, end_ns - self.now_ns)
            self._put_under_way(self.rig.run(step_ns / 1000))
            self.now_ns += step_ns
            while self._under_way and self._under_way[0][0] <= self.now_ns:
                came_ns, data = self._under_way.popleft()
                self.link.received(data, came_ns)
            if words := self.link.to_send(self.now_ns):
                self.rig.send(words)
            self.samples += self.link.samples()
            self.losses += self.link.losses()
            self.notices += self.link.notices()

    def run_until_running(self, most_s: float = 10.0) -> None:
        """Until the link delivers samples. Raises TimeoutError after ``most_s`` of the rig's time."""
        end_ns = self.now_ns + round(most_s * 1e9)
        while self.link.state(self.now_ns) != "running":
            if self.now_ns > end_ns:
                raise TimeoutError(f"the link is still {self.link.state(self.now_ns)!r} after {most_s} s")
            self.run(0.05)

    def _put_under_way(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            late_ns = self._latency.least_ns + self._chance.expovariate(1.0) * self._latency.typical_ns
            came_ns = chunk.time_ns + round(late_ns)
            if self._under_way:
                came_ns = max(came_ns, self._under_way[-1][0])
            self._under_way.append((came_ns, chunk.data))


def laid_over(
    samples: list[McuSample], truth: npt.NDArray[np.void], chip: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.void]]:
    """One chip's samples beside the conversions they came from, found by the nearest true edge.

    Args:
        truth: all records so far; the samples of a conversion whose fate isn't known yet are left out.

    Returns:
        error_ns: int64[n], the sample's time less the true edge.
        wrong: int64[n], the sample's counts less what the chip converted.
        origin: `TRUTH`[n], those conversions.
    """
    own = np.sort(truth[truth["chip"] == chip], order="edge_ns")
    known_ns = own["edge_ns"][-1] + np.diff(own["edge_ns"]).min() // 2  # of later ones the fate isn't told yet
    mine = [sample for sample in samples if sample.chip == chip and sample.edge_ns <= known_ns]
    times = np.array([sample.edge_ns for sample in mine], np.int64)
    counts = np.array([sample.counts for sample in mine], np.int64)
    after = np.clip(np.searchsorted(own["edge_ns"], times), 1, own.size - 1)
    nearer_before = times - own["edge_ns"][after - 1] < own["edge_ns"][after] - times
    origin = own[after - nearer_before]
    return times - origin["edge_ns"], counts - origin["counts"], origin
