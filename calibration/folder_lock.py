"""One writer at a time in a folder, among programs that ask here; the lock ends with the process, whatever way."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

PATIENCE_S = 10.0  # for another process that writes here; it takes milliseconds
_LOOK_AGAIN_S = 0.02


def hold_folder(folder: Path) -> int:
    """Wait until nobody else holds the folder, and hold it; closing the handle that this gives lets go of it.

    Raises TimeoutError when it stays held for `PATIENCE_S`, OSError for a folder that can't be opened.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    until = time.monotonic() + PATIENCE_S
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(f"{folder} is held by another program") from None
                time.sleep(_LOOK_AGAIN_S)
            else:
                return handle
    except BaseException:
        os.close(handle)
        raise
