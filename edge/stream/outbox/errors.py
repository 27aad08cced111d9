"""What the outbox refuses, and which of SQLite's complaints mean that the file is damaged."""

from __future__ import annotations

import sqlite3

from firmware_bridge.errors import ShelfedgeError

# Codes that say something of the file rather than of the disk it is on. https://sqlite.org/rescode.html
_DAMAGE = {
    sqlite3.SQLITE_ERROR,  # no such table, no such column: the schema was hit
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_RANGE,
}
_NO_ROOM_FOR_INDEX = sqlite3.SQLITE_IOERR_SHMSIZE
_READ_FAILS = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}


class OutboxUnavailableError(ShelfedgeError, OSError):
    """The disk refuses: full, read-only, not permitted, failing, or in use by another node. Nothing was committed.

    The same may be tried again; the text says what to look at.
    """


class OutboxFullError(OutboxUnavailableError):
    """The outbox is full of what isn't delivered, and its policy is `refuse`. Nothing was committed."""


class OutboxDamagedError(ShelfedgeError, ValueError):
    """What is read isn't what was written. Raised and handled inside: the file is set aside and the rest is used."""


# What working with a file that may be damaged raises. UnicodeDecodeError: Python's, of SQLite's own complaint, where
# that quotes a name that was hit.
FILE_ERRORS = (sqlite3.Error, OutboxDamagedError, UnicodeDecodeError, OverflowError)


def is_damage(error: Exception) -> bool:
    """Whether a new file may help: the database isn't whole. If not, the disk refuses."""
    if isinstance(error, OutboxDamagedError | UnicodeDecodeError | OverflowError):
        return True
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python's own module: a text that isn't UTF-8, for example
        return isinstance(error, sqlite3.Error)
    return code in _READ_FAILS or code & 0xFF in _DAMAGE


def is_full(error: Exception) -> bool:
    """Whether there is no room on the disk."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code == _NO_ROOM_FOR_INDEX or code & 0xFF == sqlite3.SQLITE_FULL)


def is_other_than_known(error: Exception) -> bool:
    """Whether the file, whole as it may be, isn't in the state in which it was left: an entry is there already."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CONSTRAINT


def unavailable(path: object, error: Exception) -> OutboxUnavailableError:
    """The sentence for a technician."""
    code = sqlite3.SQLITE_FULL if is_full(error) else getattr(error, "sqlite_errorcode", 0) & 0xFF
    if is_damage(error):
        return OutboxUnavailableError(
            f"{path}: isn't as it was left, and can't be mended at once ({error}); it is tried again"
        )
    remedy = {
        sqlite3.SQLITE_FULL: "the disk is full; make room on it, or give outbox.size in the node file less",
        sqlite3.SQLITE_READONLY: "it can't be written to; expected a disk that isn't mounted read-only and a file that "
        "belongs to the user the node runs as",
        sqlite3.SQLITE_CANTOPEN: "it can't be opened; expected a folder that the user the node runs as may write to",
        sqlite3.SQLITE_PERM: "not permitted; expected a folder that the user the node runs as may write to",
        sqlite3.SQLITE_BUSY: "another program holds it; close what else has the file open",
        sqlite3.SQLITE_LOCKED: "another program holds it; close what else has the file open",
        sqlite3.SQLITE_NOMEM: "there isn't enough memory",
    }.get(code, "the disk fails; see `dmesg`, and replace the card or disk if this comes again")
    return OutboxUnavailableError(f"{path}: {remedy} ({error})")
