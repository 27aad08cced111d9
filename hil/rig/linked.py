"""A lockstep rig and a host's link together: hours of a board's talk with its host in minutes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from firmware_bridge.link.losses import Loss
from firmware_bridge.link.notices import LinkNotice
from firmware_bridge.link.session import Link, McuSample
from hil.rig.line import Latency, LockstepLine
from hil.rig.lockstep import LockstepRig

_STEP_NS = (
    10_000_000  # how often the host asks the link what to send, as `Link.to_send` wants it (at least every 50 ms)
)


class LinkedRig:
    """Runs the rig in steps of 10 ms, with a link at the other end of its line.

    Attributes:
        rig, line: to be used directly as well.
        samples, losses, notices: all so far; empty them as you like.
    """

    def __init__(self, rig: LockstepRig, latency: Latency | None = None, seed: int = 1) -> None:
        self.rig = rig
        self.line = LockstepLine(rig, latency, seed)
        self.line.start()
        self.samples: list[McuSample] = []
        self.losses: list[Loss] = []
        self.notices: list[LinkNotice] = []

    @property
    def link(self) -> Link:
        """The host's end of the line."""
        return self.line.link

    @property
    def now_ns(self) -> int:
        """The host's monotonic clock, which is true time here."""
        return self.line.now_ns()

    def run(self, seconds: float) -> None:
        """Let that much time pass for board and host."""
        end_ns = self.now_ns + round(seconds * 1e9)
        while self.now_ns < end_ns:
            self.line.run_until(min(end_ns, self.now_ns + _STEP_NS))
            self.line.pump()
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
