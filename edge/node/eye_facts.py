"""How a camera does, for health: written by its thread, read by others; every value is replaced as a whole."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from drivers.frames import Frame, FrameFlag
from drivers.notices import Notice
from edge.fusion.sightings import SIGHT_DELAY_NS
from edge.node.notice_book import NoticeBook

NS_PER_S = 1_000_000_000
RATE_OVER_NS = 10 * NS_PER_S
_MOST_TIMES = 1500  # 10 s at the fastest rate there is, and some
LATE_OVER_NS = 60 * NS_PER_S
_MOST_AGES = 3600  # a minute at the fastest rate there is
_SLOW = 0.05  # share of a new value in the mean of the work per frame
STALLED_NS, LONG_NS = 2 * NS_PER_S, 10 * NS_PER_S
VERDICTS = (
    (FrameFlag.FROZEN, "frozen"),
    (FrameFlag.DARK, "dark"),
    (FrameFlag.COVERED, "covered"),
    (FrameFlag.MOVED, "moved"),
)


@dataclass(slots=True)
class EyeFacts:
    """One camera's state and counts.

    Attributes:
        state: starting; silent: started, but no picture yet; running; ended: a file was played to its end; failed: it
            will be tried again; hung: its driver doesn't come back; stopped.
        text: why it failed last, for a technician; empty while all is well.
        problems: what is missing for seeing more (`edge.vision.look.Look.problems`).
        starts, failures: of its driver. frames: that were looked at. lost: that the driver told of as lost.
        skipped: that weren't looked at because this machine was too slow. refused: that were no usable pictures.
        size: width and height of the pictures. verdict: what is wrong with them; empty where nothing is.
        people: tracks in the last picture, hidden ones included; None where it doesn't look at the floor.
        work_ms: CPU time per picture, a slow mean.
        last_ns: of the newest picture. asked_ns: when the driver was asked last, and had answered.
    """

    state: str = "starting"
    text: str = ""
    problems: tuple[str, ...] = ()
    starts: int = 0
    failures: int = 0
    frames: int = 0
    lost: int = 0
    skipped: int = 0
    skipped_ns: int | None = None
    refused: int = 0
    size: tuple[int, int] | None = None
    verdict: str = ""
    verdict_since_ns: int = 0
    people: int | None = None
    work_ms: float | None = None
    last_ns: int | None = None
    asked_ns: int = 0
    book: NoticeBook = field(default_factory=lambda: NoticeBook(()))
    _ages_ns: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_MOST_AGES))  # when told, how old
    _times_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_MOST_TIMES))

    def saw(self, frame: Frame, people: int | None, work_ns: int) -> None:
        """A picture was looked at."""
        self.state, self.text = "running", ""
        self.frames += 1
        self.last_ns = frame.time_ns
        self._times_ns.append(frame.time_ns)
        self.size = frame.y.shape[1], frame.y.shape[0]
        verdict = next((word for flag, word in VERDICTS if frame.flags & flag), "")
        if verdict != self.verdict:
            self.verdict, self.verdict_since_ns = verdict, frame.time_ns
        self.people = people
        work_ms = work_ns / 1e6
        self.work_ms = work_ms if self.work_ms is None else self.work_ms + _SLOW * (work_ms - self.work_ms)

    def told(self, time_ns: int, now_ns: int) -> None:
        """What was seen at ``time_ns`` is on its way to fusion."""
        self._ages_ns.append((now_ns, now_ns - time_ns))

    def left_out(self, frames: int, now_ns: int) -> None:
        """So many pictures weren't looked at."""
        self.skipped += frames
        self.skipped_ns = now_ns

    def noticed(self, notice: Notice) -> None:
        """What its driver told of."""
        self.lost += notice.samples_lost
        self.book.note(notice)

    def report(self, now_ns: int) -> dict[str, Any]:
        """JSON-able."""
        age_ns = None if self.last_ns is None else max(0, now_ns - self.last_ns)
        verdict, since_ns = self.verdict, self.verdict_since_ns
        if self.state == "running" and self.last_ns is not None and self._stalls(self.last_ns, now_ns):
            verdict, since_ns = "stalled", self.last_ns
        skipped_ago = None if self.skipped_ns is None else round((now_ns - self.skipped_ns) / NS_PER_S, 1)
        return {
            "state": self.state,
            "text": self.text,
            "verdict": verdict or None,
            "verdict_s": round(max(0, now_ns - since_ns) / NS_PER_S, 1) if verdict else None,
            "fps": round(self._fps(now_ns), 1),
            "last_frame_age_s": None if age_ns is None else round(age_ns / NS_PER_S, 2),
            "size": None if self.size is None else list(self.size),
            "people": self.people,
            "work_ms": None if self.work_ms is None else round(self.work_ms, 2),
            "frames": self.frames,
            "lost": self.lost,
            "skipped": self.skipped,
            "skipped_ago_s": skipped_ago,
            "refused": self.refused,
            "late": self._late(now_ns),
            "starts": self.starts,
            "failures": self.failures,
            "problems": list(self.problems),
            "notices": self.book.report(now_ns),
        }

    def _stalls(self, last_ns: int, now_ns: int) -> bool:
        """No pictures come, though they were asked for; on a machine that is busy they only come late."""
        return self.asked_ns - last_ns > STALLED_NS or now_ns - last_ns > LONG_NS

    def _late(self, now_ns: int) -> dict[str, float] | None:
        """Of the last minute's pictures those that fusion doesn't wait for; None where there are none."""
        ages_ns = [age_ns for at_ns, age_ns in tuple(self._ages_ns) if at_ns > now_ns - LATE_OVER_NS]
        late_ns = [age_ns for age_ns in ages_ns if age_ns > SIGHT_DELAY_NS]
        if not late_ns:
            return None
        return {"pictures": len(late_ns), "of": len(ages_ns), "by_ms": round(_by_ms(late_ns))}

    def _fps(self, now_ns: int) -> float:
        """Over the last seconds, from the pictures' own times."""
        times = [time_ns for time_ns in tuple(self._times_ns) if time_ns > now_ns - RATE_OVER_NS]
        if len(times) < 2:
            return 0.0
        return (len(times) - 1) * 1e9 / max(1, times[-1] - times[0])


def _by_ms(ages_ns: list[int]) -> float:
    return (statistics.median(ages_ns) - SIGHT_DELAY_NS) / 1e6
