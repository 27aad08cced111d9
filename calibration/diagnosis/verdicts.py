"""What a diagnosis says: a verdict for each part, named faults with their evidence, and what couldn't be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from calibration.diagnosis.faults import ALARMS, Fault, remedy_of


class Verdict(IntEnum):
    """The worst of a part's findings; a WARN works, but not as it should; a FAIL doesn't."""

    PASS = 0
    WARN = 1
    FAIL = 2


class PartKind(StrEnum):
    """What a verdict is about."""

    CELL = "cell"
    BOARD = "board"
    LINK = "link"
    CAMERA = "camera"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        fault: its name, the same for programs for ever.
        verdict: how bad; PASS is a remark: worth knowing, nothing to mend now.
        evidence: what was measured, against what, in physical units.
        remedy: what to do, in one sentence.
        numbers: the figures of the evidence, the unit in each name.
    """

    fault: Fault
    verdict: Verdict
    evidence: str
    remedy: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "fault": str(self.fault),
            "verdict": self.verdict.name,
            "evidence": self.evidence,
            "remedy": self.remedy,
            "numbers": {name: float(f"{value:.6g}") for name, value in self.numbers.items()},
        }


def finding(fault: Fault, verdict: Verdict, evidence: str, remedy: str = "", **numbers: float) -> Finding:
    """A finding; its remedy is the fault's own, unless another is given."""
    return Finding(fault, verdict, evidence, remedy or remedy_of(fault), numbers)


@dataclass(frozen=True, slots=True)
class PartVerdict:
    """One part's verdict.

    Attributes:
        name: ``shelf-1 fl`` for a cell, the board's name for a board and its link, the node's for the node.
        findings: the gravest first; remarks come last.
        unseen: what this diagnosis couldn't look at, and what it would take.
        figures: what was measured, the unit in each name.
    """

    kind: PartKind
    name: str
    findings: tuple[Finding, ...] = ()
    unseen: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings."""
        return max((each.verdict for each in self.findings), default=Verdict.PASS)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """Findings that are more than a remark."""
        return tuple(each for each in self.findings if each.verdict > Verdict.PASS)

    @property
    def remarks(self) -> tuple[Finding, ...]:
        """Findings that need no action."""
        return tuple(each for each in self.findings if each.verdict is Verdict.PASS)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "part": str(self.kind),
            "name": self.name,
            "verdict": self.verdict.name,
            "findings": [each.as_json() for each in self.findings],
            "not_seen": list(self.unseen),
            "figures": {name: float(f"{value:.6g}") for name, value in self.figures.items()},
        }


def part(
    kind: PartKind,
    name: str,
    findings: Iterable[Finding],
    unseen: Iterable[str] = (),
    figures: Mapping[str, float] | None = None,
) -> PartVerdict:
    """A part with its findings put in order: the gravest first, and what explains others before those."""
    ranked = sorted(findings, key=lambda each: (-each.verdict, ALARMS.index(each.fault)))
    return PartVerdict(kind, name, tuple(ranked), tuple(dict.fromkeys(unseen)), figures or {})


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was looked at.

    Attributes:
        source: where the samples are from, for people.
        seconds: how long the longest stretch of samples is.
        about: by label, for people: which node, files, software, machine, calibration; when.
    """

    source: str
    seconds: float
    parts: tuple[PartVerdict, ...]
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst of all parts."""
        return max((each.verdict for each in self.parts), default=Verdict.PASS)

    @property
    def exit_code(self) -> int:
        """0 where all parts pass or warn, 1 where one fails."""
        return int(self.verdict is Verdict.FAIL)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "verdict": self.verdict.name,
            "source": self.source,
            "seconds": round(self.seconds, 1),
            "about": dict(self.about),
            "parts": [each.as_json() for each in self.parts],
        }
