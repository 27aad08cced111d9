"""From a camera's frames to sightings, as a node and `replay --look-again` do it: the same frames, the same words."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from calibration.camera_record import CameraRecord
from drivers.camera.scenes.ceiling import CeilingPicture, PinholeCamera, Shop, ceiling_scene
from drivers.frames import Frame
from edge.config.setup import Setup, setup_from_texts
from edge.stream.track_publisher import TrackPublisher
from edge.trace.sighting import Sighting, TrackPoint
from edge.vision.errors import FloorPointsError
from edge.vision.floor import fit_floor
from edge.vision.inference.errors import ModelError
from edge.vision.look import Look, Named
from edge.vision.shelf import ShelfWatcher
from edge.vision.shelf_names import BoardNamer
from edge.vision.shelf_regions import SlotBox

SHOP = Shop(160, 120, people=2)
NODE = """\
node: eyes
planogram: planogram.yaml
boards:
  b1:
    width: 900 mm
    depth: 400 mm
    rate: 80 Hz
    driver: simulated
    cells: {c: {x: 30 mm, y: 30 mm}}
cameras:
  c1: {driver: simulated, looks_at: floor}
  m1: {driver: simulated, looks_at: floor, model: person.tflite}
  s1: {driver: {type: simulated, scene: shelf}, looks_at: {board: b1}}
"""
PLANOGRAM = """\
skus: {cola: {name: Cola, weight: 352 g}}
slots: {A1: {board: b1, sku: cola, x: [0 mm, 450 mm], count: 6}}
"""


def record(camera: str, looks_at: object = "floor", size: tuple[int, int] = (160, 120)) -> CameraRecord:
    pinhole = PinholeCamera(dataclasses.replace(SHOP, width=size[0], height=size[1]))
    at_m = [(-1.0, -0.8), (1.0, -0.8), (-1.0, 1.0), (1.0, 1.0)]
    pixels = np.array([pinhole.see(x, y, 0.0)[:2] for x, y in at_m])
    plane = fit_floor(pixels, 1000.0 * np.array(at_m), 0.5).plane
    return CameraRecord.model_validate(
        {
            "camera": camera,
            "looks_at": looks_at,
            "size": size,
            "origin_mm": plane.origin_mm.tolist(),
            "to_pixels": plane.to_pixels.tolist(),
            "covariance": plane.covariance.tolist(),
        }
    )


def setup_with(**records: CameraRecord) -> Setup:
    return dataclasses.replace(setup_from_texts(NODE, PLANOGRAM, "", "here"), cameras=records)


@pytest.fixture(scope="module")
def pictures() -> list[CeilingPicture]:
    return list(ceiling_scene(SHOP, 21, 9.0, "c1"))


def test_people_are_told_where_they_stand_in_the_store(pictures: list[CeilingPicture]) -> None:
    look = Look("c1", setup_with(c1=record("c1")), 7)
    assert look.problems == []
    off_mm, told, off_mm_s = [], set(), []
    before: CeilingPicture | None = None
    for picture in pictures:
        walked = _walked(before, picture)
        before = picture
        for point in look.push(picture.frame):
            assert isinstance(point, TrackPoint)
            assert point.time_ns == picture.frame.time_ns
            assert point.xx_mm2 > 0
            assert point.yy_mm2 > 0
            assert len(point.clothes) == 6
            assert point.x_mm == round(point.x_mm, 1)
            told.add(point.track)
            if len(picture.places) and not point.hidden:
                away = [math.hypot(1000 * x - point.x_mm, 1000 * y - point.y_mm) for x, y in picture.places]
                off_mm.append(min(away))
                nearest = int(picture.identities[int(np.argmin(away))])
                if nearest in walked:
                    vx, vy = walked[nearest]
                    off_mm_s.append(math.hypot(vx - point.vx_mm_s, vy - point.vy_mm_s))
    assert told
    assert all(name.startswith("c1.7.") for name in told)
    assert np.median(off_mm) < 150.0
    assert np.median(off_mm_s) < 250.0, "people walk at 700 to 1400 mm/s"


def test_the_same_frames_give_the_same_sightings(pictures: list[CeilingPicture]) -> None:
    """P8: what is looked at again is what was seen."""
    setup = setup_with(c1=record("c1"))
    one, two = Look("c1", setup, 0), Look("c1", setup, 0)
    assert [one.push(each.frame) for each in pictures] == [two.push(each.frame) for each in pictures]


def test_frames_of_another_size_begin_anew_under_other_names(pictures: list[CeilingPicture]) -> None:
    """The run stays what other nodes are told with each message, or none of the camera's tracks could be sent."""
    look, publisher = Look("c1", setup_with(c1=record("c1")), 65_535), TrackPublisher(65_535)
    before, after = set(), set()
    larger = [_doubled(each.frame, 9 * 10**9) for each in pictures]
    for frames, names in (([each.frame for each in pictures], before), (larger, after)):
        for frame in frames:
            points = _points(look.push(frame))
            publisher.give("c1", frame.time_ns, points)
            names |= {point.track for point in points}
    assert before
    assert after
    assert not before & after
    assert all(name.startswith("c1.65535.") for name in before | after)


def test_a_look_that_takes_anothers_place_names_nobody_as_that_one_did(pictures: list[CeilingPicture]) -> None:
    """A driver that hangs gets a new look in the same run."""
    setup, named = setup_with(c1=record("c1")), Named()
    before, after = (
        {point.track for each in pictures for point in _points(look.push(each.frame))}
        for look in (Look("c1", setup, 7, named=named) for _ in range(2))
    )
    assert before
    assert len(after) == len(before)
    assert not before & after


def test_without_a_record_nobody_is_placed_and_it_is_said_what_to_do(pictures: list[CeilingPicture]) -> None:
    look = Look("c1", setup_with(), 7)
    assert [point for each in pictures[:30] for point in look.push(each.frame)] == []
    (problem,) = look.problems
    assert "shelfedge calibrate camera c1" in problem


def test_a_record_of_another_view_is_told_and_not_used(pictures: list[CeilingPicture]) -> None:
    look = Look("c1", setup_with(c1=record("c1", size=(160, 90))), 7)
    assert [point for each in pictures[:30] for point in look.push(each.frame)] == []
    (problem,) = look.problems
    assert "160 x 90" in problem


def test_a_model_that_isnt_there_is_told_and_people_are_followed_without(
    pictures: list[CeilingPicture], tmp_path: Path
) -> None:
    look = Look("m1", setup_with(m1=record("m1")), 7, tmp_path)
    assert any("person.tflite" in problem and "without a model" in problem for problem in look.problems)
    assert [point for each in pictures for point in look.push(each.frame)]
    assert Look("m1", setup_with(m1=record("m1")), 7).problems == [], "a trace has no model"


def test_a_board_that_isnt_in_the_picture_is_told(pictures: list[CeilingPicture], monkeypatch) -> None:
    class Fails:
        def push(self, frame: Frame) -> None:
            raise FloorPointsError("it isn't in the picture")

    monkeypatch.setattr("edge.vision.shelf.shelf_watcher", lambda *_: Fails())
    look = Look("s1", setup_with(s1=record("s1", {"board": "b1"})), 7)
    assert look.push(pictures[0].frame) == []
    assert "calibrate" in look.problems[0]


def test_a_classifier_that_fails_while_it_looks_is_told_once(pictures: list[CeilingPicture], monkeypatch) -> None:
    """P7: it would be believed to name items for months."""
    namer, slots = BoardNamer(_Breaks(), ("cola", "milk")), {"A1": SlotBox((0.0, 450.0), (0.0, 400.0))}
    monkeypatch.setattr(
        "edge.vision.shelf.shelf_watcher",
        lambda camera, setup, plane, _: ShelfWatcher(camera, "b1", plane, slots, namer),
    )
    look = Look("s1", setup_with(s1=record("s1", {"board": "b1"})), 7)
    look.push(pictures[0].frame)
    assert look.problems == []
    namer.name(pictures[0].frame, 2, 2, 8, 8)
    for each in pictures[1:4]:
        look.push(each.frame)
    assert look.problems == ["s1: its answer is no number; the camera goes on without a model"]


class _Breaks:
    labels = ("cola", "milk")

    def look(self, frame: Frame, box: object) -> None:
        raise ModelError("its answer is no number")


def _points(sightings: list[Sighting]) -> list[TrackPoint]:
    return [seen for seen in sightings if isinstance(seen, TrackPoint)]


def _walked(before: CeilingPicture | None, now: CeilingPicture) -> dict[int, tuple[float, float]]:
    """Everybody's velocity, mm/s, by the truth."""
    if before is None:
        return {}
    places = dict(zip(before.identities.tolist(), before.places.tolist(), strict=True))
    step_s = (now.frame.time_ns - before.frame.time_ns) / 1e9
    return {
        who: (1000 * (x - places[who][0]) / step_s, 1000 * (y - places[who][1]) / step_s)
        for who, (x, y) in zip(now.identities.tolist(), now.places.tolist(), strict=True)
        if who in places
    }


def _doubled(frame: Frame, later_ns: int) -> Frame:
    def large(plane):
        return None if plane is None else plane.repeat(2, axis=0).repeat(2, axis=1)

    return dataclasses.replace(
        frame, time_ns=frame.time_ns + later_ns, y=large(frame.y), u=large(frame.u), v=large(frame.v)
    )
