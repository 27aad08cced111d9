"""What recording costs: processor share and bytes per hour of four boards of four cells at 80 Hz.

``python -m hil.ring_bench`` prints a JSON object. Blocks come as a node's loop gives them, a simulated hour as fast as
the recorder takes it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

BOARDS = 4
MINUTES = 20.0
BLOCK_MS = 50.0
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RingCost:
    """Attributes:
    processor_share: processor time of the recorder's thread over the time that the samples cover.
    give_p99_us: what the loop pays for handing over one round of blocks.
    written_mb_per_hour: what goes to the disk. syncs_per_minute: how often it is asked to keep it.
    """

    cells: int
    minutes: float
    processor_share: float
    give_p99_us: float
    written_mb_per_hour: float
    bytes_per_sample: float
    syncs_per_minute: float


def measure(folder: Path, boards: int = BOARDS, minutes: float = MINUTES) -> RingCost:
    """Record simulated boards into ``folder``."""
    import numpy as np

    from drivers.samples import SampleBlock
    from edge.config.live_schema import RecordingOptions
    from edge.node.ring import RingRecorder
    from edge.node.ring_folder import segments_in
    from edge.stream.entry import Stamp, TimeQuality
    from edge.trace.reader import TraceReader
    from hil.live_cost import prepare

    prepare(folder / "day.mcap", boards, minutes)
    with TraceReader(folder / "day.mcap") as reader:
        setup = reader.require_setup()
        epochs = list(reader.epochs())
    syncs = 0
    to_disk = os.fdatasync

    def counted(number: int) -> None:
        nonlocal syncs
        syncs += 1
        to_disk(number)

    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch("os.fdatasync", counted))
    ring = RingRecorder(
        folder / "ring", setup, RecordingOptions(), 1, lambda mono_ns: Stamp(mono_ns, TimeQuality.SYNCED)
    )
    given_s: list[float] = []
    samples = 0
    loop_s = 0.0
    begun_s = time.process_time()
    for blocks in epochs:
        started_s = time.thread_time()
        begin_ns = min(int(block.time_ns[0]) for block in blocks) // _NS_PER_S * _NS_PER_S
        samples += sum(map(len, blocks))
        for step in range(round(1000 / BLOCK_MS)):
            edges = [begin_ns + round((step + more) * BLOCK_MS * 1e6) for more in (0, 1)]
            parts: list[SampleBlock] = [
                block.part(*(int(place) for place in np.searchsorted(block.time_ns, edges))) for block in blocks
            ]
            before_s = time.perf_counter()
            ring.give(parts)
            given_s.append(time.perf_counter() - before_s)
        loop_s += time.thread_time() - started_s
        while int(str(ring.state()["queued_samples"])) > 5 * samples / len(epochs) + 5000:
            time.sleep(0.01)
    ring.stop(60)
    processor_s = time.process_time() - begun_s - loop_s
    stack.close()
    written = sum(name.path.stat().st_size for name in segments_in(folder / "ring"))
    return RingCost(
        cells=sum(len(board.cells) for board in setup.node.boards.values()),
        minutes=minutes,
        processor_share=processor_s / (60 * minutes),
        give_p99_us=float(np.percentile(given_s, 99)) * 1e6,
        written_mb_per_hour=written / 1e6 * 60 / minutes,
        bytes_per_sample=written / samples,
        syncs_per_minute=syncs / minutes,
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        cost = measure(Path(folder))
    sys.stdout.write(
        f"recording {cost.cells} cells: {100 * cost.processor_share:.2f} % of a core, "
        f"{cost.written_mb_per_hour:.1f} MB/h ({cost.bytes_per_sample:.2f} bytes per sample), "
        f"{cost.syncs_per_minute:.1f} syncs a minute; handing over takes {cost.give_p99_us:.0f} us (p99)\n"
    )


if __name__ == "__main__":
    main()
