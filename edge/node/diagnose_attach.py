"""A diagnosis of a node that runs, out of what it tells and what it has recorded: it isn't disturbed by that."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import Finding, Verdict, finding
from calibration.record import calibration_to_json
from edge.config.setup import Setup
from edge.node.control import NodeNotRunningError, NodeSilentError, ask
from edge.node.diagnose import SHORTEST_S, DiagnosisError, Gathered, from_trace
from edge.node.record import last_piece, write_piece
from edge.node.record_choice import flushed, ring_of
from edge.node.reload import planogram_digest
from edge.node.run import STOCK_FILE
from edge.node.state_lock import holder_of
from edge.node.stock import Stock, begun_with
from firmware_bridge.errors import ShelfedgeError

STALE_S = 10.0
"""A recording whose newest sample is older than this, on a node that runs: no board gives any."""
DOOR_S = 4.0
"""A node makes its socket anew within a second or two where it was removed."""
_TOOLS = ("calibrate", "teach", "diagnose")  # they hold the node's folder while they read its boards
_STATES = {
    "T": "was stopped (kill -STOP, Ctrl-Z)",
    "D": "waits for its disk",
    "Z": "has ended, and its parent doesn't take notice",
}
_GO_ON = "run `sudo kill -CONT {pid}`, or restart it with `sudo systemctl restart shelfedge`"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Attached:
    """What a running node gave.

    Attributes:
        health: None where it doesn't answer. gathered: None where its recording can't be used.
        findings: what is wrong with the node itself. unseen: what couldn't be looked at, and why.
    """

    health: Mapping[str, Any] | None
    gathered: Gathered | None
    findings: tuple[Finding, ...] = ()
    unseen: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def asked(folder: Path) -> Mapping[str, Any] | None:
    """The health of the node with this state folder; None where none runs.

    Raises NodeSilentError where one runs and doesn't answer, ControlError where this user mustn't ask, DiagnosisError
    where another command has the node's boards.
    """
    until_s = time.monotonic() + DOOR_S
    while True:
        try:
            return ask(folder, {"do": "health"})
        except NodeNotRunningError:
            pid = holder_of(folder)
            if pid is None:
                return None
            _refuse_other_tool(pid)
            if time.monotonic() > until_s:
                raise NodeSilentError(f"process {pid} holds {folder}, and its control socket isn't there") from None
            time.sleep(0.2)


def attached(setup: Setup, folder: Path, health: Mapping[str, Any], seconds: float, say: Say) -> Attached:
    """The last ``seconds`` of a node that answers; waits where it has just started."""
    up_s = float(health.get("running_s") or 0.0)
    if up_s < seconds:
        say(f"the node runs for {up_s:.0f} s only; listening for {seconds - up_s:.0f} s more")
        time.sleep(seconds - up_s)
    warnings = [text for text in [flushed(folder)] if text]
    gathered, unseen = None, []
    source = f"node {setup.node.node}, running: the last {seconds:g} s of its recording"
    try:
        gathered = _recorded(folder, seconds)
        if gathered.expected_s < 0.75 * min(
            seconds, SHORTEST_S
        ):  # it has begun a new run: another planogram, a restart
            say(f"its recording began {gathered.expected_s:.0f} s ago; listening for {seconds:g} s")
            time.sleep(seconds - gathered.expected_s)
            flushed(folder)
            gathered = _recorded(folder, seconds)
        gathered = dataclasses.replace(_with_stock(gathered, setup, folder), source=source, health=health)
    except (ShelfedgeError, OSError) as error:
        unseen.append(f"boards and cells: the node's recording can't be used: {error}")
    latest = health
    try:
        latest = ask(folder, {"do": "health"})
    except NodeNotRunningError:
        warnings.append("the node has stopped meanwhile; what it told before is used")
    except ShelfedgeError as error:
        warnings.append(f"the node doesn't answer any more ({error}); what it told before is used")
    return Attached(latest, gathered, tuple(_other_files(setup, latest)), tuple(unseen), tuple(warnings))


def silent(setup: Setup, folder: Path, seconds: float, why: str) -> Attached:
    """Of a node that doesn't answer: how its process is, and what it has recorded last."""
    pid = holder_of(folder)
    state = "" if pid is None else _process_state(pid)
    remedy = ""
    if pid is not None and state in _STATES:
        why = f"{why.partition(';')[0]}: process {pid} {_STATES[state]}"
        remedy = _GO_ON.format(pid=pid) if state == "T" else ""
    gathered, unseen = None, []
    try:
        found = _recorded(folder, seconds)
        if found.blocks:
            source = f"node {setup.node.node}, which doesn't answer: the last of its recording"
            gathered = dataclasses.replace(found, source=source, health={})
        else:
            unseen.append("boards and cells: the node's recording has stopped too")
    except (ShelfedgeError, OSError) as error:
        unseen.append(f"boards and cells: the node's recording can't be used: {error}")
    return Attached(None, gathered, (finding(Fault.NOT_ANSWERING, Verdict.FAIL, why, remedy),), tuple(unseen))


def _recorded(folder: Path, seconds: float) -> Gathered:
    now_ns = time.monotonic_ns()  # before a slow disk is asked
    pieces = last_piece(ring_of(folder), seconds)
    if not pieces:
        raise DiagnosisError(f"{folder}: nothing was recorded yet; diagnose again in {seconds:g} s")
    memory = Path("/dev/shm")  # the disk may be what is at fault
    with tempfile.TemporaryDirectory(prefix="shelfedge-diagnose-", dir=memory if memory.is_dir() else None) as scratch:
        written = write_piece(pieces[-1], Path(scratch) / "last.mcap")
        found = from_trace(written.path, None, seconds)
    fresh = {
        board: block
        for board, block in found.blocks.items()
        if int(block.time_ns[-1]) > now_ns - round((seconds + STALE_S) * 1e9)
    }
    return dataclasses.replace(found, blocks=fresh, losses=(), expected_s=found.expected_s if fresh else seconds)


def _with_stock(gathered: Gathered, setup: Setup, folder: Path) -> Gathered:
    """With what the node has counted to lie there now, in place of what lay there when its run began."""
    counts = Stock(folder / STOCK_FILE, planogram_digest(setup), time.time_ns).load()
    if not counts:
        return gathered
    return dataclasses.replace(gathered, setup=begun_with(gathered.setup, counts), counted=True)


def _other_files(setup: Setup, health: Mapping[str, Any]) -> Iterator[Finding]:
    """Where the node goes by other files than those on the disk: what is said of the one isn't true of the other."""
    there, here = list(health.get("boards") or {}), list(setup.node.boards)
    if there != here:
        evidence = f"it runs with boards {', '.join(there)}; the node file has {', '.join(here)}"
        yield finding(
            Fault.RESTART_NEEDED, Verdict.WARN, evidence, "name the node file it was started with, or restart the node"
        )
        return
    for name, board in (health.get("boards") or {}).items():
        record = setup.calibration.get(name)
        if record is None or board.get("driver") == "simulated":
            continue  # a simulated board brings its own
        digest = hashlib.sha256(calibration_to_json({name: record}).encode()).hexdigest()[:12]
        if board.get("calibration_digest") != digest:
            evidence = f"{name} was calibrated since the node started; it weighs with the former record"
            yield finding(Fault.RESTART_NEEDED, Verdict.WARN, evidence)


def _refuse_other_tool(pid: int) -> None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return
    tool = next((at for at, word in enumerate(words) if word in _TOOLS), None)
    if tool is not None:
        command = " ".join(words[tool:]).strip()
        raise DiagnosisError(f"`shelfedge {command}` (process {pid}) has this node's boards; diagnose when it is done")


def _process_state(pid: int) -> str:
    """The kernel's letter: R, S, D, T, Z; empty where it can't be known."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]
