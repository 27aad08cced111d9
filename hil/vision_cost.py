"""What following people costs: milliseconds of one thread per frame beside OpenCV's peers, memory, a share of a core.

python -m hil.vision_cost [--frames 200] [--repeats 5]: on rendered scenes with four people, at three sizes. All who are
compared get the same frame one after the other, so that a busy machine is busy for all of them; of each frame the least
time over the runs counts, and of these the mean. The share of a core at 15 frames a second is from the mean CPU time of
the first run, no least of anything. Without OpenCV the peers are left out.

Exit code 1 if luma to tracks takes longer than `MOST_MS` at 320 x 240, isn't `LEAST_TIMES` as fast as MOG2 with
connected components, or takes more than `MOST_SHARE` of a core at 15 frames a second.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from drivers.camera.scenes.ceiling import Shop, ceiling_scene
from drivers.frames import Frame
from edge.vision.tracker import Tracker
from hil.street_peers import frigate_like, knn, mog2

Step = Callable[[Frame], object]
Floats = npt.NDArray[np.float64]

SIZES = ((160, 120), (320, 240), (768, 576))
JUDGED = (320, 240)
MOST_MS, LEAST_TIMES, MOST_SHARE = 1.0, 3.0, 0.10
LIVE_HZ = 15.0
OURS, MOG2 = "shelfedge, luma to tracks", "MOG2 + open + components"
SEED, FIRST_S = 8801, 15.0  # by then people are there
WARM = 30


def frames_of(width: int, height: int, count: int) -> list[Frame]:
    """Consecutive frames of a shop with four people."""
    shop = Shop(width, height, people=4, tilt_deg=35.0, pause_share=0.3)
    first = round(FIRST_S * shop.rate_hz)
    seen = ceiling_scene(shop, SEED, (first + count) / shop.rate_hz)
    return [picture.frame for number, picture in enumerate(seen) if number >= first]


def _makers(peers: bool) -> dict[str, Callable[[], Step]]:
    """What is compared; each makes a step that is given a frame."""

    def of_luma(make: Callable[[], Callable[[npt.NDArray[np.uint8]], int]]) -> Callable[[], Step]:
        def begin() -> Step:
            peer = make()
            return lambda frame: peer(frame.y)

        return begin

    makers: dict[str, Callable[[], Step]] = {OURS: lambda: Tracker().push}
    if peers:
        makers |= {
            MOG2: of_luma(mog2),
            "KNN + open + components": of_luma(knn),
            "Frigate-like motion": of_luma(frigate_like),
        }
    return makers


def cost_ms(frames: list[Frame], repeats: int, peers: bool) -> dict[str, Floats]:
    """Of each who is compared: float64[2], mean of the least milliseconds per frame, and of those of the first run."""
    makers = _makers(peers)
    spent = {name: np.full((repeats, len(frames)), np.inf) for name in makers}
    for run in range(repeats):
        steps = {name: make() for name, make in makers.items()}
        for number, frame in enumerate(frames):
            for name, step in steps.items():
                begin = time.thread_time_ns()
                step(frame)
                spent[name][run, number] = (time.thread_time_ns() - begin) * 1e-6
    return {name: np.array([ms.min(axis=0)[WARM:].mean(), ms[0, WARM:].mean()]) for name, ms in spent.items()}


def rss_mb() -> float:
    """What this process holds now, MB; NaN where /proc isn't there."""
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        return float("nan")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Prints the figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m hil.vision_cost", description="what following people costs")
    parser.add_argument("--frames", type=int, default=200, help="of each size")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    write = sys.stdout.write
    before_mb = rss_mb()
    tracker = Tracker()
    for frame in frames_of(*JUDGED, WARM):
        tracker.push(frame)
    write(f"memory with the tracker at work: {rss_mb():.0f} MB, {before_mb:.0f} MB of that before its first frame\n")
    peers = find_spec("cv2") is not None
    if peers:
        import cv2

        cv2.setNumThreads(1)
    else:
        write("OpenCV isn't installed: its peers are left out\n")
    found = {size: cost_ms(frames_of(*size, chosen.frames), chosen.repeats, peers) for size in SIZES}
    write(f"{'ms a frame, one thread':<28}" + "".join(f"{w}x{h:<8}" for w, h in SIZES) + "\n")
    for name in found[JUDGED]:
        write(f"{name:<28}" + "".join(f"{found[size][name][0]:<11.2f}" for size in SIZES) + "\n")
    share = {size: found[size][OURS][1] * 1e-3 * LIVE_HZ for size in SIZES}
    write(f"{f'share of a core at {LIVE_HZ:.0f} fps':<28}" + "".join(f"{share[size]:<11.1%}" for size in SIZES) + "\n")
    ours = found[JUDGED][OURS][0]
    missed = []
    if ours > MOST_MS:
        missed.append(f"{ours:.2f} ms a frame at 320x240, target {MOST_MS}")
    if peers and found[JUDGED][MOG2][0] < LEAST_TIMES * ours:
        missed.append(f"{found[JUDGED][MOG2][0] / ours:.1f} times as fast as MOG2 at 320x240, target {LEAST_TIMES}")
    if share[JUDGED] > MOST_SHARE:
        missed.append(f"{share[JUDGED]:.1%} of a core at 15 frames a second, target {MOST_SHARE:.0%}")
    for line in missed:
        write(f"missed: {line}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
