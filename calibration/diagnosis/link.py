"""The verdict on a board's link: what its driver told of, by cause, and the MCU behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import Finding, PartKind, PartVerdict, Verdict, finding, part
from drivers.notices import Notice

BAD_LOSS_SHARE = 0.02
_CAUSES: dict[str, Fault] = {
    "unplugged": Fault.UNPLUGGED,
    "link damage": Fault.LINK_DAMAGE,
    "host overrun": Fault.LINK_LOSS,
    "mcu overrun": Fault.LINK_LOSS,
    "tx full": Fault.LINK_LOSS,
    "stream off": Fault.LINK_LOSS,
    "unexplained": Fault.LINK_LOSS,
    "not read in time": Fault.LINK_LOSS,
    "mcu restart": Fault.MCU_RESTARTS,
    "watchdog": Fault.MCU_RESTARTS,
}


def link_verdict(
    board: str,
    notices: Sequence[Notice],
    samples: int,
    mcu: Mapping[str, Any] | None,
    expected_crc32: str | None,
    failure: str = "",
) -> PartVerdict:
    """``mcu``: as `edge.node.mcu_facts` has it. ``failure``: why the driver can't go on, in its own words."""
    found = list(_told(notices, samples))
    if failure:
        found.append(finding(Fault.DRIVER, Verdict.FAIL, failure))
    if mcu is not None and expected_crc32 is not None and mcu.get("image_crc32") not in (None, expected_crc32):
        evidence = f"{mcu.get('firmware')} (image {mcu['image_crc32']}); this shelfedge comes with {expected_crc32}"
        found.append(finding(Fault.MCU_FIRMWARE, Verdict.WARN, evidence))
    figures = {"lost": float(sum(notice.samples_lost for notice in notices))}
    return part(PartKind.LINK, board, found, (), figures)


def _told(notices: Sequence[Notice], samples: int) -> Iterator[Finding]:
    lost: Counter[Fault] = Counter()
    times: Counter[Fault] = Counter()
    causes: dict[Fault, Counter[str]] = {}
    for notice in notices:
        fault = _CAUSES.get(notice.cause)
        if fault is not None:
            lost[fault] += notice.samples_lost
            times[fault] += 1
            causes.setdefault(fault, Counter())[notice.cause] += 1
    for fault, number in times.items():
        share = lost[fault] / max(samples + lost[fault], 1)
        named = ", ".join(f"{cause} x{count}" for cause, count in causes[fault].most_common(3))
        evidence = f"{named}; {lost[fault]} samples ({100 * share:.2g} %) were lost by it"
        bad = Verdict.FAIL if share > BAD_LOSS_SHARE else Verdict.WARN
        yield finding(fault, bad, evidence, times=float(number), lost_share=share)
