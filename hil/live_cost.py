"""What a node costs while it runs: processor share, time per block and memory, over a day of data fed without pause.

Run as a process of its own (``python -m hil.live_cost TRACE``), so that only the node's code is in its memory. Prints
a JSON object. The trace is played over and over with its times moved on; each time every cell's counts are
moved by what the trace's end differs from its beginning, so that nothing jumps where it begins again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from drivers.samples import SampleBlock

SEED = 90_200
BLOCK_MS = 50.0
LIVE_HOURS = 1.0  # fed in small blocks, each timed; the hours after that in blocks of a second, for the memory
DAY_HOURS = 24.0
LOOP_MINUTES = 20.0
REST_S = 2.0  # at either end of the looped trace nothing moves for so long
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class LiveCost:
    """Attributes:
    processor_share: processor time of `Fusion.push` over the time the samples cover, with live blocks.
    block_p50_ms, block_p99_ms, block_worst_ms: wall time of one push of all boards' blocks.
    rss_mb: resident memory of the process by hour of data. rss_peak_mb: the most it ever was.
    """

    cells: int
    block_ms: float
    live_hours: float
    processor_share: float
    block_p50_ms: float
    block_p99_ms: float
    block_worst_ms: float
    events: int
    rss_mb: dict[str, float]
    rss_peak_mb: float
    day_processor_s: float


def prepare(path: Path, boards: int = 4, minutes: float = LOOP_MINUTES) -> None:
    """Write the trace to loop: one shopper, who puts everything back, in front of boards of four corner cells."""
    from drivers.simulated.shopper import RandomShopper
    from edge.node.simulate import simulate_trace
    from hil.layouts import corner_boards

    seconds = minutes * 60.0
    shopper = RandomShopper(SEED, until_s=seconds - 20.0, put_back_share=0.0, look_share=1.0, refill_below=0.0)
    simulate_trace(corner_boards(SEED, boards=boards), path, SEED, seconds, shopper)


def measure(path: Path, live_hours: float = LIVE_HOURS, hours: float = DAY_HOURS) -> LiveCost:
    """`LiveCost` of a trace, in a process of its own. Raises CalledProcessError if that fails."""
    command = [sys.executable, "-m", "hil.live_cost", str(path), str(live_hours), str(hours)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    return LiveCost(**json.loads(done.stdout))


def run(path: Path, live_hours: float, hours: float) -> LiveCost:
    """Feed fusion with ``hours`` of the looped trace in this process."""
    import numpy as np

    from edge.fusion.engine import Fusion
    from edge.trace.reader import TraceReader

    with TraceReader(path) as reader:
        fusion = Fusion(reader.require_setup())
    marks_s = sorted({hour * 3600.0 for hour in (live_hours, hours / 4, hours / 2, hours)})
    wall_ns: list[int] = []
    rss_mb: dict[str, float] = {}
    live_cpu_ns = day_cpu_ns = events = 0
    warm = False
    for now_s, epoch in looped(path):
        live = now_s <= live_hours * 3600.0
        steps = live_blocks(epoch) if live else [(epoch, round(now_s * _NS_PER_S))]
        for blocks, until_ns in steps:
            wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
            events += len(fusion.push(blocks, until_ns))
            cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
            day_cpu_ns += cpu
            if live and warm:  # loading the compiled kernels belongs to the start
                wall_ns.append(wall)
                live_cpu_ns += cpu
        warm = warm or now_s >= 60.0
        while marks_s and now_s >= marks_s[0]:
            rss_mb[f"{marks_s.pop(0) / 3600.0:g}"] = _memory_mb("VmRSS")
        if not marks_s:
            break
    p50, p99, worst = np.quantile(np.array(wall_ns), (0.5, 0.99, 1.0)) / 1e6
    return LiveCost(
        cells=sum(len(board.model.cell_ids) for board in fusion.boards.values()),
        block_ms=BLOCK_MS,
        live_hours=live_hours,
        processor_share=live_cpu_ns / _NS_PER_S / (live_hours * 3600.0 - 60.0),
        block_p50_ms=float(p50),
        block_p99_ms=float(p99),
        block_worst_ms=float(worst),
        events=events,
        rss_mb=rss_mb,
        rss_peak_mb=_memory_mb("VmHWM"),
        day_processor_s=day_cpu_ns / _NS_PER_S,
    )


def looped(path: Path) -> Iterator[tuple[float, list[SampleBlock]]]:
    """Epochs of a trace again and again without end, each with the time in seconds up to which it goes."""
    from edge.trace.reader import TraceReader

    steps = _steps_at_the_seam(path)
    with TraceReader(path) as reader:
        last_ns = max(int(block.time_ns[-1]) for epoch in reader.epochs() for block in epoch)
    period_ns = (last_ns // 1_000_000_000 + 1) * 1_000_000_000
    turn = 0
    while True:
        with TraceReader(path) as reader:
            for epoch in reader.epochs():
                moved = [
                    replace(
                        block,
                        time_ns=block.time_ns + turn * period_ns,
                        counts=block.counts + turn * steps[block.board][block.cell],
                    )
                    for block in epoch
                ]
                end_ns = max(int(block.time_ns[-1]) for block in moved)
                yield end_ns / _NS_PER_S, moved
        turn += 1


def _steps_at_the_seam(path: Path) -> dict[str, npt.NDArray[np.int32]]:
    """By board, how far each cell's counts at the trace's end lie above those at its beginning."""
    import numpy as np

    from edge.trace.reader import TraceReader

    with TraceReader(path) as reader:
        epochs = list(reader.epochs())
        cells = {name: len(board.cells) for name, board in reader.require_setup().node.boards.items()}
    found = {}
    for name, count in cells.items():
        blocks = [block for epoch in epochs for block in epoch if block.board == name]
        first_ns, last_ns = int(blocks[0].time_ns[0]), int(blocks[-1].time_ns[-1])
        early = [b for b in blocks if b.time_ns[0] < first_ns + REST_S * _NS_PER_S]
        late = [b for b in blocks if b.time_ns[-1] > last_ns - REST_S * _NS_PER_S]
        step = [_level(late, cell) - _level(early, cell) for cell in range(count)]
        found[name] = np.round(step).astype(np.int32)
    return found


def _level(blocks: list[SampleBlock], cell: int) -> float:
    import numpy as np

    return float(np.median(np.concatenate([block.counts[block.cell == cell] for block in blocks])))


def live_blocks(epoch: list[SampleBlock]) -> list[tuple[list[SampleBlock], int]]:
    """An epoch as a node would read it: all boards' samples of each `BLOCK_MS`, and the time up to which they go."""
    import numpy as np

    begin_ns = min(int(block.time_ns[0]) for block in epoch)
    end_ns = max(int(block.time_ns[-1]) for block in epoch)
    edges = np.arange(begin_ns, end_ns, round(BLOCK_MS * 1e6))[1:]
    cuts = [np.searchsorted(block.time_ns, edges) for block in epoch]
    steps = []
    for number in range(len(edges) + 1):
        parts = []
        for block, cut in zip(epoch, cuts, strict=True):
            begin = int(cut[number - 1]) if number else 0
            end = int(cut[number]) if number < len(edges) else len(block)
            if end > begin:
                parts.append(block.part(begin, end))
        steps.append((parts, int(edges[number]) if number < len(edges) else end_ns))
    return steps


def _memory_mb(key: str) -> float:
    """A line of /proc/self/status (kB there) in MB; NaN where there is no /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text().splitlines() if line.startswith(key + ":"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    print(json.dumps(asdict(run(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))))  # noqa: T201
