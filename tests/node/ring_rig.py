"""Boards that are simulated and blocks that are cut as a live node cuts them; shared by the tests of the ring."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drivers.samples import SampleBlock
from drivers.simulated.shopper import RandomShopper
from edge.config.demo import demo_node_path
from edge.config.live_schema import RecordingOptions
from edge.config.setup import Setup, load_setup
from edge.node.ring import RingRecorder
from edge.node.ring_folder import segments_in
from edge.node.simulate import physics_for, simulated_blocks
from edge.stream.entry import Stamp, TimeQuality
from edge.trace.reader import TraceReader

S = 1_000_000_000
BEGIN_NS = 5_000 * S
WALL_NS = 1_790_000_000 * S


@dataclass
class ToldClock:
    """A monotonic clock that says what it is told."""

    now_ns: int = BEGIN_NS

    def mono_ns(self) -> int:
        return self.now_ns


def stamp(mono_ns: int) -> Stamp:
    return Stamp(mono_ns + WALL_NS - BEGIN_NS, TimeQuality.SYNCED)


@functools.cache
def scene(duration_s: float, seed: int = 3) -> tuple[Setup, dict[str, SampleBlock]]:
    """The demo bay with a shopper; each board's samples as one block, from `BEGIN_NS` on."""
    setup = load_setup(demo_node_path())
    calibrated, _, made = simulated_blocks(
        setup, physics_for(setup, seed), RandomShopper(seed, until_s=duration_s - 4), seed, duration_s
    )
    boards: dict[str, list[SampleBlock]] = {}
    for blocks in made:
        for block in blocks:
            boards.setdefault(block.board, []).append(block)
    whole = {name: SampleBlock.join(parts) for name, parts in boards.items()}
    return calibrated, {
        name: SampleBlock(name, b.time_ns + BEGIN_NS, b.cell, b.counts, b.flags) for name, b in whole.items()
    }


def live(
    boards: dict[str, SampleBlock], seed: int, most_step_ms: int = 900, most_behind_ms: int = 1900
) -> Iterator[tuple[list[SampleBlock], int, int]]:
    """As a node reads its boards: (blocks, until_ns, now_ns). Blocks of odd sizes, boards out of step by up to 2 s."""
    rng = random.Random(seed)
    begin_ns = min(int(b.time_ns[0]) for b in boards.values())
    end_ns = max(int(b.time_ns[-1]) for b in boards.values())
    given = dict.fromkeys(boards, 0)
    behind = dict.fromkeys(boards, 0)
    heard_ns = dict.fromkeys(boards, begin_ns)
    now_ns = begin_ns
    while now_ns <= end_ns:
        now_ns += rng.randint(1, most_step_ms) * 1_000_000
        over = now_ns > end_ns
        blocks = []
        for name, whole in boards.items():
            # How far a board is behind changes, but a board's own times never go back.
            behind[name] = 0 if over else rng.randint(0, most_behind_ms) * 1_000_000
            heard_ns[name] = max(heard_ns[name], now_ns - behind[name])
            upto = int(np.searchsorted(whole.time_ns, heard_ns[name]))
            block = whole.part(given[name], upto)
            given[name] = upto
            if len(block):
                blocks.append(block)
        yield blocks, min(heard_ns.values()), now_ns


def recorder(folder: Path, setup: Setup, clock: ToldClock | None = None, **more: object) -> RingRecorder:
    """A recorder with a told clock and segments of 30 s."""
    options = RecordingOptions(**more.pop("options", {}))
    return RingRecorder(
        folder,
        setup,
        options,
        more.pop("boot", 7),
        more.pop("stamp", stamp),
        mono_ns=(clock or ToldClock()).mono_ns,
        segment_s=more.pop("segment_s", 30),
        **more,
    )


def feed(ring: RingRecorder, blocks: list[SampleBlock], waiting_most: int = 10_000) -> None:
    """Give blocks as fast as the recorder takes them."""
    ring.give(blocks)
    if int(ring.state().get("queued_samples", 0)) > waiting_most:
        assert ring.flush()


def everything(folder: Path) -> dict[str, SampleBlock]:
    """All that the ring holds, joined per board; no board's time may go back."""
    found: dict[str, list[SampleBlock]] = {}
    for name in segments_in(folder):
        with TraceReader(name.path, known_only=False) as reader:
            for blocks in reader.epochs():
                for block in blocks:
                    found.setdefault(block.board, []).append(block)
            assert name.is_part or not reader.losses
    return {board: SampleBlock.join(blocks) for board, blocks in found.items()}


def same(first: SampleBlock, second: SampleBlock) -> bool:
    """Whether two blocks are equal in every bit."""
    return first.board == second.board and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("time_ns", "cell", "counts", "flags")
    )


def ring_bytes(folder: Path) -> int:
    return sum(name.path.stat().st_size for name in segments_in(folder))
