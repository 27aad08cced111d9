"""Sightings on their way into a trace: gathered by epoch, so that a second of them is one message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.trace.sighting import Sighting

LATE_EPOCHS = 1
"""A camera's word comes some tenths of a second after the samples of its time: an epoch is kept open for one more."""


class SightPending:
    """Sightings that aren't written yet."""

    def __init__(self, epoch_ns: int) -> None:
        self._epoch_ns = epoch_ns
        self._epochs: dict[int, list[Sighting]] = {}

    def add(self, sightings: Sequence[Sighting]) -> int | None:
        """Keep them; the newest epoch among them."""
        newest = None
        for sighting in sightings:
            epoch = sighting.time_ns // self._epoch_ns
            self._epochs.setdefault(epoch, []).append(sighting)
            newest = epoch if newest is None else max(newest, epoch)
        return newest

    def ripe(self, newest_epoch: int | None) -> Iterator[tuple[int, list[Sighting]]]:
        """Those of epochs that are over, oldest first; all for None. They are given once."""
        for epoch in sorted(self._epochs):
            if newest_epoch is None or epoch < newest_epoch - LATE_EPOCHS:
                yield epoch, self._epochs.pop(epoch)
