"""YAML text to a tree whose every value knows its line, and keeps its text as written.

The tree is built from PyYAML's events, without its resolver. So nothing is guessed: `on` stays the text ``on``,
`1:30` isn't ninety, a barcode keeps its leading zeros, and what a text means is decided by the field it stands in.
Nesting, aliases and size are bounded, so no file can hang the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from edge.config.errors import Problem

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 32
_MOST_VALUES = 200_000
_NULLS = ("", "~", "null", "Null", "NULL")
_WHOLE_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[+-]?(?=\.?[0-9])(0|[1-9][0-9]{0,17})?(\.[0-9]{0,17})?([eE][+-]?[0-9]{1,2})?")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS = (
    ("'\\t'", "indent with spaces, not with tabs"),
    ("tab character", "indent with spaces, not with tabs"),
    ("did not find expected key", "this line doesn't line up with the lines above it"),
    (
        "mapping values are not allowed",
        "a ':' too many on this line, or the line above isn't finished or indented wrongly",
    ),
    ("expected <block end>", "this line doesn't line up with the lines above it"),
    ("could not find expected ':'", "a key without its ':', or a space is missing after the ':'"),
    ("while parsing a flow", "a ',' or a closing '}' or ']' is missing"),
    ("while scanning a quoted scalar", "a closing quote is missing"),
)

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Located:
    """A value of a YAML file: a text, a list or a mapping, with the line it is on.

    Attributes:
        line: where a person looks for it, from 1: a text's own line; of a list or mapping, the line of its key.
        key_line: the line of the key it belongs to; the same as ``line`` where it belongs to none.
        value: text, list or mapping; None for YAML's null.
        quoted: the text stood in quotes, so it is a text whatever it looks like.
        size: number of values in it, itself and expanded aliases included.
    """

    line: int
    value: str | list[Located] | dict[str, Located] | None
    quoted: bool = False
    key_line: int = 0
    size: int = 1


def parse_yaml(text: str, file: str) -> tuple[Located | None, list[Problem]]:
    """The tree of a YAML text and what is wrong with it as YAML; no tree where the rest of it means nothing."""
    if bad := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        return None, [Problem(file, line, "", f"character U+{ord(bad[0]):04X}", "expected printable text")]
    builder = _Builder(file)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.YAMLError as error:
        last_line = max(len(text.splitlines()), 1)  # an error at the end of the file is after its last line
        return None, [*builder.problems, _syntax_problem(error, file, last_line)]
    except _StopReading as stop:
        return None, [*builder.problems, stop.problem]
    return builder.root, builder.problems


def _events(text: str) -> Iterator[Any]:
    loader = _Loader(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def _syntax_problem(error: yaml.YAMLError, file: str, last_line: int) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = f"{getattr(error, 'context', None) or ''} {getattr(error, 'problem', None) or ''}".strip() or str(error)
    hint = next((hint for part, hint in _HINTS if part in said), "")
    expected = f"not valid YAML ({said})" + (f"; {hint}" if hint else "")
    return Problem(file, min(mark.line + 1, last_line) if mark else 1, "", "", expected)


class _StopReading(Exception):  # noqa: N818 - it ends the reading, and never leaves this file
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end hasn't come yet."""

    line: int
    values: list[Located] | dict[str, Located]
    anchor: str | None
    size: int = 1
    key: Located | None = None


@dataclass
class _Builder:
    """Takes PyYAML's events one by one and puts the tree together, without recursion."""

    file: str
    root: Located | None = None
    problems: list[Problem] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, Located | None] = field(default_factory=dict)
    documents: int = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._stop(line, "---", "expected one document; put the second one into a file of its own")
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), line)
        elif isinstance(event, yaml.ScalarEvent):
            self._tag(event.tag, line)
            quoted = event.style in ("'", '"', "|", ">")  # plain is None to PyYAML, and "" to its C twin
            value = None if not quoted and event.value in _NULLS else event.value
            self._put(Located(line, value, quoted, line), event.anchor)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._tag(event.tag, line)
            if len(self.open) >= _DEEPEST:
                self._stop(line, "", f"expected at most {_DEEPEST} levels, one inside the other")
            if event.anchor is not None:
                self.anchors[event.anchor] = None
            self.open.append(_Open(line, [] if isinstance(event, yaml.SequenceStartEvent) else {}, event.anchor))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            done = self.open.pop()
            self._put(Located(done.line, done.values, False, done.line, done.size), done.anchor)

    def _alias(self, name: str, line: int) -> None:
        if name not in self.anchors:
            self._stop(line, f"*{name}", f"there is no anchor &{name} before this line")
        target = self.anchors[name]
        if target is None:
            self._stop(line, f"*{name}", "expected a value; this one contains itself")
        else:
            self._put(replace(target, line=line, key_line=line), None)

    def _tag(self, tag: str | None, line: int) -> None:
        if tag is not None:
            self._stop(line, tag, "expected a plain value; tags (a word with '!') mean nothing here, leave it out")

    def _put(self, value: Located, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = value
        if not self.open:
            self.root = value
            return
        parent = self.open[-1]
        parent.size += value.size
        if parent.size > _MOST_VALUES:
            self._stop(value.line, "", f"expected at most {_MOST_VALUES} values (repeated ones count each time)")
        if isinstance(parent.values, list):
            parent.values.append(value)
        elif parent.key is None:
            parent.key = value
        else:
            self._put_under_key(parent.key, value, parent.values)
            parent.key = None

    def _put_under_key(self, key: Located, value: Located, values: dict[str, Located]) -> None:
        if not isinstance(key.value, str):
            self._problem(key.line, "", "expected a name before the ':'")
        elif key.value == "<<" and not key.quoted:
            self._problem(key.line, "<<", "merging isn't supported; write the keys out, or use *name for one value")
        elif key.value in values:
            first = values[key.value].key_line
            self._problem(key.line, key.value, f"the same key is already on line {first}; expected it once")
        else:
            line = value.line if isinstance(value.value, str) else key.line
            values[key.value] = replace(value, line=line, key_line=key.line)

    def _problem(self, line: int, key: str, expected: str) -> None:
        """A problem with a key of the innermost open mapping; the lists and mappings around it lead there."""
        path: list[str | int] = []
        for each in self.open[:-1]:
            if isinstance(each.values, list):
                path.append(len(each.values))
            elif each.key is not None and isinstance(each.key.value, str):
                path.append(each.key.value)
        self.problems.append(Problem(self.file, line, key_path((*path, key) if key else tuple(path)), "", expected))

    def _stop(self, line: int, value: str, expected: str) -> None:
        raise _StopReading(Problem(self.file, line, "", value, expected))


def plain(node: Located) -> Any:
    """The value as texts, lists and mappings; every text as written, None for YAML's null."""
    if isinstance(node.value, list):
        return [plain(each) for each in node.value]
    if isinstance(node.value, dict):
        return {key: plain(each) for key, each in node.value.items()}
    return node.value


def guessed(node: Located) -> Any:
    """The value as YAML 1.2 reads it, for settings whose type isn't known here: numbers, true and false, null, or text.

    `on` and `1:30` stay texts, and so does a number with leading zeros.
    """
    if isinstance(node.value, list):
        return [guessed(each) for each in node.value]
    if isinstance(node.value, dict):
        return {key: guessed(each) for key, each in node.value.items()}
    if node.value is None or node.quoted:
        return node.value
    if node.value in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return node.value.lower() == "true"
    if _WHOLE_NUMBER.fullmatch(node.value):
        return int(node.value)
    return float(node.value) if _NUMBER.fullmatch(node.value) else node.value


def key_path(parts: KeyPath) -> str:
    """``boards.shelf-1.cells.fl.x[0]``; a key with other characters in it stands in quotes: ``skus."a b"``."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", part) else f'"{part[:64]}"'
            text += f".{name}" if text else name
    return text
