"""A strict reader of Prometheus's text format 0.0.4, written from its specification and not from any library."""

from __future__ import annotations

import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_LABEL}(?:,{_LABEL})*)?\}})? (-?[0-9.]+(?:[eE][+-]?[0-9]+)?|[+-]Inf|NaN)")
_HELP = re.compile(rf"# HELP ({_NAME}) ((?:[^\\\n]|\\\\|\\n)*)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge)")

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read_metrics(page: bytes) -> tuple[Samples, dict[str, str]]:
    """Values by name and labels, and types by name. Raises AssertionError where the format isn't kept."""
    text = page.decode("utf-8")
    assert text.endswith("\n")
    samples: Samples = {}
    types: dict[str, str] = {}
    helped: set[str] = set()
    current = None
    for line in text[:-1].split("\n"):
        if found := _HELP.fullmatch(line):
            current = found[1]
            assert current not in helped, f"{current}: a second HELP, or its lines aren't together"
            assert found[2], f"{current}: an empty HELP"
            helped.add(current)
        elif found := _TYPE.fullmatch(line):
            assert found[1] == current, f"{found[1]}: TYPE without its HELP before"
            assert found[1] not in types
            types[found[1]] = found[2]
            assert (found[2] == "counter") == found[1].endswith("_total"), found[1]
        else:
            sample = _SAMPLE.fullmatch(line)
            assert sample, f"not in the format: {line!r}"
            assert sample[1] == current, f"{line!r}: not under its own HELP and TYPE"
            labels = frozenset(_labels(sample[2] or ""))
            assert (sample[1], labels) not in samples, f"{line!r}: twice"
            samples[sample[1], labels] = float(sample[3])
    return samples, types


def _labels(text: str) -> list[tuple[str, str]]:
    found = []
    for each in re.findall(_LABEL, text):
        name, _, value = each.partition("=")
        value = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value[1:-1])
        found.append((name, value))
    assert len({name for name, _ in found}) == len(found), f"a label twice: {text}"
    return found
