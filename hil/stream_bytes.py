"""How many bytes an event takes: on our wire, in the outbox, and in other forms that say the same.

``python -m hil.stream_bytes`` prints the table. The events are what fusion decides of simulated shoppers in front of
the demo's shelves. JSON, CloudEvents and protobuf hold exactly the fields of the sent form of each event, and leave out
whatever it leaves out (nulls, empty lists): a longer habit would only flatter us.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from drivers.simulated.shopper import RandomShopper
from edge.config.demo import demo_node_path
from edge.config.setup import Setup, load_setup
from edge.fusion.replay import replay
from edge.node.simulate import QUIET_END_S, physics_for, simulated_blocks
from edge.stream.entry import EventEntry, Stamp, TimeQuality
from edge.stream.entry_json import entry_to_object, wall_text
from edge.stream.wire import decode_items, encode, for_wire
from edge.trace.event import Event, Kind, Status
from hil.shoppers import scene_of
from hil.stream_protobuf import to_protobuf

SEEDS = (90_400, 90_401)
MINUTES = 20.0
SCENES = ("calm", "everything")

STORE, NODE = "store-7", "node-3"
BOOT = 3_456_789_012  # boots begin at random among 32 bits: nearly all take all four bytes
BEFORE = 10_000  # entries of the boot so far, and events of each board: a few days of a shop
OFFSET_NS = 1_795_284_000_123_456_789  # of the wall clock, which is synced

FORMS = ("sent", "sent, clock not synced", "kept", "protobuf", "JSON", "CloudEvents")
GROUPS: dict[str, Callable[[Event], bool]] = {
    "a pick that is accepted": lambda event: event.kind is Kind.PICK and not event.needs_review,
    "any accepted": lambda event: not event.needs_review,
    "for a person to look at": lambda event: event.needs_review,
    "all": lambda event: True,
}

PIPE_WIDTH = 150  # characters


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes per event in one form."""

    median: float
    p95: float
    mean: float


@dataclass(frozen=True, slots=True)
class StreamBytes:
    """Attributes:
    events: how many revisions of events were measured, by scene.
    review_share: so much of them is for a person to look at, and carries evidence (and alternatives, if there are any).
    final_review_share: the same of final revisions only; what is provisional is less sure by nature.
    counts: how many are in each group. sizes: by group and form.
    """

    events: dict[str, int]
    review_share: dict[str, float]
    final_review_share: dict[str, float]
    counts: dict[str, int]
    sizes: dict[str, dict[str, Size]]

    def share_of_json(self, group: str, form: str = "sent") -> float:
        """Mean bytes in this form over those in JSON."""
        return self.sizes[group][form].mean / self.sizes[group]["JSON"].mean


def measure(minutes: float = MINUTES, seeds: Sequence[int] = SEEDS) -> StreamBytes:
    """Simulate, decide, encode and weigh."""
    setup = demo_setup()
    decided = {
        scene: [event for seed in seeds for event in decided_in(scene, setup, seed, 60.0 * minutes)] for scene in SCENES
    }
    return weigh(decided)


def demo_setup() -> Setup:
    """What `shelfedge demo` shows: two boards, 16 slots, names as people give them."""
    return load_setup(demo_node_path())


def weigh(decided: dict[str, list[Event]]) -> StreamBytes:
    """The sizes of these events, by scene."""
    weighed = [(entry.event, sizes_of(entry)) for events in decided.values() for entry in entries_of(events)]
    sizes, counts = {}, {}
    for group, belongs in GROUPS.items():
        chosen = [found for event, found in weighed if belongs(event)]
        if chosen:
            counts[group] = len(chosen)
            sizes[group] = {form: _size([found[form] for found in chosen]) for form in FORMS}
    return StreamBytes(
        {scene: len(events) for scene, events in decided.items()},
        {scene: _review_share(events) for scene, events in decided.items()},
        {
            scene: _review_share([event for event in events if event.status is Status.FINAL])
            for scene, events in decided.items()
        },
        counts,
        sizes,
    )


def decided_in(scene: str, setup: Setup, seed: int, duration_s: float) -> Iterator[Event]:
    """What fusion decides of a simulated scene: shoppers one after the other, or everything at once."""
    calm = RandomShopper(seed, until_s=duration_s - QUIET_END_S)
    shopper = calm if scene == "calm" else scene_of(scene, seed, duration_s)
    calibrated, _, blocks = simulated_blocks(setup, physics_for(setup, seed), shopper, seed, duration_s)
    return replay(blocks, calibrated)


def entries_of(events: Iterable[Event]) -> Iterator[EventEntry]:
    """The events as they would be some days after the node's start."""
    for seq, event in enumerate(events, start=BEFORE):
        board, _, number = event.event_id.rpartition("-")
        later = replace(event, event_id=f"{board}-{int(number) + BEFORE:06d}")
        yield EventEntry(BOOT, seq, later, Stamp(event.time_ns + OFFSET_NS, TimeQuality.SYNCED))


def sizes_of(entry: EventEntry) -> dict[str, int]:
    """Bytes of one entry by form."""
    kept = encode(entry)
    sent = for_wire(kept, evidence=False, historical=False)
    (carried,) = decode_items(sent)
    assert isinstance(carried, EventEntry)
    return {
        "sent": len(sent),
        "sent, clock not synced": len(
            for_wire(kept, evidence=False, historical=False, stamp=Stamp(entry.time.wall_ns, TimeQuality.FREE))
        ),
        "kept": len(kept),
        "protobuf": len(to_protobuf(carried)),
        "JSON": len(_json(json_object(carried))),
        "CloudEvents": len(_json(cloud_event(carried))),
    }


def json_object(carried: EventEntry) -> dict[str, Any]:
    """The fields that a sent entry carries, under the names of `entry_to_object`; store and node are in the topic."""
    found = entry_to_object(carried, None, NODE)
    found["delay_ms"] = round((carried.event.decided_ns - carried.event.time_ns) / 1e6)
    if carried.time.quality is not TimeQuality.SYNCED:
        found["monotonic_ms"] = carried.event.time_ns // 1_000_000
    for said_twice in ("store", "node", "time", "decided", "time_s", "decided_s"):
        del found[said_twice]
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def cloud_event(carried: EventEntry) -> dict[str, Any]:
    """The same in a CloudEvents 1.0 envelope (structured mode), which says whose, which and when."""
    data = json_object(carried)
    for in_envelope in ("boot", "seq", "wall_time"):
        del data[in_envelope]
    return {
        "specversion": "1.0",
        "type": "shelfedge.event.1",
        "source": f"/{STORE}/{NODE}",
        "id": f"{carried.boot}-{carried.seq}",
        "time": wall_text(carried.time),
        "datacontenttype": "application/json",
        "data": data,
    }


def table(found: StreamBytes) -> Table:
    """For a terminal."""
    made = Table("events", "number", *(f"{form}, bytes" for form in FORMS), "sent : JSON")
    for group, sizes in found.sizes.items():
        cells = (f"{sizes[form].median:.0f} (p95 {sizes[form].p95:.0f})" for form in FORMS)
        made.add_row(group, str(found.counts[group]), *cells, f"1 : {1 / found.share_of_json(group):.1f}")
    shares = "; ".join(
        f"{scene}: {100 * share:.1f} % of {found.events[scene]} revisions, "
        f"{100 * found.final_review_share[scene]:.1f} % of the final ones"
        for scene, share in found.review_share.items()
    )
    made.caption = f"Median and 95th percentile. For a person to look at, so with evidence: {shares}"
    return made


def _review_share(events: Sequence[Event]) -> float:
    return statistics.fmean(event.needs_review for event in events) if events else math.nan


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _size(sizes: Sequence[int]) -> Size:
    ordered = sorted(sizes)
    return Size(
        statistics.median(ordered), ordered[min(len(ordered) * 95 // 100, len(ordered) - 1)], statistics.fmean(ordered)
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of each scene")
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table(measure(parser.parse_args().minutes)))


if __name__ == "__main__":
    main()
