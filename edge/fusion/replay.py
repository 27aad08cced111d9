"""A trace through fusion: the same functions on the same blocks as on a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.fusion.engine import Fusion
from edge.trace.event import Event


def replay(epochs: Iterable[list[SampleBlock]], setup: Setup, fusion: Fusion | None = None) -> Iterator[Event]:
    """Events of a trace's epochs (`TraceReader.epochs`), in the order they are decided. Never sleeps.

    ``fusion``: one made for this very ``setup`` and not used yet, for those who want to ask it about its boards.
    """
    fusion = fusion or Fusion(setup)
    for blocks in epochs:
        newest = max((int(block.time_ns[-1]) for block in blocks if len(block)), default=None)
        yield from fusion.push(blocks, newest)
    yield from fusion.finish()
