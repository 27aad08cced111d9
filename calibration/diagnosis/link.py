"""The verdict on a board's link: what its driver told of, by cause, and the MCU behind it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import Finding, PartKind, PartVerdict, Verdict, finding, part
from drivers.notices import Notice

BAD_LOSS_SHARE = 0.02
OFTEN = 3  # an MCU that restarts, or is pulled out, so often while it is looked at isn't to be relied on
FORGOTTEN_S = 86_400.0
_CAUSES: dict[str, Fault] = {
    "unplugged": Fault.UNPLUGGED,
    "silent": Fault.MCU_SILENT,
    "garbled": Fault.LINK_DAMAGE,
    "link damage": Fault.LINK_DAMAGE,
    "host overrun": Fault.LINK_LOSS,
    "mcu overrun": Fault.LINK_LOSS,
    "tx full": Fault.LINK_LOSS,
    "stream off": Fault.LINK_LOSS,
    "unexplained": Fault.LINK_LOSS,
    "not read in time": Fault.LINK_LOSS,
    "mcu restart": Fault.MCU_RESTARTS,
    "watchdog": Fault.MCU_RESTARTS,
    "brown-out": Fault.BROWN_OUT,
}
ENDED_BY = {"unplugged": "plugged", "silent": "link back", "garbled": "link back"}
_FOLLOWS: dict[Fault, frozenset[Fault]] = {
    Fault.UNPLUGGED: frozenset({Fault.BROWN_OUT, Fault.RESTARTS, Fault.LOST, Fault.CORRUPT, Fault.NO_SAMPLES}),
    Fault.MCU_SILENT: frozenset({Fault.LOST, Fault.NO_SAMPLES}),
    Fault.MCU_RESTARTS: frozenset({Fault.BROWN_OUT, Fault.RESTARTS, Fault.LOST}),
    Fault.LINK_DAMAGE: frozenset({Fault.LOST, Fault.CORRUPT, Fault.NO_SAMPLES}),
    Fault.LINK_LOSS: frozenset({Fault.LOST, Fault.CORRUPT}),
    Fault.DRIVER: frozenset({Fault.NO_SAMPLES}),
    Fault.LATE_LOOP: frozenset({Fault.BROWN_OUT, Fault.RESTARTS, Fault.LOST}),
}
"""What a fault of a link, or of the node itself, makes of boards and cells that have none. A code that ends in ones is
taken for one that was cut short where a pause follows: also where that pause is the link's."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a driver told of one cause.

    Attributes:
        times, lost: while it was listened, or in a running node's last minutes: how often, and samples lost by it.
        text: the last in the driver's words.
        down: it isn't over.
        before: how often earlier, since the node started; ago_s: how long the last of all is past.
    """

    cause: str
    times: int
    lost: int
    text: str = ""
    down: bool = False
    before: int = 0
    ago_s: float = 0.0


def told_of(notices: Sequence[Notice]) -> list[Told]:
    """Notices by cause. What an interruption cost is told for each cell: that is one interruption, not one a cell."""
    found = []
    newest = {notice.cause: notice.begin_ns for notice in sorted(notices, key=lambda each: each.begin_ns)}
    for cause in dict.fromkeys(notice.cause for notice in notices):
        mine = [notice for notice in notices if notice.cause == cause]
        times = max(Counter(notice.cell for notice in mine).values())
        end = ENDED_BY.get(cause)
        down = end is not None and newest.get(end, -1) < newest[cause]
        lost = sum(notice.samples_lost for notice in mine)
        found.append(Told(cause, times, lost, mine[-1].text, down))
    return found


def link_verdict(
    board: str,
    told: Sequence[Told],
    samples: int,
    mcu: Mapping[str, Any] | None,
    expected_crc32: str | None,
    failure: str = "",
) -> PartVerdict:
    """``samples``: that came in that time. ``mcu``: as `edge.node.mcu_facts` has it. ``failure``: why the
    driver can't go on, in its own words.
    """
    found = [*_now(told, samples), *_earlier(told)]
    if failure:
        found.append(finding(Fault.DRIVER, Verdict.FAIL, failure))
    if mcu is not None and expected_crc32 is not None and mcu.get("image_crc32") not in (None, expected_crc32):
        evidence = f"{mcu.get('firmware')} (image {mcu['image_crc32']}); this shelfedge comes with {expected_crc32}"
        found.append(finding(Fault.MCU_FIRMWARE, Verdict.WARN, evidence))
    figures = {"lost": float(sum(each.lost for each in told)), "samples": float(samples)}
    return part(PartKind.LINK, board, found, (), figures)


def explained(parts: Sequence[PartVerdict], causes: Sequence[PartVerdict]) -> list[PartVerdict]:
    """Boards' and cells' verdicts, with what their link's or the node's fault explains as remarks: one cause, one fault
    to mend.

    A cell without samples stays failed, since nobody has seen it, but is told to be waited with.
    """
    mended = list(parts)
    for cause in causes:
        by_fault = {fault: each.fault for each in cause.faults for fault in _FOLLOWS.get(each.fault, ())}
        for k, each in enumerate(mended):
            concerned = cause.kind is PartKind.NODE or each.name.split(" ")[0] == cause.name
            if concerned and any(found.fault in by_fault for found in each.faults):
                findings = [_follows(found, cause.kind, by_fault.get(found.fault)) for found in each.findings]
                mended[k] = part(each.kind, each.name, findings, each.unseen, each.figures)
    return mended


def _follows(found: Finding, kind: PartKind, cause: Fault | None) -> Finding:
    if cause is None or found.verdict is Verdict.PASS:
        return found
    return dataclasses.replace(
        found,
        verdict=found.verdict if found.fault is Fault.NO_SAMPLES else Verdict.PASS,
        evidence=f"{found.evidence}; its {kind} explains that ({cause})",
        remedy=f"mend the {kind} first, then diagnose again",
    )


def _now(told: Sequence[Told], samples: int) -> Iterator[Finding]:
    by_fault: dict[Fault, list[Told]] = {}
    for each in told:
        if each.cause in _CAUSES and (each.times or each.down):
            by_fault.setdefault(_CAUSES[each.cause], []).append(each)
    for fault, mine in by_fault.items():
        lost = sum(each.lost for each in mine)
        share = lost / max(samples + lost, 1)
        times = max(each.times for each in mine)
        down = next((each for each in mine if each.down), None)
        if down is not None:
            evidence = down.text or f"{down.cause}, and it isn't over"
        else:
            named = ", ".join(f"{each.cause} x{each.times}" for each in sorted(mine, key=lambda one: -one.times)[:3])
            evidence = f"{named}; {lost} samples ({100 * share:.2g} %) were lost by it"
            if fault in (Fault.MCU_RESTARTS, Fault.BROWN_OUT) and mine[-1].text:
                evidence += f" ({mine[-1].text})"
        interrupted = fault in (Fault.MCU_RESTARTS, Fault.UNPLUGGED, Fault.MCU_SILENT, Fault.BROWN_OUT)
        bad = down is not None or (times >= OFTEN if interrupted else share > BAD_LOSS_SHARE)
        yield finding(fault, Verdict.FAIL if bad else Verdict.WARN, evidence, times=float(times), lost_share=share)


def _earlier(told: Sequence[Told]) -> Iterator[Finding]:
    """Of a running node, what isn't so now and was so since it started: a warning for a day, then a remark."""
    now = {_CAUSES[each.cause] for each in told if each.cause in _CAUSES and (each.times or each.down)}
    for each in told:
        fault = _CAUSES.get(each.cause)
        if fault is None or fault in now or not each.before:
            continue
        evidence = f"{each.cause} x{each.before} since the node started, last {_ago(each.ago_s)} ago, not now"
        bad = Verdict.WARN if each.ago_s < FORGOTTEN_S else Verdict.PASS
        yield finding(fault, bad, evidence, times=float(each.before), ago_s=each.ago_s)


def _ago(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    if seconds < 7200.0:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * FORGOTTEN_S else f"{seconds / FORGOTTEN_S:.0f} days"
