"""Checking a driver's own options from the node file: all that is wrong at once, each with what is expected."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from drivers.errors import DriverError


class Options(BaseModel):
    """Base of each driver's options. A field's description says what is expected, with an example."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Some = TypeVar("Some", bound=Options)


def checked(model: type[Some], board: str, kind: str, options: Mapping[str, object]) -> Some:
    """The options as `model`. Raises DriverError with one line for each problem."""
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        problems = [_problem(model, detail["type"], detail["loc"], detail) for detail in error.errors()]
    raise bad_options(board, kind, problems)


def bad_options(board: str, kind: str, problems: Sequence[str]) -> DriverError:
    """One error for all that is wrong with a driver's options."""
    return DriverError("\n".join(f"{board}: driver {kind}: {problem}" for problem in problems))


def wrong_cells(option: str, given: Mapping[str, object], cells: Sequence[str]) -> list[str]:
    """What is wrong with a mapping that must name each of the board's cells once."""
    problems = [f"{option}: nothing for cell {cell!r}" for cell in cells if cell not in given]
    problems += [
        f"{option}: the board has no cell {name!r}; its cells are {', '.join(cells)}"
        for name in given
        if name not in cells
    ]
    return problems


def _problem(model: type[Options], kind: str, where: tuple[int | str, ...], detail: object) -> str:
    name = str(where[0]) if where else ""
    known = list(model.model_fields)
    if kind == "extra_forbidden" and len(where) == 1:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        expected = f"its options are {', '.join(known)}" if known else "it has no options"
        return f"unknown option {name!r}: {expected}{hint}"
    path = ".".join(map(str, where))
    field = model.model_fields.get(name)
    expected = field.description if field is not None and field.description else "something else"
    if kind == "missing" and len(where) == 1:
        return f"{path}: missing; expected {expected}"
    given = detail.get("input") if isinstance(detail, dict) else None
    message = str(detail.get("msg", "")) if isinstance(detail, dict) else ""
    return f"{path}: {given!r} doesn't fit ({message.lower()}); expected {expected}"
