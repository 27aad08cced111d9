"""A file of events, one JSON object per line, as `shelfedge replay --events FILE` or `events export` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.stream.jsonl import event_from_object
from edge.trace.counted import counted
from edge.trace.event import Event
from firmware_bridge.errors import DataLostError, ShelfedgeError

_SHOWN = 20


class EventFileError(ShelfedgeError, ValueError):
    """No line of a file is an event. Examples: a picture, a trace, CSV."""


class EventFileDamagedError(DataLostError, ValueError):
    """Some lines of a file aren't events; the others were used. Example: the last line was cut off."""


@dataclass(frozen=True, slots=True)
class EventFile:
    """Attributes:
    events: those of the good lines, in their order.
    problems: a sentence with file, line, key and what is expected for each of the first 20 bad lines.
    bad_count: how many lines are bad.
    """

    path: str
    events: list[Event]
    problems: list[str]
    bad_count: int

    def problem_lines(self) -> list[str]:
        """The problems, and how many more there are."""
        more = self.bad_count - len(self.problems)
        return [*self.problems, f"{self.path}: and {counted(more, 'more bad line')}"] if more else self.problems

    def raise_damage(self) -> None:
        """Raises EventFileDamagedError if a line was bad."""
        if self.bad_count:
            bad = "1 line isn't an event" if self.bad_count == 1 else f"{self.bad_count} lines aren't events"
            used = "the other one was" if len(self.events) == 1 else f"the other {len(self.events)} were"
            raise EventFileDamagedError(f"{self.path}: {bad}; {used} used")


def read_event_file(path: Path) -> EventFile:
    """Read events; empty lines, and what a node's stream says of itself (notes), are skipped.

    Raises EventFileError where there are lines but none is good, and for events of several starts of a node; OSError.
    """
    with path.open("rb") as file:
        return event_file_from_lines(file, str(path))


def event_file_from_lines(lines: Iterable[bytes], where: str) -> EventFile:
    """The same out of lines; ``where`` names them in the sentences."""
    events: list[Event] = []
    problems: list[str] = []
    bad_count = 0
    boots: set[str] = set()
    good_count = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = _parsed(line)
            if isinstance(data, dict) and "note" in data and "event_id" not in data:
                good_count += 1
                continue
            events.append(event_from_object(data))
            good_count += 1
            boots.add(str(data.get("boot")))
        except ValueError as error:
            bad_count += 1
            if len(problems) < _SHOWN:
                problems.append(f"{where}:{number}: {error}")
    found = EventFile(where, events, problems, bad_count)
    if len(boots) > 1:
        raise EventFileError(
            f"{where}: events of {len(boots)} starts of a node, and each counts time and events anew; expected those "
            "of one: shelfedge events export --boot N"
        )
    if bad_count and not good_count:
        raise EventFileError("\n".join([*found.problem_lines(), f"{where}: no line of it is an event"]))
    return found


def _parsed(line: bytes) -> Any:
    expected = "expected one event per line, as `shelfedge replay` writes them"
    try:
        return json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError(f"not UTF-8 text; {expected}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, column {error.colno}); {expected}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; brackets within brackets
        raise ValueError(f"not JSON that can be read; {expected}") from None
