"""Tracks for people at a terminal: a line for each camera and second; and for programs, a line for each point."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from test_track_broker import CEILING, RUN, Ceiling
from uplink_bed import options, secret

import edge.stream
from edge.stream.track_publisher import TrackPublisher
from edge.stream.track_watch import TrackLines, follow_tracks
from edge.stream.uplink.topics import Names
from edge.stream.wire import WireError
from edge.trace.sighting import TrackPoint
from hil.broker import Broker

S = 10**9


def lines(as_json: bool, seconds: int = 3) -> list[str]:
    """One walks and one is only thought to be there, in the second second."""
    publisher, reader, found = TrackPublisher(RUN), TrackLines(as_json), []
    for frame in range(10 * seconds):
        time_ns = frame * S // 10
        who = [
            TrackPoint(f"aisle-1.{RUN}.17", time_ns, 12_340.0, 4_025.0, 1600.0, 0.0, 900.0, 600.0, 800.0),
            TrackPoint(f"aisle-1.{RUN}.9", time_ns, 100.0, -50.0, 1e4, 0.0, 1e4, 0.0, 0.0, True),
        ]
        publisher.give("aisle-1", time_ns, who if 1.0 <= time_ns / S < 2.0 else [])
        while (payload := publisher.next(time_ns)) is not None:
            found += reader.lines("ceiling-1", payload)
    return found


def test_a_line_a_second_says_who_is_where() -> None:
    nobody = "ceiling-1  aisle-1  nobody"
    people = "2 people: 17 at 12.34, 4.03 m +- 0.04, 1.0 m/s; 9 at 0.10, -0.05 m +- 0.10, 0.0 m/s, hidden"
    assert lines(as_json=False) == [nobody, f"ceiling-1  aisle-1  {people}", nobody]


def test_a_line_of_json_for_each_point() -> None:
    found = [json.loads(line) for line in lines(as_json=True)]
    assert len(found) == 20
    assert found[0] == {
        "node": "ceiling-1", "track": f"aisle-1.{RUN}.17", "sender_ms": 1000, "x_mm": 12340.0, "y_mm": 4025.0,
        "xx_mm2": pytest.approx(1600.0, rel=0.05), "xy_mm2": 0.0, "yy_mm2": pytest.approx(900.0, rel=0.05),
        "vx_mm_s": 600.0, "vy_mm_s": 800.0, "hidden": False,
    }  # fmt: skip


def test_what_is_no_message_is_refused_and_the_next_one_read() -> None:
    reader = TrackLines(as_json=False)
    with pytest.raises(WireError):
        reader.lines("ceiling-1", b"rubbish")
    publisher = TrackPublisher(RUN)
    publisher.give("aisle-1", 0, [])
    payload = publisher.next(0)
    assert payload is not None
    assert reader.lines("ceiling-1", payload) == ["ceiling-1  aisle-1  nobody"]


def test_somebody_at_the_broker_sees_them(broker: Broker) -> None:
    opened: list[list[str]] = []
    with Ceiling(broker.url, people=2):
        following = follow_tracks(options(broker), [CEILING], False, opened.append, pytest.fail)
        assert any("ceiling-1  aisle-1  2 people: 1 at " in line for line in itertools.islice(following, 2))
        following.close()
    assert opened == [[]]


def test_who_may_not_read_them_hears_why_nothing_comes(tmp_path: Path) -> None:
    """P11: mosquitto grants the subscription and serves nothing; silence would say that nobody is there."""
    acl = (Path(edge.stream.__file__).parent / "mosquitto.acl").read_text()
    problems: list[str] = []

    class Told(Exception):  # noqa: N818 - it ends what has no end
        pass

    def tell(problem: str) -> None:
        problems.append(problem)
        raise Told

    with Broker(tmp_path / "guarded", users={"backend": "back"}, acl=acl) as guarded:
        login = {"username": "backend", "password_file": secret(tmp_path / "password", "back\n")}
        names = [CEILING, Names("store-7", "ceiling-2")]
        with pytest.raises(Told):
            next(follow_tracks(options(guarded, **login), names, False, lambda warnings: None, tell, silent_s=0.3))
    assert "no tracks come of ceiling-1, ceiling-2, not even that nobody is there" in problems[0]
    assert "ACL" in problems[0]
