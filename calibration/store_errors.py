"""What the disk says when calibrations are read and written, as sentences for an installer."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from firmware_bridge.errors import ShelfedgeError


class StoreError(ShelfedgeError, OSError):
    """Calibration records can't be read or written. Examples: a full disk, a read-only folder, no such record."""


def not_saved(error: OSError, path: Path) -> StoreError:
    """The sentence for an error of the file system while ``path`` was about to be replaced."""
    return StoreError(f"{path}: the calibration can't be saved here: {_reason(error, path)}; nothing was changed")


def not_read(error: OSError, path: Path) -> StoreError:
    """The sentence for an error of the file system while ``path`` was read."""
    return StoreError(f"{path}: can't be read: {_reason(error, path)}")


def _reason(error: OSError, path: Path) -> str:
    where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else path
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return f"permission denied for {where}; run it with sudo, or as the user who owns that folder"
        case errno.EROFS:
            return "this file system can't be written to; remount it, or name another folder in the node file"
        case errno.ENOSPC | errno.EDQUOT:
            return "the disk is full; make room and repeat"
        case errno.ENOTDIR | errno.EEXIST:
            return f"{where} is a file, not a folder; name a folder as `calibration` in the node file"
        case errno.EISDIR:
            return f"{where} is a folder; expected a file"
        case errno.EIO:
            return "the disk reports an error; replace the SD card"
        case _:
            return error.strerror or str(error) or type(error).__name__
