"""Checking a driver's own options from the node file: all that is wrong at once, each with what is expected."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from drivers.errors import DriverError


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that is wrong with a driver's options.

    Attributes:
        where: the keys that lead to it among the options; empty where it concerns the board.
        text: what is wrong and what is expected, for whoever sees the place too.
        said: the same for whoever doesn't see it; empty where that is the keys and the text.
    """

    where: tuple[str, ...]
    text: str
    said: str = ""

    def __str__(self) -> str:
        return self.said or ": ".join(part for part in (".".join(self.where), self.text) if part)


class Options(BaseModel):
    """Base of each driver's options. A field's description says what is expected, with an example."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def misfits(self, cells: Sequence[str], rate_hz: float | None) -> list[Misfit]:
        """What doesn't fit a board with these cells at this rate (None: not known)."""
        return []


Some = TypeVar("Some", bound=Options)


def examined(
    model: type[Some], options: Mapping[str, object], cells: Sequence[str] | None, rate_hz: float | None
) -> tuple[Some | None, list[Misfit]]:
    """The options as `model`, and all that is wrong with them. ``cells``: None where they aren't known."""
    try:
        made = model.model_validate(dict(options))
    except ValidationError as error:
        return None, [_misfit(model, options, detail) for detail in error.errors()]
    return made, [] if cells is None else made.misfits(cells, rate_hz)


def checked(
    model: type[Some], board: str, kind: str, options: Mapping[str, object], cells: Sequence[str], rate_hz: float | None
) -> Some:
    """The options as `model`. Raises DriverError with one line for each problem."""
    made, misfits = examined(model, options, cells, rate_hz)
    if made is None or misfits:
        raise DriverError("\n".join(f"{board}: driver {kind}: {misfit}" for misfit in misfits))
    return made


def wrong_cells(option: str, given: Mapping[str, object], cells: Sequence[str]) -> list[Misfit]:
    """What is wrong with a mapping that must name each of the board's cells once."""
    misfits = [Misfit((option,), f"nothing for cell {cell!r}") for cell in cells if cell not in given]
    for name in given:
        if name not in cells:
            text = f"the board has no cell {name!r}; its cells are {', '.join(cells)}"
            misfits.append(Misfit((option, name), text, f"{option}: {text}"))
    return misfits


def _misfit(model: type[Options], options: Mapping[str, object], detail: ErrorDetails) -> Misfit:
    loc = detail["loc"]
    name = str(loc[0]) if loc else ""
    known = list(model.model_fields)
    if detail["type"] == "extra_forbidden" and len(loc) == 1:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        text = f"unknown option {name!r}: " + (f"its options are {', '.join(known)}" if known else "it has no options")
        return Misfit((name,), text + hint, text + hint)
    field = model.model_fields.get(name)
    expected = f"expected {field.description if field is not None and field.description else 'something else'}"
    if detail["type"] == "missing":
        where = (*_path(options, loc[:-1]), str(loc[-1]))
        return Misfit(where, expected, f"{'.'.join(where)}: missing; {expected}")
    where, text = _path(options, loc), f"doesn't fit ({detail['msg'].lower()}); {expected}"
    return Misfit(where, text, f"{'.'.join(where)}: {detail['input']!r} {text}")


def _path(options: object, loc: Sequence[int | str]) -> tuple[str, ...]:
    """The keys of pydantic's path; it also names the variants of a field that it tried."""
    path: tuple[str, ...] = ()
    for key in loc:
        if isinstance(options, Mapping) and key in options:
            path, options = (*path, str(key)), options[key]
    return path
