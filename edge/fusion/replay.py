"""A trace through fusion: the same functions on the same blocks as on a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.fusion.engine import Fusion
from edge.trace.epoch import Epoch
from edge.trace.event import Event


def replay(epochs: Iterable[Epoch | list[SampleBlock]], setup: Setup, fusion: Fusion | None = None) -> Iterator[Event]:
    """Events of a trace's epochs, in the order they are decided. Never sleeps.

    ``epochs``: `TraceReader.whole_epochs`, with what cameras saw, or `TraceReader.epochs` for the samples alone.
    ``fusion``: one made for this very ``setup`` and not used yet, for those who want to ask it about its boards.
    """
    fusion = fusion or Fusion(setup)
    for epoch in epochs:
        blocks, sightings = (epoch.blocks, epoch.sightings) if isinstance(epoch, Epoch) else (epoch, [])
        newest = max((int(block.time_ns[-1]) for block in blocks if len(block)), default=None)
        yield from fusion.push(blocks, newest, sightings)
    yield from fusion.finish()
