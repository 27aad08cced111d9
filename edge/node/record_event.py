"""When an event of the outbox happened: `shelf-1-000012`, or `BOOT/SEQ`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge.node.record_choice import Moment
from edge.stream.entry import EventEntry
from edge.trace.errors import TraceError

if TYPE_CHECKING:
    from edge.stream.outbox.records import Row

_PLACE = re.compile(r"(\d{1,10})/(\d{1,18})")


def event_moment(outbox: Path, wanted: str, boot: int | None) -> Moment:
    """When an event's item moved, by its latest revision.

    Args:
        outbox: the node's outbox.db; it may be in use.
        wanted: an event's id, of which the one committed last is meant, or the boot and seq of an entry.
        boot: look only there.
    Raises TraceError when no such event is kept, OutboxUnavailableError when there is no outbox that can be read.
    """
    from edge.stream.outbox.reader import OutboxReader
    from edge.stream.outbox.records import Position

    place = _PLACE.fullmatch(wanted)
    with OutboxReader(outbox) as reader:
        if place:
            position = Position(int(place[1]), int(place[2]))
            for row in reader.rows(Position(position.boot, position.seq - 1)):
                for entry in _events([row]) if row.position == position else ():
                    return Moment(entry.boot, entry.event.time_ns, f"event {entry.event.event_id} ({wanted})")
                break
            raise TraceError(f"{outbox}: no event {wanted} (boot/seq) is kept there; `shelfedge events` lists them")
        found = None
        for entry in _events(row for row in reader.rows() if boot is None or row.boot == boot):
            if entry.event.event_id == wanted:
                found = entry
    if found is None:
        where = "" if boot is None else f" of boot {boot}"
        raise TraceError(
            f"{outbox}: no event {wanted} among those kept{where}; expected an id such as shelf-1-000012, or BOOT/SEQ; "
            "`shelfedge events` lists them"
        )
    return Moment(found.boot, found.event.time_ns, f"event {wanted} of boot {found.boot}")


def _events(rows: Iterable[Row]) -> Iterator[EventEntry]:
    """The events among entries; what this version can't decode is passed over."""
    from edge.stream.wire_keys import WireError
    from edge.stream.wire_reader import decode_items

    for row in rows:
        try:
            entries = decode_items(row.payload)
        except WireError:
            continue
        yield from (entry for entry in entries if isinstance(entry, EventEntry))
