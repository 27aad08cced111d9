"""A configuration file that a command changes for a person: in one step, and what it held stays beside it."""

from __future__ import annotations

import os
from pathlib import Path

from calibration.durable import replace_durably
from firmware_bridge.errors import ShelfedgeError


class EditError(ShelfedgeError, ValueError):
    """A value can't be changed in a file's text. Examples: it is shared through an anchor, the disk is full."""


def check_editable(path: Path) -> None:
    """Before somebody works for minutes on what is to be written. Raises EditError where it can't be, FileNotFoundError
    where there is no such file."""
    target = path.resolve(strict=True)
    if not (os.access(target, os.W_OK) and os.access(target.parent, os.W_OK)):
        raise EditError(f"{path}: can't be changed; run this as a user who may write there, or with --dry-run")


def write_edited(path: Path, text: str) -> Path:
    """Replace the file's text and keep the former one as `<name>.bak`; where that is.

    A symbolic link stays one. Raises EditError when the disk refuses; then the file is as it was.
    """
    target = path.resolve()
    backup = target.with_name(target.name + ".bak")
    try:
        data = target.read_bytes()
        mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
        replace_durably(backup, data)
        replace_durably(target, mark + text.encode())
    except OSError as error:
        raise EditError(
            f"{path}: can't be changed ({error.strerror or error}); it is as it was; run this as a user who may write "
            "there, or change it by hand"
        ) from None
    return backup
