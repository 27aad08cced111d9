"""What a board's driver told of, by cause: how often since the start, and how often in the last minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from drivers.notices import Notice

NS_PER_S = 1_000_000_000
SPAN_NS = 60 * NS_PER_S
"""The last minutes are this span and the one before it: one to two minutes."""
MOST_CAUSES = 32  # causes are fixed names in the drivers; more of them would be somebody's mistake


@dataclass(slots=True)
class _Cause:
    times: Counter[str | None] = field(default_factory=Counter)
    text: str = ""
    last_ns: int = 0
    span: int = -1  # which span the newer of the two below is
    newer: Counter[str | None] = field(default_factory=Counter)
    older: Counter[str | None] = field(default_factory=Counter)
    lost: tuple[int, int] = (0, 0)  # in the newer, in the older

    def roll(self, span: int) -> None:
        if span > self.span:
            follows = span == self.span + 1
            self.older = self.newer if follows else Counter()
            self.lost = (0, self.lost[0] if follows else 0)
            self.newer, self.span = Counter(), span


class NoticeBook:
    """Bounded, whatever a driver tells. Times are monotonic ns.

    An interruption is told for each cell that it cost samples: it is one interruption all the same, so `times` and
    `recent` are those of the cell (or of the board) that has most.
    """

    def __init__(self, cells: Iterable[str]) -> None:
        self._cells = frozenset(cells)
        self._causes: dict[str, _Cause] = {}

    def note(self, notice: Notice) -> str:
        """Write it down; the cause it stands under."""
        cause = notice.cause if len(self._causes) < MOST_CAUSES or notice.cause in self._causes else "other"
        found = self._causes.setdefault(cause, _Cause())
        found.roll(notice.end_ns // SPAN_NS)
        cell = notice.cell if notice.cell in self._cells else None
        found.times[cell] += 1
        found.newer[cell] += 1
        found.lost = (found.lost[0] + notice.samples_lost, found.lost[1])
        found.text, found.last_ns = notice.text, max(found.last_ns, notice.end_ns)
        return cause

    def report(self, now_ns: int) -> dict[str, Any]:
        """By cause: `count` of notices since the start, the `last` one's text, `last_ago_s`, `times`, and `recent` and
        `recent_lost` of the last minutes.
        """
        told = {}
        for cause, found in sorted(self._causes.items()):
            found.roll(now_ns // SPAN_NS)
            told[cause] = {
                "count": found.times.total(),
                "last": found.text,
                "last_ago_s": round(max(0, now_ns - found.last_ns) / NS_PER_S, 1),
                "times": max(found.times.values()),
                "recent": max((found.newer + found.older).values(), default=0),
                "recent_lost": sum(found.lost),
            }
        return told


def recent_s(now_ns: int) -> float:
    """How long the last minutes are."""
    return (now_ns % SPAN_NS + SPAN_NS) / NS_PER_S
