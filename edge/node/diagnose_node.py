"""The node's own verdict: machine, clock, disk, outbox, uplink, files; and its links', as its health tells them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.link import ENDED_BY, Told, link_verdict
from calibration.diagnosis.verdicts import Finding, PartKind, PartVerdict, Verdict, finding, part
from edge.config.live_schema import UplinkOptions, with_absolute_files
from edge.config.setup import Setup
from edge.node.diagnose_files import bundled_crc32, credential_findings, disk_findings
from edge.node.health_problems import (
    DISK_LEAST_BYTES,
    DISK_LEAST_SHARE,
    HOT_C,
    LATE_MS,
    MEMORY_LEAST_SHARE,
    OUTBOX_FULL,
    outbox_filled,
    stood_still,
)
from edge.node.host_facts import HostFacts
from edge.stream.wall_clock import WallClock

_UNSYNCED_S = 300.0  # a machine that has just started may not have found a time server yet


def running_facts(node_path: Path, setup: Setup, folder: Path) -> dict[str, Any]:
    """What can be known of a node's machine without asking the node, in the words of a health report."""
    facts: dict[str, Any] = {"host": HostFacts(folder).read()}
    facts["clock"] = {"quality": WallClock(time.monotonic_ns, time.time_ns).quality.name.lower()}
    return facts


def stopped_facts(node_path: Path, setup: Setup, folder: Path) -> dict[str, Any]:
    """The same of a node that doesn't run, and whether its broker would let it in."""
    facts = running_facts(node_path, setup, folder)
    if setup.node.uplink is not None:
        from edge.node.diagnose_broker import broker_problem

        options = with_absolute_files(setup.node.uplink, node_path.parent)
        facts["uplink"] = {"problem": broker_problem(options, setup.node.store, setup.node.node)}
    return facts


def refused_part(node: str, problem: str) -> PartVerdict:
    """Of a node file that can't be used; ``problem`` says why."""
    return part(PartKind.NODE, node, [finding(Fault.CONFIG, Verdict.FAIL, problem)])


def node_part(
    node: str,
    facts: Mapping[str, Any],
    folder: Path | None,
    options: UplinkOptions | None = None,
    node_folder: Path | None = None,
    running: bool = False,
    now: datetime | None = None,
    more: Sequence[Finding] = (),
    more_unseen: Sequence[str] = (),
) -> PartVerdict:
    """``facts``: a health report, or what is known of it. ``more``, ``more_unseen``: of what was met before."""
    found = [*node_findings(facts), *more]
    if not running:
        found.append(finding(Fault.NOT_RUNNING, Verdict.WARN, f"no node answers in {folder}"))
    if options is not None and node_folder is not None:
        found = _with_files(found, with_absolute_files(options, node_folder), now)
    if folder is not None:
        found += disk_findings(folder)
    unseen = list(more_unseen)
    host = facts.get("host") or {}
    if not host.get("throttling"):
        unseen.append("under-voltage and throttling: this machine doesn't tell (it isn't a Raspberry Pi)")
    if options is None:
        unseen.append("the broker: the node file has no uplink")
    if not running:
        unseen.append("outbox, loop and recording: the node doesn't run")
    elif "outbox" not in facts:
        unseen.append("outbox, loop, broker and links: the node doesn't answer")
    return part(PartKind.NODE, node, _each_once(found), unseen, _figures(facts))


def _with_files(found: Sequence[Finding], options: UplinkOptions, now: datetime | None) -> list[Finding]:
    """With what stands in the uplink's files; where these are why there is no connection, that isn't told twice."""
    from edge.node.diagnose_broker import broker_certificate_findings

    files = [*credential_findings(options, now)]
    if any(each.verdict is Verdict.FAIL for each in files):
        return [*files, *(each for each in found if each.fault not in (Fault.BROKER, Fault.CERTIFICATE))]
    shown = [] if any(each.fault is Fault.CERTIFICATE for each in found) else broker_certificate_findings(options, now)
    return [*found, *files, *shown]


def _each_once(found: Sequence[Finding]) -> list[Finding]:
    """A full disk is told by the node and by who tries it: the graver, once."""
    kept: dict[tuple[Fault, str], Finding] = {}
    for each in found:
        key = (each.fault, "" if each.fault is Fault.DISK_FULL else each.evidence)
        if key not in kept or each.verdict > kept[key].verdict:
            kept[key] = each
    return list(kept.values())


def node_findings(facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Out of a health report alone; parts it doesn't have are no fault."""
    yield from _machine(facts.get("host") or {})
    yield from _clock(facts)
    yield from _stream(facts)
    for name, each in (facts.get("parts") or {}).items():
        if each.get("given_up"):
            evidence = f"{name}: given up after {each.get('restarts', 0)} restarts: {each.get('text') or 'see the log'}"
            yield finding(Fault.PART_FAILED, Verdict.FAIL, evidence)
    late_ms = (facts.get("loop") or {}).get("late_p99_ms")
    if late_ms is not None and late_ms > LATE_MS:
        yield finding(Fault.LATE_LOOP, Verdict.WARN, f"it is late by {late_ms:.0f} ms (p99); {LATE_MS:.0f} is the most")
    still = stood_still(facts)
    if still is not None:
        yield finding(Fault.LATE_LOOP, Verdict.WARN, still)
    trouble = (facts.get("ring") or {}).get("trouble")
    if trouble:
        yield finding(Fault.RECORDING, Verdict.WARN, str(trouble))


def link_parts(health: Mapping[str, Any]) -> list[PartVerdict]:
    """Of boards on shelf MCUs: what was lost lately and before, the firmware; and of boards that failed."""
    found = []
    for name, board in health.get("boards", {}).items():
        if board.get("driver") != "bridge" and board.get("state") != "failed":
            continue
        failure = (board.get("text") or "see the log") if board.get("state") == "failed" else ""
        recent_s = float(board.get("recent_s") or 0.0)
        samples = round(sum(cell.get("delivered_hz") or 0.0 for cell in board["cells"].values()) * recent_s)
        found.append(link_verdict(name, _told(board), samples, board.get("mcu"), bundled_crc32(), failure))
    return found


def _told(board: Mapping[str, Any]) -> list[Told]:
    """Of a board's part of a health report."""
    notices = board.get("notices") or {}
    found = []
    for cause, each in notices.items():
        end = notices.get(ENDED_BY.get(cause, ""))
        down = cause in ENDED_BY and (end is None or end["last_ago_s"] > each["last_ago_s"])
        before = each["times"] - each["recent"]
        found.append(Told(cause, each["recent"], each["recent_lost"], each["last"], down, before, each["last_ago_s"]))
    return found


def _machine(host: Mapping[str, Any]) -> Iterator[Finding]:
    supply = host.get("throttling") or {}
    if supply.get("under_voltage_now"):
        yield finding(Fault.UNDER_VOLTAGE, Verdict.FAIL, "the Pi says that its 5 V are below 4.63 V at this moment")
    elif supply.get("under_voltage_ever"):
        yield finding(Fault.UNDER_VOLTAGE, Verdict.WARN, "the Pi says that its 5 V were below 4.63 V since it started")
    if supply.get("throttled_now") or supply.get("soft_temperature_limit_now"):
        yield finding(Fault.THROTTLED, Verdict.WARN, "the Pi has slowed itself down, by heat or by its supply")
    elif supply.get("throttled_ever"):
        yield finding(Fault.THROTTLED, Verdict.PASS, "the Pi slowed itself down some time since it started")
    for zone, celsius in (host.get("temperatures_c") or {}).items():
        if celsius >= HOT_C:
            evidence = f"{zone} is at {celsius:.0f} °C; a Pi slows down from 80 °C on"
            yield finding(Fault.HOT, Verdict.WARN, evidence, celsius=float(celsius))
    free, size = host.get("disk_free_bytes"), host.get("disk_size_bytes")
    if free is not None and size:
        least = max(DISK_LEAST_SHARE * size, min(DISK_LEAST_BYTES, size / 2))
        if free < least:
            evidence = f"{free / 1e6:.0f} of {size / 1e6:.0f} MB are left on the state folder's disk"
            bad = Verdict.FAIL if free < 0.1 * least else Verdict.WARN
            yield finding(Fault.DISK_FULL, bad, evidence, free_bytes=float(free))
    available, total = host.get("available_memory_bytes"), host.get("total_memory_bytes")
    if available is not None and total and available < MEMORY_LEAST_SHARE * total:
        yield finding(Fault.MEMORY, Verdict.WARN, f"{available / 1e6:.0f} of {total / 1e6:.0f} MB are left")


def _clock(facts: Mapping[str, Any]) -> Iterator[Finding]:
    clock = facts.get("clock") or {}
    machine_up_s = (facts.get("host") or {}).get("machine_up_s")
    if clock.get("quality") == "wrong":
        yield finding(Fault.CLOCK, Verdict.FAIL, "it is wrong: it was later already, or is before this software's time")
    elif clock.get("quality") == "free" and max(facts.get("up_s") or 0.0, machine_up_s or 0.0) > _UNSYNCED_S:
        yield finding(Fault.CLOCK, Verdict.WARN, "nothing keeps it in step: the kernel says it isn't synchronised")
    if clock.get("jumps"):
        evidence = f"it was set {clock['jumps']} times since the start, last by {clock.get('last_jump_ms', 0)} ms"
        yield finding(Fault.CLOCK, Verdict.PASS, evidence)


def _stream(facts: Mapping[str, Any]) -> Iterator[Finding]:
    outbox, uplink = facts.get("outbox") or {}, facts.get("uplink") or {}
    if outbox.get("problem"):
        yield finding(Fault.OUTBOX, Verdict.FAIL, str(outbox["problem"]), "see to the disk of the state folder")
    filled = outbox_filled(outbox)
    if filled > OUTBOX_FULL:
        evidence = f"{100 * filled:.0f} % full, {outbox['pending']} entries not delivered"
        yield finding(Fault.OUTBOX, Verdict.WARN, evidence)
    for key, what, remedy in (
        ("dropped_total", "entries were dropped undelivered", ""),
        ("damaged_total", "entries were lost by a damaged outbox file", "check the disk or change the card"),
    ):
        if outbox.get(key):
            yield finding(Fault.OUTBOX, Verdict.WARN, f"{outbox[key]} {what}", remedy)
    if uplink.get("problem"):
        since_s = uplink.get("since_s")
        evidence = str(uplink["problem"]) + (f" (for {since_s:.0f} s)" if since_s else "")
        # A broker that speaks of certificates could be reached.
        yield finding(Fault.CERTIFICATE if "certificate" in evidence else Fault.BROKER, Verdict.FAIL, evidence)


def _figures(facts: Mapping[str, Any]) -> dict[str, float]:
    host, found = facts.get("host") or {}, {}
    if host.get("temperatures_c"):
        found["hottest_c"] = float(max(host["temperatures_c"].values()))
    if host.get("disk_free_bytes") is not None:
        found["disk_free_mb"] = host["disk_free_bytes"] / 1e6
    if host.get("available_memory_bytes") is not None:
        found["memory_free_mb"] = host["available_memory_bytes"] / 1e6
    if (facts.get("outbox") or {}).get("pending") is not None:
        found["outbox_pending"] = float(facts["outbox"]["pending"])
    return found
