"""Tracks for a person at a terminal, and for programs that read lines: what nodes tell of people, as it comes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edge.config.live_schema import UplinkOptions
from edge.stream.broker_reader import BrokerReader
from edge.stream.track_wire import TrackMessage, TrackUpdate, decode_message
from edge.stream.uplink.topics import Names
from edge.stream.wire_keys import WireError
from edge.trace.sighting import TrackPoint

SILENT_S = 5.0
_LOOK_S = 0.5
_MOST_CAMERAS = 1000


@dataclass(slots=True)
class _Camera:
    name: str | None = None
    due: bool = False  # the next updates make a line


class TrackLines:
    """Messages in, lines out. The sender's clock is left as it is: nobody here has to compare times.

    Args:
        as_json: a line for each point; else a line for each camera and second, for people.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._cameras: dict[tuple[str, int, int], _Camera] = {}

    def lines(self, node: str, payload: bytes) -> list[str]:
        """What a payload of the topic ``track`` gives. Raises WireError where it is none."""
        message = decode_message(payload)
        key = (node, message.run, message.camera)
        if key not in self._cameras and len(self._cameras) >= _MOST_CAMERAS:
            del self._cameras[next(iter(self._cameras))]
        camera = self._cameras.setdefault(key, _Camera())
        if message.here is not None:
            camera.name, camera.due = message.here.name, True
        if camera.name is None:
            return []  # within a second it is told
        if self._as_json:
            return [_json_line(node, camera.name, message, update) for update in message.updates]
        empty = message.here is not None and not message.here.people
        if not camera.due or not (empty or message.updates):
            return []
        camera.due = False
        return [_text_line(node, camera.name, message.updates)]


def follow_tracks(
    options: UplinkOptions,
    names: Sequence[Names],
    as_json: bool,
    on_open: Callable[[list[str]], None],
    on_problem: Callable[[str], None],
    silent_s: float = SILENT_S,
) -> Iterator[str]:
    """What these nodes publish from now on, as lines, without end.

    A guest at the broker, under a name that the broker makes up.

    Args:
        on_open: called with warnings when it listens. on_problem: with a sentence for what can't be read, and where
            nothing at all has come after `silent_s`.
    Raises UplinkError and CredentialError, also when the connection is lost.
    """
    nodes: Mapping[str, str] = {each.track: each.node for each in names}
    reader = BrokerReader(options, "", list(nodes))
    lines = TrackLines(as_json)
    try:
        on_open(reader.open())
        silent_at_s: float | None = time.monotonic() + silent_s
        while True:
            for message in reader.receive(_LOOK_S):
                silent_at_s = None
                try:
                    yield from lines.lines(nodes.get(message.topic, message.topic), message.payload)
                except WireError as error:
                    on_problem(f"{message.topic}: {error}")
            if silent_at_s is not None and time.monotonic() > silent_at_s:
                silent_at_s = None
                on_problem(
                    f"broker {options.broker}: no tracks come of {', '.join(nodes.values())}, not even that nobody is "
                    "there: either no camera of theirs sees the floor now, or the broker's ACL doesn't let us read "
                    "their topic track"
                )
    finally:
        reader.close()


def _text_line(node: str, camera: str, updates: Sequence[TrackUpdate]) -> str:
    people = f"{len(updates)} {'person' if len(updates) == 1 else 'people'}: " if updates else "nobody"
    return f"{node}  {camera}  {people}" + "; ".join(map(_person, updates))


def _person(update: TrackUpdate) -> str:
    point = update.point("", 0)
    spread_mm = math.sqrt(max(point.xx_mm2, point.yy_mm2))
    speed = math.hypot(point.vx_mm_s, point.vy_mm_s) / 1e3
    hidden = ", hidden" if point.hidden else ""
    x_m, y_m = point.x_mm / 1e3, point.y_mm / 1e3
    return f"{update.identity} at {x_m:.2f}, {y_m:.2f} m +- {spread_mm / 1e3:.2f}, {speed:.1f} m/s{hidden}"


def _json_line(node: str, camera: str, message: TrackMessage, update: TrackUpdate) -> str:
    point: TrackPoint = update.point(f"{camera}.{message.run}.{update.identity}", 0)
    said = {
        "node": node,
        "track": point.track,
        "sender_ms": message.time_ms,
        "x_mm": point.x_mm,
        "y_mm": point.y_mm,
        "xx_mm2": round(point.xx_mm2, 1),
        "xy_mm2": round(point.xy_mm2, 1),
        "yy_mm2": round(point.yy_mm2, 1),
        "vx_mm_s": point.vx_mm_s,
        "vy_mm_s": point.vy_mm_s,
        "hidden": point.hidden,
    }
    return json.dumps(said, ensure_ascii=False)
