"""Events as JSON objects, the form for people: every name with its unit, and back. Files of them: `event_file`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

from edge.trace.event import Alternative, Event, Evidence, Kind, Status

_NS_PER_S = 1_000_000_000
_LEAST_INT64, _MOST_INT64 = -(1 << 63), (1 << 63) - 1
_MOST_QUANTITY = 1000
_MOST_NUMBER = 1e15
_Value = TypeVar("_Value")


def event_to_object(event: Event) -> dict[str, object]:
    """An event as the JSON object that people and scripts read, keys always in this order.

    ``time`` and ``decided`` are integer nanoseconds on the trace's clock; ``time_s`` and ``decided_s`` say the same in
    seconds. Grams and millimetres are rounded to 0.1, probabilities to six digits.
    """
    return {
        "event_id": event.event_id,
        "revision": int(event.revision),
        "status": event.status.value,
        "kind": event.kind.value,
        "board": event.board,
        "slot": event.slot,
        "sku": event.sku,
        "quantity": int(event.quantity),
        "grams": _rounded(event.grams, 1),
        "x_mm": _rounded(event.x_mm, 1),
        "y_mm": _rounded(event.y_mm, 1),
        "time": int(event.time_ns),
        "decided": int(event.decided_ns),
        "confidence": _rounded(event.confidence, 6),
        "needs_review": bool(event.needs_review),
        "alternatives": [_alternative_to_object(alternative) for alternative in event.alternatives],
        "who": {track: _rounded(probability, 6) for track, probability in event.who},
        "evidence": None if event.evidence is None else _evidence_to_object(event.evidence),
        "time_s": int(event.time_ns) / _NS_PER_S,
        "decided_s": int(event.decided_ns) / _NS_PER_S,
    }


def event_to_line(event: Event) -> str:
    """An event as one line of JSON, without the line end."""
    return json.dumps(event_to_object(event), ensure_ascii=False, allow_nan=False)


def event_from_object(data: object) -> Event:
    """An event out of the object that `event_to_object` makes. Raises ValueError naming the key and what is expected.

    ``time_s`` and ``decided_s`` are for people and aren't read; keys this version doesn't know are left alone.
    """
    fields = _Fields(data)
    return Event(
        event_id=fields.text("event_id"),
        revision=fields.whole("revision", 0),
        status=Status(fields.one_of("status", list(Status))),
        kind=Kind(fields.one_of("kind", list(Kind))),
        board=fields.text("board"),
        slot=fields.maybe(fields.text, "slot"),
        sku=fields.maybe(fields.text, "sku"),
        quantity=fields.whole("quantity", 1, _MOST_QUANTITY),
        grams=fields.number_or_nan("grams"),
        x_mm=fields.maybe(fields.number, "x_mm"),
        y_mm=fields.maybe(fields.number, "y_mm"),
        time_ns=fields.whole("time"),
        decided_ns=fields.whole("decided"),
        confidence=fields.share("confidence"),
        needs_review=fields.truth("needs_review"),
        alternatives=tuple(_alternative_from_object(item) for item in fields.items("alternatives")),
        who=tuple(fields.pairs("who")),
        evidence=fields.maybe(lambda key: _evidence_from_object(fields.data[key]), "evidence"),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    """None where there is no number: JSON knows neither NaN nor infinity. Never minus zero."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits) + 0.0


def _alternative_to_object(alternative: Alternative) -> dict[str, object]:
    return {
        "kind": None if alternative.kind is None else alternative.kind.value,
        "sku": alternative.sku,
        "slot": alternative.slot,
        "quantity": int(alternative.quantity),
        "probability": _rounded(alternative.probability, 6),
    }


def _alternative_from_object(data: object) -> Alternative:
    fields = _Fields(data, "alternatives.")
    return Alternative(
        kind=fields.maybe(lambda key: Kind(fields.one_of(key, list(Kind))), "kind"),
        sku=fields.maybe(fields.text, "sku"),
        slot=fields.maybe(fields.text, "slot"),
        quantity=fields.whole("quantity", 0, _MOST_QUANTITY),
        probability=fields.share("probability"),
    )


def _evidence_to_object(evidence: Evidence) -> dict[str, object]:
    return {
        "change_g": [_rounded(change, 1) for change in evidence.change_g],
        "sd_g": _rounded(evidence.sd_g, 2),
        "before_ms": _rounded(evidence.before_ms, 1),
        "after_ms": _rounded(evidence.after_ms, 1),
        "begin_ns": int(evidence.begin_ns),
        "end_ns": int(evidence.end_ns),
        "faults": list(evidence.faults),
    }


def _evidence_from_object(data: object) -> Evidence:
    fields = _Fields(data, "evidence.")
    return Evidence(
        change_g=tuple(
            math.nan if item is None else _number(item, "evidence.change_g") for item in fields.items("change_g")
        ),
        sd_g=fields.number_or_nan("sd_g"),
        before_ms=fields.number_or_nan("before_ms"),
        after_ms=fields.number_or_nan("after_ms"),
        begin_ns=fields.whole("begin_ns"),
        end_ns=fields.whole("end_ns"),
        faults=tuple(str(item) for item in fields.items("faults")),
    )


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: expected a number, got {_shown(value)}")
    if not abs(value) <= _MOST_NUMBER:  # NaN isn't either
        raise ValueError(f"{key}: expected a number within ±1e15, got {_shown(value)}")
    return float(value)


def _share(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{key}: expected a number from 0 to 1, got {_shown(value)}")
    return float(value)


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) <= _MOST_INT64 else "a number of more than 64 bits"
    return text if len(text) <= 60 else text[:57] + "..."


class _Fields:
    """An object's values by key, each checked when it is taken."""

    def __init__(self, data: object, prefix: str = "") -> None:
        if not isinstance(data, dict):
            where = prefix.rstrip(".") or "event"
            raise ValueError(f"{where}: expected a JSON object, got {type(data).__name__}")
        self.data: dict[str, Any] = data
        self._prefix = prefix

    def _value(self, key: str, expected: str) -> Any:
        if key not in self.data:
            raise ValueError(f"{self._prefix}{key}: missing; expected {expected}")
        return self.data[key]

    def _wrong(self, key: str, expected: str) -> ValueError:
        return ValueError(f"{self._prefix}{key}: expected {expected}, got {_shown(self.data[key])}")

    def maybe(self, take: Callable[[str], _Value], key: str) -> _Value | None:
        return None if self.data.get(key) is None else take(key)

    def text(self, key: str) -> str:
        value = self._value(key, "a text")
        if not isinstance(value, str):
            raise self._wrong(key, "a text")
        return value

    def one_of(self, key: str, words: list[str]) -> str:
        expected = f"one of {', '.join(words)}"
        value = self._value(key, expected)
        if value not in words:
            raise self._wrong(key, expected)
        return str(value)

    def whole(self, key: str, least: int = _LEAST_INT64, most: int = _MOST_INT64) -> int:
        expected = "a whole number"
        if (least, most) != (_LEAST_INT64, _MOST_INT64):
            expected += f" from {least}" + ("" if most == _MOST_INT64 else f" to {most}")
        value = self._value(key, expected)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(key, expected)
        if not least <= value <= most:
            raise self._wrong(key, expected if most != _MOST_INT64 else f"{expected} that fits in 64 bits")
        return value

    def number(self, key: str) -> float:
        return _number(self._value(key, "a number"), self._prefix + key)

    def number_or_nan(self, key: str) -> float:
        """What isn't known is null."""
        value = self._value(key, "a number, or null when it isn't known")
        return math.nan if value is None else _number(value, self._prefix + key)

    def share(self, key: str) -> float:
        return _share(self._value(key, "a number from 0 to 1"), self._prefix + key)

    def truth(self, key: str) -> bool:
        value = self._value(key, "true or false")
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def items(self, key: str) -> list[Any]:
        value = self.data.get(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def pairs(self, key: str) -> list[tuple[str, float]]:
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong(key, "an object of track: probability")
        return [(track, _share(probability, f"{self._prefix}{key}.{track}")) for track, probability in value.items()]
