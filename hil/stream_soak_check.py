"""What a back end has received against what a node has committed: the judge of the soak."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from edge.stream.entry import Entry, Note
from edge.stream.wire import decode_items, for_wire

_SHOWN = 10
_NS_PER_MS = 1_000_000


class Committed(NamedTuple):
    """A row of a node's outbox."""

    boot: int
    seq: int
    payload: bytes


class Stored(NamedTuple):
    """A row of the back end's database, in the order in which they were delivered."""

    boot: int
    seq: int
    item: bytes
    received_ms: int


@dataclass(slots=True)
class Verdict:
    """Of one node.

    Attributes:
        events, notes: committed ones. boots: starts that committed anything.
        missing: committed ones that the back end hasn't got (yet).
        problems: sentences for every broken promise.
        across_boots: entries delivered after one of a later boot. Allowed; but a node sends in order.
        delays_s: from the decision to the back end's disk, one per event.
    """

    node: str
    events: int = 0
    notes: int = 0
    boots: int = 0
    missing: int = 0
    across_boots: int = 0
    problems: list[str] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)


def stored_entries(database: Path, node: str) -> tuple[list[Stored], list[tuple[int, int, int]]]:
    """What the back end has of a node, and what it was told is gone (boot, first, last)."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        entries = connection.execute(
            "SELECT boot, seq, item, received_ms FROM entry WHERE node = ? ORDER BY id", (node,)
        )
        gone = connection.execute("SELECT boot, first, last FROM given_up WHERE node = ?", (node,))
        return [Stored(*row) for row in entries], [(boot, first, last) for boot, first, last in gone]


def judge(
    node: str, committed: Sequence[Committed], stored: Sequence[Stored], gone: Iterable[tuple[int, int, int]]
) -> Verdict:
    """Every committed entry exactly once, in order, with the same content (P1, P2); and nothing else."""
    verdict = Verdict(node)
    problems = verdict.problems
    kept = {(row.boot, row.seq): row.payload for row in committed}
    got = {(row.boot, row.seq) for row in stored}
    last_seq: dict[int, int] = {}
    for row in committed:
        if row.seq != last_seq.get(row.boot, 0) + 1:
            problems.append(
                f"{node}: boot {row.boot}: entry {row.seq} follows {last_seq.get(row.boot, 0)} in the outbox"
            )
        last_seq[row.boot] = row.seq
    order = {boot: number for number, boot in enumerate(last_seq)}
    verdict.boots = len(order)
    verdict.missing = len(kept.keys() - got)
    if len(got) != len(stored):
        problems.append(f"{node}: {len(stored) - len(got)} entries are there twice")
    problems += [
        f"{node}: boot {boot}, {first} to {last}: given up, though nothing was dropped" for boot, first, last in gone
    ]
    delivered: dict[int, int] = {}
    newest = -1
    for came in stored:
        payload = kept.get((came.boot, came.seq))
        if payload is None:
            problems.append(f"{node}: entry {came.seq} of boot {came.boot} was delivered but never committed")
            continue
        if came.seq <= delivered.get(came.boot, 0):
            problems.append(f"{node}: entry {came.seq} of boot {came.boot} came after {delivered[came.boot]}")
        delivered[came.boot] = came.seq
        verdict.across_boots += order[came.boot] < newest
        newest = max(newest, order[came.boot])
        (entry,) = decode_items(came.item)
        if for_wire(payload, evidence=False, historical=entry.historical, stamp=entry.time) != came.item:
            problems.append(f"{node}: entry {came.seq} of boot {came.boot} isn't what was committed")
        if isinstance(entry, Note):
            verdict.notes += 1
        else:
            verdict.events += 1
            verdict.delays_s.append((came.received_ms * _NS_PER_MS - _decided_wall_ns(entry)) / 1e9)
    if len(problems) > _SHOWN:
        problems[_SHOWN:] = [f"{node}: and {len(problems) - _SHOWN} more problems"]
    return verdict


def _decided_wall_ns(entry: Entry) -> int:
    if isinstance(entry, Note):
        return entry.time.wall_ns
    return entry.time.wall_ns + entry.event.decided_ns - entry.event.time_ns
