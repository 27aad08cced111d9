"""The tracker on a real street: a video and its ground truth (MOT format), beside OpenCV's peers.

python -m hil.street [VIDEO GROUND_TRUTH] [--rate 7] [--picture OUT.png]: MOTA, IDF1, identity switches, and the
milliseconds of one thread per frame at three sizes, the least of several runs (the machine is shared). Without a video:
PETS 2009 S2.L1 in ../shared/data/ceiling. Reading a video needs PyAV; without OpenCV the peers are left out, and
without motmetrics its opinion of the score.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from drivers.frames import Frame, planes_of_yuv420, rgb_of
from edge.vision.tracker import Track, Tracker
from hil.street_peers import frigate_like, knn, mog2
from hil.track_score import Boxes, found_boxes, motmetrics_score, score_tracks

U8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

CEILING = Path(__file__).resolve().parents[2] / "shared" / "data" / "ceiling"
VIDEO = CEILING / "pets09_s2l1_view1.avi"
TRUTH = CEILING / "pets09_s2l1_gt_001-397.txt"
RATE_HZ = 7.0  # as recorded; the file says 10
SIZES = ((160, 120), (320, 240), (768, 576))
SPEED_FRAMES, WARM, REPEATS = 150, 30, 5
PICTURE_STEP, PICTURE_COLUMNS = 20, 4


def why_missing(video: Path, truth: Path) -> str | None:
    """Why there is nothing to measure; None if both files are there."""
    gone = [str(path) for path in (video, truth) if not path.is_file()]
    if gone:
        return f"{' and '.join(gone)} not found; expected a video and its ground truth in MOT format"
    if not installed("av"):
        return "PyAV, which reads the video, isn't installed; pip install av"
    return None


def installed(package: str) -> bool:
    """Whether a package that the project doesn't need is there."""
    return find_spec(package) is not None


def frames_of(video: Path, rate_hz: float) -> Iterator[Frame]:
    """The video's frames as a camera would give them, ``rate_hz`` a second."""
    import av

    with av.open(str(video)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            packed = np.asarray(picture.to_ndarray(format="yuv420p"), np.uint8)
            y, u, v = planes_of_yuv420(packed, picture.height, picture.width)
            yield Frame("street", round(number * 1e9 / rate_hz), number, y, u, v)


def truth_of(path: Path) -> dict[int, Boxes]:
    """Ground truth by frame, from 0 (the file counts from 1)."""
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    return {
        int(number) - 1: Boxes(part[:, 1].astype(np.int64), part[:, 2:6])
        for number in np.unique(rows[:, 0])
        for part in [rows[rows[:, 0] == number]]
    }


def pairs_of(tracks: list[list[Track]], truth: dict[int, Boxes]) -> list[tuple[Boxes, Boxes]]:
    """Truth and what was found, frame by frame, from the truth's first to its last."""
    nobody = Boxes(np.empty(0, np.int64), np.empty((0, 4)))
    return [
        (truth.get(number, nobody), found_boxes(tracks[number]))
        for number in range(min(truth), min(max(truth) + 1, len(tracks)))
    ]


def _shares(length: int, wanted: int) -> Floats:
    """float64[wanted, length]: how much of each of ``wanted`` equal pieces of a line each of its pixels is."""
    edges = np.linspace(0.0, length, wanted + 1)
    low, top = edges[:-1, None], edges[1:, None]
    pixel = np.arange(length)[None]
    covered = np.clip(np.minimum(top, pixel + 1.0) - np.maximum(low, pixel), 0.0, None)
    shares: Floats = covered / (top - low)
    return shares


def resized(frames: list[Frame], width: int, height: int) -> list[Frame]:
    """The same frames in another size, area-averaged."""

    def part(plane: U8, wide: int, high: int) -> U8:
        mean = _shares(plane.shape[0], high) @ plane @ _shares(plane.shape[1], wide).T
        small: U8 = np.rint(mean).astype(np.uint8)
        return small

    found = []
    for frame in frames:
        u, v = (None if p is None else part(p, width // 2, height // 2) for p in (frame.u, frame.v))
        found.append(Frame(frame.camera, frame.time_ns, frame.sequence, part(frame.y, width, height), u, v))
    return found


def tracker_ms(frames: list[Frame]) -> float:
    """Milliseconds of one thread per frame: for each frame the least over the runs, then the mean over the frames."""
    return _least_ms(frames, lambda: Tracker().push)


def peer_ms(frames: list[Frame], make: Callable[[], Callable[[U8], int]]) -> float:
    """The same of a peer, which is given luma."""

    def step() -> Callable[[Frame], object]:
        peer = make()
        return lambda frame: peer(frame.y)

    return _least_ms(frames, step)


def _least_ms(frames: list[Frame], make: Callable[[], Callable[[Frame], object]]) -> float:
    import time

    least = np.full(len(frames), np.inf)
    for _ in range(REPEATS):
        step = make()
        for number, frame in enumerate(frames):
            begin = time.thread_time_ns()
            step(frame)
            least[number] = min(least[number], time.thread_time_ns() - begin)
    return float(least[WARM:].mean() * 1e-6)


def picture_of(frames: list[Frame], tracks: list[list[Track]], path: Path) -> None:
    """A sheet of frames with the boxes drawn in."""
    import cv2

    shots = []
    for number in range(0, len(frames), PICTURE_STEP):
        rgb = np.ascontiguousarray(rgb_of(frames[number]))
        for track in tracks[number]:
            colour = tuple(int(c) for c in np.random.default_rng(track.identity).integers(90, 255, 3))
            low = int(track.left), int(track.top)
            top = int(track.left + track.width), int(track.top + track.height)
            cv2.rectangle(rgb, low, top, colour, 1 if track.hidden else 2)
            cv2.putText(rgb, str(track.identity), low, cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 2)
        cv2.putText(rgb, f"{number + 1}", (5, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
        shots.append(cv2.resize(rgb, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA))
    shots += [np.zeros_like(shots[0])] * (-len(shots) % PICTURE_COLUMNS)
    lines = [np.hstack(shots[i : i + PICTURE_COLUMNS]) for i in range(0, len(shots), PICTURE_COLUMNS)]
    cv2.imwrite(str(path), np.vstack(lines)[..., ::-1])


def main() -> int:
    """Prints the figures; 0 even where the video isn't there, which it says."""
    parser = argparse.ArgumentParser(prog="python -m hil.street", description="the tracker on a street video")
    parser.add_argument("video", nargs="?", type=Path, default=VIDEO)
    parser.add_argument("truth", nargs="?", type=Path, default=TRUTH)
    parser.add_argument("--rate", type=float, default=RATE_HZ, help="frames a second when it was recorded")
    parser.add_argument("--picture", type=Path, help="write a sheet of frames with the boxes here")
    chosen = parser.parse_args()
    if missing := why_missing(chosen.video, chosen.truth):
        sys.stdout.write(f"street video left out: {missing}\n")
        return 0
    peers = installed("cv2")
    if peers:
        import cv2

        cv2.setNumThreads(1)
    frames = list(frames_of(chosen.video, chosen.rate))
    tracker = Tracker()
    tracks = [tracker.push(frame) for frame in frames]
    pairs = pairs_of(tracks, truth_of(chosen.truth))
    write = sys.stdout.write
    for name, judge in (("", score_tracks), ("motmetrics", motmetrics_score)):
        if name and not installed(name):
            write(f"{name} isn't installed: its opinion is left out\n")
            continue
        score = judge(pairs)
        write(f"MOTA {score.mota:.3f}  IDF1 {score.idf1:.3f}  switches {score.switches}  missed {score.missed}  ")
        write(f"false {score.false}  of {score.boxes} boxes{f', says {name}' if name else ''}\n")
    if not peers:
        write("OpenCV isn't installed: its peers are left out\n")
    write(f"{'ms a frame, one thread':<28}" + "".join(f"{w}x{h:<8}" for w, h in SIZES) + "\n")
    rows: dict[str, list[float]] = {}
    for width, height in SIZES:
        small = resized(frames[:SPEED_FRAMES], width, height)
        rows.setdefault("shelfedge, luma to tracks", []).append(tracker_ms(small))
        for name, make in (
            ("MOG2 + open + components", mog2),
            ("KNN + open + components", knn),
            ("Frigate-like motion", frigate_like),
        ):
            if peers:
                rows.setdefault(name, []).append(peer_ms(small, make))
    for name, values in rows.items():
        write(f"{name:<28}" + "".join(f"{value:<11.2f}" for value in values) + "\n")
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    write(f"peak RSS, {'with OpenCV and ' if peers else 'with '}all frames: {most_mb} MB\n")
    if chosen.picture and not peers:
        write(f"{chosen.picture} isn't written: drawing needs OpenCV\n")
    elif chosen.picture:
        picture_of(frames, tracks, chosen.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
