"""A health report as Prometheus metrics. Labels are few: board, cell, cause, and words of short fixed lists.

The text is made by prometheus_client, the format's own library; it is imported here alone, for nodes that have a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Rows = Iterable[tuple[tuple[str, ...], object]]

_CELL_GAUGES = {
    "rate_hz": "Conversions a second by the chip's own clock",
    "configured_hz": "Conversions a second as the node file says",
    "delivered_hz": "Samples a second that came",
    "noise_counts": "Short-term noise, one standard deviation, in counts",
    "noise_g": "Short-term noise, one standard deviation, in grams",
    "last_sample_age_s": "Time since the newest sample",
}
_HOST_GAUGES = {
    "own_memory_bytes": "Memory of this process",
    "available_memory_bytes": "Memory that programs may still get",
    "disk_free_bytes": "Room on the disk of the state folder",
    "disk_size_bytes": "Size of the disk of the state folder",
    "load_1min": "Load of the machine",
    "machine_up_s": "Time since the machine was started",
}
_OUTBOX_GAUGES = {
    "pending": ("pending_entries", "Entries not delivered yet"),
    "kept": ("kept_entries", "Entries in the outbox"),
    "bytes": ("bytes", "Size of the outbox"),
    "oldest_pending_s": ("oldest_pending_seconds", "Age of the oldest entry not delivered yet"),
    "queue": ("queue_entries", "Entries that wait to be committed"),
}
_OUTBOX_COUNTERS = {
    "dropped_total": ("dropped_entries", "Entries that were dropped, by policy or for want of room"),
    "damaged_total": ("damaged_entries", "Entries that a damaged file cost"),
    "overflowed": ("overflowed_entries", "Entries that found no room before they could be committed"),
}
_CAMERA_GAUGES = {
    "fps": ("pictures_per_second", "Pictures looked at a second, over the last 10 s"),
    "last_frame_age_s": ("last_picture_age_seconds", "Time since the newest picture"),
    "people": ("people", "Tracks in the last picture"),
}
_CAMERA_COUNTERS = {
    "frames": ("pictures", "Pictures that were looked at"),
    "lost": ("lost_pictures", "Pictures lost, as drivers tell"),
    "skipped": ("skipped_pictures", "Pictures not looked at because the machine was too slow"),
    "refused": ("refused_pictures", "Pictures that couldn't be used"),
    "failures": ("failures", "How often the driver failed"),
}
CAMERA_VERDICTS = ("frozen", "dark", "covered", "moved", "stalled")
_UNITS = {"_s": "_seconds", "_hz": "_hertz", "_g": "_grams"}


def metrics_text(report: Mapping[str, Any]) -> bytes:
    """The report in Prometheus's text format 0.0.4. What is None in it has no line."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Report(report))
    return generate_latest(registry)


class _Report(Collector):
    def __init__(self, report: Mapping[str, Any]) -> None:
        self._report = report

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry needn't collect once only to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Families that have a value."""
        for family in self._families():
            if family.samples:
                yield family

    def _families(self) -> Iterator[Metric]:
        report = self._report
        yield _gauge("up_seconds", "Time since the node was started", (), [((), report.get("up_s"))])
        yield _gauge("problems", "Things that a technician should act on", (), [((), len(report.get("problems", ())))])
        yield from self._boards()
        yield from self._cameras()
        yield from self._node()
        yield from self._host()

    def _boards(self) -> Iterator[Metric]:
        boards: Mapping[str, Any] = self._report.get("boards", {})
        cells = [((name, cell), facts) for name, board in boards.items() for cell, facts in board["cells"].items()]
        yield _gauge(
            "board_up", "1: samples come; 0: silent or failed", ("board",),
            [((name,), board["state"] == "running") for name, board in boards.items()],
        )  # fmt: skip
        yield _gauge("board_level_grams", "Weight on the board", ("board",), _each(boards, "level_g"))
        yield _counter(
            "refused_samples",
            "Samples that came and couldn't go to fusion",
            ("board",),
            _each(boards, "refused_samples"),
        )
        yield _counter(
            "notices", "What drivers told of", ("board", "cause"),
            [((name, cause), n["count"]) for name, board in boards.items() for cause, n in board["notices"].items()],
        )  # fmt: skip
        for key, text in _CELL_GAUGES.items():
            yield _gauge(f"cell_{_unit(key)}", text, ("board", "cell"), [(at, cell.get(key)) for at, cell in cells])
        yield _counter("samples", "Samples", ("board", "cell"), [(at, cell["samples"]) for at, cell in cells])
        yield _counter(
            "missing_samples", "Conversions that never came, by the chip's own rate", ("board", "cell"),
            [(at, cell["missing_samples"]) for at, cell in cells],
        )  # fmt: skip
        lost = [((*at, cause), n) for at, cell in cells for cause, n in cell["lost_samples"].items()]
        lost += [((name, "", cause), n) for name, board in boards.items() for cause, n in board["lost_samples"].items()]
        yield _counter("lost_samples", "Samples lost, as drivers explain it", ("board", "cell", "cause"), lost)
        yield _counter(
            "flagged_samples", "Samples with evidence against them", ("board", "cell", "cause"),
            [((*at, flag.lower()), n) for at, cell in cells for flag, n in cell["flags"].items()],
        )  # fmt: skip

    def _cameras(self) -> Iterator[Metric]:
        cameras: Mapping[str, Any] = self._report.get("cameras") or {}
        yield _gauge(
            "camera_up", "1: pictures come and can be used; 0: not", ("camera",),
            [((name,), camera["state"] == "running" and not camera["verdict"]) for name, camera in cameras.items()],
        )  # fmt: skip
        yield _gauge(
            "camera_fault", "1: what is wrong with the pictures now", ("camera", "cause"),
            [((name, word), camera["verdict"] == word) for name, camera in cameras.items() for word in CAMERA_VERDICTS],
        )  # fmt: skip
        for key, (metric, text) in _CAMERA_GAUGES.items():
            yield _gauge(f"camera_{metric}", text, ("camera",), _each(cameras, key))
        work = [((name,), _scaled(camera.get("work_ms"), 1e-3)) for name, camera in cameras.items()]
        yield _gauge("camera_work_seconds", "CPU time for a picture, on average", ("camera",), work)
        for key, (metric, text) in _CAMERA_COUNTERS.items():
            yield _counter(f"camera_{metric}", text, ("camera",), _each(cameras, key))
        yield _counter(
            "camera_notices", "What cameras' drivers told of", ("camera", "cause"),
            [((name, cause), n["count"]) for name, cam in cameras.items() for cause, n in cam["notices"].items()],
        )  # fmt: skip
        sightings: Mapping[str, Any] = self._report.get("sightings") or {}
        yield _counter("sightings", "What cameras told that was decided with", (), [((), sightings.get("taken"))])
        yield _counter("late_sightings", "What came too late to be decided with", (), [((), sightings.get("late"))])
        yield _counter("dropped_sightings", "What found no room", (), [((), sightings.get("dropped"))])

    def _node(self) -> Iterator[Metric]:
        report = self._report
        loop, events = report.get("loop", {}), report.get("events", {})
        yield _counter("loop_rounds", "Rounds of the loop that reads the boards", (), [((), loop.get("rounds"))])
        late = [((name,), _scaled(loop.get(f"late_{name}_ms"), 1e-3)) for name in ("p50", "p99", "max")]
        yield _gauge("loop_late_seconds", "How late rounds began, of the last while", ("statistic",), late)
        yield _counter(
            "events", "Events decided, each revision counted", ("status",),
            [((status,), events.get(status)) for status in ("provisional", "final", "retracted")],
        )  # fmt: skip
        yield _counter("review_events", "Final events sent to a person", (), [((), events.get("for_review"))])
        outbox, uplink = report.get("outbox") or {}, report.get("uplink") or {}
        for key, (name, text) in _OUTBOX_GAUGES.items():
            yield _gauge(f"outbox_{name}", text, (), [((), outbox.get(key))])
        for key, (name, text) in _OUTBOX_COUNTERS.items():
            yield _counter(f"outbox_{name}", text, (), [((), outbox.get(key))])
        ring, clock = report.get("ring") or {}, report.get("clock") or {}
        connected = uplink["state"] == "connected" if isinstance(uplink.get("state"), str) else None
        yield _gauge("uplink_connected", "1: connected to the broker", (), [((), connected)])
        yield _counter("uplink_sent_entries", "Entries the broker has acknowledged", (), [((), uplink.get("sent"))])
        yield _counter("uplink_connects", "Connections made to the broker", (), [((), uplink.get("connects"))])
        yield _counter(
            "ring_dropped_samples", "Samples missing in the recording", (), [((), ring.get("dropped_samples"))]
        )
        yield _gauge("ring_bytes", "Size of the recording of raw samples", (), [((), ring.get("bytes"))])
        synced = clock["quality"] == "synced" if isinstance(clock.get("quality"), str) else None
        yield _gauge("clock_synced", "1: the wall clock is disciplined", (), [((), synced)])
        yield _counter("clock_jumps", "Steps of the wall clock", (), [((), clock.get("jumps"))])
        parts: Mapping[str, Any] = report.get("parts") or {}
        yield _counter("part_restarts", "Parts started again", ("part",), _each(parts, "restarts"))

    def _host(self) -> Iterator[Metric]:
        host = self._report.get("host", {})
        for key, text in _HOST_GAUGES.items():
            yield _gauge(_unit(key), text, (), [((), host.get(key))])
        heat = [((zone,), c) for zone, c in (host.get("temperatures_c") or {}).items()]
        yield _gauge("temperature_celsius", "Temperatures of the machine", ("zone",), heat)
        throttling = [((name,), on) for name, on in (host.get("throttling") or {}).items()]
        yield _gauge("throttling", "1: what the Pi's firmware says of its supply and heat", ("cause",), throttling)
        versions = {name: text or "" for name, text in (host.get("versions") or {}).items()}
        yield _gauge("build_info", "Versions", tuple(versions), [(tuple(versions.values()), 1)] if versions else [])


def _gauge(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = GaugeMetricFamily(f"shelfedge_{name}", text, labels=labels)
    return _filled(family, rows)


def _counter(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    """The library puts `_total` behind a counter's name."""
    family = CounterMetricFamily(f"shelfedge_{name}", text, labels=labels)
    return _filled(family, rows)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, rows: Rows) -> Metric:
    for labels, value in rows:
        if isinstance(value, int | float):
            family.add_metric(labels, float(value))
    return family


def _each(things: Mapping[str, Any], key: str) -> Rows:
    return [((name,), thing.get(key)) for name, thing in things.items()]


def _scaled(value: object, factor: float) -> float | None:
    return value * factor if isinstance(value, int | float) else None


def _unit(key: str) -> str:
    """Prometheus wants base units written out."""
    for short, long in _UNITS.items():
        if key.endswith(short):
            return key.removesuffix(short) + long
    return key
