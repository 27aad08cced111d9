"""The track stream measured: bytes per update, how well clocks are known, how late points come through a real broker.

``python -m hil.track_stream``. People walk about in a simulated store of 40 by 25 m at 15 frames a second; what a node
tells of them is weighed. The clocks are simulated for an hour per network, since only there is the truth known. The
latency is of a node in this process and a reader in another one, with mosquitto over loopback between them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.config.live_schema import UplinkOptions
from edge.stream.track_link import TrackLink
from edge.stream.track_publisher import TrackPublisher
from edge.stream.track_receiver import TrackReceiver
from edge.stream.track_wire import MOST_UPDATE_BYTES, decode_message
from edge.stream.uplink.topics import Names
from edge.trace.sighting import TrackPoint
from hil.broker import Broker
from hil.track_line import Delay, Line, burdened, lopsided, stalled, wired, wireless

SEED = 81_300
PEOPLE = (1, 4, 8)
MINUTES = 10.0
LATENCY_SECONDS = 60.0
CEILING, BAY = Names("store-7", "ceiling-1"), Names("store-7", "bay-12")
RUN = 40_123
FPS = 15.0
PROCESSING_MS = 40.0  # from the exposure until the tracker is done
BEFORE = 500  # identities of the run so far

_S, _MS = 10**9, 10**6
_HEAD_BYTES = 5  # of a PUBLISH: fixed header, length of the topic, no properties
_STORE_MM = (40_000.0, 25_000.0)
_NETWORKS: dict[str, tuple[Delay, Delay]] = {
    "wired": (wired, wired),
    "wireless": (wireless, wireless),
    "broker stalls 1 min in 10": (stalled, stalled),
    "10 min slow, one way": (wired, burdened),
    "always 9 ms slower, one way": (wired, lopsided),
}


@dataclass(frozen=True, slots=True)
class TrackBytes:
    """Bytes per track update. ``median``, ``worst``: of messages with updates, a share each of head and rest.
    ``all``: of everything on the topic, heartbeats and clothes too. ``mqtt``: that with MQTT's own bytes and the topic.
    """

    people: int
    updates: int
    updates_hz: float
    median: float
    worst: float
    all: float
    mqtt: float


@dataclass(frozen=True, slots=True)
class ClockError:
    """Over an hour, ms: errors of the offset, stated standard deviation (median), share of errors within it; and the
    error of the fastest message alone, without questions (median)."""

    network: str
    p50: float
    p95: float
    most: float
    sd: float
    within: float
    one_way: float


@dataclass(frozen=True, slots=True)
class TrackLatency:
    """From ``give`` until the reader's loop has the point, ms; how wrong its time is; CPU per point, microseconds."""

    points: int
    given: int
    p50: float
    p99: float
    most: float
    time_error_p99: float
    publish_us: float
    receive_us: float


class Walkers:
    """People who walk to one place after the other, some of them hidden now and then."""

    def __init__(self, people: int, seed: int, camera: str = "aisle-1") -> None:
        self._rng = random.Random(seed)
        self._camera = camera
        self._next = BEFORE
        self._people = [self._born() for _ in range(people)]

    def frame(self, time_ns: int) -> list[TrackPoint]:
        """Where everybody is a fifteenth of a second later."""
        return [self._stepped(k, time_ns) for k in range(len(self._people))]

    def _place(self) -> tuple[float, float]:
        return self._rng.uniform(0.0, _STORE_MM[0]), self._rng.uniform(0.0, _STORE_MM[1])

    def _born(self) -> dict[str, float]:
        self._next += 1
        (x, y), (to_x, to_y) = self._place(), self._place()
        speed = self._rng.uniform(300.0, 1800.0)
        return {"identity": self._next, "x": x, "y": y, "to_x": to_x, "to_y": to_y, "speed": speed}

    def _stepped(self, k: int, time_ns: int) -> TrackPoint:
        one, rng = self._people[k], self._rng
        far = math.hypot(one["to_x"] - one["x"], one["to_y"] - one["y"])
        if far < 300.0:
            one = self._people[k] = self._born()
            far = math.hypot(one["to_x"] - one["x"], one["to_y"] - one["y"]) + 1.0
        vx, vy = (one["speed"] * (one[f"to_{axis}"] - one[axis]) / far for axis in ("x", "y"))
        one["x"], one["y"] = one["x"] + vx / FPS, one["y"] + vy / FPS
        sd_x, sd_y = rng.uniform(25.0, 400.0), rng.uniform(25.0, 400.0)
        return TrackPoint(
            f"{self._camera}.{RUN}.{one['identity']:.0f}",
            time_ns,
            one["x"],
            one["y"],
            sd_x * sd_x,
            rng.uniform(-0.6, 0.6) * sd_x * sd_y,
            sd_y * sd_y,
            vx + rng.gauss(0.0, 60.0),
            vy + rng.gauss(0.0, 60.0),
            rng.random() < 0.1,
            (90, 120, 130, 40, 128, 126),
        )


def weigh(people: int, minutes: float = MINUTES, seed: int = SEED) -> TrackBytes:
    """What a node with one camera says of so many people."""
    walkers, publisher = Walkers(people, seed + people), TrackPublisher(RUN)
    per_update: list[float] = []
    total = updates = messages = 0
    began_ns = 9 * 86_400 * _S  # days after the start of the machine
    for frame in range(int(minutes * 60.0 * FPS)):
        time_ns = began_ns + round(frame / FPS * _S)
        publisher.give("aisle-1", time_ns, walkers.frame(time_ns))
        while (payload := publisher.next(time_ns + round(PROCESSING_MS * _MS))) is not None:
            count = len(decode_message(payload).updates)
            total, updates, messages = total + len(payload), updates + count, messages + 1
            if count:
                per_update += [len(payload) / count] * count
    around = messages * (_HEAD_BYTES + len(CEILING.track))
    rate_hz = updates / people / (minutes * 60.0)
    worst, median = max(per_update), statistics.median(per_update)
    return TrackBytes(people, updates, rate_hz, median, worst, total / updates, (total + around) / updates)


def clocks(seconds: float = 3600.0, seed: int = SEED) -> Iterator[ClockError]:
    """How well a clock that runs 50 ppm faster is known, over each network."""
    for network, (there, back) in _NETWORKS.items():
        line = Line(lambda at_s: 86_400.0 * _S + 50e-6 * at_s * _S, there, back, seed)
        line.run(seconds)
        alone = Line(lambda at_s: 86_400.0 * _S + 50e-6 * at_s * _S, there, back, seed, answers=False)
        alone.run(seconds)
        errors = sorted(error / _MS for error in line.errors_ns)
        yield ClockError(
            network,
            statistics.median(errors),
            errors[int(0.95 * len(errors))],
            errors[-1],
            statistics.median(line.sds_ns) / _MS,
            line.within,
            statistics.median(alone.errors_ns) / _MS,
        )


def latency(seconds: float = LATENCY_SECONDS, people: int = 4, seed: int = SEED) -> TrackLatency:
    """Through mosquitto to another process. Raises BrokerError where there is no mosquitto."""
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "broker", extra=["set_tcp_nodelay true"]) as broker:
        publisher = TrackPublisher(RUN)
        link = TrackLink(UplinkOptions(broker=broker.url), CEILING, publisher, None)
        link.start()
        reader = _start_reader(broker)
        assert reader.stdin is not None
        assert reader.stdout is not None
        given_ns, spent_ns = _film(publisher, people, seconds, seed)
        time.sleep(0.5)
        link.stop()
        reader.stdin.close()
        found = json.load(reader.stdout)
        reader.wait()
    waits, wrong = [], []
    for track, x_mm, y_mm, taken_ns, time_ns in found["points"]:
        exposed_ns, at_ns = given_ns[track, x_mm, y_mm]
        waits.append((taken_ns - at_ns) / _MS)
        wrong.append(abs(time_ns - exposed_ns) / _MS)
    waits.sort()
    wrong.sort()
    return TrackLatency(
        len(waits),
        len(given_ns),
        statistics.median(waits),
        waits[int(0.99 * len(waits))],
        waits[-1],
        wrong[int(0.99 * len(wrong))],
        spent_ns / len(given_ns) / 1e3,
        found["cpu_ns"] / len(waits) / 1e3,
    )


def _film(
    publisher: TrackPublisher, people: int, seconds: float, seed: int
) -> tuple[dict[tuple[str, int, int], tuple[int, int]], int]:
    """Live frames; when each point was exposed and given, by track and rounded place, and the CPU time in all."""
    walkers, given_ns = Walkers(people, seed), {}
    began_ns, cpu_ns = time.monotonic_ns(), 0
    for frame in range(int(seconds * FPS)):
        due_ns = began_ns + round(frame / FPS * _S)
        time.sleep(max(due_ns - time.monotonic_ns(), 0) / _S)
        now_ns = time.monotonic_ns()
        points = walkers.frame(now_ns - round(PROCESSING_MS * _MS))
        for point in points:
            given_ns[point.track, round(point.x_mm), round(point.y_mm)] = point.time_ns, now_ns
        before_ns = time.thread_time_ns()
        publisher.give("aisle-1", points[0].time_ns, points)
        cpu_ns += time.thread_time_ns() - before_ns
    return given_ns, cpu_ns + _cpu_of("tracks")


def _cpu_of(name: str) -> int:
    """CPU time of a thread of this process so far."""
    for thread in threading.enumerate():
        if thread.name == name and thread.ident is not None:
            return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident))
    return 0


def _start_reader(broker: Broker) -> subprocess.Popen[bytes]:
    """In a process of its own: reading must not take the node's interpreter."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "hil.track_stream", "--read", broker.url]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert child.stdout is not None
    child.stdout.readline()  # it is connected
    return child


def _read(url: str) -> None:
    """Take points as a node's loop does, often, until stdin ends; print them (CLOCK_MONOTONIC is one for all)."""
    receiver = TrackReceiver([CEILING.node])
    link = TrackLink(UplinkOptions(broker=url), BAY, None, receiver)
    link.start()
    while link.state()["state"] != "connected":
        time.sleep(0.01)
    waiting = threading.Thread(target=sys.stdin.read, daemon=True)
    waiting.start()
    print(flush=True)  # noqa: T201 - tells the one who started this
    found = []
    while waiting.is_alive():
        time.sleep(0.001)
        now_ns = time.monotonic_ns()
        found += [
            (point.track, round(point.x_mm), round(point.y_mm), now_ns, point.time_ns) for point in receiver.take()
        ]
    cpu_ns = _cpu_of("tracks")
    link.stop()
    json.dump({"points": found, "cpu_ns": cpu_ns}, sys.stdout)


def report(minutes: float, hours: float, seconds: float) -> Iterator[str]:
    """All of it, a line each, as it is measured."""
    yield f"bytes per track update (at most {MOST_UPDATE_BYTES} with its share of the head)"
    for people in PEOPLE:
        size = weigh(people, minutes)
        yield (
            f"  {people} people: median {size.median:.1f}, worst {size.worst:.1f}; with heartbeats {size.all:.1f}; "
            f"with MQTT and its topic {size.mqtt:.1f}; {size.updates_hz:.1f} updates/s of each"
        )
    yield "error of another node's clock, ms, 50 ppm apart, an hour of simulated messages each"
    for clock in clocks(3600.0 * hours):
        yield (
            f"  {clock.network:28} p50 {clock.p50:6.2f}  p95 {clock.p95:6.2f}  largest {clock.most:6.2f}  stated sd "
            f"{clock.sd:5.2f}, {100.0 * clock.within:.1f} % within it; without questions p50 {clock.one_way:5.2f}"
        )
    late = latency(seconds)
    yield (
        f"from the camera's thread to another process's loop: p50 {late.p50:.1f}, p99 {late.p99:.1f}, largest "
        f"{late.most:.1f} ms; times p99 {late.time_error_p99:.2f} ms wrong; {late.points:,} points came, "
        f"of {late.given:,} given 15 times a second"
    )
    yield f"CPU of it: {late.publish_us:.0f} us per point given, {late.receive_us:.0f} us per point that came"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of walking that is weighed (default 10)")
    parser.add_argument("--hours", type=float, default=1.0, help="of clocks (default 1)")
    parser.add_argument("--seconds", type=float, default=LATENCY_SECONDS, help="of latency (default 60)")
    parser.add_argument("--read", metavar="URL", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.read:
        _read(chosen.read)
    else:
        for line in report(chosen.minutes, chosen.hours, chosen.seconds):
            print(line, flush=True)  # noqa: T201 - that is what it is run for


if __name__ == "__main__":
    main()
