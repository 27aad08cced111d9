"""What nodes say in JSON to a consumer: their status, and their answers to `resend`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MOST_BYTES = 1 << 20
_BOOT_LIMIT = 1 << 32
_MOST_TEXT = 300
_MOST_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """To a `resend` (edge.stream.uplink.resends has every field).

    Attributes:
        gone: first and last number of ranges that were asked for and that the node hasn't got any more.
        last: the boot's last entry at that time; of a boot that the node doesn't know, the one before what was asked.
        sent_to: what isn't gone comes up to here; 0: nothing does.
        more: there is more of what was asked for; ask again from behind `sent_to`.
        present_boot: the boot that the node is in.
        boots: first and last of ranges of boots of which anything is kept, the oldest first; None: it doesn't tell.
        retry_s: where it isn't ok: that it could be, so many seconds later; None: it won't be.
    """

    request_id: str
    ok: bool
    text: str
    gone: tuple[tuple[int, int], ...] = ()
    last: int | None = None
    sent_to: int = 0
    more: bool = False
    present_boot: int | None = None
    boots: tuple[tuple[int, int], ...] | None = None
    retry_s: float | None = None

    @property
    def exists(self) -> int:
        """An entry that there is, or was, though perhaps it doesn't come yet."""
        return max(self.last or 0, self.sent_to + self.more)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The retained status. `word` is None while nothing is known."""

    word: str | None = None
    boot: int | None = None

    @property
    def online(self) -> bool:
        """It says that it is there."""
        return self.word == "online"

    @property
    def away(self) -> bool:
        """It says, or the broker says for it, that it isn't there."""
        return self.word in ("offline", "stopped")


def read_status(payload: bytes) -> NodeStatus | str:
    """A node's status, or a sentence on what is wrong with it. An empty one says that it was taken away."""
    if not payload:
        return NodeStatus()
    found = _object(payload)
    if isinstance(found, str):
        return f"status: {found}"
    word = found.get("status")
    if not isinstance(word, str):
        return "status: expected a JSON object with a status"
    return NodeStatus(_printable(word), _whole(found.get("boot"), _BOOT_LIMIT))


def read_answer(payload: bytes) -> Answer | str:
    """A node's answer, or a sentence on what is wrong with it."""
    found = _object(payload)
    if isinstance(found, str):
        return f"answer to resend: {found}"
    request_id, text = found.get("id"), found.get("text")
    gone, boots, retry_s = found.get("gone"), found.get("boots"), found.get("retry_s")
    return Answer(
        request_id=request_id if isinstance(request_id, str) else "",
        ok=found.get("ok") is True,
        text=_printable(text) if isinstance(text, str) else "it doesn't say why",
        gone=tuple(_ranges(gone, 1)) if isinstance(gone, list) else (),
        last=_whole(found.get("last")),
        sent_to=_whole(found.get("last_seq")) or 0,
        more=found.get("more") is True,
        present_boot=_whole(found.get("present_boot"), _BOOT_LIMIT),
        boots=tuple(_ranges(boots, 0, _BOOT_LIMIT)) if isinstance(boots, list) else None,
        retry_s=_seconds(retry_s),
    )


def _ranges(ranges: list[Any], least: int, limit: int = 1 << 63) -> Iterator[tuple[int, int]]:
    for each in ranges:
        if isinstance(each, list) and len(each) >= 2:
            first, last = _whole(each[0], limit), _whole(each[1], limit)
            if first is not None and last is not None and least <= first <= last:
                yield first, last


def _object(payload: bytes) -> dict[str, Any] | str:
    if len(payload) > _MOST_BYTES:
        return f"{len(payload)} bytes; expected at most {_MOST_BYTES}"
    try:
        found = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError):
        return "not JSON"
    return found if isinstance(found, dict) else "expected a JSON object"


def _seconds(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
        return None
    return float(min(value, _MOST_RETRY_S))


def _printable(text: str) -> str:
    """It is shown to people: it mustn't move their cursor, and it must be text that can be written."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:_MOST_TEXT])


def _whole(value: Any, limit: int = 1 << 63) -> int | None:
    return value if type(value) is int and 0 <= value < limit else None
