"""Opening for writing: nothing is believed unseen. What SQLite would pass over in silence is looked for first."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path

from edge.stream.outbox.errors import FILE_ERRORS, OutboxDamagedError, is_damage, is_full, unavailable
from edge.stream.outbox.files import Files
from edge.stream.outbox.replacing import finish_replacing, has_aside
from edge.stream.outbox.reserve import give_reserve
from edge.stream.outbox.row_check import MOST_BOOT
from edge.stream.outbox.spans import Span
from edge.stream.outbox.state import OutboxState, read_state
from edge.stream.outbox.verify import check_files, check_rows

_BOOT_JUMP = 1 << 20
_FIRST_BOOTS = 1 << 31  # a boot is drawn below this where there is no memory


def begin(path: Path, page_bytes: int) -> Files:
    """Lock, check, mend if need be, connect. The new boot isn't committed yet. Raises OutboxUnavailableError."""
    path = path.resolve()
    files = Files(path, page_bytes)
    try:
        try:
            finish_replacing(path)
            _check_memory(files)
            check_files(path)
            try:
                state = _checked(files)
            except FILE_ERRORS as error:
                if not is_full(error):
                    raise
                give_reserve(path)
                state = _checked(files)
        except FILE_ERRORS as error:
            if not is_damage(error):
                raise unavailable(path, error) from None
            state = files.mend(None, str(error))
        except OSError as error:
            raise unavailable(path, error) from None
        files.opening.clean, saved = state.clean, state
        if files.lock.boot > state.boot:  # an older file, or none: what boots there were, only the lock knows
            state = replace(state, boot=files.lock.boot + secrets.randbelow(_BOOT_JUMP))
        files.saved, files.state = saved, next_boot(state)
        files.remembered_wall_ms = state.wall_ms
    except BaseException:
        files.close()
        raise
    return files


def _checked(files: Files) -> OutboxState:
    files.connect()
    state = read_state(files.writer)
    check_rows(files.writer, state, files.path)
    return state


def _check_memory(files: Files) -> None:
    """An empty database is a new one only where nothing tells of an earlier one. Raises OutboxDamagedError."""
    path = files.path
    if path.exists() and (not path.is_file() or path.stat().st_size):
        return
    log_path = path.with_name(path.name + "-wal")
    files.opening.new = not (files.lock.lived or os.path.lexists(log_path) or has_aside(path))
    if not files.opening.new:
        raise OutboxDamagedError("the file is empty" if path.exists() else "the file is missing")


def next_boot(state: OutboxState) -> OutboxState:
    """The same with a span for this start, and those that are empty left out."""
    boot = state.boot + 1 if state.boot else 1 + secrets.randbelow(_FIRST_BOOTS)
    if boot > MOST_BOOT:
        boot = 1
    base_id = max((span.base_id + max(span.last, span.first - 1) for span in state.spans.values()), default=0)
    spans = {each.boot: each for each in state.spans.values() if each.kept() and each.boot != boot}
    return replace(state, boot=boot, spans={**spans, boot: Span(boot, base_id)}, clean=False)
