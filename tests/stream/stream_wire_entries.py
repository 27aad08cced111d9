"""Entries of every kind that fusion and the node can make, for tests with hypothesis."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from edge.stream.entry import EventEntry, Note, Stamp, TimeQuality
from edge.trace.event import Alternative, Event, Evidence, Kind, Status

_MOST_UINT64 = (1 << 64) - 1
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)  # any script, no lone surrogates
GRAMS = st.floats(-1e6, 1e6) | st.just(math.nan)
PLACES = st.none() | st.floats(-100, 3000)
SHARES = st.floats(0, 1)
TIMES_NS = st.integers(0, 1 << 58)
SPANS_NS = st.integers(0, 60_000_000_000)
SEQS = st.integers(1, 100_000) | st.integers(1, _MOST_UINT64)
BOOTS = st.integers(0, (1 << 32) - 1)
STAMPS = st.builds(
    Stamp,
    st.integers(0, 253_402_300_799_999).map(lambda ms: ms * 1_000_000),
    st.sampled_from(TimeQuality),
)
ALTERNATIVES = st.builds(
    Alternative, st.none() | st.sampled_from(Kind), st.none() | TEXTS, st.none() | TEXTS, st.integers(0, 1000), SHARES
)


@st.composite
def _evidence(draw: st.DrawFn, time_ns: int) -> Evidence:
    return Evidence(
        change_g=tuple(draw(st.lists(GRAMS, min_size=1, max_size=8))),
        sd_g=draw(st.floats(0, 1e4) | st.just(math.nan)),
        before_ms=draw(st.floats(0, 1e5)),
        after_ms=draw(st.floats(0, 1e5)),
        begin_ns=time_ns - draw(SPANS_NS),
        end_ns=time_ns + draw(SPANS_NS),
        faults=tuple(draw(st.lists(TEXTS, max_size=3))),
    )


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event; its id has the usual form or not."""
    board, time_ns = draw(TEXTS), draw(TIMES_NS)
    number = draw(st.integers(0, 2_000_000) | st.integers(0, 1 << 62))
    usual = st.just(f"{board}-{number:06d}")
    nearly = st.sampled_from(
        [f"{board}-{number}", f"{board}{number:06d}", f"x{board}-{number:06d}", f"{board}-0{number:06d}"]
    )
    return Event(
        event_id=draw(usual | nearly | TEXTS),
        revision=draw(st.integers(0, 300)),
        status=draw(st.sampled_from(Status)),
        kind=draw(st.sampled_from(Kind)),
        board=board,
        slot=draw(st.none() | TEXTS),
        sku=draw(st.none() | TEXTS),
        quantity=draw(st.integers(1, 3) | st.integers(0, 1000)),
        grams=draw(GRAMS),
        x_mm=draw(PLACES),
        y_mm=draw(PLACES),
        time_ns=time_ns,
        decided_ns=time_ns + draw(SPANS_NS),
        confidence=draw(SHARES),
        needs_review=draw(st.booleans()),
        alternatives=tuple(draw(st.lists(ALTERNATIVES, max_size=4))),
        who=tuple(draw(st.dictionaries(TEXTS, SHARES, max_size=4)).items()),
        evidence=draw(st.none() | _evidence(time_ns)),
    )


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
DETAILS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(TEXTS, _PLAIN, max_size=5)
EVENT_ENTRIES = st.builds(EventEntry, BOOTS, SEQS, events(), STAMPS, st.booleans())
NOTES = st.builds(Note, BOOTS, SEQS, TEXTS, STAMPS, st.none() | TIMES_NS, DETAILS, st.booleans())
ENTRIES = EVENT_ENTRIES | NOTES

PICK = Event(
    event_id="shelf-1-012345",
    revision=2,
    status=Status.FINAL,
    kind=Kind.PICK,
    board="shelf-1",
    slot="A1",
    sku="cola-033",
    quantity=1,
    grams=-352.37,
    x_mm=61.04,
    y_mm=212.96,
    time_ns=7_214_300_456_789,
    decided_ns=7_215_203_456_789,
    confidence=0.9988,
    needs_review=False,
    alternatives=(Alternative(Kind.PICK, "lemonade-033", "A7", 1, 0.0011),),
    evidence=Evidence((-170.1, -82.0, -70.3, -30.0), 1.25, 800.0, 412.5, 7_214_000_456_789, 7_214_800_456_789),
)
SYNCED = Stamp(1_795_284_000_456_000_000, TimeQuality.SYNCED)
PICK_ENTRY = EventEntry(3_456_789_012, 54_321, PICK, SYNCED)
