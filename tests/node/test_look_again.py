"""`replay --look-again`: the frames of a trace through the code that looks live, the same each time (P8)."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.camera_record import ELEMENTS, CameraRecord
from drivers.camera.scenes.ceiling import Shop, ceiling_scene
from drivers.frames import Frame
from edge.cli.main import app
from edge.config.setup import Setup, setup_from_texts
from edge.node.look_again import RUN, LookAgain
from edge.node.playback import Playback
from edge.trace.errors import TraceError
from edge.trace.jpeg import JpegDecoder, JpegEncoder
from edge.trace.reader import TraceReader
from edge.trace.sighting import Sighting, TrackPoint
from edge.trace.writer import TraceWriter
from edge.vision.look import Look

NODE = """\
node: ceiling-1
cameras:
  aisle: {driver: {type: simulated, scene: ceiling}, looks_at: floor}
"""
SHOP = Shop(160, 120, 15.0, people=2, noise=1.0, at_start=1)
REMOTE = TrackPoint("entrance.4.1", 2_000_000_000, 1.0, 2.0, 3.0, 0.0, 3.0, 0.0, 0.0)


@functools.cache
def _frames() -> tuple[Frame, ...]:
    return tuple(seen.frame for seen in itertools.islice(ceiling_scene(SHOP, 5, camera_id="aisle"), 75))


@functools.cache
def _setup() -> Setup:
    """A ceiling node whose camera's record is that of the scene's own camera, in store mm."""
    tilt, middle = math.radians(SHOP.tilt_deg), (SHOP.width / 2, SHOP.height / 2)
    sin, cos, h = math.sin(tilt), math.cos(tilt), SHOP.height_m * 1000.0
    f = 0.5 * SHOP.width / math.tan(math.radians(0.5 * SHOP.view_deg))
    rows = np.array(  # of a pinhole h above the floor's origin, tilted towards +y
        [
            [f, middle[0] * sin, middle[0] * h * cos],
            [0.0, middle[1] * sin - f * cos, middle[1] * h * cos + f * h * sin],
            [0.0, sin, h * cos],
        ]
    )
    rows /= rows[2, 2]
    record = CameraRecord.model_validate(
        {
            "camera": "aisle",
            "looks_at": "floor",
            "size": (SHOP.width, SHOP.height),
            "origin_mm": (0.0, 0.0),
            "to_pixels": rows.tolist(),
            "covariance": (np.eye(ELEMENTS) * 1e-14).tolist(),
            "pixel_sd": 0.5,
        }
    )
    return setup_from_texts(NODE, "", "", "test", {"aisle": record.model_dump_json()})


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Frames, what was seen in them live (of the pictures as they were), and a track of another node's camera."""
    pytest.importorskip("av")
    encoder, look = JpegEncoder(), Look("aisle", _setup(), 77)
    with TraceWriter(tmp_path / "a.mcap", _setup()) as writer:
        for frame in _frames():
            writer.see(look.push(frame))
            writer.picture(encoder.encoded(frame))
        writer.see([REMOTE])
    return tmp_path / "a.mcap"


def _looked(reader: TraceReader, again: bool) -> list[Sighting]:
    found: list[Sighting] = []
    looking = LookAgain(reader) if again else None
    list(Playback(reader, witnesses=[found.extend], look_again=looking).events())
    assert looking is None or (looking.refused, looking.problems) == (0, [])
    return found


def test_looking_again_gives_what_the_live_code_sees_in_the_recorded_pictures_p8(trace: Path) -> None:
    """P8: the same each time; the camera's record comes out of the trace; other nodes' tracks stay as recorded."""
    with TraceReader(trace) as reader:
        assert reader.require_setup().cameras.keys() == {"aisle"}
        first, second, live = _looked(reader, True), _looked(reader, True), _looked(reader, False)
        assert first == second
        decoder, look = JpegDecoder(), Look("aisle", _setup(), RUN)
        frames = [frame for epoch in reader.whole_epochs() for frame in epoch.frames]
        expected = [seen for frame in frames for seen in look.push(decoder.decoded(frame))]
    assert [seen for seen in first if seen != REMOTE] == expected
    assert REMOTE in first
    assert len(expected) > 20
    assert {seen.track.split(".")[1] for seen in live if isinstance(seen, TrackPoint)} == {"77", "4"}
    places = [
        {round(s.time_ns / 1e9, 2): s.x_mm for s in found if isinstance(s, TrackPoint) and s.track.endswith("." + run)}
        for found, run in ((live, "77.1"), (first, "0.1"))
    ]
    both = sorted(set(places[0]) & set(places[1]))
    assert both
    assert np.median([abs(places[0][t] - places[1][t]) for t in both]) < 100.0


def test_the_command_looks_again_or_says_why_it_cant(trace: Path, tmp_path: Path) -> None:
    """One line, no traceback, and what to do."""
    result = CliRunner().invoke(app, ["replay", str(trace), "--look-again", "--events", str(tmp_path / "e.jsonl")])
    assert result.exit_code == 0, result.output
    with TraceWriter(tmp_path / "b.mcap", _setup()) as writer:
        writer.see([REMOTE])
    with (
        TraceReader(tmp_path / "b.mcap") as reader,
        pytest.raises(TraceError, match=r"no frames in it.*record --frames"),
    ):
        LookAgain(reader)
    assert CliRunner().invoke(app, ["replay", str(trace), "--look-again", "--without-cameras"]).exit_code == 2


def test_a_frame_that_cant_be_used_costs_itself(trace: Path, tmp_path: Path) -> None:
    """P5: the others are looked at, and it is told."""
    with TraceReader(trace) as reader:
        epochs = list(reader.whole_epochs())
    epochs[0].frames[5] = dataclasses.replace(epochs[0].frames[5], jpeg=b"no")
    with TraceWriter(tmp_path / "b.mcap", _setup()) as writer:
        for epoch in epochs:
            writer.write_epoch(epoch)
    with TraceReader(tmp_path / "b.mcap") as reader:
        looking = LookAgain(reader)
        found = [seen for epoch in reader.whole_epochs() for seen in looking(epoch)]
    assert looking.refused == 1
    assert looking.problems == ["aisle: a recorded frame can't be decoded: " + looking.problems[0].split(": ", 2)[2]]
    assert len(found) > 20


def test_a_record_that_cant_be_used_costs_only_what_needs_it(trace: Path, tmp_path: Path) -> None:
    """P5: of another version, say: the trace is read, and it is told."""
    with TraceReader(trace) as reader:
        attachments = dict(reader.attachments)
    attachments["aisle.camera.json"] = attachments["aisle.camera.json"].replace(b'"size"', b'"extent"')
    with TraceWriter(tmp_path / "b.mcap", None, attachments=attachments) as writer:
        writer.see([REMOTE])
    with TraceReader(tmp_path / "b.mcap") as reader:
        assert reader.require_setup().cameras == {}
        assert [seen for epoch in reader.whole_epochs() for seen in epoch.sightings] == [REMOTE]
        assert len(reader.losses) == 1
        assert "records can't be used" in str(reader.losses[0])
