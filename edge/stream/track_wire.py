"""Tracks between nodes as bytes: one small CBOR map per message. tracks.cddl is the schema, TRACKS.md the page.

A message is lost now and then and none is sent again, so each says what it says by itself but for the camera's name,
which comes once a second. Encoding is deterministic (RFC 8949, 4.2.1); whatever bytes come, reading gives a message or
a `WireError`.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import cbor2

from edge.stream.cbor_reader import CborError, read_item
from edge.stream.wire_keys import WireError
from edge.trace.sighting import TrackPoint

MOST_MESSAGE_BYTES = 8192
MOST_UPDATE_BYTES = 40
TIME_PERIOD_MS = 1 << 32
SEQ_PERIOD = 256
RUN_LIMIT, CAMERA_LIMIT = 1 << 16, 256
MOST_NAME = 64
MOST_CLOTHES_BYTES = 32

HEAD, UPDATES, ENDED, HERE, CLOTHES = range(1, 6)
ASK, ANSWER = 8, 9

MOST_IDENTITY = (1 << 32) - 1
_MOST_PLACE_MM = (1 << 31) - 1
_MOST_SPEED_CM_S = 65_535
_MOST_AGE_US = (1 << 32) - 1
_MOST_US = (1 << 63) - 1
_SD_STEPS = 16.0  # of a doubling
_MOST_SD_CODE = 255
_MOST_CORRELATION = 99  # hundredths: the covariance stays positive
_HIDDEN_BIT = 1


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """Where one person was, as it is sent.

    Attributes:
        identity: of the person, among those of this camera and run.
        sd_code_x, sd_code_y: c for a standard deviation of 2^(c/16) mm, 0 to 255.
        correlation: of the errors in x and y, hundredths.
        vx_cm_s, vy_cm_s: velocity, cm/s.
    """

    identity: int
    x_mm: int
    y_mm: int
    sd_code_x: int
    sd_code_y: int
    correlation: int
    vx_cm_s: int
    vy_cm_s: int
    hidden: bool = False

    def point(self, track: str, time_ns: int, clothes: tuple[int, ...] = ()) -> TrackPoint:
        """The same as other parts of a node know it."""
        sd_x, sd_y = 2.0 ** (self.sd_code_x / _SD_STEPS), 2.0 ** (self.sd_code_y / _SD_STEPS)
        return TrackPoint(
            track,
            time_ns,
            float(self.x_mm),
            float(self.y_mm),
            sd_x * sd_x,
            self.correlation / 100.0 * sd_x * sd_y,
            sd_y * sd_y,
            10.0 * self.vx_cm_s,
            10.0 * self.vy_cm_s,
            self.hidden,
            clothes,
        )


@dataclass(frozen=True, slots=True)
class Here:
    """What a camera that lives says once a second.

    Attributes:
        name: the camera's. people: how many it follows now; 0: nobody is there.
        age_us: from the head's time until this was sent, so that clocks can be compared.
    """

    name: str
    people: int
    age_us: int


@dataclass(frozen=True, slots=True)
class TrackMessage:
    """What is said of one frame of one camera.

    Attributes:
        run: drawn when the node starts. camera: its number in that run. seq: counts the camera's messages, modulo 256.
        time_ms: of the frame's exposure by the sender's monotonic clock, modulo 2^32.
        ended: identities that nobody will be any more. clothes: by identity; what isn't told stays as it was.
    """

    run: int
    camera: int
    seq: int
    time_ms: int
    updates: tuple[TrackUpdate, ...] = ()
    ended: tuple[int, ...] = ()
    here: Here | None = None
    clothes: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """To a question about the clock. `ask_us` is the question's own time; the others are the answering node's monotonic
    time when it heard and when it answered, in microseconds."""

    ask_us: int
    run: int
    heard_us: int
    sent_us: int


def update_of(point: TrackPoint, identity: int) -> TrackUpdate | None:
    """A point in the form that is sent; None where a number of it isn't finite."""
    values = (point.x_mm, point.y_mm, point.xx_mm2, point.xy_mm2, point.yy_mm2, point.vx_mm_s, point.vy_mm_s)
    if not all(map(math.isfinite, values)):
        return None
    product = point.xx_mm2 * point.yy_mm2
    correlation = point.xy_mm2 / math.sqrt(product) if product > 0.0 else 0.0
    return TrackUpdate(
        identity,
        _within(point.x_mm, _MOST_PLACE_MM),
        _within(point.y_mm, _MOST_PLACE_MM),
        _sd_code(point.xx_mm2),
        _sd_code(point.yy_mm2),
        _within(100.0 * correlation, _MOST_CORRELATION),
        _within(point.vx_mm_s / 10.0, _MOST_SPEED_CM_S),
        _within(point.vy_mm_s / 10.0, _MOST_SPEED_CM_S),
        point.hidden,
    )


def encode_message(message: TrackMessage) -> bytes:
    """The payload for the topic ``track``."""
    item: dict[int, Any] = {HEAD: [message.run, message.camera, message.seq, message.time_ms]}
    if message.updates:
        item[UPDATES] = [_update_item(update) for update in message.updates]
    if message.ended:
        item[ENDED] = list(message.ended)
    if message.here is not None:
        item[HERE] = [message.here.name, message.here.people, message.here.age_us]
    if message.clothes:
        item[CLOTHES] = [list(each) for each in message.clothes]
    return cbor2.dumps(item)


def decode_message(payload: bytes) -> TrackMessage:
    """What a payload of the topic ``track`` says. Raises WireError."""
    item = _map_of(payload)
    head = _array(item.get(HEAD), "1", "[run, camera, seq, time_ms]", 4)
    return TrackMessage(
        _whole(head[0], "1, run", 0, RUN_LIMIT - 1),
        _whole(head[1], "1, camera", 0, CAMERA_LIMIT - 1),
        _whole(head[2], "1, seq", 0, SEQ_PERIOD - 1),
        _whole(head[3], "1, time_ms", 0, TIME_PERIOD_MS - 1),
        tuple([_update(each) for each in _array(item.get(UPDATES, []), "2", "an array of updates")]),
        tuple([_identity(each, "3") for each in _array(item.get(ENDED, []), "3", "an array of identities")]),
        _here(item[HERE]) if HERE in item else None,
        tuple([_clothes(each) for each in _array(item.get(CLOTHES, []), "5", "an array of clothes")]),
    )


def encode_ask(ask_us: int) -> bytes:
    """The payload for the topic ``track/ask/<node>``; the time is the asking node's own, and comes back."""
    return cbor2.dumps({ASK: [ask_us]})


def decode_ask(payload: bytes) -> int:
    """The time in a question. Raises WireError."""
    parts = _array(_map_of(payload).get(ASK), "8", "[ask_us]", 1)
    return _whole(parts[0], "8, ask_us", 0, _MOST_US)


def encode_answer(answer: Answer) -> bytes:
    """The payload for the topic ``track/answer/<node>``."""
    return cbor2.dumps({ANSWER: [answer.ask_us, answer.run, answer.heard_us, answer.sent_us]})


def decode_answer(payload: bytes) -> Answer:
    """An answer. Raises WireError."""
    parts = _array(_map_of(payload).get(ANSWER), "9", "[ask_us, run, heard_us, sent_us]", 4)
    ask_us, run, heard_us, sent_us = parts[:4]
    return Answer(
        _whole(ask_us, "9, ask_us", 0, _MOST_US),
        _whole(run, "9, run", 0, RUN_LIMIT - 1),
        _whole(heard_us, "9, heard_us", 0, _MOST_US),
        _whole(sent_us, "9, sent_us", 0, _MOST_US),
    )


def age_us(from_ns: int, to_ns: int) -> int:
    """Rounded down, and within what is sent."""
    return min(max((to_ns - from_ns) // 1000, 0), _MOST_AGE_US)


def clothes_bytes(clothes: Sequence[int]) -> bytes:
    """As they are sent; none where they can't be."""
    if len(clothes) > MOST_CLOTHES_BYTES or not all(0 <= value <= 255 for value in clothes):
        return b""
    return bytes(clothes)


def _within(value: float, most: int) -> int:
    return min(max(round(value), -most), most)


def _sd_code(variance_mm2: float) -> int:
    if variance_mm2 <= 1.0:
        return 0
    return min(round(_SD_STEPS * 0.5 * math.log2(variance_mm2)), _MOST_SD_CODE)


def _update_item(update: TrackUpdate) -> list[int]:
    return [
        update.identity,
        update.x_mm,
        update.y_mm,
        update.sd_code_x,
        update.sd_code_y,
        update.correlation,
        update.vx_cm_s,
        update.vy_cm_s,
        _HIDDEN_BIT if update.hidden else 0,
    ]


def _update(value: Any) -> TrackUpdate:
    parts = _array(value, "2, an update", "[identity, x, y, sd_x, sd_y, correlation, vx, vy, bits]", 9)
    return TrackUpdate(
        _identity(parts[0], "2"),
        _whole(parts[1], "2, x", -_MOST_PLACE_MM, _MOST_PLACE_MM),
        _whole(parts[2], "2, y", -_MOST_PLACE_MM, _MOST_PLACE_MM),
        _whole(parts[3], "2, sd_x", 0, _MOST_SD_CODE),
        _whole(parts[4], "2, sd_y", 0, _MOST_SD_CODE),
        _whole(parts[5], "2, correlation", -_MOST_CORRELATION, _MOST_CORRELATION),
        _whole(parts[6], "2, vx", -_MOST_SPEED_CM_S, _MOST_SPEED_CM_S),
        _whole(parts[7], "2, vy", -_MOST_SPEED_CM_S, _MOST_SPEED_CM_S),
        bool(_whole(parts[8], "2, bits", 0, _MOST_US) & _HIDDEN_BIT),
    )


def _here(value: Any) -> Here:
    name, people, age = _array(value, "4", "[name, people, age_us]", 3)[:3]
    if type(name) is not str or not 0 < len(name) <= MOST_NAME or not name.isprintable():
        _wrong("4, name", f"a name of 1 to {MOST_NAME} characters", name)
    return Here(name, _whole(people, "4, people", 0, 65_535), _whole(age, "4, age_us", 0, _MOST_AGE_US))


def _clothes(value: Any) -> tuple[int, bytes]:
    identity, colours = _array(value, "5, clothes", "[identity, bytes]", 2)[:2]
    if type(colours) is not bytes or len(colours) > MOST_CLOTHES_BYTES:
        _wrong("5, clothes", f"at most {MOST_CLOTHES_BYTES} bytes", colours)
    return _identity(identity, "5"), colours


def _identity(value: Any, where: str) -> int:
    return _whole(value, f"{where}, identity", 0, MOST_IDENTITY)


def _map_of(payload: bytes) -> dict[Any, Any]:
    if len(payload) > MOST_MESSAGE_BYTES:
        raise WireError(f"a track message of {len(payload)} bytes; expected at most {MOST_MESSAGE_BYTES}")
    try:
        item, end = read_item(bytes(payload), 0)
    except CborError as error:
        raise WireError(f"not a track message: {error}") from None
    if type(item) is not dict or end != len(payload):
        raise WireError(f"not a track message: expected one map with integer keys, got {reprlib.repr(item)}")
    return item


def _array(value: Any, where: str, expected: str, least: int = 0) -> list[Any]:
    if type(value) is not list or len(value) < least:
        _wrong(where, expected, value)
    return value


def _whole(value: Any, where: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        _wrong(where, f"a whole number from {least} to {most}", value)
    return value


def _wrong(where: str, expected: str, value: Any) -> NoReturn:
    raise WireError(f"key {where}: expected {expected}, got {reprlib.repr(value)}")
