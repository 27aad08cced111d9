"""A whole scene at once: blocks of samples of all boards, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from drivers.samples import SampleBlock
from drivers.simulated.board import BoardSimulator
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.physics import BoardPhysics
from drivers.simulated.stage import Stage


def simulate(
    physics: Mapping[str, BoardPhysics], stage: Stage, seed: int, duration_s: float, block_s: float = 10.0
) -> Iterator[list[SampleBlock]]:
    """Samples from 0 to `duration_s`: for each stretch of `block_s`, a block per board that has samples in it.

    `stage.movements` is the truth; it is complete when the last block has been made, or at once after
    ``stage.play(duration_s)``.
    """
    drivers = [SimulatedDriver(BoardSimulator(board, p, stage, seed), clock=lambda: 0) for board, p in physics.items()]
    for driver in drivers:
        driver.start()
    begin_s = 0.0
    while begin_s < duration_s:
        end_s = min(begin_s + block_s, duration_s)
        blocks = [driver.read(round(end_s * 1e9)) for driver in drivers]
        yield [block for block in blocks if len(block)]
        begin_s = end_s
