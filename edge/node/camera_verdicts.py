"""What is wrong with cameras, out of what a health report says of them: named faults, their evidence, their remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import Finding, PartKind, PartVerdict, Verdict, finding, part

STARTS_S = 10.0
"""A camera that has given no picture for so long since the node began doesn't only start."""
FEW_SHARE = 0.8  # of the rate that the node file asks for
RECENT_S = 120.0
LATE_SHARE = 0.05
LATE_FROM_S = 75.0
"""The first pictures of a run are late: programs are still being loaded. They are in the last minute's for so long."""
DISBELIEVED = 0.5
_SEEN = {
    "frozen": (Fault.FROZEN, Verdict.FAIL, "the same picture again and again, without a sensor's noise"),
    "covered": (Fault.COVERED, Verdict.FAIL, "nothing to recognise in the picture any more"),
    "dark": (Fault.DARK, Verdict.WARN, "too dark to see anything"),
    "moved": (Fault.MOVED, Verdict.FAIL, "it looks somewhere else than it used to, so nobody's place is told"),
    "stalled": (Fault.NO_PICTURES, Verdict.FAIL, "no more pictures come"),
}


def camera_parts(report: Mapping[str, Any]) -> list[PartVerdict]:
    """A verdict for each camera of a health report (`edge.node.eyes.Eyes.report`)."""
    return [
        part(PartKind.CAMERA, name, camera_findings(facts, _running_s(report)), figures=_figures(facts))
        for name, facts in (report.get("cameras") or {}).items()
    ]


def camera_problems(report: Mapping[str, Any]) -> Iterator[str]:
    """The same as sentences for health, without remarks; and nodes whose tracks don't come."""
    for name, facts in (report.get("cameras") or {}).items():
        for each in camera_findings(facts, _running_s(report)):
            if each.verdict is not Verdict.PASS:
                yield f"{name}: {each.evidence}" + (f"; {each.remedy}" if each.remedy else "")
    yield from (report.get("tracks") or {}).get("problems", ())


def camera_findings(facts: Mapping[str, Any], running_s: float) -> Iterator[Finding]:
    """Of one camera; ``running_s``: how long it has been tried."""
    state, text = facts["state"], facts["text"]
    if state == "failed":
        remedy = "do what it says; it is tried again by itself"
        yield finding(Fault.DRIVER, Verdict.FAIL, text or "its driver has failed", remedy)
    elif state == "hung":
        remedy = "restart the node; if that doesn't help, switch the computer off and on"
        yield finding(Fault.NO_PICTURES, Verdict.FAIL, text, remedy)
    elif state in ("starting", "silent") and running_s > STARTS_S:
        yield finding(Fault.NO_PICTURES, Verdict.FAIL, f"no picture has come for {running_s:.0f} s")
    elif state == "ended":
        yield finding(Fault.NO_PICTURES, Verdict.PASS, "its video has been played to its end")
    elif facts["verdict"] in _SEEN:
        fault, verdict, evidence = _SEEN[facts["verdict"]]
        yield finding(fault, verdict, f"{evidence} (for {facts['verdict_s']:.0f} s)", seconds=facts["verdict_s"])
    elif state == "running":
        yield from _rates(facts, running_s)
    doubt = facts.get("doubt")
    if doubt is not None and doubt > DISBELIEVED:
        evidence = "what it sees doesn't go with what the scale feels, so its word doesn't count"
        yield finding(Fault.DISBELIEVED, Verdict.WARN, evidence, doubt=float(doubt))
    for problem in facts["problems"]:
        yield _missing(str(problem))


def _rates(facts: Mapping[str, Any], running_s: float) -> Iterator[Finding]:
    wanted, fps = facts.get("wanted_hz"), facts["fps"]
    if facts["skipped_ago_s"] is not None and facts["skipped_ago_s"] < RECENT_S:
        evidence = f"{facts['skipped']} of {facts['frames'] + facts['skipped']} pictures weren't looked at"
        yield finding(Fault.LEFT_OUT, Verdict.WARN, f"{evidence}: this machine is too slow for them")
    elif wanted and running_s > STARTS_S and fps < FEW_SHARE * wanted:
        evidence = f"{fps:.1f} pictures come a second, {wanted:g} are asked for"
        yield finding(Fault.FEW_PICTURES, Verdict.WARN, evidence, fps=float(fps))
    late = facts.get("late")
    if late and running_s > LATE_FROM_S and late["pictures"] > LATE_SHARE * late["of"]:
        lost = "who took what" if facts["looks_at"] == "floor" else "what moved on its board"
        evidence = (
            f"{late['pictures']} of {late['of']} pictures in the last minute had been looked at {late['by_ms']:.0f} ms "
            f"too late (in the median) to say {lost}"
        )
        yield finding(Fault.LATE_PICTURES, Verdict.WARN, evidence, late_ms=float(late["by_ms"]))
    if facts["refused"]:
        yield finding(Fault.FEW_PICTURES, Verdict.WARN, f"{facts['refused']} pictures couldn't be used; see the log")


def _missing(problem: str) -> Finding:
    """A sentence of `edge.vision.look.Look`, which brings its remedy."""
    evidence = problem.partition(": ")[2] or problem
    if "calibrate" in problem:
        said, _, remedy = evidence.partition("; ")
        return Finding(Fault.NOT_CALIBRATED, Verdict.WARN, said, remedy)
    return finding(Fault.MODEL, Verdict.WARN, evidence)


def _running_s(report: Mapping[str, Any]) -> float:
    return float(report.get("running_s") or 0.0)


def _figures(facts: Mapping[str, Any]) -> dict[str, float]:
    known = {"fps": facts["fps"], "work_ms": facts["work_ms"], "people": facts["people"], "lost": facts["lost"]}
    return {name: float(value) for name, value in known.items() if value is not None}
