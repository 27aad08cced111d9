"""What a trace holds of one epoch: the samples of its boards, what cameras saw, and their pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from drivers.samples import SampleBlock
from edge.trace.frame_codec import RecordedFrame
from edge.trace.sighting import Sighting


@dataclass(frozen=True, slots=True)
class Epoch:
    """Attributes:
    begin_ns: all times in it are from here on, and before the next epoch's begin.
    blocks: at most one per board, in the order of the config.
    sightings: in the order in which fusion was given them.
    frames: in order of time.
    """

    begin_ns: int
    blocks: list[SampleBlock] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    frames: list[RecordedFrame] = field(default_factory=list)

    @property
    def times_ns(self) -> tuple[int, int]:
        """The first and the last time in it: of its samples, or else of what was seen."""
        if self.blocks:
            return (
                min(int(block.time_ns[0]) for block in self.blocks),
                max(int(block.time_ns[-1]) for block in self.blocks),
            )
        times = [seen.time_ns for seen in (*self.sightings, *self.frames)]
        return min(times), max(times)

    def part(self, begin_ns: int | None, end_ns: int | None) -> Epoch | None:
        """What lies from ``begin_ns`` (with it) to ``end_ns`` (without it), None being no bound; None for nothing."""
        blocks = []
        for block in self.blocks:
            first = 0 if begin_ns is None else int(np.searchsorted(block.time_ns, begin_ns))
            last = len(block) if end_ns is None else int(np.searchsorted(block.time_ns, end_ns))
            if first < last:
                blocks.append(block.part(first, last))

        def inside(time_ns: int) -> bool:
            return (begin_ns is None or time_ns >= begin_ns) and (end_ns is None or time_ns < end_ns)

        sightings = [sighting for sighting in self.sightings if inside(sighting.time_ns)]
        frames = [frame for frame in self.frames if inside(frame.time_ns)]
        return Epoch(self.begin_ns, blocks, sightings, frames) if blocks or sightings or frames else None
