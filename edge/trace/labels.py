"""Labels as JSON: a list, or ``{"labels": [...]}``, of objects with the field names of `Label`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.trace.errors import TraceError, TraceFileError
from edge.trace.event import Kind, Label

if TYPE_CHECKING:
    from edge.config.setup import Setup


def labels_from_file(path: Path) -> tuple[Label, ...]:
    """Labels of a JSON file. Raises TraceError naming file, entry, key and what is expected, or TraceFileError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TraceFileError(f"{path}: can't read the labels: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TraceError(f"{path}: not UTF-8 text; expected JSON labels") from None
    return labels_from_json(text, str(path))


def labels_from_json(text: str, where: str) -> tuple[Label, ...]:
    """Labels out of JSON text. Raises TraceError with every problem, one per line."""
    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise TraceError(f"{where}:{error.lineno}: not JSON ({error.msg}); expected a list of labels") from None
    except RecursionError:
        raise TraceError(f"{where}: nested too deep; expected a list of labels") from None
    if isinstance(data, Mapping) and "labels" in data:
        data = data["labels"]
    if not isinstance(data, list):
        raise TraceError(f'{where}: expected a list of labels or {{"labels": [...]}}, got {_shown(data)}')
    problems: list[str] = []
    labels: list[Label] = []
    for number, entry in enumerate(data, start=1):
        found = _entry_problems(entry)
        problems += [f"{where}: label {number}: {problem}" for problem in found]
        if not found:
            labels.append(_label(entry))
    if problems:
        raise TraceError("\n".join(problems))
    return tuple(labels)


def labels_to_json(labels: Iterable[Label]) -> str:
    """Labels as JSON, one per line, so that people can edit them."""
    rows = [json.dumps(_entry(label), ensure_ascii=False) for label in labels]
    return (
        '{"labels": ['
        + "".join("\n  " + row + ("," if i + 1 < len(rows) else "\n") for i, row in enumerate(rows))
        + "]}\n"
    )


def _entry(label: Label) -> dict[str, object]:
    entry: dict[str, object] = {
        "kind": label.kind.value,
        "board": label.board,
        "sku": label.sku,
        "slot": label.slot,
        "quantity": label.quantity,
        "start_s": label.start_s,
        "end_s": label.end_s,
    }
    return entry | {"foreign": True} if label.foreign else entry


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_text_or_null(value: object) -> bool:
    return value is None or _is_text(value)


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 9e9


def _is_quantity(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000


_KEYS: dict[str, tuple[Callable[[object], bool], str, bool]] = {
    "kind": (lambda value: value in ("pick", "put"), '"pick" or "put"', True),
    "board": (_is_text, "the id of a board", True),
    "sku": (_is_text_or_null, "the id of a SKU, or null when it isn't known", False),
    "slot": (_is_text_or_null, "the id of a slot, or null when it isn't known", False),
    "quantity": (_is_quantity, "a whole number from 1 to 1000", False),
    "start_s": (_is_seconds, "seconds on the trace's clock", True),
    "end_s": (_is_seconds, "seconds on the trace's clock, not before start_s", True),
    "foreign": (lambda value: isinstance(value, bool), "true for an object that isn't in the planogram", False),
}


def _entry_problems(entry: object) -> list[str]:
    if not isinstance(entry, Mapping):
        return [f"expected an object with {', '.join(_KEYS)}; got {_shown(entry)}"]
    problems = [f"{key}: not a key of a label; expected {', '.join(_KEYS)}" for key in entry if key not in _KEYS]
    for key, (fits, expected, required) in _KEYS.items():
        if key not in entry:
            if required:
                problems.append(f"{key}: missing; expected {expected}")
        elif not fits(entry[key]):
            problems.append(f"{key}: got {_shown(entry[key])}; expected {expected}")
    if not problems and entry["end_s"] < entry["start_s"]:
        problems.append(f"end_s: {entry['end_s']} lies before start_s {entry['start_s']}; expected the end of the move")
    if not problems and entry.get("foreign"):
        for key in ("sku", "slot"):
            if entry.get(key) is not None:
                problems.append(f"{key}: got {_shown(entry[key])}; expected none, because a foreign object has none")
    return problems


def _label(entry: Mapping[str, Any]) -> Label:
    return Label(
        kind=Kind(entry["kind"]),
        board=entry["board"],
        sku=entry.get("sku"),
        slot=entry.get("slot"),
        quantity=entry.get("quantity", 1),
        start_s=float(entry["start_s"]),
        end_s=float(entry["end_s"]),
        foreign=entry.get("foreign", False),
    )


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def unknown_names(labels: Iterable[Label], setup: Setup, where: str) -> list[str]:
    """A sentence for each board, SKU or slot in the labels that the config doesn't have: such a label can't be met."""
    kinds = (("board", setup.node.boards), ("sku", setup.planogram.skus), ("slot", setup.planogram.slots))
    named = dict.fromkeys((kind, getattr(label, kind)) for label in labels for kind, _ in kinds)
    known = {kind: set(names) for kind, names in kinds}
    return [
        f"{where}: {kind} {name!r} isn't in the config; no event can agree with that label"
        for kind, name in named
        if name is not None and name not in known[kind]
    ]
