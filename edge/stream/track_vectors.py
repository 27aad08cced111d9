"""Examples of the track stream for people who write readers: bytes, and what they say.

Write them again after adding one: ``python -m edge.stream.track_vectors > edge/stream/track_vectors.json``. The bytes
of those that are there never change.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import cbor2

from edge.stream.track_wire import (
    CLOTHES,
    HEAD,
    HERE,
    UPDATES,
    Answer,
    Here,
    TrackMessage,
    TrackUpdate,
    decode_answer,
    decode_ask,
    decode_message,
    encode_answer,
    encode_ask,
    encode_message,
)

_WALKING = TrackUpdate(17, 12_340, 4_025, 85, 91, -12, 96, -104)
_HIDDEN = TrackUpdate(19, -250, 65_535, 148, 150, 4, 0, 3, hidden=True)
_FRAME = TrackMessage(40_123, 0, 211, 3_214_300_456, (_WALKING,))
_HERE = TrackMessage(40_123, 0, 212, 3_214_300_456, here=Here("aisle-1", 1, 41_850))


def vectors() -> dict[str, Any]:
    """``read``: name, topic's end, bytes and what they say; ``refused``: name, topic's end and bytes."""
    read = [
        ("one person walks", "track", encode_message(_FRAME)),
        (
            "two people, one of them hidden",
            "track",
            encode_message(dataclasses.replace(_FRAME, updates=(_WALKING, _HIDDEN))),
        ),
        ("nobody is there", "track", encode_message(dataclasses.replace(_HERE, here=Here("aisle-1", 0, 38_000)))),
        (
            "once a second: one person, her clothes, another who has gone",
            "track",
            encode_message(
                dataclasses.replace(_HERE, ended=(16,), clothes=((17, bytes([90, 120, 140, 40, 128, 126])),))
            ),
        ),
        ("keys and members to come", "track", cbor2.dumps(_to_come(), canonical=True)),
        ("a question", "track/ask/<node>", encode_ask(7_214_300_456_789)),
        (
            "its answer",
            "track/answer/<node>",
            encode_answer(Answer(7_214_300_456_789, 40_123, 3_214_300_500_001, 3_214_300_500_420)),
        ),
    ]
    return {
        "read": [
            {"name": name, "topic": topic, "hex": data.hex(), "json": _said(topic, data)} for name, topic, data in read
        ],
        "refused": [
            {"name": name, "topic": topic, "hex": data.hex()} for name, topic, data in _refused(encode_message(_FRAME))
        ],
    }


def _said(topic: str, data: bytes) -> Any:
    if topic.startswith("track/ask"):
        return {"ask_us": decode_ask(data)}
    if topic.startswith("track/answer"):
        return dataclasses.asdict(decode_answer(data))
    found = dataclasses.asdict(decode_message(data))
    found["clothes"] = [[identity, list(colours)] for identity, colours in found["clothes"]]
    found["points"] = [_rounded(update) for update in decode_message(data).updates]
    return json.loads(json.dumps(found))


def _rounded(update: TrackUpdate) -> dict[str, Any]:
    point = dataclasses.asdict(update.point("", 0))
    return {name: round(value, 3) for name, value in point.items() if name.endswith(("_mm", "_mm2", "_mm_s"))}


def _to_come() -> dict[int, Any]:
    item = cbor2.loads(encode_message(_FRAME))
    item[HEAD].append("more")
    item[UPDATES][0][8] = 0b110
    item[UPDATES][0].append("more")
    item[HERE] = ["aisle-1", 1, 38_000, None]
    item[CLOTHES] = [[17, b"\x01\x02\x03", 5]]
    item[30] = {"new": [1.5]}
    return dict(item)


def _refused(good: bytes) -> list[tuple[str, str, bytes]]:
    item = cbor2.loads(good)
    head, update = item[HEAD], item[UPDATES][0]
    return [
        ("nothing", "track", b""),
        ("cut short", "track", good[:-1]),
        ("two maps", "track", good + good),
        ("no head", "track", cbor2.dumps({UPDATES: [update]})),
        ("a run that is none", "track", cbor2.dumps({HEAD: [65_536, *head[1:]]})),
        ("a place that is no whole number", "track", cbor2.dumps({HEAD: head, UPDATES: [[17, 1.5, *update[2:]]]})),
        ("an update cut short", "track", cbor2.dumps({HEAD: head, UPDATES: [update[:8]]})),
        ("a camera without a name", "track", cbor2.dumps({HEAD: head, HERE: ["", 0, 0]})),
        ("a question without a time", "track/ask/<node>", cbor2.dumps({8: []})),
        ("an answer with a text", "track/answer/<node>", cbor2.dumps({9: [1, 2, "3", 4]})),
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n")
