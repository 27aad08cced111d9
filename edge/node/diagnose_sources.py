"""Where a diagnosis gets its samples: out of a running node's recording, from the hardware, or out of a trace.

A running node is asked at its own door and never disturbed: it is recording anyway. Where none runs, the state folder
is locked for the time of the diagnosis, so that no node starts meanwhile and finds its hardware taken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from calibration.diagnosis.diagnose import BoardLook
from calibration.diagnosis.verdicts import Diagnosis, Finding, PartVerdict
from edge.config.errors import ConfigError
from edge.config.setup import Setup, load_setup
from edge.config.state_folder import state_folder
from edge.node.control import ControlError, NodeSilentError
from edge.node.diagnose import TRACE_S, USUAL_S, DiagnosisError, Gathered, chosen, diagnose, from_trace
from edge.node.diagnose_about import about
from edge.node.diagnose_attach import Attached, asked, attached, silent
from edge.node.diagnose_hardware import opened
from edge.node.diagnose_node import link_parts, node_part, refused_part, running_facts, stopped_facts

Say = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """What could be had.

    Attributes:
        name: of the node or the trace. gathered: None where no samples can be had.
        node_path, setup: None for a trace. problem: why the config can't be used.
        runs: a node runs with it. health: what that said; None where it doesn't answer.
        findings, unseen: what was found, and couldn't be seen, on the way.
        beside: the node file that was named beside a trace, and wins over the setup in it.
    """

    name: str
    gathered: Gathered | None
    node_path: Path | None = None
    setup: Setup | None = None
    problem: str = ""
    runs: bool = False
    health: Mapping[str, Any] | None = None
    findings: Sequence[Finding] = ()
    unseen: Sequence[str] = ()
    warnings: Sequence[str] = field(default_factory=tuple)
    beside: Path | None = None


def gathered_from(
    config: Path | None,
    trace: Path | None,
    seconds: float | None,
    boards: Sequence[str],
    say: Say,
    stills: bool = False,
) -> Source:
    """From the trace if one is given, else from the running node, else from the hardware.

    ``stills``: a picture of each camera too.

    Raises what reading a trace raises, DiagnosisError for a board that isn't there, NodeRunsError for a node that runs
    and doesn't answer.
    """
    if trace is not None:
        setup = None if config is None else load_setup(config)
        return Source(str(trace), from_trace(trace, setup, seconds or TRACE_S), beside=config)
    assert config is not None
    try:
        setup = load_setup(config)
    except ConfigError as error:
        return Source(str(config), None, config, problem=str(error))
    seconds = seconds or USUAL_S
    folder = state_folder(config, setup.node)
    try:
        health = asked(folder)
        if health is None:
            return Source(setup.node.node, opened(config, setup, folder, boards, seconds, say, stills), config, setup)
        found = attached(setup, folder, health, seconds, say)
        if stills and found.gathered is not None:
            found = _with_stills(found, found.gathered, setup, folder, say)
    except NodeSilentError as error:
        found = silent(setup, folder, seconds, str(error))
    except ControlError as error:
        raise DiagnosisError(f"the node runs, but can't be asked: {error}") from None
    return _of(found, config, setup)


def _with_stills(found: Attached, gathered: Gathered, setup: Setup, folder: Path, say: Say) -> Attached:
    from edge.node.diagnose_cameras import still_of_node, stills_of

    pictures = stills_of(setup.node.cameras, lambda camera: still_of_node(folder, camera), say)
    return dataclasses.replace(found, gathered=dataclasses.replace(gathered, stills=pictures))


def _of(found: Attached, config: Path, setup: Setup) -> Source:
    return Source(
        setup.node.node,
        found.gathered,
        config,
        setup,
        "",
        True,
        found.health,
        found.findings,
        found.unseen,
        found.warnings,
    )


def diagnosed(
    source: Source, boards: Sequence[str], now: datetime, supply_v: float | None = None
) -> tuple[Diagnosis, list[BoardLook]]:
    """The verdicts on all that could be had, and what was measured of the boards. ``now`` with its zone.

    Raises DiagnosisError for a board that isn't there.
    """
    parts = node_parts(source, now)
    looks: list[BoardLook] = []
    if source.gathered is None:
        found = Diagnosis(source.name, 0.0, tuple(parts))
        setup = source.setup
    else:
        gathered = chosen(source.gathered, boards)
        found, looks = diagnose(gathered, now, supply_v, parts)
        setup = gathered.setup
    ended = source.gathered.ended if source.gathered is not None else None
    said = about(source.name, setup, source.node_path, source.health, now, ended, source.beside)
    return dataclasses.replace(found, about=said), looks


def node_parts(source: Source, now: datetime) -> list[PartVerdict]:
    """The node's own verdict, those of its links as its health tells them, and of cameras; none for a trace."""
    if source.node_path is None:
        return []
    if source.setup is None:
        return [refused_part(source.name, source.problem)]
    folder = state_folder(source.node_path, source.setup.node)
    if source.health is not None:
        facts, links = source.health, [*link_parts(source.health), *_camera_parts(source.health)]
    else:
        facts, links = (running_facts if source.runs else stopped_facts)(source.node_path, source.setup, folder), []
        if source.gathered is not None:
            links = _camera_parts({"cameras": source.gathered.cameras, "running_s": source.gathered.expected_s})
    own = node_part(
        source.setup.node.node,
        facts,
        folder,
        source.setup.node.uplink,
        source.node_path.parent,
        source.runs,
        now,
        source.findings,
        source.unseen,
    )
    return [*links, own]


def _camera_parts(report: Mapping[str, Any]) -> list[PartVerdict]:
    if not report.get("cameras"):
        return []
    from edge.node.camera_verdicts import camera_parts

    return camera_parts(report)
