"""A Link and a FakeMcu on one line, run in the host's steps, and the link's samples held against the truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from fake_mcu import MS, SECOND, FakeMcu

from firmware_bridge.link.losses import Loss
from firmware_bridge.link.notices import LinkNotice
from firmware_bridge.link.session import Link, McuSample

START_NS = 123_456 * SECOND


class LineRun:
    """Hours in seconds. Time begins at `START_NS`; the MCU boots when the port is opened, as a Nano does."""

    def __init__(self, mcu: FakeMcu, step_ns: int = 20 * MS) -> None:
        self.mcu = mcu
        self.step_ns = step_ns
        self.now_ns = START_NS
        self.link = Link(self.now_ns)
        self.samples: list[McuSample] = []
        self.boots: list[int] = []  # the MCU's boot for each sample
        self.losses: list[Loss] = []
        self.notices: list[LinkNotice] = []
        self.bytes_out = 0

    def plug(self, boots: bool = True) -> None:
        """The port is opened."""
        if boots:
            self.mcu.boot(self.now_ns)
        self.link.opened(self.now_ns)

    def unplug(self, power_off: bool = True) -> None:
        """The cable is pulled."""
        if power_off:
            self.mcu.cut()
        else:
            self.mcu.lose_wire()
        self.link.closed(self.now_ns)

    def run(self, seconds: float) -> None:
        """So much time with whatever is plugged."""
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(self.now_ns + self.step_ns, end_ns)
            for at_ns, data in self.mcu.run(self.now_ns):
                self.link.received(data, at_ns)
            self._talk()

    def _talk(self) -> None:
        data = self.link.to_send(self.now_ns)
        self.bytes_out += len(data)
        self.mcu.send(data, self.now_ns)
        new = self.link.samples()
        self.samples += new
        self.boots += [self.mcu.boot_count] * len(new)
        self.losses += self.link.losses()
        self.notices += self.link.notices()

    def errors_ns(self) -> npt.NDArray[np.int64]:
        """Each sample's time against the truth; fails for a sample that never was, or has other counts."""
        truth = {(t.boot, t.chip, t.conversion): t for t in self.mcu.truth}
        out = np.empty(len(self.samples), np.int64)
        for index, (sample, boot) in enumerate(zip(self.samples, self.boots, strict=True)):
            true = truth[boot, sample.chip, sample.number]
            assert true.counts == sample.counts
            out[index] = sample.edge_ns - true.edge_ns
        return out

    def causes(self) -> set[str]:
        """The causes of what was lost."""
        return {loss.cause for loss in self.losses}
