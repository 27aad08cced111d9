"""Opening for writing: nothing is believed unseen. What SQLite would pass over in silence is looked for first."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

from edge.stream.outbox.errors import FILE_ERRORS, is_damage, unavailable
from edge.stream.outbox.files import Files
from edge.stream.outbox.replacing import finish_replacing
from edge.stream.outbox.row_check import MOST_BOOT
from edge.stream.outbox.spans import Span
from edge.stream.outbox.state import OutboxState, read_state
from edge.stream.outbox.verify import check_files, check_rows

_FIRST_BOOTS = 1 << 31  # a boot is drawn below this where there is no memory


def begin(path: Path, page_bytes: int) -> Files:
    """Lock, check, mend if need be, connect. The new boot isn't committed yet. Raises OutboxUnavailableError."""
    path = path.resolve()
    files = Files(path, page_bytes)
    try:
        files.opening.new = not path.exists()
        try:
            finish_replacing(path)
            check_files(path)
            state = _checked(files)
        except FILE_ERRORS as error:
            if not is_damage(error):
                raise unavailable(path, error) from None
            state = files.mend(None, str(error))
        except OSError as error:
            raise unavailable(path, error) from None
        files.opening.clean = state.clean
        files.saved, files.state = state, _next_boot(state)
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


def _next_boot(state: OutboxState) -> OutboxState:
    """The same with a span for this start, and those that are empty left out."""
    boot = state.boot + 1 if state.boot else 1 + secrets.randbelow(_FIRST_BOOTS)
    if boot > MOST_BOOT:
        boot = 1
    base_id = max((span.base_id + max(span.last, span.first - 1) for span in state.spans.values()), default=0)
    spans = {each.boot: each for each in state.spans.values() if each.kept() and each.boot != boot}
    return replace(state, boot=boot, spans={**spans, boot: Span(boot, base_id)}, clean=False)
