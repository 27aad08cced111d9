"""Whether a serial port can be used right now, and if not, why, before anything is tried with it."""

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path

from firmware_bridge.flash.errors import FlashPortError

_NOTHING = "Nothing was written"
_MEMORY = 1  # Linux's major number of /dev/null and its like; to open a port only to ask its kind would reset the MCU


def check_port(port: str) -> None:
    """Raise FlashPortError where it isn't there, isn't a serial port, may not be opened by this user or is in use."""
    try:
        status = os.stat(port)  # noqa: PTH116 - a port is a name of the system's, not a file of ours
    except FileNotFoundError:
        raise FlashPortError(
            f"{port}: no such port. Check the cable (it must carry data, not only power), or run this without --port "
            f"to see which ports there are. {_NOTHING}",
        ) from None
    except OSError as error:
        raise FlashPortError(f"{port}: {error.strerror}. {_NOTHING}") from error
    if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) == _MEMORY:
        raise FlashPortError(f"{port}: isn't a serial port, expected one as /dev/ttyUSB0. {_NOTHING}")
    if not os.access(port, os.R_OK | os.W_OK):
        raise FlashPortError(f"{port}: {_permission(status.st_gid)}. {_NOTHING}")
    if users := _users(port):
        raise FlashPortError(
            f"{port}: is in use by {' and '.join(users)}. Stop it (a running node keeps its ports), then run this "
            f"again. {_NOTHING}",
        )


def _permission(group_id: int) -> str:
    try:
        group = grp.getgrgid(group_id).gr_name
    except KeyError:
        group = str(group_id)
    if group == "root":
        return "this user may not open it, and it belongs to the group root; run this as root (sudo)"
    return (
        f"this user may not open it; it belongs to the group {group}. Add the user to it, log out and in, and run this "
        f"again: sudo usermod -aG {group} $USER"
    )


def _users(port: str) -> list[str]:
    """Other processes that have the port open, as far as this user may see: 'name (process 123)'."""
    target = os.path.realpath(port)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            open_files = [os.readlink(link) for link in (process / "fd").iterdir()]  # noqa: PTH115
            if target in open_files:
                name = (process / "comm").read_text().strip()
                found.append(f"{name} (process {process.name})")
        except OSError:
            continue  # it has ended, or belongs to somebody else
    return found
