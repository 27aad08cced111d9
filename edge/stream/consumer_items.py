"""A message's bytes, entry by entry: one that can't be read doesn't spoil those beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge.stream.cbor_reader import CborError, read_item
from edge.stream.consumer_delivery import Received
from edge.stream.wire import WireError, decode_items
from edge.stream.wire_keys import IDENTITY
from edge.stream.wire_reader import MOST_PAYLOAD_BYTES

_MOST_BOOT, _MOST_SEQ = (1 << 32) - 1, (1 << 63) - 1  # a database's integer holds it; no node gets there


def items_of(node: str, payload: bytes) -> Iterator[Received | str]:
    """The entries of a message in their order; a sentence for what isn't one. An empty message has none."""
    if len(payload) > MOST_PAYLOAD_BYTES:
        yield f"a message of {len(payload)} bytes; expected at most {MOST_PAYLOAD_BYTES}"
        return
    begin = 0
    while begin < len(payload):
        try:
            item, end = read_item(payload, begin)
        except CborError as error:
            yield f"not the stream's CBOR from byte {begin} of a message on: {error}"
            return
        yield _received(node, bytes(payload[begin:end]), item)
        begin = end


def _received(node: str, data: bytes, item: Any) -> Received | str:
    try:
        (entry,) = decode_items(data)
    except WireError as error:
        identity = _identity(item)
        return str(error) if identity is None else Received(node, *identity, data, None, str(error))
    if not 0 < entry.seq <= _MOST_SEQ:
        return f"an entry of boot {entry.boot} with number {entry.seq}; expected 1 to {_MOST_SEQ}"
    return Received(node, entry.boot, entry.seq, data, entry)


def _identity(item: Any) -> tuple[int, int] | None:
    """Boot and seq of an entry that can't be read otherwise: made by a newer version, most likely."""
    numbers = item.get(IDENTITY) if isinstance(item, dict) else None
    if not isinstance(numbers, list) or len(numbers) < 2:
        return None
    boot, seq = numbers[:2]
    if type(boot) is not int or type(seq) is not int or not (0 <= boot <= _MOST_BOOT and 0 < seq <= _MOST_SEQ):
        return None
    return boot, seq
