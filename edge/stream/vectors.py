"""Examples of the wire format for people who write readers: bytes, and what they say.

Write them again after adding one: ``python -m edge.stream.vectors > edge/stream/vectors.json``. The bytes of those that
are there never change.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from edge.stream.entry import EventEntry, Note, Stamp, TimeQuality
from edge.stream.entry_json import entry_to_object
from edge.stream.uplink.command_keys import command_text, sign_command
from edge.stream.uplink.topics import Names
from edge.stream.wire import decode_items, encode, for_wire
from edge.stream.wire_keys import BITS, BOARD, BOOT, BOOT_LIMIT, DETAILS, DOUBT, GRAMS, HEAD, REVISION, SEQ, TIME_MS
from edge.trace.event import Alternative, Event, Evidence, Kind, Status

STORE, NODE = "store-7", "node-3"

_BOOT = 3_456_789_012
_WALL_NS = 1_795_284_000_123_000_000  # 2026-11-21T18:00:00.123Z
_TIME_NS = 7_214_300_456_789
_SYNCED, _FREE, _WRONG = (Stamp(_WALL_NS, quality) for quality in TimeQuality)
_PICK = Event(
    event_id="shelf-1-000077",
    revision=2,
    status=Status.FINAL,
    kind=Kind.PICK,
    board="shelf-1",
    slot="A1",
    sku="cola-033",
    quantity=1,
    grams=-355.1,
    x_mm=123.4,
    y_mm=234.5,
    time_ns=_TIME_NS,
    decided_ns=_TIME_NS + 903_000_000,
    confidence=0.999988,
    needs_review=False,
)
_DOUBTFUL = dataclasses.replace(
    _PICK,
    event_id="shelf-1-000078",
    confidence=0.91,
    needs_review=True,
    alternatives=(
        Alternative(Kind.PICK, "lemon-033", "A2", 1, 0.0801),
        Alternative(None, None, None, 0, 0.0099),
    ),
    evidence=Evidence(
        change_g=(-171.3, -80.0, math.nan, -34.6),
        sd_g=1.27,
        before_ms=800.0,
        after_ms=412.5,
        begin_ns=_TIME_NS - 310_000_000,
        end_ns=_TIME_NS + 425_000_000,
        faults=("cell rl: stuck",),
    ),
)
_KEY = bytes.fromhex("6f1d0c5f2c8e4f0fa1d6a7d0b1f0c3e2")
_COMMANDS: tuple[tuple[str | None, str, dict[str, Any]], ...] = (
    (STORE, "resend", {"id": "r-1", "boot": _BOOT - 1, "from_seq": 17, "to_seq": 20}),
    (None, "rebirth", {"id": 'é棚😀/"1'}),
)
_FOREIGN = dataclasses.replace(_PICK, kind=Kind.PUT, slot=None, sku=None, grams=212.0)


def vectors() -> dict[str, Any]:
    """``read``: name, bytes, and the entries they are, as `entry_to_object` says it; ``refused``: name and bytes;
    ``signed``: commands, the key, the text whose HMAC is the signature, and the payload."""
    read = {name: {"hex": data.hex(), "json": _objects(data)} for name, data in _messages().items()}
    return {
        "store": STORE,
        "node": NODE,
        "read": [{"name": name} | vector for name, vector in read.items()],
        "refused": [{"name": name, "hex": data.hex()} for name, data in _refused().items()],
        "signed": [_signed(*each) for each in _COMMANDS],
    }


def _signed(store: str | None, command: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    names = Names(store, NODE)
    return {
        "command": command,
        "topic": names.command(command),
        "key_hex": _KEY.hex(),
        "text": command_text(names, command, _BOOT, payload),
        "payload": sign_command("back-office", _KEY, names, command, _BOOT, payload),
    }


def _messages() -> dict[str, bytes]:
    pick = _sent(_PICK)
    dropped = {"first_boot": _BOOT - 1, "boot": _BOOT, "first": 17, "last": 92, "count": 76, "reason": "full"}
    return {
        "a pick, accepted": pick,
        "its provisional revision": _sent(
            dataclasses.replace(_PICK, revision=1, status=Status.PROVISIONAL, confidence=0.97), seq=12_344
        ),
        "retracted later": _sent(
            dataclasses.replace(_PICK, revision=3, status=Status.RETRACTED, confidence=1.0), seq=12_399
        ),
        "three put back, on a board of one cell": _sent(
            dataclasses.replace(_PICK, kind=Kind.PUT, quantity=3, grams=1065.3, x_mm=None, y_mm=None)
        ),
        "a foreign object": _sent(_FOREIGN),
        "for a person to look at, with alternatives and evidence": _sent(_DOUBTFUL),
        "who, as cameras tell": _sent(dataclasses.replace(_PICK, who=(("track-9", 0.93), ("track-4", 0.07)))),
        "who: a track of a ceiling camera, or nobody who is followed": _sent(
            dataclasses.replace(_PICK, who=(("aisle-1.40123.17", 0.93), ("", 0.07)))
        ),
        "weight and depth not known": _sent(dataclasses.replace(_PICK, grams=math.nan, y_mm=None)),
        "an id of another form, another script": _sent(
            dataclasses.replace(_PICK, event_id="7f3c", board="棚-1", sku="чай-100", slot=None)
        ),
        "sent late": _sent(_PICK, historical=True),
        "the clock runs on its own": _sent(_PICK, time=_FREE),
        "the clock is wrong": _sent(_PICK, time=dataclasses.replace(_WRONG, wall_ns=5_250_000_000)),
        "as the node keeps it": _kept(_DOUBTFUL),
        "the largest boot and seq": _sent(_PICK, boot=BOOT_LIMIT - 1, seq=(1 << 64) - 1),
        "note: dropped": _note("dropped", dropped),
        "note: clock": _note("clock", {"boot": _BOOT, "offset_ms": 1_795_276_785_823, "quality": "synced"}),
        "note: damaged": _note(
            "damaged",
            {"file": "outbox.damaged-1.db", "rows_kept": 41, "rows_lost": 2, "missing": [[_BOOT - 1, 5, 6]]},
            _FREE,
        ),
        "note of a kind to come": _note("moon", {"phase": 0.5, "full": False, "names": ["first", None]}),
        "two entries in one message": pick + _note("dropped", dropped),
        "no entry at all": b"",
        "keys and members to come": _extended(pick),
    }


def _refused() -> dict[str, bytes]:
    pick = _sent(_PICK)
    return {
        "cut short": pick[:-1],
        "not a map": cbor2.dumps([1, 2, 3]),
        "text of another program": b"{}",
        "no head": _changed(pick, lambda item: item.pop(HEAD)),
        "a head cut short": _changed(pick, lambda item: item[HEAD].__delitem__(slice(DOUBT, None))),
        "seq 0": _changed(pick, lambda item: item[HEAD].__setitem__(SEQ, 0)),
        "boot of 33 bits": _changed(pick, lambda item: item[HEAD].__setitem__(BOOT, BOOT_LIMIT)),
        "a board without a name": _changed(pick, lambda item: item[HEAD].__setitem__(BOARD, None)),
        "grams as a float": _changed(pick, lambda item: item[HEAD].__setitem__(GRAMS, -355.1)),
        "true as a number": _changed(pick, lambda item: item[HEAD].__setitem__(REVISION, True)),
        "1000 milliseconds": _changed(pick, lambda item: item[HEAD].__setitem__(TIME_MS, 1000)),
        "status 3": _changed(pick, lambda item: item[HEAD].__setitem__(BITS, 0b110)),
        "a tag": b"\xd9\xd9\xf7" + pick,
        "indefinite length": b"\xbf" + pick[1:] + b"\xff",
        "2**64 items announced": b"\x9b" + b"\xff" * 8,
        "a key twice": b"\xa2\x01\x01\x01\x01",
        "bytes in details": _changed(_note("moon", {}), lambda item: item[DETAILS].__setitem__("x", b"x")),
    }


def _kept(event: Event, time: Stamp = _SYNCED, boot: int = _BOOT, seq: int = 12_345) -> bytes:
    return encode(EventEntry(boot, seq, event, time))


def _sent(event: Event, time: Stamp = _SYNCED, boot: int = _BOOT, seq: int = 12_345, historical: bool = False) -> bytes:
    return for_wire(_kept(event, time, boot, seq), evidence=False, historical=historical)


def _note(what: str, details: Mapping[str, Any], time: Stamp = _SYNCED) -> bytes:
    note = Note(_BOOT, 93, what, time, _TIME_NS, details)
    return for_wire(encode(note), evidence=False, historical=False)


def _changed(data: bytes, change: Callable[[dict[int, Any]], object]) -> bytes:
    item = cbor2.loads(data)
    change(item)
    return cbor2.dumps(item)


def _extended(data: bytes) -> bytes:
    """What a later version might send."""
    item = cbor2.loads(data)
    item[HEAD].append("more")
    item[30] = {"new": [1.5, b"\x00"]}
    return cbor2.dumps(item)


def _objects(data: bytes) -> list[dict[str, object]]:
    return [entry_to_object(entry, STORE, NODE) for entry in decode_items(data)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n")
