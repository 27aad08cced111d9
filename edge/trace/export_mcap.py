"""A trace as an MCAP file with a JSON message per sample, which Foxglove and PlotJuggler plot as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from edge.trace.export_csv import seconds_text
from edge.trace.export_sights import SightTopics
from edge.trace.reader import TraceReader
from edge.trace.weigh import Scale
from edge.trace.whole_file import WholeFile, refuse_same_file

if TYPE_CHECKING:
    from edge.config.setup import Setup

_STALE_NS = 1_000_000_000  # a cell silent for longer can't be part of a total


def export_mcap(
    reader: TraceReader, target: Path, grams: bool, progress: Callable[[int, int], None] | None = None
) -> int:
    """Topics ``/<board>/<cell>`` and, in grams, ``/<board>/total``: ``{"time_s": ..., "grams": ...}``.

    Beside them what cameras saw, see `SightTopics`.
    Returns how many messages were written.
    Flagged samples have no grams and are left out; with ``grams`` False the topics carry ``counts`` and ``flags``.
    Raises TraceError for a trace without config or, with ``grams``, calibration.
    """
    from mcap.writer import CompressionType, Writer

    refuse_same_file(reader.path, target)
    setup = reader.require_setup()
    with WholeFile(target) as whole:
        writer: Any = Writer(whole.file, compression=CompressionType.ZSTD)
        writer.start(profile="", library="shelfedge trace export")
        topics = _Topics(writer, setup, grams)
        sights = SightTopics(writer)
        for epoch in reader.whole_epochs():
            topics.begin(epoch.times_ns[0])
            for block in epoch.blocks:
                topics.write(block)
            sights.write(epoch, topics.origin_ns)
            if progress:
                progress(reader.bytes_read, reader.file_bytes)
        writer.finish()
    return topics.message_count + sights.message_count


class _Topics:
    def __init__(self, writer: Any, setup: Setup, grams: bool) -> None:
        self.message_count = 0
        self._writer = writer
        self._grams = grams
        self.origin_ns = 0
        self._begun = False
        keys = {"grams": "number"} if grams else {"counts": "integer", "flags": "integer"}
        properties = {"time_s": {"type": "number"}} | {key: {"type": kind} for key, kind in keys.items()}
        schema = json.dumps({"type": "object", "properties": properties, "required": list(properties)})
        name = "shelfedge.Weight" if grams else "shelfedge.Counts"
        schema_id = writer.register_schema(name, "jsonschema", schema.encode())
        self._channels: dict[tuple[str, str], int] = {}
        self._totals: dict[str, _Total] = {}
        self._scales: dict[str, Scale] = {}
        self._cells = {board: list(section.cells) for board, section in setup.node.boards.items()}
        for board, cells in self._cells.items():
            if grams:
                self._scales[board] = Scale(setup, board)
                self._totals[board] = _Total(len(cells))
            for topic in [*cells, "total"] if grams else cells:
                # A cell that is called "total" has the plain name; the sum then steps aside.
                path = f"/{board}/{topic}" if topic != "total" or "total" not in cells else f"/{board}/total_of_cells"
                self._channels[board, topic] = writer.register_channel(path, "json", schema_id)

    def begin(self, first_ns: int) -> None:
        """The first call counts."""
        if not self._begun:
            # MCAP's log times can't be negative; a trace whose times are is shifted to begin near 0. ``time_s`` is not.
            self._begun, self.origin_ns = True, min(0, first_ns // 10**9 * 10**9 - 10**9)

    def write(self, block: SampleBlock) -> None:
        cells = [self._channels[block.board, cell] for cell in self._cells[block.board]]
        times = block.time_ns.tolist()
        if not self._grams:
            for time_ns, cell, counts, flags in zip(
                times, block.cell.tolist(), block.counts.tolist(), block.flags.tolist(), strict=True
            ):
                self._message(cells[cell], time_ns, f'"counts":{counts},"flags":{flags}')
            return
        grams = self._scales[block.board].grams(block)
        totals = self._totals[block.board].after(block, grams)
        total_channel = self._channels[block.board, "total"]
        for time_ns, cell, gram, total in zip(times, block.cell.tolist(), grams.tolist(), totals.tolist(), strict=True):
            if gram == gram:
                self._message(cells[cell], time_ns, f'"grams":{gram:.4f}')
            if total == total:
                self._message(total_channel, time_ns, f'"grams":{total:.4f}')

    def _message(self, channel: int, time_ns: int, values: str) -> None:
        log_ns = max(0, time_ns - self.origin_ns)
        data = f'{{"time_s":{seconds_text(time_ns)},{values}}}'.encode()
        self._writer.add_message(channel, log_ns, data, log_ns)
        self.message_count += 1


class _Total:
    """The weight on a board: the sum of each cell's latest weight, told once per round of the cells."""

    def __init__(self, n_cells: int) -> None:
        self._latest_g = np.full(n_cells, np.nan)
        self._latest_ns = np.full(n_cells, -(1 << 62), np.int64)

    def after(self, block: SampleBlock, grams: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """float64[n]: the total after each sample; NaN where it isn't told or a cell has been silent for a second."""
        n_cells = self._latest_g.size
        totals = np.where(block.cell == n_cells - 1, 0.0, np.nan)
        for cell in range(n_cells):
            at = np.flatnonzero((block.cell == cell) & ~np.isnan(grams))
            values = np.concatenate(([self._latest_g[cell]], grams[at]))
            times = np.concatenate(([self._latest_ns[cell]], block.time_ns[at]))
            latest = np.searchsorted(at, np.arange(len(block)), side="right")
            totals += np.where(block.time_ns - times[latest] <= _STALE_NS, values[latest], np.nan)
            self._latest_g[cell], self._latest_ns[cell] = values[-1], times[-1]
        return totals
