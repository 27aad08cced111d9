"""A tracker with the trained person detector beside it, on rendered shops: who is left out, and who is told apart."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from made_models import PEOPLE

from drivers.camera.scenes.ceiling import CeilingPicture, Shop, ceiling_scene
from drivers.frames import Frame
from edge.vision.inference.detector import Detection, Detector
from edge.vision.inference.errors import ModelError
from edge.vision.inference.model import Model
from edge.vision.inference.open import open_detector
from edge.vision.inference.pictures import Box
from edge.vision.people import PeopleWatch
from edge.vision.tracker import Track, Tracker
from hil.track_score import Boxes, TrackScore, found_boxes, score_tracks

SHOP = Shop(width=160, height=120, rate_hz=6.0, people=2)
SPOT_FROM_S, JUDGED_S = 20.0, 12.0


@pytest.fixture(scope="module")
def detector() -> Detector:
    return open_detector(PEOPLE)


def spot_at(now_s: float) -> tuple[float, float]:
    """Where the light wanders: to and fro through the middle of the picture, by a person's walk."""
    return 80.0 + 45.0 * math.sin(0.45 * now_s), 62.0 + 8.0 * math.sin(0.7 * now_s)


def with_spot(frame: Frame) -> Frame:
    """A lamp that somebody turns, or the sun off a car's window: brighter there, and nothing else."""
    rows, columns = np.mgrid[0 : frame.y.shape[0], 0 : frame.y.shape[1]]
    x, y = spot_at(frame.time_ns * 1e-9)
    light = 50.0 * np.clip(1.5 - np.hypot(columns - x, rows - y) / 14.0, 0.0, 1.0)
    return dataclasses.replace(frame, y=np.clip(frame.y + light, 0, 255).astype(np.uint8))


def spots(tracks: list[Track], seen: CeilingPicture) -> int:
    """Tracks that are on the light, and on nobody."""
    x, y = spot_at(seen.frame.time_ns * 1e-9)
    found = 0
    for track in tracks:
        at_x, at_y = track.left + 0.5 * track.width, track.top + 0.5 * track.height
        somebody = any(b[0] < at_x < b[0] + b[2] and b[1] < at_y < b[1] + b[3] for b in seen.boxes)
        found += math.hypot(at_x - x, at_y - y) < 14.0 and not somebody and not track.hidden
    return found


def people(tracks: list[Track], seen: CeilingPicture) -> int:
    """People with a track."""
    found = 0
    for left, top, width, height in seen.boxes:
        middles = [(track.left + 0.5 * track.width, track.top + 0.5 * track.height) for track in tracks]
        found += any(left < x < left + width and top < y < top + height for x, y in middles)
    return found


def test_a_wandering_light_is_left_out_where_the_detector_has_proved_itself(detector: Detector) -> None:
    alone, watch = Tracker(), PeopleWatch(Tracker(), detector, every_s=0.33)
    light, persons, there = [0, 0], [0, 0], 0
    for seen in ceiling_scene(SHOP, 1, 48.0):
        now_s = seen.frame.time_ns * 1e-9
        frame = with_spot(seen.frame) if now_s > SPOT_FROM_S else seen.frame
        both = alone.push(frame), watch.push(frame)
        there += len(seen.boxes)
        for which, tracks in enumerate(both):
            persons[which] += people(tracks, seen)
            if now_s > SPOT_FROM_S + JUDGED_S:
                light[which] += spots(tracks, seen)
    assert light[0] > 60
    assert light[1] < 0.5 * light[0]
    assert persons[1] > 0.97 * persons[0]
    assert persons[1] > 0.8 * there


def test_a_detector_that_sees_nobody_leaves_nobody_out() -> None:
    blind = Detector(Model(PEOPLE), least_score=1.01)
    alone, watch = Tracker(), PeopleWatch(Tracker(), blind)
    for seen in ceiling_scene(SHOP, 3, 15.0):
        assert watch.push(seen.frame) == alone.push(seen.frame)
    assert watch.looks >= 28


class _Perfect(Detector):
    """Sees exactly those who are there: what a detector can be at best."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []

    def look(self, frame: Frame) -> list[Detection]:
        return [Detection(box, 0.9) for box in self.boxes]


def test_people_who_come_in_together_are_told_apart() -> None:
    perfect = _Perfect()
    scores = [score_of(watch, perfect) for watch in (PeopleWatch(Tracker(), None), PeopleWatch(Tracker(), perfect))]
    assert scores[1].idf1 > scores[0].idf1 + 0.1
    assert scores[1].missed < scores[0].missed
    assert scores[1].false <= scores[0].false


def score_of(watch: PeopleWatch, perfect: _Perfect) -> TrackScore:
    """On two side by side, before it is known how large people are."""
    frames = []
    for seen in ceiling_scene(dataclasses.replace(SHOP, rate_hz=8.0, group_share=1.0), 11, 20.0):
        perfect.boxes = [Box(*(float(side) for side in box)) for box in seen.boxes]
        frames.append((Boxes(seen.identities, seen.boxes), found_boxes(watch.push(seen.frame))))
    return score_tracks(frames)


class _Failing(Detector):
    """Fails after some looks, as with weights that give no numbers."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def look(self, frame: Frame) -> list[Detection]:
        self.left -= 1
        if self.left < 0:
            raise ModelError("people.tflite: gave up")
        return []


def test_a_detector_that_fails_is_given_up_and_people_are_followed_without_it() -> None:
    alone, watch = Tracker(), PeopleWatch(Tracker(), _Failing(3))
    for seen in ceiling_scene(SHOP, 3, 6.0):
        assert watch.push(seen.frame) == alone.push(seen.frame)
    assert watch.problem == "people.tflite: gave up"
    assert watch.looks == 3
