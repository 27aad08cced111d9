"""A planogram's text with another weight for one SKU: only these values change, comments and layout stay."""

from __future__ import annotations

from typing import Any

import yaml

from edge.config.edited_file import EditError
from edge.config.errors import ConfigError, Problem
from edge.config.planogram_file import read_planogram
from edge.config.schema import Planogram
from edge.config.yaml_source import parse_yaml


def with_weight(text: str, file: str, sku: str, weight: str, spread: str) -> str:
    """``text`` with these quantities ("351.6 g") as the SKU's `weight` and `spread`, which is added if there is none.

    What is quoted stays quoted, and what is new is quoted as the weight is: JSON stays JSON.

    Raises:
        EditError: where that can't be done in its place. ConfigError: ``text`` is no planogram.
    """
    before = _planogram(text, file)
    entry = _entry(text, file, sku)
    values = {key.value: (key, value) for key, value in entry.value}
    key, value = values["weight"]
    edits = [(*_span(text, file, key, value, f"skus.{sku}.weight"), _like(value, weight))]
    spread = _like(value, spread)
    if "spread" in values:
        own_key, own = values["spread"]
        begin, end = _span(text, file, own_key, own, f"skus.{sku}.spread")
        edits.append((begin, end, " " + spread if begin == end else spread))
    else:
        new = f"{_like(key, 'spread')}: {spread}"
        edits.append(_added_after(text, key, edits[0][1], bool(entry.flow_style), new))
    for begin, end, new in sorted(edits, reverse=True):
        text = text[:begin] + new + text[end:]
    _check(before, text, file, sku)
    return text


def _like(scalar: Any, new: str) -> str:
    """``new`` in the quotes of another scalar; a quantity has none in it."""
    quote = scalar.style if scalar.style in ("'", '"') else ""
    return f"{quote}{new}{quote}"


def _entry(text: str, file: str, sku: str) -> Any:
    """The SKU's mapping, as PyYAML's node with its marks."""
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    skus = next((value for key, value in root.value if key.value == "skus"), None)
    found = [(key, value) for key, value in (skus.value if skus is not None else []) if key.value == sku]
    if not found or not isinstance(found[0][1], yaml.MappingNode):
        raise EditError(f"{file}: there is no SKU {sku} to change")
    key, entry = found[0]
    if entry.start_mark.index < key.end_mark.index:
        raise EditError(f"{file}: SKU {sku} is written elsewhere and shared (*name); write it out first")
    return entry


def _span(text: str, file: str, key: Any, value: Any, path: str) -> tuple[int, int]:
    """Where a value stands in the text. Refused for one that stands for others too."""
    begin, end = value.start_mark.index, value.end_mark.index
    if begin < key.end_mark.index or text[begin : begin + 1] in ("&", "*", "|", ">"):
        raise EditError(
            f"{file}:{key.start_mark.line + 1}: {path}: its value is shared or written in an unusual way "
            f"({text[key.end_mark.index : key.end_mark.index + 20].strip()!r}); write it as a plain quantity first"
        )
    return begin, end


def _added_after(text: str, key: Any, end: int, flow: bool, new: str) -> tuple[int, int, str]:
    """A further entry: beside the one that ends there, or on a line of its own below it (and its comment)."""
    if flow:
        return end, end, f", {new}"
    line_break = "\r\n" if "\r\n" in text else "\n"
    at = text.find(line_break, end)
    at = len(text) if at < 0 else at
    return at, at, line_break + " " * key.start_mark.column + new


def _check(before: Planogram, text: str, file: str, sku: str) -> None:
    """Nothing but the SKU's weight and spread differs."""
    after = _planogram(text, file)
    old, new = before.skus[sku], after.skus[sku]
    same = new.model_copy(update={"weight_g": old.weight_g, "spread_g": old.spread_g})
    if after.slots != before.slots or {**after.skus, sku: same} != before.skus:
        raise EditError(f"{file}: the new weight can't be written without changing more; do it by hand")


def _planogram(text: str, file: str) -> Planogram:
    root, problems = parse_yaml(text, file)
    if root is None or problems:
        raise ConfigError(problems or [Problem(file, 1, "", "", "the file is empty; expected a planogram")])
    pieces = read_planogram(root, file, problems)
    if problems:
        raise ConfigError(problems)
    return pieces.build()
