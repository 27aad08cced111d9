"""The node's own verdict: machine, clock, disk, outbox, broker, secrets and certificates, each with a name."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.link import explained
from calibration.diagnosis.verdicts import Finding, PartKind, PartVerdict, Verdict, finding, part
from edge.config.live_schema import CommandOptions, UplinkOptions
from edge.node.diagnose_broker import broker_problem
from edge.node.diagnose_files import bundled_crc32, credential_findings, disk_findings, ending
from edge.node.diagnose_node import link_parts, node_findings, node_part
from edge.stream.uplink.patience import Pace
from hil.certificates import Authority

SOUND: dict[str, Any] = {
    "up_s": 4000.0,
    "window_s": 60.0,
    "clock": {"quality": "synced", "jumps": 0},
    "outbox": {"bytes": 1000, "size_bytes": 1_000_000, "pending": 0, "problem": None},
    "uplink": {"state": "connected", "problem": None},
    "loop": {"late_p99_ms": 1.0},
    "parts": {"uplink": {"given_up": False}},
    "ring": {"trouble": ""},
    "host": {
        "throttling": {"under_voltage_now": False, "under_voltage_ever": False, "throttled_now": False},
        "temperatures_c": {"cpu": 52.0},
        "disk_free_bytes": 20_000_000_000,
        "disk_size_bytes": 30_000_000_000,
        "available_memory_bytes": 2_000_000_000,
        "total_memory_bytes": 4_000_000_000,
    },
}


def test_a_sound_node_has_no_finding() -> None:
    assert not list(node_findings(SOUND))
    assert not list(node_findings({}))


@pytest.mark.parametrize(
    ("what", "changed", "fault", "verdict"),
    [
        ("host", {"throttling": {"under_voltage_now": True}}, Fault.UNDER_VOLTAGE, Verdict.FAIL),
        ("host", {"throttling": {"under_voltage_ever": True}}, Fault.UNDER_VOLTAGE, Verdict.WARN),
        ("host", {"throttling": {"throttled_now": True}}, Fault.THROTTLED, Verdict.WARN),
        ("host", {"temperatures_c": {"cpu": 84.0}}, Fault.HOT, Verdict.WARN),
        ("host", {"disk_free_bytes": 200_000_000}, Fault.DISK_FULL, Verdict.WARN),
        ("host", {"disk_free_bytes": 1_000_000}, Fault.DISK_FULL, Verdict.FAIL),
        ("host", {"available_memory_bytes": 50_000_000}, Fault.MEMORY, Verdict.WARN),
        ("clock", {"quality": "wrong"}, Fault.CLOCK, Verdict.FAIL),
        ("clock", {"quality": "free"}, Fault.CLOCK, Verdict.WARN),
        ("clock", {"jumps": 2, "last_jump_ms": -3000}, Fault.CLOCK, Verdict.PASS),
        ("outbox", {"problem": "outbox.db: disk I/O error"}, Fault.OUTBOX, Verdict.FAIL),
        ("outbox", {"bytes": 650_000, "pending": 4000, "kept": 4000}, Fault.OUTBOX, Verdict.WARN),
        ("outbox", {"damaged_total": 3}, Fault.OUTBOX, Verdict.WARN),
        ("uplink", {"problem": "the broker refused the password", "since_s": 90.0}, Fault.BROKER, Verdict.FAIL),
        ("uplink", {"problem": "broker x: its certificate has expired"}, Fault.CERTIFICATE, Verdict.FAIL),
        ("loop", {"late_p99_ms": 900.0}, Fault.LATE_LOOP, Verdict.WARN),
        ("loop", {"stood_still": {"last_s": 7.0, "last_ago_s": 20.0}}, Fault.LATE_LOOP, Verdict.WARN),
        ("parts", {"uplink": {"given_up": True, "restarts": 5, "text": "no route"}}, Fault.PART_FAILED, Verdict.FAIL),
        ("ring", {"trouble": "the disk refuses"}, Fault.RECORDING, Verdict.WARN),
    ],
)
def test_what_health_knows_gets_its_name(what: str, changed: dict[str, Any], fault: Fault, verdict: Verdict) -> None:
    found = list(node_findings({**SOUND, what: {**SOUND[what], **changed}}))
    assert [(each.fault, each.verdict) for each in found] == [(fault, verdict)]
    assert found[0].evidence
    assert found[0].remedy


def test_losses_of_a_running_nodes_links_are_told_by_cause() -> None:
    damage = {"times": 4, "recent": 4, "recent_lost": 500, "last": "...", "last_ago_s": 3.0}
    board = {
        "driver": "bridge",
        "state": "running",
        "cells": {"fl": {"delivered_hz": 80.0}},
        "recent_s": 90.0,
        "notices": {"link damage": damage},
        "mcu": {"image_crc32": bundled_crc32(), "firmware": "1.0"},
    }
    link = link_parts({"boards": {"shelf-1": board, "shelf-2": {**board, "driver": "simulated"}}})
    assert [(part.name, part.findings[0].fault, part.verdict) for part in link] == [
        ("shelf-1", Fault.LINK_DAMAGE, Verdict.FAIL)
    ]


def recent(**more: Any) -> dict[str, Any]:
    """A cause in a health report that was told once, long ago."""
    return {"times": 1, "recent": 0, "recent_lost": 0, "last": "the port is gone", "last_ago_s": 3600.0, **more}


@pytest.mark.parametrize(
    ("notices", "verdict", "said"),
    [
        ({"unplugged": recent(), "plugged": recent(last_ago_s=3590.0)}, Verdict.WARN, "x1 since the node started"),
        ({"unplugged": recent(last_ago_s=3e5), "plugged": recent(last_ago_s=2e5)}, Verdict.PASS, "3 days ago, not now"),
        ({"unplugged": recent(last_ago_s=3e5)}, Verdict.FAIL, "the port is gone"),
        ({"mcu restart": recent(times=9, recent=3)}, Verdict.FAIL, "mcu restart x3"),
    ],
)
def test_what_a_link_did_long_ago_is_no_fault_of_today_unless_it_lasts(
    notices: dict[str, Any], verdict: Verdict, said: str
) -> None:
    cells = {"fl": {"delivered_hz": 80.0}}
    board = {"driver": "bridge", "state": "running", "cells": cells, "recent_s": 90.0, "notices": notices}
    (link,) = link_parts({"boards": {"shelf-1": board}})
    assert (link.findings[0].verdict, link.verdict) == (verdict, verdict)
    assert said in link.findings[0].evidence


def test_a_link_that_is_gone_explains_its_boards_cells_and_nobody_elses() -> None:
    def cell(name: str, fault: Fault) -> PartVerdict:
        return part(PartKind.CELL, name, [finding(fault, Verdict.FAIL, "none came")])

    cells = [cell("a fl", Fault.NO_SAMPLES), cell("a fr", Fault.LOST), cell("b fl", Fault.LOST)]
    link = part(PartKind.LINK, "a", [finding(Fault.UNPLUGGED, Verdict.FAIL, "the port is gone")])
    first, second, other = explained(cells, [link])
    assert "the link first" in first.findings[0].remedy
    assert (first.verdict, second.verdict, other.verdict) == (Verdict.FAIL, Verdict.PASS, Verdict.FAIL)
    assert explained(cells, [part(PartKind.LINK, "a", [])]) == cells


def test_a_disk_that_takes_nothing_or_takes_long_is_named_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not list(disk_findings(tmp_path))
    times = iter([0.0, 4.0])
    assert [each.fault for each in disk_findings(tmp_path, lambda: next(times))] == [Fault.DISK_SLOW]
    for number, fault in (
        (errno.ENOSPC, Fault.DISK_FULL),
        (errno.EIO, Fault.DISK_SICK),
        (errno.EROFS, Fault.DISK_SICK),
    ):

        def refuse(file: int, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", refuse)
        found = list(disk_findings(tmp_path))
        assert [(each.fault, each.verdict) for each in found] == [(fault, Verdict.FAIL)]
    assert not list(tmp_path.iterdir())


def test_a_disk_that_hangs_does_not_hang_the_diagnosis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda file: free.wait(30.0))
    found = disk_findings(tmp_path, patience_s=0.05)
    free.set()
    assert [(each.fault, each.verdict) for each in found] == [(Fault.DISK_SLOW, Verdict.FAIL)]


def options(**more: Any) -> UplinkOptions:
    return UplinkOptions(broker="mqtt://127.0.0.1:1", **more)


def test_a_password_that_everybody_can_read_and_one_that_is_not_there_are_named(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    found: list[Finding] = list(credential_findings(options(username="n", password_file=str(secret))))
    assert [(each.fault, each.verdict) for each in found] == [(Fault.SECRETS, Verdict.WARN)]
    assert "chmod 600" in found[0].remedy
    secret.chmod(0o600)
    assert not list(credential_findings(options(username="n", password_file=str(secret))))
    secret.unlink()
    found = list(credential_findings(options(username="n", password_file=str(secret))))
    assert found[0].verdict is Verdict.FAIL
    assert "isn't there" in found[0].evidence


def test_a_broker_that_nobody_answers_for_is_named_with_the_reason() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    problem = broker_problem(
        UplinkOptions(broker=f"mqtt://127.0.0.1:{port}"), None, "n", Pace(connect_s=1, connack_s=1)
    )
    assert problem is not None
    assert f"127.0.0.1:{port}" in problem


def test_a_stopped_node_warns_and_says_what_it_cannot_show(tmp_path: Path) -> None:
    found = node_part("n", {"host": {}}, tmp_path)
    assert [each.fault for each in found.faults] == [Fault.NOT_RUNNING]
    assert found.verdict is Verdict.WARN
    assert any("broker" in text for text in found.unseen)


@pytest.mark.parametrize(("days", "verdict"), [(300.0, None), (20.0, Verdict.WARN), (-1.0, Verdict.FAIL)])
def test_an_authoritys_certificate_that_ends_is_named_too(tmp_path: Path, days: float, verdict: Verdict | None) -> None:
    shown = Authority(tmp_path).issue("broker", to_days=days).certificate
    found = list(ending(shown.read_text(), "broker"))
    assert [each.verdict for each in found] == ([] if verdict is None else [verdict])
    assert all(each.fault is Fault.CERTIFICATE for each in found)


def test_the_key_of_commands_is_a_secret_too(tmp_path: Path) -> None:
    key = tmp_path / "command.key"
    key.write_text("0123456789abcdef")
    key.chmod(0o644)
    uplink = options(commands=CommandOptions(report="key", key_file=str(key)))
    assert [(each.fault, each.verdict) for each in credential_findings(uplink)] == [(Fault.SECRETS, Verdict.WARN)]


def test_what_the_files_explain_is_not_told_twice(tmp_path: Path) -> None:
    uplink = options(username="n", password_file="password")
    facts = {"uplink": {"problem": "password: the password file isn't there"}}
    found = node_part("n", facts, None, uplink, tmp_path, running=True)
    assert [each.fault for each in found.faults] == [Fault.BROKER]
