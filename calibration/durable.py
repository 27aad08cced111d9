"""A small file that is replaced whole or not at all, and is on the disk when that returns (P9).

The new text goes into a file beside it, that is synced, takes the old one's name in one step, and then the folder is
synced. kill -9, a torn write or a power cut at any point leaves the old text or the new one under the name.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

PART = ".part"
_NEW_MODE = 0o644  # a record that an installer made with sudo is read by the node's own user


def replace_durably(path: Path, data: bytes) -> None:
    """Give ``path`` this content; mode and owner stay (a new file gets its folder's owner, if we may give it away).

    Raises OSError: then ``path`` is as it was, unless the last step failed (`sync_folder`).
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            _write_all(handle, data)
            _own_as(handle, path)
            os.fsync(handle)
        finally:
            os.close(handle)
        part.replace(path)
    except BaseException:  # Ctrl-C while the disk is waited for
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the folder's names to the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each with the owner of the one that it lies in. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir()
    _give_away(folder, folder.parent.stat())
    sync_folder(folder.parent)


def sweep_parts(folder: Path, name: str) -> None:
    """Remove what a killed process left of replacing ``name``; what can't be removed stays."""
    for part in folder.glob(f"{name}.????????{PART}"):
        with contextlib.suppress(OSError):
            part.unlink()


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _own_as(handle: int, path: Path) -> None:
    try:
        like = path.stat()
        mode = stat.S_IMODE(like.st_mode)
    except FileNotFoundError:
        like, mode = path.parent.stat(), _NEW_MODE
    _give_away(handle, like)
    os.fchmod(handle, mode)


def _give_away(what: int | Path, like: os.stat_result) -> None:
    if os.geteuid() == 0 and (like.st_uid, like.st_gid) != (0, 0):
        os.chown(what, like.st_uid, like.st_gid)
