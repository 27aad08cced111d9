"""A configuration file that a command changes for a person: in one step, and what it held stays beside it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from calibration.durable import replace_durably
from calibration.folder_lock import PATIENCE_S, hold_folder
from edge.config.errors import ConfigError, Problem
from edge.config.text_file import read_text
from firmware_bridge.errors import ShelfedgeError

MOST_KEPT = 5
"""Former texts besides the first one, which stays for good."""
_BOM = b"\xef\xbb\xbf"


class EditError(ShelfedgeError, ValueError):
    """A value can't be changed in a file's text. Examples: it is shared through an anchor, the disk is full."""


def check_editable(path: Path) -> None:
    """Before somebody works for minutes on what is to be written. Raises EditError where it can't be, FileNotFoundError
    where there is no such file."""
    target = path.resolve(strict=True)
    if not (os.access(target, os.W_OK) and os.access(target.parent, os.W_OK)):
        raise EditError(f"{path}: can't be changed; run this as a user who may write there, or with --dry-run")


def edit_file(path: Path, change: Callable[[str], str]) -> Path | None:
    """Change the text that the file has now; where its former one is kept, None where ``change`` left it as it was.

    The text is read, changed and written while no other command changes a file in that folder: what a person or another
    command wrote since the caller's own reading stays. A symbolic link stays one.

    Raises EditError when the disk refuses, ConfigError for a file that is no text any more, and what ``change`` raises;
    the file is as it was then.
    """
    target = path.resolve()
    with _held(path, target.parent):
        text = read_text(path)
        if isinstance(text, Problem):
            raise ConfigError([text])
        new = change(text)
        if new == text:
            return None
        try:
            data = target.read_bytes()
            backup = _keep(target, data)
            replace_durably(target, (_BOM if data.startswith(_BOM) else b"") + new.encode())
        except OSError as error:
            raise _refused(path, error.strerror or str(error)) from None
    return backup


@contextlib.contextmanager
def _held(path: Path, folder: Path) -> Iterator[None]:
    try:
        handle = hold_folder(folder)
    except TimeoutError:
        raise EditError(
            f"{path}: another program has been changing files here for {PATIENCE_S:.0f} s; it is as it was; end that "
            "program and try again, or change it by hand"
        ) from None
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None
    try:
        yield
    finally:
        os.close(handle)


def _keep(target: Path, data: bytes) -> Path:
    """Keep a text as `<name>.bak`, or as `<name>.bak.000001` and so on where that is taken: by the text before the
    first change, or by a person's own. Of the numbered ones the last few stay."""
    backup = target.with_name(target.name + ".bak")
    if backup.exists() or backup.is_symlink():
        pattern = re.compile(re.escape(backup.name) + r"\.(0[0-9]{5})")
        numbered = sorted(each for each in target.parent.iterdir() if pattern.fullmatch(each.name))
        number = int(numbered[-1].name[-6:]) + 1 if numbered else 1
        backup = backup.with_name(f"{backup.name}.{number:06d}")
        replace_durably(backup, data)
        for old in [*numbered, backup][:-MOST_KEPT]:
            with contextlib.suppress(OSError):
                old.unlink()
    else:
        replace_durably(backup, data)
    return backup


def _refused(path: Path, reason: str) -> EditError:
    return EditError(
        f"{path}: can't be changed ({reason}); it is as it was; run this as a user who may write there, or change it "
        "by hand"
    )
