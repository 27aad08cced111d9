"""Which node file a command is about where none was given, and how quantities on the command line are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from edge.config.quantity import Quantity

SYSTEM_NODE = Path("/etc/shelfedge/node.yaml")


def node_file(given: Path | None) -> Path:
    """The file that was given; else `node.yaml` here, else the service's."""
    if given is not None:
        return given
    here = Path("node.yaml")
    for path in (here, SYSTEM_NODE):
        if path.is_file():
            return path
    raise typer.BadParameter(
        f"give the node file: there is neither a node.yaml in {Path.cwd()} nor {SYSTEM_NODE}", param_hint="NODE.yaml"
    )


def once(given: Sequence[str] | None, option: str) -> str | None:
    """The one value of an option that counts once; None without one. Refused as wrong usage where there are more."""
    if given is not None and len(given) > 1:
        values = " and ".join(f"'{each}'" for each in given)
        raise typer.BadParameter(f"given more than once, with {values}: give it once", param_hint=option)
    return given[0] if given else None


def quantity(kind: Quantity, text: str, option: str) -> float:
    """In the base unit. Refused as wrong usage, saying what is expected."""
    try:
        return kind.parse(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, got '{text}'", param_hint=option) from None


def picture_size(text: str) -> tuple[int, int]:
    """Width and height as '1640x1232'. Refused as wrong usage, saying what is expected."""
    sides = text.lower().replace(" ", "").replace("×", "x").split("x")
    if len(sides) == 2 and all(side.isascii() and side.isdigit() and 64 <= int(side) <= 65535 for side in sides):
        return int(sides[0]), int(sides[1])
    raise typer.BadParameter(
        f"expected width and height in pixels, for example 1640x1232, got '{text}'", param_hint="--size"
    )


def record_text(text: str | None, most: int) -> str | None:
    """Words that go into a record and onto terminals. Refused as wrong usage where they would upset either."""
    if text is not None and not text.isprintable():
        raise typer.BadParameter("expected words on one line, without control characters")
    if text is not None and len(text) > most:
        raise typer.BadParameter(f"expected at most {most} characters, got {len(text)}")
    return text


def who_i_am() -> str:
    """The person at the keyboard, also under sudo."""
    import getpass

    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return ""
