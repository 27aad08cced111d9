"""One other node's tracks: whose clock is how far from ours, which cameras live, and points with times of ours."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TypeVar

from edge.fusion.sightings import SIGHT_DELAY_NS
from edge.stream.track_clock import ClockBounds, Offset
from edge.stream.track_wire import (
    SEQ_PERIOD,
    TIME_PERIOD_MS,
    TrackMessage,
    TrackUpdate,
    decode_answer,
    decode_message,
)
from edge.stream.wire_keys import WireError
from edge.trace.sighting import TrackPoint

MOST_SD_NS = 200_000_000
"""A time that is known no better than this says nothing of who was where."""
LOOK_BACK_NS = 60 * 10**9

QUICK_ASKS, QUICK_NS, ASK_EVERY_NS = 8, 250_000_000, 2 * 10**9
_MOST_ASKS_OUT = 16
_MOST_REMEMBERED = 512  # identities of a camera; the end of one may get lost
_GAP_NS = 15 * 10**9  # longer silences aren't counted as lost messages
_MOST_AGES = 1200
_NS_PER_MS, _NS_PER_US = 10**6, 10**3
_Value = TypeVar("_Value")


@dataclass(slots=True)
class RemoteCamera:
    """A camera of another node, as its messages tell. ``heard_ns``: when its last message came."""

    name: str
    people: int
    heard_ns: int
    seq: int
    clothes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    latest_ns: dict[int, int] = field(default_factory=dict)  # of each identity, by our clock


@dataclass(slots=True)
class Tally:
    """Counts since the start. points: handed over. late: of these, too late for fusion. lost: messages that never came.
    unsure: points before the clock was known. unnamed: points of a camera whose name hadn't come. damaged: messages."""

    points: int = 0
    late: int = 0
    lost: int = 0
    unsure: int = 0
    unnamed: int = 0
    damaged: int = 0


class TrackPeer:
    """What one node sends. Used by one thread at a time."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.run: int | None = None
        self.cameras: dict[int, RemoteCamera] = {}
        self.heard_ns: int | None = None
        self.tally = Tally()
        self.damaged: tuple[int, str] | None = None  # when a message last couldn't be read, and why
        self._ages: deque[tuple[int, int]] = deque(maxlen=_MOST_AGES)
        self._begin(None)

    def heard(self, payload: bytes, arrived_ns: int) -> list[TrackPoint]:
        """The points in a message of the topic ``track``, with our times. None may raise: damage is counted."""
        try:
            message = decode_message(payload)
        except WireError as error:
            self._spoilt(error, arrived_ns)
            return []
        if message.run != self.run:
            self._begin(message.run)
        self.heard_ns = arrived_ns
        theirs_ns = self._unwrapped_ms(message.time_ms) * _NS_PER_MS
        if message.here is not None:
            self._clock.heard(theirs_ns + message.here.age_us * _NS_PER_US, arrived_ns)
        camera = self._camera(message, arrived_ns)
        if camera is None:
            self.tally.unnamed += len(message.updates)
            return []
        return self._points(camera, message.updates, theirs_ns, arrived_ns)

    def answered(self, payload: bytes, arrived_ns: int) -> None:
        """An answer to one of our questions has come; any other is passed over."""
        try:
            answer = decode_answer(payload)
        except WireError as error:
            self._spoilt(error, arrived_ns)
            return
        asked_ns = self._asked.pop(answer.ask_us, None)
        if asked_ns is None or answer.run != self.run:
            return
        heard_ns, sent_ns = (self._unwrapped_us(us) * _NS_PER_US for us in (answer.heard_us, answer.sent_us))
        self._clock.answered(asked_ns, heard_ns + _NS_PER_US, arrived_ns)  # it was rounded down
        self._clock.heard(sent_ns, arrived_ns)

    def ask_due_ns(self) -> int | None:
        """When the next question is due; None as long as nothing has been heard of that node."""
        return None if self.run is None else self._ask_ns

    def ask(self, now_ns: int) -> int:
        """A question is sent now; gives the time that is to stand in it, microseconds."""
        pause_ns = QUICK_NS if self._quick > 0 else ASK_EVERY_NS
        self._quick -= self._quick > 0
        self._ask_ns = now_ns + pause_ns
        while len(self._asked) >= _MOST_ASKS_OUT:
            del self._asked[next(iter(self._asked))]
        self._asked[now_ns // _NS_PER_US] = now_ns
        return now_ns // _NS_PER_US

    def offset(self, now_ns: int) -> Offset | None:
        """How our clock stands to theirs."""
        return self._clock.offset(now_ns)

    @property
    def slips(self) -> int:
        """How often what was known of the clock no longer held, in this run of theirs."""
        return self._clock.slips

    def ages_ms(self, now_ns: int) -> list[float]:
        """How old the points of the last minute were when they came, the least first."""
        return sorted(age / _NS_PER_MS for at_ns, age in self._ages if now_ns - at_ns <= LOOK_BACK_NS)

    def _begin(self, run: int | None) -> None:
        """Another life of that node: its clock may be another one, its cameras other numbers."""
        self.run = run
        self.cameras.clear()
        self._clock = ClockBounds()
        self._reference_ms: int | None = None
        self._asked: dict[int, int] = {}
        self._quick, self._ask_ns = QUICK_ASKS, 0

    def _camera(self, message: TrackMessage, arrived_ns: int) -> RemoteCamera | None:
        camera, here = self.cameras.get(message.camera), message.here
        if here is not None and (camera is None or camera.name != here.name):
            camera = RemoteCamera(here.name, here.people, arrived_ns, message.seq)
            self.cameras[message.camera] = camera
        if camera is None:
            return None
        if arrived_ns - camera.heard_ns < _GAP_NS:
            self.tally.lost += max((message.seq - camera.seq) % SEQ_PERIOD - 1, 0)
        camera.heard_ns, camera.seq = arrived_ns, message.seq
        if here is not None:
            camera.people = here.people
        for identity, clothes in message.clothes:
            _remember(camera.clothes, identity, tuple(clothes))
        for identity in message.ended:
            camera.clothes.pop(identity, None)
            camera.latest_ns.pop(identity, None)
        return camera

    def _points(
        self, camera: RemoteCamera, updates: tuple[TrackUpdate, ...], theirs_ns: int, arrived_ns: int
    ) -> list[TrackPoint]:
        offset = self._clock.offset(arrived_ns) if updates else None
        if offset is None or offset.sd_ns > MOST_SD_NS:
            self.tally.unsure += len(updates)
            return []
        time_ns = min(theirs_ns + offset.offset_ns, arrived_ns)
        age_ns = arrived_ns - time_ns
        self._ages.append((arrived_ns, age_ns))
        found = []
        for update in updates:
            if time_ns <= camera.latest_ns.get(update.identity, time_ns - 1):
                continue  # the clock is known better now, by more than lay between two points
            _remember(camera.latest_ns, update.identity, time_ns)
            track = f"{camera.name}.{self.run}.{update.identity}"
            point = update.point(track, time_ns, camera.clothes.get(update.identity, ()))
            found.append(with_clock_doubt(point, offset.sd_ns))
        self.tally.points += len(found)
        self.tally.late += len(found) if age_ns > SIGHT_DELAY_NS else 0
        return found

    def _unwrapped_ms(self, time_ms: int) -> int:
        """The clock goes on where 32 bits begin anew."""
        if self._reference_ms is None:
            self._reference_ms = time_ms
        half = TIME_PERIOD_MS // 2
        self._reference_ms += (time_ms - self._reference_ms + half) % TIME_PERIOD_MS - half
        return self._reference_ms

    def _unwrapped_us(self, time_us: int) -> int:
        return self._unwrapped_ms(time_us // 1000 % TIME_PERIOD_MS) * 1000 + time_us % 1000

    def _spoilt(self, error: WireError, arrived_ns: int) -> None:
        self.tally.damaged += 1
        self.damaged = (arrived_ns, str(error))


def _remember(of: dict[int, _Value], identity: int, value: _Value) -> None:
    of[identity] = value
    while len(of) > _MOST_REMEMBERED:
        del of[next(iter(of))]


def with_clock_doubt(point: TrackPoint, sd_ns: int) -> TrackPoint:
    """The point with a larger covariance: where the person was at its time isn't known better than its time is."""
    sd_s = sd_ns * 1e-9
    x_mm, y_mm = point.vx_mm_s * sd_s, point.vy_mm_s * sd_s
    return TrackPoint(
        point.track,
        point.time_ns,
        point.x_mm,
        point.y_mm,
        point.xx_mm2 + x_mm * x_mm,
        point.xy_mm2 + x_mm * y_mm,
        point.yy_mm2 + y_mm * y_mm,
        point.vx_mm_s,
        point.vy_mm_s,
        point.hidden,
        point.clothes,
    )
