"""A camera that can't be trusted is named in health, diagnosis, metrics and monitor, with what to do about it (P7)."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eye_benches import Ears, OnePerson, S, write_node
from metrics_format import read_metrics
from node_benches import ToldClock

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import PartKind, Verdict
from drivers.camera.scenes.spoilt import Spoil, spoilt
from drivers.camera.simulated import SimulatedCamera
from drivers.errors import DriverError
from drivers.frames import Frame
from edge.cli.monitor_parts import camera_lines, event_lines
from edge.cli.monitor_screen import Look, frame
from edge.config.setup import load_setup
from edge.node.calibrate_camera import driver_of
from edge.node.camera_verdicts import camera_findings, camera_parts, camera_problems
from edge.node.diagnose import Gathered
from edge.node.diagnose_cameras import stills_of
from edge.node.diagnose_report import report_html
from edge.node.diagnose_sources import Source, diagnosed
from edge.node.diagnose_text import diagnosis_text, measured
from edge.node.eye import Eye
from edge.node.hardware import Hardware
from edge.node.health_line import health_line
from edge.node.health_problems import kind_of, problems_of
from edge.node.metrics_text import metrics_text
from edge.node.monitor import Monitor

RATE_HZ = 10.0
WELL: dict[str, Any] = {
    "driver": "simulated", "looks_at": "floor", "wanted_hz": 15.0, "state": "running", "text": "", "verdict": None,
    "verdict_s": None, "fps": 15.0, "last_frame_age_s": 0.05, "size": [320, 240], "people": 2, "work_ms": 0.9,
    "frames": 900, "lost": 0, "skipped": 0, "skipped_ago_s": None, "refused": 0, "starts": 1, "failures": 0,
    "problems": [], "notices": {},
}  # fmt: skip


def pictures(seconds: float) -> Iterator[Frame]:
    """Something with edges, and a sensor's noise."""
    rng = np.random.default_rng(5)
    still = 60.0 + 80.0 * (rng.random((12, 16)).repeat(8, axis=0).repeat(8, axis=1) > 0.5)
    for n in range(round(seconds * RATE_HZ)):
        y = np.clip(still + rng.normal(0.0, 2.0, still.shape), 0, 255).astype(np.uint8)
        yield Frame("c1", round(n * 1e9 / RATE_HZ), n, y)


def report_of(spoil: Spoil | None, seconds: float) -> dict[str, Any]:
    """A health report after so many seconds of a camera that has this fault."""
    clock = ToldClock()
    seen = spoilt(pictures(seconds), [] if spoil is None else [spoil])
    camera = SimulatedCamera("c1", seen, RATE_HZ, clock)
    eye = Eye("c1", lambda _: camera, OnePerson, True, Ears(), clock)
    end_ns = clock() + round(seconds * S)
    while clock() < end_ns:
        eye.step()
        clock.ns += S // 10
    facts = {"driver": "simulated", "looks_at": "floor", "wanted_hz": RATE_HZ, **eye.facts.report(clock())}
    return {"cameras": {"c1": facts}, "running_s": seconds}


@pytest.mark.parametrize(
    ("kind", "word", "remedy"),
    [
        ("dark", "too dark", "light"),
        ("covered", "nothing to recognise", "clean"),
        ("frozen", "the same picture", "off and on"),
        ("stall", "no more pictures", "cable"),
        ("moved", "somewhere else", "calibrate camera"),
    ],
)
def test_each_fault_is_a_sentence_with_its_remedy(kind, word, remedy) -> None:
    """P7: what the driver sees reaches the technician."""
    (sentence,) = problems_of(report_of(Spoil(kind, 5.0, 99.0), 18.0))
    assert sentence.startswith("c1: ")
    assert word in sentence
    assert remedy in sentence


def test_a_sound_camera_is_no_problem() -> None:
    found = report_of(None, 14.0)
    assert problems_of(found) == []
    assert "1 of 1 cameras, 1 person" in health_line(found)


@pytest.mark.parametrize(
    ("other", "fault", "verdict"),
    [
        ({"state": "failed", "text": "c1: no camera; check its cable"}, Fault.DRIVER, Verdict.FAIL),
        ({"state": "hung", "text": "its driver doesn't come back"}, Fault.NO_PICTURES, Verdict.FAIL),
        ({"state": "silent", "fps": 0.0}, Fault.NO_PICTURES, Verdict.FAIL),
        ({"fps": 7.0}, Fault.FEW_PICTURES, Verdict.WARN),
        ({"skipped": 40, "skipped_ago_s": 3.0}, Fault.LEFT_OUT, Verdict.WARN),
        ({"refused": 3}, Fault.FEW_PICTURES, Verdict.WARN),
        ({"problems": ["c1: no; run `shelfedge calibrate camera c1`"]}, Fault.NOT_CALIBRATED, Verdict.WARN),
        ({"problems": ["c1: m.tflite: no such file; the camera goes on without a model"]}, Fault.MODEL, Verdict.WARN),
        ({"doubt": 0.7}, Fault.DISBELIEVED, Verdict.WARN),
        ({"state": "ended"}, Fault.NO_PICTURES, Verdict.PASS),
    ],
)  # fmt: skip
def test_what_else_may_be_is_named_too(other, fault, verdict) -> None:
    (found,) = camera_findings({**WELL, **other}, 60.0)
    assert (found.fault, found.verdict) == (fault, verdict)
    assert found.remedy
    told = list(camera_problems({"cameras": {"c1": {**WELL, **other}}, "running_s": 60.0}))
    assert len(told) == (verdict is not Verdict.PASS)


def test_a_camera_that_just_starts_or_was_slow_long_ago_is_no_problem() -> None:
    assert list(camera_findings({**WELL, "state": "starting"}, 3.0)) == []
    assert list(camera_findings({**WELL, "skipped": 40, "skipped_ago_s": 3000.0}, 9000.0)) == []


def test_the_same_problem_stays_the_same_though_its_figures_change() -> None:
    """Else the log would tell it each minute."""
    dark = {**WELL, "verdict": "dark"}
    one, two = (
        next(camera_problems({"cameras": {"c1": {**dark, "verdict_s": s}}, "running_s": 60.0})) for s in (5.0, 65.0)
    )
    assert one != two
    assert kind_of(one) == kind_of(two)


def test_what_other_nodes_tracks_lack_is_told() -> None:
    assert problems_of({"tracks": {"problems": ["tracks of node x: none come"]}}) == ["tracks of node x: none come"]


def test_the_diagnosis_has_a_verdict_for_each_camera(tmp_path: Path) -> None:
    setup = load_setup(write_node(tmp_path))
    cameras = {"c1": WELL, "c2": {**WELL, "verdict": "covered", "verdict_s": 4.0}}
    parts = camera_parts({"cameras": cameras, "running_s": 60.0})
    assert [(part.kind, part.name, part.verdict) for part in parts] == [
        (PartKind.CAMERA, "c1", Verdict.PASS),
        (PartKind.CAMERA, "c2", Verdict.FAIL),
    ]
    source = Source("eyes", Gathered("here", setup, {}, 9.0, True, cameras=cameras), tmp_path / "node.yaml", setup)
    found, _ = diagnosed(source, (), datetime.now(UTC))
    text = diagnosis_text(found)
    assert "PASS  camera c1" in text
    assert "15.0 pictures/s" in text
    assert "FAIL LENS COVERED" in text


def test_prometheus_reads_each_camera() -> None:
    cameras = {"c1": WELL, "c2": {**WELL, "verdict": "dark", "people": None}}
    text = metrics_text({"cameras": cameras, "sightings": {"taken": 7, "late": 1, "dropped": 0}})
    found, _ = read_metrics(text)
    values = {(name, tuple(sorted(labels))): value for (name, labels), value in found.items()}
    assert values["shelfedge_camera_up", (("camera", "c1"),)] == 1
    assert values["shelfedge_camera_up", (("camera", "c2"),)] == 0
    assert values["shelfedge_camera_fault", (("camera", "c2"), ("cause", "dark"))] == 1
    assert values["shelfedge_camera_pictures_per_second", (("camera", "c1"),)] == 15.0
    assert values["shelfedge_camera_pictures_total", (("camera", "c1"),)] == 900
    assert values["shelfedge_sightings_total", ()] == 7
    assert ("shelfedge_camera_people", (("camera", "c2"),)) not in values
    assert b"camera" not in metrics_text({})


class Told:
    """Keeps `edge.node.monitor_feed.Feed`: one answer of a node."""

    node, source, live, text = "eyes", "node", True, ""

    def __init__(self, cameras: dict[str, Any]) -> None:
        self._answers = [
            {"facts": {"node": "eyes", "boards": {}}, "now_ns": 5, "boards": {}, "events": [], "cameras": cameras}
        ]

    def news(self) -> list[dict[str, Any]]:
        found, self._answers = self._answers, []
        return found

    def close(self) -> None: ...


def test_the_monitor_shows_what_each_camera_sees() -> None:
    many = {f"c{n}": WELL for n in range(4)} | {"bad": {**WELL, "verdict": "moved"}}
    monitor = Monitor(Told(many))
    monitor.update()
    view = monitor.view(5)
    assert json.dumps(view.as_json())
    text = "\n".join(line.plain for line in frame(view, Look(), 80, 24))
    assert text.count("15 pictures/s  2 people") == 4
    assert "✗ camera bad  MOVED" in text
    few = [line.plain for line in camera_lines(view, 80, 2)]
    assert few == ["✗ camera bad  MOVED", "4 of 4 more cameras see, 8 people"]
    lone = Monitor(Told({"c1": {**WELL, "people": 1}, "c2": {**WELL, "people": 0}}))
    lone.update()
    assert [line.plain for line in camera_lines(lone.view(5), 80, 1)] == ["2 of 2 cameras see, 1 person"]
    assert all(line.cell_len <= 30 for line in camera_lines(view, 30, 3))


def test_a_file_is_looked_for_beside_the_node_file(tmp_path: Path) -> None:
    cameras = "cameras:\n  c1: {driver: {type: video, file: clips/a.mp4}, looks_at: floor}\n"
    path = write_node(tmp_path, cameras)
    camera: Any = Hardware(load_setup(path), path, 1, lambda: 0).make_camera("c1")
    assert camera.options.file == str(tmp_path / "clips" / "a.mp4")


def test_a_node_without_cameras_pays_nothing(tmp_path: Path) -> None:
    """Neither vision, nor cameras' drivers, nor the tracks' connection is even imported."""
    script = (
        "import os, sys, threading\nfrom pathlib import Path\nfrom edge.config.setup import load_setup\n"
        "from edge.node.run import NodeRun, RunOptions\n"
        "path = Path(sys.argv[1])\nrun = NodeRun(path, load_setup(path), RunOptions(), {})\n"
        "run.health.report(run.parts.extra())\n"
        "names = ('edge.vision.tracker', 'edge.vision.look', 'drivers.camera.build', 'edge.node.eyes',"
        " 'edge.stream.track_link', 'av', 'cv2')\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    found = []
    for cameras in ("", "cameras: {c1: {driver: simulated, looks_at: floor}}\n"):
        path = write_node(tmp_path, cameras)
        done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.strip())
    assert found[0] == "[]"
    assert "edge.vision.look" in found[1], "the test would see them"


def test_pictures_that_come_too_late_for_who_are_named_with_what_to_do() -> None:
    """P7: a metric that nobody reads is no warning."""
    busy = {**WELL, "late": {"pictures": 300, "of": 900, "by_ms": 240}}
    (sentence,) = camera_problems({"cameras": {"c1": busy}, "running_s": 600.0})
    assert sentence.startswith("c1: 300 of 900 pictures in the last minute")
    assert "240 ms too late (in the median) to say who took what" in sentence
    assert "too busy" in sentence
    (found,) = camera_findings({**busy, "looks_at": "b1"}, 600.0)
    assert found.fault is Fault.LATE_PICTURES
    assert "what moved on its board" in found.evidence
    assert list(camera_findings(busy, 20.0)) == [], "while it starts"
    few = {**WELL, "late": {"pictures": 3, "of": 900, "by_ms": 240}}
    assert list(camera_findings(few, 600.0)) == []


def test_a_simulated_camera_shows_what_it_looks_at(tmp_path: Path) -> None:
    cameras = (
        "cameras:\n  s1: {driver: simulated, looks_at: {board: b1}}\n"
        "  s2: {driver: {type: simulated, scene: shelf}, looks_at: {board: b1}}\n"
        "  s3: {driver: {type: simulated, scene: ceiling}, looks_at: {board: b1}}\n"
    )
    path = write_node(tmp_path, cameras)
    setup = load_setup(path)
    hardware = Hardware(setup, path, 1, time.monotonic_ns)
    for make in (hardware.make_camera, lambda name: driver_of(name, setup.node.cameras[name], path)):
        first = {}
        for name in ("s1", "s2", "s3"):
            camera = make(name)
            camera.start()
            first[name] = camera.read(time.monotonic_ns() + 1)[0].y
            camera.stop()
        assert np.array_equal(first["s1"], first["s2"])
        assert not np.array_equal(first["s1"], first["s3"])


def test_one_person_is_a_person() -> None:
    report = {"cameras": {"c1": {**WELL, "people": 1}}, "running_s": 60.0}
    (whole,) = camera_parts(report)
    assert "1 person" in measured(whole)
    (two,) = camera_parts({"cameras": {"c1": WELL}, "running_s": 60.0})
    assert "2 people" in measured(two)


def test_kinds_of_problems_stay_apart() -> None:
    reports = [
        {"cameras": {"c1": {**WELL, "verdict": word, "verdict_s": 1.0}}} for word in ("dark", "moved", "covered")
    ]
    kinds = [kind_of(next(camera_problems(report))) for report in reports]
    assert all(one != two for one, two in itertools.combinations(kinds, 2))


def test_stills_stand_in_the_report_only_where_they_were_asked_for(tmp_path: Path) -> None:
    """No image leaves the node unless somebody asks for it."""
    setup = load_setup(write_node(tmp_path))
    source = Source("eyes", Gathered("here", setup, {}, 9.0, True, cameras={"c1": WELL}), tmp_path / "node.yaml", setup)
    found, looks = diagnosed(source, (), datetime.now(UTC))
    assert "data:image" not in report_html(found, looks)
    page = report_html(found, looks, {"c1": b"\xff\xd8jpeg"})
    assert "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8jpeg").decode() in page
    assert "It may show people" in page


def test_a_camera_that_gives_no_still_is_told_and_the_others_are_taken() -> None:
    def still(camera: str) -> bytes:
        if camera == "c1":
            raise DriverError("c1: no frame yet")
        return b"jpeg"

    said: list[str] = []
    assert stills_of(("c1", "c2"), still, said.append) == {"c2": b"jpeg"}
    assert "c1: no frame yet" in said[0]


def test_the_monitor_says_who_it_was_where_somebody_was_seen() -> None:
    event = {
        "event_id": "b1-1", "status": "final", "kind": "pick", "board": "b1", "slot": "A1", "sku": "cola",
        "quantity": 1, "grams": -352.0, "x_mm": 1.0, "y_mm": 1.0, "confidence": 0.99, "needs_review": False, "time": 1,
    }  # fmt: skip
    told = Told({"c1": WELL})
    told._answers[0]["events"] = [
        {**event, "who": {"c1.7.3": 0.9, "": 0.1}},
        {**event, "event_id": "b1-2", "who": {}},
    ]
    monitor = Monitor(told)
    monitor.update()
    assert {each.event_id: each.who for each in monitor.view(5).events} == {"b1-1": "c1.7.3", "b1-2": ""}
    text = "\n".join(line.plain for line in event_lines(monitor.view(5), 120, 5))
    assert text.count("by c1.7.3") == 1
