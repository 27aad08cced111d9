"""The bench of bytes per event compares like with like, and the budgets hold."""

from __future__ import annotations

import json

import pytest

from edge.stream.entry import EventEntry, Stamp, TimeQuality
from edge.stream.vectors import vectors
from edge.stream.wire import decode_items, encode, for_wire
from edge.trace.event import Event
from hil.stream_bytes import (
    FORMS,
    StreamBytes,
    cloud_event,
    decided_in,
    demo_setup,
    entries_of,
    json_object,
    sizes_of,
    table,
    weigh,
)
from hil.stream_protobuf import message_of, to_protobuf

SEED = 71_203


@pytest.fixture(scope="module")
def decided() -> dict[str, list[Event]]:
    setup = demo_setup()
    return {scene: list(decided_in(scene, setup, SEED, 150.0)) for scene in ("calm", "everything")}


@pytest.fixture(scope="module")
def found(decided: dict[str, list[Event]]) -> StreamBytes:
    return weigh(decided)


def test_a_typical_pick_takes_at_most_64_bytes(found: StreamBytes) -> None:
    """Issue D's budget, on the demo's shelves."""
    assert found.sizes["a pick that is accepted"]["sent"].median <= 64


def test_every_group_takes_at_most_a_third_of_json(found: StreamBytes) -> None:
    for group in found.sizes:
        assert found.share_of_json(group) <= 1 / 3
        assert found.share_of_json(group, "CloudEvents") > 1


def test_the_groups_are_the_events(decided: dict[str, list[Event]], found: StreamBytes) -> None:
    assert found.counts["all"] == sum(len(events) for events in decided.values()) == sum(found.events.values())
    assert found.counts["any accepted"] + found.counts["for a person to look at"] == found.counts["all"]
    assert 0 <= found.final_review_share["calm"] <= found.review_share["everything"] <= 1
    assert all(set(sizes) == set(FORMS) for sizes in found.sizes.values())
    assert table(found).row_count == len(found.sizes)


def test_all_forms_say_the_same_of_each_event(decided: dict[str, list[Event]]) -> None:
    for entry in entries_of(decided["everything"]):
        assert entry.event.event_id != decided["everything"][0].event_id
        kept = encode(entry)
        for stamp in (entry.time, Stamp(entry.time.wall_ns, TimeQuality.FREE)):
            (carried,) = decode_items(for_wire(kept, evidence=False, historical=False, stamp=stamp))
            assert isinstance(carried, EventEntry)
            _same(carried)
        assert sizes_of(entry)["kept"] == len(kept)


def _same(carried: EventEntry) -> None:
    event, said = carried.event, json_object(carried)
    assert said == json.loads(json.dumps(said))
    assert ("evidence" in said) == event.needs_review
    assert ("alternatives" in said) == bool(event.alternatives)
    envelope = cloud_event(carried)
    assert said == envelope["data"] | {
        "boot": carried.boot,
        "seq": int(envelope["id"].split("-")[1]),
        "wall_time": envelope["time"],
    }
    message = message_of(to_protobuf(carried))
    assert (message.boot, message.seq, message.revision) == (said["boot"], said["seq"], said["revision"])
    assert f"{message.board}-{message.number:06d}" == said["event_id"]
    assert message.delay_ms == said["delay_ms"]
    assert (message.quantity, message.needs_review) == (said["quantity"], said["needs_review"])
    for field, name, scale in (("grams", "grams", 10), ("x", "x_mm", 10), ("y", "y_mm", 10)):
        assert message.HasField(field) == (name in said)
        assert getattr(message, field) == round(said.get(name, 0) * scale)
    assert message.doubt == round((1 - said["confidence"]) * 1e6)
    assert [each.sku for each in message.alternatives] == [each["sku"] or "" for each in said.get("alternatives", [])]
    assert message.HasField("evidence") == ("evidence" in said)
    assert message.HasField("monotonic_ms") == ("monotonic_ms" in said) == (carried.time.quality is TimeQuality.FREE)


def test_protobuf_takes_all_that_the_wire_takes() -> None:
    for vector in vectors()["read"]:
        for entry in decode_items(bytes.fromhex(vector["hex"])):
            if isinstance(entry, EventEntry):
                message = message_of(to_protobuf(entry))
                assert message.historical == entry.historical
                assert [track.track for track in message.who] == [track for track, _ in entry.event.who]
                assert message.board == entry.event.board
