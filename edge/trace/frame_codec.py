"""A camera's picture in a trace: one MCAP message, which Foxglove shows as it is and which stands on its own.

The message is a protobuf `foxglove.CompressedImage` (https://docs.foxglove.dev/docs/sdk/schemas/compressed-image) with
a JPEG, and fields of our own behind it, which others pass over, as we pass over theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.frames import FrameFlag
from edge.trace.columns import Bytes, varint
from edge.trace.errors import BlockDamagedError

SCHEMA_NAME = "foxglove.CompressedImage"
MESSAGE_ENCODING = "protobuf"
TOPIC_PREFIX = "/frames/"
MARK = 0x0A
"""The first byte of every message: its field 1."""

_TIMESTAMP, _DATA, _FORMAT, _FRAME_ID = 1, 2, 3, 4
_TIME_NS, _SEQUENCE, _FLAGS, _WIDTH, _HEIGHT, _GREY = 100, 101, 102, 103, 104, 105
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_INT64, _UINT64, _INT32, _BOOL, _STRING, _MESSAGE, _BYTES, _UINT32, _SINT64 = 3, 4, 5, 8, 9, 11, 12, 13, 18


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """A `drivers.frames.Frame` whose picture is a JPEG: full range, YUV 4:2:0.

    Attributes:
        width, height: of the luma, pixels.
        grey: the picture had no colour planes.
    """

    camera: str
    time_ns: int
    sequence: int
    flags: FrameFlag
    width: int
    height: int
    grey: bool
    jpeg: bytes


def encode_frame(frame: RecordedFrame) -> bytes:
    """As protobuf."""
    seconds, nanos = divmod(frame.time_ns, 10**9)
    return b"".join(
        (
            _sized(_TIMESTAMP, _number(1, seconds) + _number(2, nanos)),
            _sized(_FORMAT, b"jpeg"),
            _sized(_FRAME_ID, frame.camera.encode()),
            _number(_TIME_NS, frame.time_ns << 1 if frame.time_ns >= 0 else (-frame.time_ns << 1) - 1),
            _number(_SEQUENCE, frame.sequence),
            _number(_FLAGS, int(frame.flags)),
            _number(_WIDTH, frame.width),
            _number(_HEIGHT, frame.height),
            _number(_GREY, int(frame.grey)),
            _sized(_DATA, frame.jpeg),
        )
    )


def decode_frame(payload: bytes | memoryview) -> RecordedFrame:
    """The inverse; unknown fields are passed over. Raises BlockDamagedError."""
    numbers: dict[int, int] = {}
    texts: dict[int, bytes] = {}
    data = Bytes(payload)
    while data.left:
        key = data.varint()
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            numbers[field] = data.varint()
        elif kind == _LENGTH:
            texts[field] = data.take(data.varint())
        elif kind in (_FIXED32, _FIXED64):
            data.take(4 if kind == _FIXED32 else 8)
        else:
            raise BlockDamagedError("a frame's bytes don't fit together")
    try:
        word, camera = numbers.get(_TIME_NS, 0), texts[_FRAME_ID].decode()  # protobuf leaves out what is 0
        frame = RecordedFrame(
            camera,
            word >> 1 if not word & 1 else -(word >> 1) - 1,
            numbers.get(_SEQUENCE, 0),
            FrameFlag(numbers.get(_FLAGS, 0)),
            numbers[_WIDTH],
            numbers[_HEIGHT],
            bool(numbers.get(_GREY, 0)),
            texts[_DATA],
        )
    except (KeyError, UnicodeDecodeError, ValueError):
        raise BlockDamagedError("a frame isn't one of shelfedge") from None
    if texts.get(_FORMAT) != b"jpeg" or not 0 < frame.width * frame.height <= 1 << 28:
        raise BlockDamagedError("a frame isn't a JPEG that a camera may have made")
    return frame


def schema_bytes() -> bytes:
    """The message's definition, as MCAP wants it for protobuf: a FileDescriptorSet."""
    stamp = _file(
        "google/protobuf/timestamp.proto",
        "google.protobuf",
        "Timestamp",
        [("seconds", 1, _INT64, ""), ("nanos", 2, _INT32, "")],
    )
    image = _file(
        "foxglove/CompressedImage.proto",
        "foxglove",
        "CompressedImage",
        [
            ("timestamp", _TIMESTAMP, _MESSAGE, ".google.protobuf.Timestamp"),
            ("frame_id", _FRAME_ID, _STRING, ""),
            ("data", _DATA, _BYTES, ""),
            ("format", _FORMAT, _STRING, ""),
            ("time_ns", _TIME_NS, _SINT64, ""),
            ("sequence", _SEQUENCE, _UINT64, ""),
            ("flags", _FLAGS, _UINT32, ""),
            ("width", _WIDTH, _UINT32, ""),
            ("height", _HEIGHT, _UINT32, ""),
            ("grey", _GREY, _BOOL, ""),
        ],
        "google/protobuf/timestamp.proto",
    )
    return _sized(1, stamp) + _sized(1, image)


def _file(name: str, package: str, message: str, fields: list[tuple[str, int, int, str]], needs: str = "") -> bytes:
    """A FileDescriptorProto with one message."""
    described = [
        _sized(1, field.encode())
        + _number(3, number)
        + _number(4, 1)  # optional
        + _number(5, kind)
        + (_sized(6, type_name.encode()) if type_name else b"")
        for field, number, kind, type_name in fields
    ]
    body = _sized(1, message.encode()) + b"".join(_sized(2, each) for each in described)
    depends = _sized(3, needs.encode()) if needs else b""
    return _sized(1, name.encode()) + _sized(2, package.encode()) + depends + _sized(4, body) + _sized(12, b"proto3")


def _number(field: int, value: int) -> bytes:
    return varint(field << 3 | _VARINT) + varint(value & (1 << 64) - 1)


def _sized(field: int, data: bytes) -> bytes:
    return varint(field << 3 | _LENGTH) + varint(len(data)) + data
