"""Going on with a file that is whole, but isn't as the running store left it: another program has changed it."""

from __future__ import annotations

from dataclasses import replace

from edge.stream.outbox.files import Files
from edge.stream.outbox.opening import next_boot
from edge.stream.outbox.reports import Range, Report
from edge.stream.outbox.state import OutboxState


def follows(state: OutboxState) -> bool:
    """Whether the running boot's next entry comes behind all others."""
    ends = [span.base_id + max(span.last, span.first - 1) for span in state.spans.values()]
    span = state.spans.get(state.boot)
    return span is not None and span.base_id + max(span.last, span.first - 1) == max(ends)


def reopened(files: Files, known: OutboxState, why: str) -> tuple[OutboxState, OutboxState]:
    """Open the file anew: the state that it has, and the one to go on with. Raises FILE_ERRORS."""
    there = files.reopen()
    state, report = _resynced(known, there, files.path.name)
    files.note(
        f"{files.path}: isn't as it was left ({why}); opened anew, as boot {state.boot}; "
        f"{0 if report is None else report.rows_lost} entries are known to be lost",
        [],
        () if report is None else report.missing,
    )
    return there, state


def _resynced(known: OutboxState, there: OutboxState, file: str) -> tuple[OutboxState, Report | None]:
    """As a new boot; what the store knew of and the file hasn't is reported."""
    missing: list[Range] = []
    spans = dict(there.spans)
    for boot, span in known.spans.items():
        found = spans.get(boot)
        if found is not None:
            spans[boot] = replace(found, done=max(found.done, min(span.done, found.last)))
        first = max(span.first, span.done + 1, 1 if found is None else found.last + 1)
        if span.between(first, span.last):
            missing.append((boot, first, span.last))
    state = replace(there, spans=spans, boot=max(there.boot, known.boot, *spans))
    report = None
    if missing:
        lost = sum(last - first + 1 for _, first, last in missing)
        kept = sum(span.kept() for span in spans.values())
        report = Report(file, kept, lost, tuple(missing))
        state = replace(state, reports=(*state.reports, report), damaged_total=state.damaged_total + lost)
    return next_boot(state), report
