"""A node's own tracks on their way out: thinned to 10 Hz, in a short queue, and no camera ever waits for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edge.stream.track_wire import (
    CAMERA_LIMIT,
    MOST_IDENTITY,
    RUN_LIMIT,
    SEQ_PERIOD,
    TIME_PERIOD_MS,
    Here,
    TrackMessage,
    TrackUpdate,
    age_us,
    clothes_bytes,
    encode_message,
    update_of,
)
from edge.trace.sighting import TrackPoint

MOST_HZ = 10
HERE_EVERY_NS = 10**9
CLOTHES_EVERY_NS = 5 * 10**9
MOST_WAITING = 64
STALE_NS = 2 * 10**9
"""Nobody can use a track that is older; it is dropped instead of sent."""
ENDED_TOLD = 3
"""Times that an end is told: a message may get lost."""

_NS_PER_S, _NS_PER_MS = 10**9, 10**6
_STEP_NS = _NS_PER_S // MOST_HZ
_EARLY_NS = _STEP_NS // 4  # a camera of 10 Hz isn't halved because a frame comes a little before its time
_CLOTHES_CHANGED = 8


class Thin:
    """Which frames are sent: at most `MOST_HZ` in any second, as evenly as the frames allow; by their times alone."""

    def __init__(self) -> None:
        self._due_ns: int | None = None
        self._sent_ns: deque[int] = deque(maxlen=MOST_HZ)

    def passes(self, time_ns: int) -> bool:
        """Whether the frame of that time is sent. Frames come in the order of their times."""
        if self._sent_ns and time_ns < self._sent_ns[-1]:
            self._sent_ns.clear()
            self._due_ns = None
        full = len(self._sent_ns) == MOST_HZ and time_ns - self._sent_ns[0] < _NS_PER_S
        if full or (self._due_ns is not None and time_ns < self._due_ns - _EARLY_NS):
            return False
        late = self._due_ns is None or time_ns - self._due_ns >= _STEP_NS
        self._due_ns = (time_ns if late or self._due_ns is None else self._due_ns) + _STEP_NS
        self._sent_ns.append(time_ns)
        return True


@dataclass(slots=True)
class _Camera:
    name: str
    number: int
    thin: Thin = field(default_factory=Thin)
    seq: int = 0
    here_ns: int | None = None
    present: set[int] = field(default_factory=set)
    ended: dict[int, int] = field(default_factory=dict)  # how often it is still to be told
    clothes: dict[int, tuple[bytes, int]] = field(default_factory=dict)  # as told last, and when


@dataclass(frozen=True, slots=True)
class _Waiting:
    time_ns: int
    message: TrackMessage


class TrackPublisher:
    """Takes every frame's tracks from any thread and never waits; `TrackLink` takes the messages out.

    Args:
        run: the node's, drawn when it starts, as it is in the names of its tracks.
    """

    def __init__(self, run: int) -> None:
        if not 0 <= run < RUN_LIMIT:
            raise ValueError(f"run {run}: expected 0 to {RUN_LIMIT - 1}")
        self.run = run
        self.wake: Callable[[], None] = lambda: None  # whom to tell that there is something
        self._lock = threading.Lock()
        self._cameras: dict[str, _Camera] = {}
        self._queue: deque[_Waiting] = deque()
        self._given = self._dropped = self._stale = self._unusable = 0

    def give(self, camera: str, time_ns: int, points: Sequence[TrackPoint]) -> None:
        """What a camera sees in one frame; `points` is empty where nobody is there.

        To be called for each frame that could see the floor, and for no other: where no frames come, or the lens is
        covered, the camera falls silent for those who read, and isn't taken for an empty aisle.

        Raises ValueError for a point whose track isn't of this camera and run.
        """
        prefix = f"{camera}.{self.run}."
        identities = [_identity(point.track, prefix) for point in points]
        with self._lock:
            state = self._camera(camera)
            if state is None:
                return
            here = self._here_due(state, time_ns, set(identities))
            if here:
                self._put(state, time_ns, self._here(state, time_ns, points, identities))
            sent = bool(points) and state.thin.passes(time_ns)
            if sent:
                self._put_points(state, time_ns, points, identities)
        if here or sent:
            self.wake()

    def next(self, now_ns: int) -> bytes | None:
        """The next payload; None where nothing waits. What nobody could use any more is dropped."""
        with self._lock:
            while self._queue:
                waiting = self._queue.popleft()
                if now_ns - waiting.time_ns <= STALE_NS:
                    self._given += 1
                    return _encoded(waiting, now_ns)
                self._stale += 1
        return None

    @property
    def waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._queue)

    def state(self) -> dict[str, Any]:
        """For health: messages sent, dropped since the broker didn't take them in time, and points without a place."""
        with self._lock:
            return {"sent": self._given, "dropped": self._dropped + self._stale, "unusable": self._unusable}

    def _camera(self, name: str) -> _Camera | None:
        known = self._cameras.get(name)
        if known is None and len(self._cameras) < CAMERA_LIMIT:
            known = self._cameras[name] = _Camera(name, len(self._cameras))
        return known

    @staticmethod
    def _here_due(state: _Camera, time_ns: int, identities: set[int]) -> bool:
        gone = state.present - identities
        state.present = identities
        for identity in gone:
            state.ended[identity] = ENDED_TOLD
            state.clothes.pop(identity, None)
        for identity in identities & state.ended.keys():
            del state.ended[identity]
        if state.here_ns is None or time_ns < state.here_ns - HERE_EVERY_NS:
            state.here_ns = time_ns
        return bool(gone) or time_ns >= state.here_ns

    def _here(
        self, state: _Camera, time_ns: int, points: Sequence[TrackPoint], identities: Sequence[int]
    ) -> TrackMessage:
        state.here_ns = time_ns + HERE_EVERY_NS
        ended = tuple(sorted(state.ended))
        state.ended = {identity: left - 1 for identity, left in state.ended.items() if left > 1}
        clothes = []
        for point, identity in zip(points, identities, strict=True):
            wears = clothes_bytes(point.clothes)
            if wears and _news(wears, state.clothes.get(identity), time_ns):
                state.clothes[identity] = (wears, time_ns)
                clothes.append((identity, wears))
        here = Here(state.name, len(identities), 0)
        return self._message(state, time_ns, (), ended=ended, here=here, clothes=tuple(clothes))

    def _message(
        self,
        state: _Camera,
        time_ns: int,
        updates: tuple[TrackUpdate, ...],
        ended: tuple[int, ...] = (),
        here: Here | None = None,
        clothes: tuple[tuple[int, bytes], ...] = (),
    ) -> TrackMessage:
        state.seq = (state.seq + 1) % SEQ_PERIOD
        return TrackMessage(
            self.run, state.number, state.seq, _rounded_ms(time_ns) % TIME_PERIOD_MS, updates, ended, here, clothes
        )

    def _put_points(
        self, state: _Camera, time_ns: int, points: Sequence[TrackPoint], identities: Sequence[int]
    ) -> None:
        updates = tuple([update for p, i in zip(points, identities, strict=True) if (update := update_of(p, i))])
        self._unusable += len(points) - len(updates)
        if updates:
            self._put(state, time_ns, self._message(state, time_ns, updates))

    def _put(self, state: _Camera, time_ns: int, message: TrackMessage) -> None:
        if len(self._queue) >= MOST_WAITING:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append(_Waiting(time_ns, message))


def _encoded(waiting: _Waiting, now_ns: int) -> bytes:
    message = waiting.message
    if message.here is not None:
        age = age_us(_rounded_ms(waiting.time_ns) * _NS_PER_MS, now_ns)
        message = replace(message, here=replace(message.here, age_us=age))
    return encode_message(message)


def _rounded_ms(time_ns: int) -> int:
    return (time_ns + _NS_PER_MS // 2) // _NS_PER_MS


def _identity(track: str, prefix: str) -> int:
    number = track.removeprefix(prefix)
    if number == track or not number.isdigit() or not number.isascii() or int(number) > MOST_IDENTITY:
        raise ValueError(f"track {track}: expected {prefix}<number>, a track of this camera and run")
    return int(number)


def _news(wears: bytes, told: tuple[bytes, int] | None, time_ns: int) -> bool:
    if told is None or time_ns - told[1] >= CLOTHES_EVERY_NS or len(told[0]) != len(wears):
        return True
    return any(abs(one - other) > _CLOTHES_CHANGED for one, other in zip(wears, told[0], strict=True))
