"""What is wrong in a configuration: one `Problem` per place, all of them in one `ConfigError`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from firmware_bridge.errors import ShelfedgeError

_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, at the place where it is mended.

    Attributes:
        file: as the person named it.
        line: counted from 1; 0 where there is no line (a file that isn't there).
        key_path: for example ``boards.shelf-1.cells.fl.x``; empty for a whole file.
        value: what is there, as it is written in the file; empty where nothing is.
        expected: what should be there, as a sentence with an example.
    """

    file: str
    line: int
    key_path: str
    value: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = (place, self.key_path, _shortened(self.value), self.expected)
        return _on_one_line(": ".join(part for part in parts if part))


class ConfigError(ShelfedgeError, ValueError):
    """A node file, its planogram or its calibration can't be used; the text has a line for every problem.

    Example: a slot that names a board the node doesn't have, and a width without a unit, both reported at once.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda each: (each.file, each.line, each.key_path)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _on_one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "·" for character in text)
