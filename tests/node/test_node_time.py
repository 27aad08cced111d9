"""The wall clock at the node's edge: whatever it does, the events are the same (P6)."""

from __future__ import annotations

from node_benches import Kept, S, ToldClock, at_once

from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.fusion.engine import Fusion
from edge.node.boards import Boards
from edge.node.hardware import Hardware
from edge.node.loop import FusionLoop
from edge.node.outlet import Outlet, unsure_since
from edge.stream.entry import EventEntry, Note, TimeQuality
from edge.stream.jsonl import event_to_line
from edge.stream.outbox.records import Body
from edge.stream.wall_clock import WallClock
from edge.stream.wire import decode_items

DAY_NS = 86_400 * S
NOW_NS = 1_795_000_000 * S


class Lived:
    """40 s on the demo's boards with a wall clock that is set by ``jumps`` (seconds after the start: by how much)."""

    def __init__(self, jumps: dict[int, int], synced_from_s: float = 0.0, wall_ns: int = NOW_NS) -> None:
        self.clock = clock = ToldClock()
        begin_ns = clock()
        ahead = [wall_ns - begin_ns]
        self.wall = WallClock(clock, lambda: clock() + ahead[0], lambda: clock() - begin_ns >= synced_from_s * S)
        self.bodies: list[Body] = []
        self.outlet = Outlet(self._give, self.wall.stamp, clock)
        hardware = Hardware(load_setup(demo_node_path()), demo_node_path(), 2, clock, visit_every_s=2.0)
        boards = Boards(hardware.setup.node.boards, hardware.make, clock, background=at_once)
        kept = Kept()
        kept.decided = self.outlet.events
        loop = FusionLoop(boards, Fusion(hardware.setup), kept, clock, clock.sleep)
        for second in range(40):
            ahead[0] += jumps.get(second, 0)
            while clock() < begin_ns + (second + 1) * S:
                loop.round()
                loop.wait()
            change = self.wall.look()
            if change is not None:
                self.outlet.clock_changed(change)
        loop.finish()

    def _give(self, body: Body) -> bool:
        self.bodies.append(body)
        return True

    def full(self) -> list[bytes]:
        return [body.encode(7, seq) for seq, body in enumerate(self.bodies, 1)]

    def entries(self) -> list[EventEntry | Note]:
        return [entry for full in self.full() for entry in decode_items(full)]

    def lines(self) -> list[str]:
        return [event_to_line(entry.event) for entry in self.entries() if isinstance(entry, EventEntry)]


def test_a_day_forward_and_a_day_back_change_no_event_and_no_order():
    """P6, live: the same events, bit for bit; only the dates differ, and a note says so."""
    calm, wild = Lived({}), Lived({9: DAY_NS, 20: -2 * DAY_NS, 21: 3600 * S})
    assert calm.lines()
    assert wild.lines() == calm.lines()
    notes = [entry for entry in wild.entries() if isinstance(entry, Note)]
    assert [note.details["jumped_ms"] for note in notes] == [86_400_000, -172_800_000, 3_600_000]
    assert [note.what for note in notes] == ["clock"] * 3
    assert not [entry for entry in calm.entries() if isinstance(entry, Note)]


def test_a_node_that_wakes_in_the_past_gets_its_dates_right_once_the_clock_is():
    """A Pi without a clock chip: what was stamped WRONG is stamped again when it is sent, and a note tells readers."""
    lived = Lived({20: NOW_NS - 1_000_000_000 * S}, synced_from_s=20.0, wall_ns=1_000_000_000 * S)
    entries, full = lived.entries(), lived.full()
    early = [k for k, entry in enumerate(entries) if entry.time.quality is TimeQuality.WRONG]
    late = [k for k, entry in enumerate(entries) if entry.time.quality is TimeQuality.SYNCED]
    assert early
    assert late
    better = lived.outlet.better_stamp(7)
    for k in early:
        stamp = better(7, full[k])
        assert stamp is not None
        assert stamp.quality is TimeQuality.SYNCED
        assert abs(stamp.wall_ns - NOW_NS) < 60 * S
        assert better(6, full[k]) is None  # another boot's monotonic times say nothing here
    assert all(better(7, full[k]) is None for k in late)
    assert all(unsure_since(full[k]) is None for k in late)
    (note,) = [entry for entry in entries if isinstance(entry, Note)]
    assert note.details["quality"] == "synced"
    assert note.details["boot"] == 7


def test_what_isnt_an_entry_has_no_better_time():
    assert unsure_since(b"\xff") is None
    assert unsure_since(b"") is None
