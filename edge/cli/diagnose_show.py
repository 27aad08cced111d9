"""A diagnosis on the terminal: its width, its colours where it has any, nothing but text in a pipe."""

from __future__ import annotations

import json
import os
import shutil
import sys

import typer

from calibration.diagnosis.verdicts import Diagnosis, Verdict
from edge.node.diagnose_text import WIDTH, closing, diagnosis_text, plain

_COLOURS = {Verdict.PASS: "32", Verdict.WARN: "33", Verdict.FAIL: "31"}


def say(text: str) -> None:
    """What is being done, beside the result."""
    typer.echo(text, err=True)


def show(found: Diagnosis, as_json: bool) -> None:
    """The result, on stdout."""
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=1))
        return
    if not sys.stdout.isatty():
        typer.echo(diagnosis_text(found))
        return
    size = shutil.get_terminal_size((WIDTH, 24))
    paint = plain if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else _painted
    text = diagnosis_text(found, size.columns, paint)
    typer.echo(text, color=True)
    if text.count("\n") + 2 > size.lines:
        typer.echo("\n" + closing(found, size.columns, paint), color=True)


def _painted(text: str, verdict: Verdict) -> str:
    return f"\x1b[1;{_COLOURS[verdict]}m{text}\x1b[0m"
