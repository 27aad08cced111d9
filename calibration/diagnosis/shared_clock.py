"""Chips that are clocked by one line: they are all read when one of them is ready, ready themselves or not.

No two chips run at the same rate (facts/loadcell.md 1), so a chip that isn't ready is read every now and then: DOUT is
high then, and the code is -1; or it becomes ready in mid-read, and its first bits are ones (section 5 row 17). That
alone is a wire; what tells is that the samples of several chips all come at the same moments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from calibration.diagnosis.cell import CellLook
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.samples import CellSamples
from calibration.diagnosis.verdicts import Finding, Verdict, finding
from drivers.samples import SampleFlag

AT_ONCE_SHARE = 0.95
TOGETHER_PERIODS = 0.02
_LEAST, _LEAST_SHARE, _MOST_SHARE = 2, 0.005, 0.9
GARBLED = SampleFlag.NOT_READY | SampleFlag.CORRUPT_CODE | SampleFlag.CUT_SHORT | SampleFlag.SPIKE


def shared_clock(looks: Sequence[CellLook]) -> Iterator[Finding]:
    """Found where cells that are read at once have codes of -1 between good ones, and one of them hasn't."""
    cells = [look.samples for look in looks]
    for k, first in enumerate(cells):
        group = [other for other in cells[k + 1 :] if _at_once(first, other)]
        if not group:
            continue
        group = [first, *group]
        shares = [_not_ready(cell) for cell in group]
        bad = [
            n for n, share in enumerate(shares)
            if _LEAST_SHARE <= share < _MOST_SHARE and share * len(group[n]) >= _LEAST
        ]  # fmt: skip
        if bad and min(shares) < _LEAST_SHARE:
            named = ", ".join(f"{group[n].cell.name} {100 * shares[n]:.1f} %" for n in bad)
            evidence = f"{len(group)} chips are read at the same moments, and of some of them codes are -1: {named}"
            worst = max(shares[n] for n in bad)
            yield finding(Fault.SHARED_CLOCK, Verdict.FAIL if worst > 0.1 else Verdict.WARN, evidence, share=worst)
        return


def _at_once(one: CellSamples, other: CellSamples) -> bool:
    if min(len(one), len(other)) < 24:
        return False
    period_s = float(np.median(np.diff(one.time_s)))
    at = np.clip(np.searchsorted(one.time_s, other.time_s), 1, len(one) - 1)
    apart = np.minimum(np.abs(one.time_s[at] - other.time_s), np.abs(one.time_s[at - 1] - other.time_s))
    return float(np.mean(apart < TOGETHER_PERIODS * period_s)) > AT_ONCE_SHARE


def _not_ready(cell: CellSamples) -> float:
    """Share of -1 and of codes that end in ones, if most of these are -1."""
    minus = np.count_nonzero(cell.counts == -1)
    garbled = np.count_nonzero(cell.flags & int(GARBLED))
    return float(max(minus, garbled)) / max(len(cell), 1) if minus >= 0.5 * garbled else 0.0
