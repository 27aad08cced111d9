"""The same scenes end to end: people painted as a ceiling camera sees them, followed by the real tracker.

Nothing of `hil.who_sight` is in it: places, covariances, lost and swapped tracks are the tracker's own.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from drivers.camera.scenes.ceiling import CeilingPainter, Shop, ways_of
from drivers.camera.scenes.walkers import Person, new_person
from edge.trace.sighting import TrackPoint
from edge.vision.assign import NEVER, assign
from edge.vision.tracker import Track, Tracker
from hil.ceiling import floor_map_of
from hil.who_people import STEP_S, Crowd
from hil.who_scene import WhoScene, make_scene
from hil.who_sight import Seen

SHOP = Shop(rate_hz=1.0 / STEP_S)
WALL_MM = (0.0, 2700.0)  # the shelves' front edge, in the upper part of the picture
SAME_MM = 450.0  # a track farther from a person isn't theirs
FLAT, STEEP = 10.0, 30.0  # the camera's tilt


def rendered_scene(crowd: Crowd, split: str, index: int, seconds: float = 120.0) -> WhoScene:
    """A scene whose tracks are those that the tracker makes of painted pictures."""
    scene = make_scene(crowd, split, index, seconds, before_camera=WALL_MM)
    rng = np.random.default_rng([index, 0xE4E])
    shop = dataclasses.replace(SHOP, tilt_deg=float(rng.uniform(FLAT, STEEP)), noise=float(rng.uniform(1.5, 4.0)))
    return dataclasses.replace(scene, seen=_watched(scene, shop, index))


def _watched(scene: WhoScene, shop: Shop, seed: int) -> Seen:
    rng = np.random.default_rng([seed, 0xE4F])
    painter, tracker = CeilingPainter(shop, seed, rng), Tracker(floor_map_of(shop, seed))
    everybody = [new_person(k + 1, ways_of(shop), 0.0, 0.2, "any", rng) for k in range(len(scene.ways))]
    seen = Seen(spans=[[] for _ in everybody])
    for number in range(round(scene.seconds / STEP_S)):
        now_s = number * STEP_S
        here = _here(scene, everybody, now_s)
        tracks = tracker.push(painter.paint(here, now_s, number).frame)
        points = [point for point in (_point(track, round(now_s * 1e9)) for track in tracks) if point is not None]
        seen.points += points
        _note(seen, here, points, now_s)
    return seen


def _here(scene: WhoScene, everybody: list[Person], now_s: float) -> list[Person]:
    """Those who are there, where they are."""
    found = []
    for person, (times, places) in zip(everybody, scene.ways, strict=True):
        step = round((now_s - float(times[0])) / STEP_S)
        if 0 <= step < len(times):
            x, y = (places[step] / 1000.0).tolist()
            before_x, before_y = (places[max(step - 3, 0)] / 1000.0).tolist()
            walks = math.hypot(x - before_x, y - before_y) > 0.1
            person.x, person.y, person.wait_s = x, y, 0.0 if walks else 1.0
            if walks:
                person.heading = math.atan2(y - before_y, x - before_x)
            found.append(person)
    return found


def _point(track: Track, time_ns: int) -> TrackPoint | None:
    if track.floor_mm is None or track.floor_covariance is None:
        return None
    name = f"ceiling.1.{track.identity}"
    return TrackPoint(name, time_ns, *track.floor_mm, *track.floor_covariance, 0.0, 0.0, track.hidden, track.clothes)


def _note(seen: Seen, here: list[Person], points: list[TrackPoint], now_s: float) -> None:
    """Whose track is called what: as many as possible, the nearest together."""
    if not here or not points:
        return
    away = np.array([[math.dist((1e3 * p.x, 1e3 * p.y), (t.x_mm, t.y_mm)) for t in points] for p in here])
    columns = np.empty(len(here), np.int64)
    assign(np.where(away < SAME_MM, away, NEVER), columns)
    for row, column in enumerate(columns.tolist()):
        if column < 0:
            continue
        spans, name = seen.spans[here[row].identity - 1], points[column].track
        if spans and spans[-1][0] == name:
            spans[-1] = name, spans[-1][1], now_s
        else:
            spans.append((name, now_s, now_s))
