"""Putting a new file in the place of a damaged one, so that a power cut at any moment leaves one of them to go on with.

The new file is whole and synced under `<name>.new` before the damaged one is renamed. So where there is no database
but a `.new`, the renaming was cut off and is finished; where there are both, the building was, and is begun again.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

_MOST_SET_ASIDE = 3
_SUFFIXES = ("", "-wal", "-journal", "-shm")


def new_path(path: Path) -> Path:
    """Where the new file is built."""
    return path.with_name(path.name + ".new")


def finish_replacing(path: Path) -> None:
    """After a crash: finish the renaming, or clear away what was half built. Raises OSError."""
    new = new_path(path)
    if os.path.lexists(path):
        clear_new(path)
    elif new.is_file():
        set_aside(path)
        put_in_place(path)


def clear_new(path: Path) -> None:
    """Remove what was half built."""
    for suffix in _SUFFIXES:
        each = new_path(path).with_name(new_path(path).name + suffix)
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        elif os.path.lexists(each):
            each.unlink()


def next_name(path: Path) -> str:
    """What the damaged database will be called."""
    number = 1 + max((found for found, _ in _aside(path)), default=0)
    return f"{path.stem}.damaged-{number}{path.suffix}"


def has_aside(path: Path) -> bool:
    """Whether anything was set aside before."""
    return bool(_aside(path))


def set_aside(path: Path) -> list[str]:
    """Rename the damaged files, the database first; the new names. The oldest set aside before are removed.

    Raises OSError.
    """
    name = next_name(path)
    names = []
    for suffix in _SUFFIXES:
        damaged = path.with_name(path.name + suffix)
        if os.path.lexists(damaged):
            damaged.rename(path.with_name(name + suffix))
            names.append(name + suffix)
            sync_folder(path.parent)
    remove_old(path)
    return names


def put_in_place(path: Path) -> None:
    """Give the new file its name. Raises OSError."""
    new_path(path).rename(path)
    sync_folder(path.parent)


def remove_old(path: Path, most: int = _MOST_SET_ASIDE) -> None:
    """Keep no more than the latest few that were set aside. Never raises."""
    numbers = sorted({number for number, _ in _aside(path)})
    for number, each in _aside(path):
        if number in numbers[:-most] if most else True:
            with contextlib.suppress(OSError):
                shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


def sync_folder(folder: Path) -> None:
    """Bring what was made, renamed and removed in a folder to the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _aside(path: Path) -> list[tuple[int, Path]]:
    pattern = re.compile(
        re.escape(path.stem) + r"\.damaged-(\d{1,9})" + re.escape(path.suffix) + r"(-wal|-shm|-journal)?"
    )
    return [
        (int(match[1]), each) for each in path.parent.iterdir() if (match := pattern.fullmatch(each.name)) is not None
    ]
