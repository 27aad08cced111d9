"""One mapping of a file against one model, field by field: a mistake in one field never hides another."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from edge.config.errors import Problem
from edge.config.ids import ID_HINT, ID_PATTERN
from edge.config.wording import close_match, problem_at, what_is_expected
from edge.config.yaml_source import KeyPath, Located, plain


@dataclass
class Piece:
    """What could be read of one mapping.

    Attributes:
        values: the fields that are valid, by attribute name.
        node: where they stand; path: the keys that lead there.
        problems: the list that all pieces of a setup share.
        meant: keys that unknown ones were probably meant to be.
    """

    model: type[BaseModel]
    file: str
    path: KeyPath
    node: Located
    problems: list[Problem]
    values: dict[str, Any] = field(default_factory=dict)
    meant: set[str] = field(default_factory=set)

    def add(self, attribute: str | None, expected: str, *inside: int) -> None:
        """Report a problem with a field (or with an item of its list), or with the piece as a whole."""
        keys: KeyPath = () if attribute is None else (yaml_name(self.model, attribute), *inside)
        self.problems.append(problem_at(self.file, self.path, self.node, keys, expected))


def read_piece(
    model: type[BaseModel],
    file: str,
    path: KeyPath,
    node: Located,
    problems: list[Problem],
    nested: Collection[str] = (),
) -> Piece:
    """Check every field of ``model`` in ``node`` but the ``nested`` ones, which the caller reads himself."""
    piece = Piece(model, file, path, node, problems)
    names = {yaml_name(model, attribute): attribute for attribute in model.model_fields}
    if not isinstance(node.value, dict):
        piece.add(None, f"expected a mapping with the keys {', '.join(names)}")
        return piece
    meant = piece.meant = _report_unknown_keys(piece, node.value, list(names))
    for name, attribute in names.items():
        required = model.model_fields[attribute].is_required()
        entry = node.value.get(name)
        if entry is None or (entry.value is None and not required):
            if required and name not in meant:
                piece.add(attribute, f"expected this key: {model.model_fields[attribute].description}")
        elif attribute not in nested:
            _read_field(piece, attribute, name, entry)
    return piece


def read_named(piece: Piece, attribute: str, what: str) -> dict[str, Located]:
    """The entries of a mapping of things by id; an unusable id is reported, and the thing still checked."""
    name = yaml_name(piece.model, attribute)
    node = piece.node.value.get(name) if isinstance(piece.node.value, dict) else None
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        piece.add(attribute, f"expected a mapping with an entry per {what}, each with its id as the key")
        return {}
    for key, entry in node.value.items():
        if not re.fullmatch(ID_PATTERN, key):
            under = problem_at(piece.file, piece.path, piece.node, (name, key), f"expected as its id {ID_HINT}")
            piece.problems.append(replace(under, line=entry.key_line, value=key))
    return node.value


def yaml_name(model: type[BaseModel], attribute: str) -> str:
    """The key that a field has in YAML."""
    alias = model.model_fields[attribute].validation_alias
    return alias if isinstance(alias, str) else attribute


def _report_unknown_keys(piece: Piece, entries: dict[str, Located], names: list[str]) -> set[str]:
    """Report them, and give back the names that were probably meant: those aren't reported as missing too."""
    meant = set()
    for key, entry in entries.items():
        if key not in names:
            guess = close_match(key, [name for name in names if name not in entries] or names)
            expected = f"unknown key{_guessed_cause(key, entry, guess)} (known: {', '.join(names)})"
            under = problem_at(piece.file, piece.path, piece.node, (key,), expected)
            piece.problems.append(replace(under, line=entry.key_line))
            meant.add(guess)
    return meant


def _guessed_cause(key: str, entry: Located, guess: str) -> str:
    if key[:1].isdigit() and entry.value is None:
        return "; is the comma before it a decimal sign? Then write a point"
    return f"; did you mean '{guess}'?" if guess else ""


def _read_field(piece: Piece, attribute: str, name: str, entry: Located) -> None:
    try:
        piece.values[attribute] = _adapter(piece.model, attribute).validate_python(plain(entry))
    except ValidationError as error:
        for detail in error.errors():
            keys = (name, *detail["loc"])
            expected = what_is_expected(detail, piece.model.model_fields[attribute].description)
            piece.problems.append(problem_at(piece.file, piece.path, piece.node, keys, expected))


@cache
def _adapter(model: type[BaseModel], attribute: str) -> TypeAdapter[Any]:
    return TypeAdapter(model.model_fields[attribute].rebuild_annotation())
