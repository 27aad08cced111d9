"""Where a diagnosis gets its samples: out of a running node's recording, from the hardware, or out of a trace.

A running node is asked at its own door and never disturbed: it is recording anyway. Where none runs, the state folder
is locked for the time of the diagnosis, so that no node starts meanwhile and finds its hardware taken.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from calibration.diagnosis.verdicts import PartVerdict
from drivers.contract import LoadCellDriver
from drivers.notices import Notice
from drivers.samples import SampleBlock
from edge.config.errors import ConfigError
from edge.config.setup import Setup, load_setup
from edge.config.state_folder import state_folder
from edge.node.control import ControlError, NodeNotRunningError, ask
from edge.node.diagnose import TRACE_S, USUAL_S, DiagnosisError, Gathered, chosen, from_trace, joined
from edge.node.diagnose_node import link_parts, node_part, stopped_facts
from edge.node.hardware import Hardware
from edge.node.mcu_facts import mcu_facts
from edge.node.record import last_piece, write_piece
from edge.node.record_choice import flushed, ring_of
from edge.node.state_lock import StateLock
from firmware_bridge.errors import ShelfedgeError

START_UP_S = 3.0  # opening a port, setting chips, four conversions that settle
ROUND_S = 0.02  # a bridge wants to be read every 50 ms
STALE_S = 10.0
"""A recording whose newest sample is older than this, on a node that runs: no board gives any."""
_SUPPLY = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*V?\s*$", re.IGNORECASE)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """What could be had.

    Attributes:
        name: of the node or the trace. gathered: None where no samples can be had.
        node_path, setup: None for a trace. health: of a running node. problem: why the config can't be used.
    """

    name: str
    gathered: Gathered | None
    node_path: Path | None = None
    setup: Setup | None = None
    health: Mapping[str, Any] | None = None
    problem: str = ""
    warnings: Sequence[str] = field(default_factory=tuple)


def supply_volts(text: str | None) -> float | None:
    """What ``--supply`` says. Raises DiagnosisError for what no amplifier runs on."""
    if text is None:
        return None
    match = _SUPPLY.match(text)
    volts = float(match[1]) if match else 0.0
    if not 2.5 <= volts <= 5.5:
        raise DiagnosisError(f"--supply {text}: expected the amplifiers' analog supply, 2.6V to 5.5V (HX711 datasheet)")
    return volts


def gathered_from(
    config: Path | None, trace: Path | None, seconds: float | None, boards: Sequence[str], say: Say
) -> Source:
    """From the trace if one is given, else from the running node, else from the hardware.

    Raises what reading a trace raises, DiagnosisError for a board that isn't there, NodeRunsError for a node that runs
    and doesn't answer.
    """
    if trace is not None:
        setup = None if config is None else load_setup(config)
        return Source(str(trace), from_trace(trace, setup, seconds or TRACE_S))
    assert config is not None
    try:
        setup = load_setup(config)
    except ConfigError as error:
        return Source(str(config), None, config, problem=str(error))
    seconds = seconds or USUAL_S
    folder = state_folder(config, setup.node)
    try:
        health = ask(folder, {"do": "health"})
    except NodeNotRunningError:
        return _opened(config, setup, folder, boards, seconds, say)
    except ControlError as error:
        raise DiagnosisError(f"the node runs, but can't be asked: {error}") from None
    return _attached(config, setup, folder, health, seconds, say)


def node_parts(source: Source, now: datetime) -> list[PartVerdict]:
    """The node's own verdict, and those of its links as its health tells them; none for a trace."""
    if source.node_path is None:
        return []
    node = source.setup.node.node if source.setup is not None else str(source.node_path)
    if source.setup is None:
        return [node_part(node, None, None, source.problem, now=now)]
    folder = state_folder(source.node_path, source.setup.node)
    facts = source.health if source.health is not None else stopped_facts(source.node_path, source.setup, folder)
    parts = [] if source.health is None else link_parts(source.health)
    options = source.setup.node.uplink
    running = source.health is not None
    return [*parts, node_part(node, facts, folder, "", options, source.node_path.parent, running, now)]


def _attached(config: Path, setup: Setup, folder: Path, health: Mapping[str, Any], seconds: float, say: Say) -> Source:
    up_s = float(health.get("running_s") or 0.0)
    if up_s < seconds:
        say(f"the node runs for {up_s:.0f} s only; listening for {seconds - up_s:.0f} s more")
        time.sleep(seconds - up_s)
    warnings = [text for text in [flushed(folder)] if text]
    source = f"node {setup.node.node}, running: the last {seconds:g} s of its recording"
    gathered = None
    try:
        gathered = dataclasses.replace(_recorded(folder, seconds), source=source, health=health)
    except (ShelfedgeError, OSError) as error:
        warnings.append(f"the cells can't be looked at, only the node: its recording can't be used: {error}")
    return Source(setup.node.node, gathered, config, setup, health, warnings=warnings)


def _recorded(folder: Path, seconds: float) -> Gathered:
    pieces = last_piece(ring_of(folder), seconds)
    if not pieces:
        raise DiagnosisError(f"{folder}: the node has recorded nothing yet; diagnose again in {seconds:g} s")
    with tempfile.TemporaryDirectory(prefix="shelfedge-diagnose-") as scratch:
        written = write_piece(pieces[-1], Path(scratch) / "last.mcap")
        found = from_trace(written.path, None, seconds)
    now_ns = time.monotonic_ns()
    fresh = {
        board: block
        for board, block in found.blocks.items()
        if int(block.time_ns[-1]) > now_ns - round((seconds + STALE_S) * 1e9)
    }
    return dataclasses.replace(found, blocks=fresh, losses=(), expected_s=found.expected_s if fresh else seconds)


def _opened(config: Path, setup: Setup, folder: Path, boards: Sequence[str], seconds: float, say: Say) -> Source:
    with _locked(folder):
        hardware = Hardware(setup, config, 1, time.monotonic_ns)
        names = boards or tuple(hardware.setup.node.boards)
        chosen(Gathered("", hardware.setup, {}, seconds), names)
        say(f"no node runs: its hardware is opened and listened to for {seconds:g} s; touch the boards meanwhile")
        gathered = from_drivers(hardware.setup, hardware.make, names, seconds, time.monotonic_ns, time.sleep)
    return Source(setup.node.node, gathered, config, setup)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Nobody runs the node meanwhile. Where there is no state folder yet, nobody ever has."""
    lock = StateLock(folder) if folder.is_dir() else None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def from_drivers(
    setup: Setup,
    make: Callable[[str], LoadCellDriver],
    boards: Sequence[str],
    seconds: float,
    clock: Callable[[], int],
    sleep: Callable[[float], None],
) -> Gathered:
    """Listen to drivers made for this alone; all are stopped at the end. A driver that can't go on is a failure of its
    board, told in its own words.
    """
    drivers: dict[str, LoadCellDriver] = {}
    failures: dict[str, str] = {}
    kept: list[SampleBlock] = []
    notices: list[Notice] = []
    heard: set[str] = set()
    try:
        for name in boards:
            try:
                driver = make(name)
                drivers[name] = driver
                driver.start()
            except ShelfedgeError as error:
                failures[name] = str(error)
        end_ns = clock() + round((seconds + START_UP_S) * 1e9)
        while clock() < end_ns and len(failures) < len(boards):
            for name, driver in drivers.items():
                if name in failures:
                    continue
                try:
                    block = driver.read(clock())
                except ShelfedgeError as error:
                    failures[name] = str(error)
                    continue
                told = driver.take_notices()
                if name in heard:
                    notices += told  # what is told before the first sample belongs to opening
                if len(block):
                    heard.add(name)
                    kept.append(block)
            sleep(ROUND_S)
        mcus = {name: facts for name, driver in drivers.items() if (facts := mcu_facts(driver)) is not None}
    finally:
        for driver in drivers.values():
            with contextlib.suppress(ShelfedgeError, OSError):
                driver.stop()
    blocks = joined(kept, clock() - round((seconds + 2 * START_UP_S) * 1e9))
    return Gathered(
        f"node {setup.node.node}, not running: its hardware, {seconds:g} s",
        setup,
        blocks,
        seconds,
        True,
        tuple(notices),
        failures,
        mcus,
    )
