"""What the command line says when something goes wrong: one sentence, an exit code, never a traceback."""

from __future__ import annotations

import errno
from collections.abc import Iterable

import typer

from firmware_bridge.errors import ShelfedgeError

REFUSED = 1


def refusal(error: ShelfedgeError | OSError) -> tuple[str, int]:
    """The text for a person and the exit code."""
    if isinstance(error, ShelfedgeError):
        return str(error), error.exit_code
    where = f"{error.filename}: " if error.filename is not None else ""
    return where + _advice(error), REFUSED


def warn(sentences: Iterable[str]) -> None:
    """Say on stderr what a person should know though the command goes on."""
    for sentence in sentences:
        typer.echo(f"warning: {sentence}", err=True)


def _advice(error: OSError) -> str:
    match error.errno:
        case errno.ENOENT:
            return "no such file or folder; check the path"
        case errno.EACCES | errno.EPERM:
            return "permission denied; run as a user who may read or write it, or choose another place"
        case errno.EISDIR:
            return "is a folder; expected a file"
        case errno.ENOTDIR:
            return "a part of this path is a file, not a folder; check the path"
        case errno.ENOSPC | errno.EDQUOT:
            return "the disk is full; what was written so far may be incomplete; make room and run it again"
        case errno.EROFS:
            return "this file system can't be written to; choose another place"
        case _:
            return error.strerror or str(error) or type(error).__name__
