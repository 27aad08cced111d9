"""Pydantic's complaints as sentences that a technician can act on, and the place in the file they are about."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from pydantic_core import ErrorDetails

from edge.config.errors import Problem
from edge.config.ids import ID_HINT, ID_PATTERN
from edge.config.yaml_source import KeyPath, Located, key_path

_MOST_COMPARED = 200


def close_match(word: str, known: Collection[str]) -> str:
    """The known word that looks most like this one, or an empty text."""
    lower = {each.lower(): each for each in known}
    if len(lower) > _MOST_COMPARED:  # a big planogram with thousands of wrong names is still checked in seconds
        alike = [name for name in lower if name[:2] == word[:2].lower()]
        lower = {name: lower[name] for name in alike[:_MOST_COMPARED]}
    near = difflib.get_close_matches(word.lower()[:100], lower, n=1)
    return lower[near[0]] if near else ""


def problem_at(file: str, path: KeyPath, node: Located, keys: KeyPath, expected: str) -> Problem:
    """A problem with what ``keys`` lead to inside ``node``, or with the nearest thing around it that is there."""
    value = ""
    for count, key in enumerate(keys):
        inside = _child(node, key)
        if inside is None:
            value = "missing" if count == len(keys) - 1 and isinstance(key, str) else _as_written(node)
            break
        node = inside
    else:
        value = _as_written(node) if keys or not isinstance(node.value, dict) else ""
    return Problem(file, node.line, key_path((*path, *keys)), value, expected)


def what_is_expected(detail: ErrorDetails, description: str | None) -> str:
    """One of pydantic's errors in our words. ``description`` is the field's own, for what we have no words for."""
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return _with("expected one more value", description)
    if kind == "string_pattern_mismatch" and context.get("pattern") == ID_PATTERN:
        return f"expected {ID_HINT}"
    if kind in ("string_too_short", "string_too_long"):
        return _with(f"expected {_count(context)} characters", description)
    if kind == "literal_error":
        return _with(f"expected {context['expected']}", description)
    if kind == "bool_parsing":
        return _with("expected true or false", description)
    if kind.startswith("string_"):
        return _with("expected a text", description)
    if kind.startswith("int_"):
        return _with("expected a whole number", description)
    if kind.startswith(("float_", "finite_")):
        return _with("expected a number", description)
    if kind in _COMPARISONS:
        return _with(f"expected a number {_COMPARISONS[kind]} {next(iter(context.values()))}", description)
    if kind in ("too_short", "too_long"):
        return _with(f"expected {_count(context)} entries", description)
    if kind.startswith(("tuple_", "list_")):
        return _with("expected a list", description)
    return _with(detail["msg"], description)


_COMPARISONS = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}


def _count(context: dict[str, object]) -> str:
    return f"at least {context['min_length']}" if "min_length" in context else f"at most {context['max_length']}"


def _with(sentence: str, description: str | None) -> str:
    return f"{sentence} ({description})" if description else sentence


def _child(node: Located, key: str | int) -> Located | None:
    if isinstance(node.value, dict) and isinstance(key, str):
        return node.value.get(key)
    if isinstance(node.value, list) and isinstance(key, int) and key < len(node.value):
        return node.value[key]
    return None


def _as_written(node: Located) -> str:
    if node.value is None:
        return "nothing"
    if isinstance(node.value, str):
        return f'"{node.value}"' if node.quoted else node.value
    if isinstance(node.value, list):
        return "[" + ", ".join(_as_written(each) for each in node.value[:4]) + ("]" if len(node.value) <= 4 else ", …]")
    return "{" + ", ".join(list(node.value)[:4]) + ("}" if len(node.value) <= 4 else ", …}")
