"""Whether a camera's pictures can be trusted: stalls, lost frames, a frozen, dark or covered picture, a moved camera.

Each fault sets its flag on the frames and is told twice: when it is known to have begun (`end_ns == begin_ns`) and when
it is over. Every frame is compared with the one before on a few thousand pixels; five times a second the picture is
looked at as a whole (`drivers.camera.looks`), once a second its place is compared with where it used to be.
"""

from __future__ import annotations

import dataclasses
from collections import deque

import numpy as np

from drivers.camera.held import Held
from drivers.camera.looks import Floats, Reference, Slopes, log_picture, noise_of, slopes_of, small_picture
from drivers.camera.words import BEGUN, OVER, lasted
from drivers.frames import Frame, FrameFlag, Plane
from drivers.notices import Notice

_MOST_NOTICES = 200
_LOOK_NS, _FIND_NS = 200_000_000, 1_000_000_000
_STALL_PERIODS, _STALL_S = 10.0, 1.0  # without a frame: the longer of both
_TELL_DROPS_NS = 10_000_000_000
_FROZEN_S, _FROZEN_LEAST, _FROZEN_USUAL = 1.0, 5, 4  # the same picture that long, that often, that many times the usual
_LIVE_PIXELS = 64  # that are neither black nor white: where all are, a picture can't show its noise
_BLACK, _DARK = 20, 30  # grey levels; video black is 16
_COVERED_STRUCTURE, _COVERED_KEPT = 0.28, 0.35
_MOVED_CELLS = 1.5  # of some 128 across the picture
_MOVED_MORE = 1.5  # times as alike there as here
_MOVED_LIKE = 0.12  # chance alone makes 0.02: some thousand edges, each alike or not
_STRANGE_LIKE, _STRANGE_KEPT = 0.3, 0.1
_LEARN_S, _YOUNG_S = 600.0, 60.0
_FEW_EDGES = 0.002  # of all cells


class PictureWatch:
    """Looks at one camera's frames in order of time.

    Args:
        rate_hz: nominal.
        stalls: whether a frame that doesn't come is a fault; a file just ends.
    """

    def __init__(self, camera: str, rate_hz: float, stalls: bool = True) -> None:
        self.camera = camera
        self._period_ns = 1e9 / rate_hz
        self._stalls = stalls
        self._notices: deque[Notice] = deque(maxlen=_MOST_NOTICES)
        self._held = {
            "frozen": Held(0.0, 0.0),
            "dark": Held(1.0, 1.0),
            "covered": Held(0.6, 2.0),
            "moved": Held(4.0, 4.0),
            "strange": Held(60.0, 4.0),
        }
        self._last: Frame | None = None
        self._waits_since_ns: int | None = None
        self._stall_ns: int | None = None
        self._drops: tuple[int, int, int] | None = None  # begin, end, frames
        self._pixels: Plane | None = None
        self._same, self._usual_same, self._same_ns = 0, 0, 0
        self._log: Floats | None = None
        self._looked_ns: int | None = None
        self._reference: Reference | None = None
        self._learnt_s = 0.0
        self._find_ns = 0

    def begin(self, now_ns: int) -> None:
        """The camera was started; from now on it should give frames."""
        self._waits_since_ns = now_ns

    @property
    def stalled(self) -> bool:
        """No frame has come for too long."""
        return self._stall_ns is not None

    def see(self, frame: Frame) -> Frame:
        """The frame with its flags."""
        flags = self._gap(frame)
        self._frozen(frame)
        if self._looked_ns is None or frame.time_ns - self._looked_ns >= _LOOK_NS or self._size_changed(frame):
            self._look(frame)
        self._last = frame
        self._waits_since_ns = None
        for name, flag in (
            ("frozen", FrameFlag.FROZEN),
            ("dark", FrameFlag.DARK),
            ("covered", FrameFlag.COVERED),
            ("moved", FrameFlag.MOVED),
            ("strange", FrameFlag.MOVED),
        ):
            if self._held[name].begun_ns is not None:
                flags |= flag
        return dataclasses.replace(frame, flags=frame.flags | flags) if flags else frame

    def tick(self, now_ns: int) -> None:
        """Time passes: tells a stall, and losses that have been kept together."""
        if self._drops is not None and now_ns - self._drops[0] >= _TELL_DROPS_NS:
            self._tell_drops()
        since_ns = self._last.time_ns if self._last is not None else self._waits_since_ns
        if not self._stalls or since_ns is None or self._stall_ns is not None:
            return
        if now_ns - since_ns > max(_STALL_S * 1e9, _STALL_PERIODS * self._period_ns):
            self._stall_ns = since_ns
            self._tell("stall", since_ns, since_ns, 0, BEGUN["stall"])

    def tell(self, cause: str, begin_ns: int, end_ns: int, lost: int, text: str) -> None:
        """A notice of the driver's own."""
        self._notices.append(Notice(self.camera, None, cause, begin_ns, end_ns, lost, f"{self.camera}: {text}"))

    def take_notices(self) -> list[Notice]:
        """What was told since the last call, in order of time."""
        taken = sorted(self._notices, key=lambda notice: notice.end_ns)
        self._notices.clear()
        return taken

    def finish(self) -> None:
        """The camera was stopped: tell what has been kept."""
        if self._drops is not None:
            self._tell_drops()

    def _gap(self, frame: Frame) -> FrameFlag:
        last = self._last
        lost = 0 if last is None else max(0, frame.sequence - last.sequence - 1)
        if self._stall_ns is not None:
            self._tell("stall", self._stall_ns, frame.time_ns, lost, OVER["stall"])
            self._stall_ns = None
            return FrameFlag.DROPPED_BEFORE if lost else FrameFlag.GOOD
        if last is None or not lost:
            return FrameFlag.GOOD
        begin_ns, _, before = self._drops or (last.time_ns, 0, 0)
        self._drops = begin_ns, frame.time_ns, before + lost
        if frame.time_ns - begin_ns >= _TELL_DROPS_NS:
            self._tell_drops()
        return FrameFlag.DROPPED_BEFORE

    def _tell_drops(self) -> None:
        if self._drops is None:
            return
        begin_ns, end_ns, lost = self._drops
        self._drops = None
        share = lost * self._period_ns / max(end_ns - begin_ns, self._period_ns)
        self._tell("dropped frames", begin_ns, end_ns, lost, BEGUN["dropped frames"], f"{lost} ({share:.0%})")

    def _frozen(self, frame: Frame) -> None:
        """Noise makes no two pictures of a sensor alike. A file may repeat some: then more of them are needed."""
        step = max(1, frame.y.shape[1] // 80)
        pixels = frame.y[::step, ::step]
        same = self._pixels is not None and np.array_equal(pixels, self._pixels)
        if same:
            if self._same == 0:
                self._same_ns = self._last.time_ns if self._last is not None else frame.time_ns
            self._same += 1
        else:
            if self._held["frozen"].begun_ns is None:
                self._usual_same = max(self._usual_same, self._same)
            self._same = 0
            self._pixels = pixels.copy()
        enough = max(_FROZEN_LEAST, round(_FROZEN_S * 1e9 / self._period_ns), _FROZEN_USUAL * self._usual_same)
        holds = same and self._same >= enough
        if holds and self._held["frozen"].begun_ns is None:
            holds = int(((pixels > _BLACK) & (pixels < 235)).sum()) >= _LIVE_PIXELS
        self._step("frozen", frame.time_ns, holds, self._same_ns)

    def _size_changed(self, frame: Frame) -> bool:
        return self._last is not None and frame.y.shape != self._last.y.shape

    def _look(self, frame: Frame) -> None:
        now_ns = frame.time_ns
        passed_s = 0.0 if self._looked_ns is None else min(1.0, (now_ns - self._looked_ns) / 1e9)
        self._looked_ns = now_ns
        small = small_picture(frame.y)
        dark = float(np.partition(small.ravel(), -small.size // 50)[-small.size // 50]) <= _DARK
        self._step("dark", now_ns, dark)
        log, before = log_picture(small), self._log
        self._log = log
        if dark or self._held["dark"].begun_ns is not None or self._held["frozen"].begun_ns is not None:
            return
        if before is None or before.shape != log.shape:
            self._reference = None
            return
        noise, slopes = noise_of(log, before), slopes_of(log)
        if self._reference is None or self._reference.mean.shape != slopes.shape:
            self._reference, self._learnt_s = Reference(slopes), 0.0
            return
        if self._reference.edges(noise).mean() < _FEW_EDGES:
            self._reference.learn(slopes, max(1.0 / (self._reference.count + 1), passed_s / _LEARN_S))
            self._step("covered", now_ns, self._reference.count > 15)
            return
        self._judge(now_ns, self._reference, slopes, noise)
        if self._reference is not None and all(
            held.since_ns is None and held.begun_ns is None for held in self._held.values()
        ):
            share = max(1.0 / (self._reference.count + 1), passed_s / _LEARN_S)
            self._reference.learn(slopes, share)
            self._learnt_s += passed_s

    def _judge(self, now_ns: int, reference: Reference, slopes: Slopes, noise: float) -> None:
        like = reference.likeness(slopes, noise)
        covered = like.structure < _COVERED_STRUCTURE and like.kept < _COVERED_KEPT
        self._step("covered", now_ns, covered)
        if covered or now_ns < self._find_ns:
            return
        self._find_ns = now_ns + _FIND_NS
        found = reference.find(slopes)
        away = max(abs(found.shift[0]), abs(found.shift[1])) >= _MOVED_CELLS
        elsewhere = away and found.best > _MOVED_LIKE and found.best > _MOVED_MORE * max(found.here, 0.0)
        self._step("moved", now_ns, elsewhere)
        strange = not elsewhere and like.kept < _STRANGE_KEPT and found.best < _STRANGE_LIKE
        held = self._held["strange"]
        if strange and self._learnt_s < _YOUNG_S and held.since_ns is not None and now_ns - held.since_ns > 10**10:
            self._reference, held.since_ns = None, None  # what was learnt first wasn't the usual view
            return
        self._step("strange", now_ns, strange)

    def _step(self, name: str, now_ns: int, holds: bool, since_ns: int | None = None) -> None:
        held = self._held[name]
        happened = held.step(now_ns, holds)
        cause = "moved" if name == "strange" else name
        if happened == "begun":
            begun_ns = held.begun_ns = since_ns if since_ns is not None else held.begun_ns or now_ns
            self._tell(cause, begun_ns, begun_ns, 0, BEGUN[name])
        elif happened == "ended":
            begin_ns, end_ns = held.clear()
            self._tell(cause, begin_ns, end_ns, 0, OVER[name])

    def _tell(self, cause: str, begin_ns: int, end_ns: int, lost: int, text: str, what: str = "") -> None:
        words = text.format(camera=self.camera, what=what, lasted=lasted(end_ns - begin_ns))
        self._notices.append(Notice(self.camera, None, cause, begin_ns, end_ns, lost, words))
