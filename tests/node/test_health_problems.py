"""What a technician is told to do, and that he is left alone where all is fine."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from edge.node.health_line import health_line
from edge.node.health_problems import kind_of, problems_of

CELL = {
    "rate_hz": 82.0, "configured_hz": 80.0, "delivered_hz": 82.0, "samples_in_window": 4920, "flagged_in_window": 3,
    "samples": 9000, "missing_samples": 0, "lost_samples": {}, "flags": {"SPIKE": 3}, "noise_counts": 90.0,
    "noise_g": 0.8, "last_counts": 1, "last_g": 1.0, "last_sample_age_s": 0.1,
}  # fmt: skip
FINE: dict[str, Any] = {
    "up_s": 5000.0, "running_s": 4990.0,
    "boards": {
        "b1": {
            "driver": "bridge", "state": "running", "calibration_digest": "abc", "notices": {}, "lost_samples": {},
            "cells": {"fl": CELL, "fr": copy.deepcopy(CELL)},
        }
    },
    "loop": {"late_p99_ms": 0.4},
    "clock": {"quality": "synced"},
    "outbox": {"pending": 0, "bytes": 40_000, "size_bytes": 256e6, "dropped_total": 0},
    "uplink": {"state": "connected"},
    "ring": {"bytes": 5_000_000},
    "parts": {"uplink": {"restarts": 1, "given_up": False, "text": ""}},
    "host": {
        "temperatures_c": {"cpu-thermal": 51.0}, "throttling": {"under_voltage_now": False},
        "disk_free_bytes": 9e9, "disk_size_bytes": 30e9, "available_memory_bytes": 1e9, "total_memory_bytes": 4e9,
    },
}  # fmt: skip


def _with(path: str, value: object) -> dict[str, Any]:
    report = copy.deepcopy(FINE)
    *folders, last = path.split("/")
    place = report
    for folder in folders:
        place = place[folder]
    place[last] = value
    return report


def test_a_healthy_node_has_no_problems_and_says_so_in_one_line() -> None:
    assert problems_of(FINE) == []
    line = health_line({**FINE, "problems": []})
    assert line == "1 of 1 boards, 164.0 samples/s, loop p99 0.4 ms, outbox 0 pending, uplink connected, 51.0 °C, ok"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("boards/b1/cells/fl/rate_hz", 10.4, ["b1 fl", "10.4", "80", "RATE pin"]),
        ("boards/b1/cells/fl/delivered_hz", 60.0, ["b1 fl", "60.0 of 82.0"]),
        ("boards/b1/cells/fl/last_sample_age_s", 12.0, ["b1 fl", "12 s", "amplifier"]),
        ("boards/b1/cells/fl/flagged_in_window", 900, ["b1 fl", "18 %", "spike", "check the cell"]),
        ("boards/b1/state", "silent", ["b1", "no samples", "cables"]),
        ("boards/b1/state", "failed", ["b1", "tried again"]),
        ("boards/b1/calibration_digest", None, ["b1", "not calibrated"]),
        ("boards/b1/refused_samples", 500, ["500 samples", "load"]),
        ("parts/uplink", {"restarts": 5, "given_up": True, "text": "boom"}, ["uplink", "boom", "restart"]),
        ("loop/late_p99_ms", 600.0, ["600 ms", "CPU"]),
        ("clock/quality", "wrong", ["clock is wrong", "time server"]),
        ("clock/quality", "free", ["isn't synchronised", "network"]),
        ("outbox/problem", "the disk is full; make room", ["outbox", "make room"]),
        ("outbox", {"pending": 9, "bytes": 250e6, "size_bytes": 256e6}, ["98 % full", "broker"]),
        ("outbox/damaged_total", 4, ["4 entries", "check the disk"]),
        ("outbox/dropped_total", 17, ["17 entries", "dropped"]),
        ("uplink", {"state": "waiting", "problem": "the broker refused the password", "since_s": 7300.0}, ["2 h"]),
        ("ring/trouble", "the disk is full", ["recording"]),
        ("ring/frames", {"state": "trouble", "trouble": "the disk is full"}, ["recording of pictures: the disk"]),
        ("host/throttling", {"under_voltage_now": True}, ["supply voltage is too low", "power supply"]),
        ("host/throttling", {"under_voltage_ever": True}, ["was too low"]),
        ("host/throttling", {"throttled_now": True}, ["slowed down"]),
        ("host/temperatures_c", {"cpu-thermal": 85.0}, ["85 °C"]),
        ("host/disk_free_bytes", 90e6, ["90 MB left", "recording.size"]),
        ("host/available_memory_bytes", 50e6, ["50 MB of memory"]),
    ],
)
def test_each_fault_gives_one_sentence_with_its_place_and_remedy(path: str, value: object, words: list[str]) -> None:
    problems = problems_of(_with(path, value))
    assert len(problems) == 1
    assert all(word in problems[0] for word in words), problems[0]


def test_the_cause_of_most_losses_is_named() -> None:
    report = _with("boards/b1/cells/fl/delivered_hz", 60.0)
    report["boards"]["b1"]["cells"]["fl"]["lost_samples"] = {"tx full": 4, "mcu overrun": 900}
    assert "'mcu overrun' (900)" in problems_of(report)[0]


@pytest.mark.parametrize("rate_hz", [78.0, 93.6])
def test_chips_as_far_off_as_good_ones_are_dont_alarm(rate_hz: float) -> None:
    """HX711s run at 0.97 to 1.17 of what is printed on them."""
    report = _with("boards/b1/cells/fl/rate_hz", rate_hz)
    report["boards"]["b1"]["cells"]["fl"]["delivered_hz"] = rate_hz
    assert problems_of(report) == []


def test_a_node_that_has_just_started_isnt_judged_by_rates() -> None:
    report = _with("boards/b1/state", "silent")
    report["running_s"] = 3.0  # it may have compiled for minutes before
    assert problems_of(report) == []


def test_a_problem_stays_the_same_though_its_numbers_change() -> None:
    def kind(path: str, value: object) -> str:
        return kind_of(problems_of(_with(path, value))[0])

    age = "boards/b1/cells/fl/last_sample_age_s"
    assert kind(age, 12.0) == kind(age, 72.0)
    assert kind(age, 12.0) != kind("boards/b1/cells/fr/last_sample_age_s", 12.0)
    assert kind("host/disk_free_bytes", 90e6) == kind("host/disk_free_bytes", 80e6)
    refused = {"state": "waiting", "problem": "the broker refused the password", "since_s": 50.0}
    assert kind("uplink", refused) == kind("uplink", {**refused, "since_s": 50_000.0})
    assert kind_of("shelf-1 fl: 9.5 of 10 come") == "shelf-1 fl: # of # come"


def test_a_node_that_stood_still_says_that_and_not_that_samples_are_missing() -> None:
    report = _with("boards/b1/cells/fl/delivered_hz", 40.0)
    report["window_s"] = 60.0
    report["loop"]["stood_still"] = {"times": 1, "last_s": 31.2, "last_ago_s": 12.0}
    (problem,) = problems_of(report)
    assert "stood still for 31 s, 12 s ago" in problem
    later = copy.deepcopy(report)
    later["loop"]["stood_still"]["last_ago_s"] = 59.0
    assert [kind_of(each) for each in problems_of(later)] == [kind_of(problem)]
    later["loop"]["stood_still"]["last_ago_s"] = 61.0
    assert ["40.0 of 82.0" in each for each in problems_of(later)] == [True]


def test_a_report_with_nothing_known_has_no_problems() -> None:
    assert problems_of({}) == []
    nothing = {"boards": {}, "outbox": None, "uplink": None, "ring": None, "parts": None, "clock": None, "host": None}
    assert problems_of(nothing) == []
    assert health_line(nothing) == "0 of 0 boards, 0.0 samples/s, ok"
