"""A process that records until it is killed: ``python ring_victim.py FOLDER SEED`` says how far it has come."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ring_rig import ToldClock, live, recorder, scene


def main() -> None:
    setup, boards = scene(120.0)
    clock = ToldClock()
    ring = recorder(Path(sys.argv[1]), setup, clock, boot=int(sys.argv[3]))
    for blocks, until_ns, now_ns in live(boards, int(sys.argv[2])):
        clock.now_ns = now_ns
        ring.give(blocks)
        while ring.state()["queued_samples"]:
            ring._wake.set()  # simulated time passes faster than the recorder looks
            time.sleep(0.0005)
        sys.stdout.write(f"{until_ns}\n")
        sys.stdout.flush()
    time.sleep(60)


if __name__ == "__main__":
    main()
