"""What a node makes of other nodes' tracks: points with its own times whatever comes, a sentence where they fail."""

from __future__ import annotations

import math
from collections.abc import Callable

import cbor2
import pytest

from edge.fusion.sightings import SIGHT_DELAY_NS
from edge.stream.track_peer import MOST_SD_NS, with_clock_doubt
from edge.stream.track_publisher import TrackPublisher
from edge.stream.track_receiver import MOST_WAITING, TrackReceiver
from edge.stream.track_wire import Answer, decode_ask, decode_message, encode_answer
from edge.trace.sighting import TrackPoint

S, MS = 10**9, 10**6
RUN = 40_123


class Pair:
    """A node with a camera and one that reads its tracks, 15 frames a second, over a network without jitter.

    Attributes:
        ahead_ns: their clock minus ours. delay_ns: of each message to us; ask_delay_ns: of our questions.
        lost: which messages don't come.
        truth: when a point was exposed by our clock, by the x that was given.
    """

    def __init__(self, ahead_ns: int = 5_000 * S, run: int = RUN, answers: bool = True) -> None:
        self.publisher, self.ahead_ns, self.answers = TrackPublisher(run), ahead_ns, answers
        self.now_ns = 70 * S
        self.receiver = TrackReceiver(["ceiling-1"], lambda: self.now_ns)
        self.delay_ns, self.ask_delay_ns = MS, MS
        self.lost: Callable[[bytes], bool] = lambda payload: False
        self.truth: dict[float, int] = {}
        self._frame = 0

    def run(self, seconds: float, people: int = 1, process_ns: int = 40 * MS) -> list[TrackPoint]:
        """So many seconds of frames; gives the points that came."""
        found = []
        for _ in range(round(seconds * 15)):
            self.now_ns += S // 15
            self._frame += 1
            exposed_ns = self.now_ns - process_ns
            self.truth[float(self._frame)] = exposed_ns
            theirs_ns = exposed_ns + self.ahead_ns
            points = [self._point(who, theirs_ns) for who in range(1, people + 1)]
            self.publisher.give("aisle-1", theirs_ns, points)
            self._carry()
            found += self.receiver.take()
        return found

    def _point(self, who: int, theirs_ns: int) -> TrackPoint:
        track = f"aisle-1.{self.publisher.run}.{who}"
        x_mm = float(self._frame)
        return TrackPoint(track, theirs_ns, x_mm, 500.0, 900.0, 0.0, 900.0, 1500.0, -700.0, False, (1, 2, 3, 4, 5, 6))

    def _carry(self) -> None:
        arrived_ns = self.now_ns + self.delay_ns
        while (payload := self.publisher.next(self.now_ns + self.ahead_ns)) is not None:
            if not self.lost(payload):
                self.receiver.heard("ceiling-1", payload, arrived_ns)
        while self.answers and (asked := self.receiver.ask(self.now_ns)) is not None:
            theirs_us = (self.now_ns + self.ask_delay_ns + self.ahead_ns) // 1000
            answer = Answer(decode_ask(asked[1]), self.publisher.run, theirs_us, theirs_us + 100)
            self.receiver.answered(
                asked[0], encode_answer(answer), self.now_ns + self.ask_delay_ns + self.delay_ns + MS // 10
            )


def state(pair: Pair) -> dict[str, object]:
    found: dict[str, object] = pair.receiver.state(pair.now_ns)["nodes"]["ceiling-1"]
    return found


def problems(pair: Pair) -> str:
    return " | ".join(pair.receiver.problems(pair.now_ns))


@pytest.mark.parametrize("ahead_ns", [0, 5_000 * S, -60 * S, (1 << 32) * MS - 80 * S])
def test_points_come_with_our_time_and_their_place(ahead_ns: int) -> None:
    """The last one's 32 bits of milliseconds begin anew after ten seconds."""
    pair = Pair(ahead_ns)
    points = pair.run(30.0)
    assert len(points) >= 280
    assert all(abs(p.time_ns - pair.truth[p.x_mm]) <= 1.5 * MS for p in points)
    assert {p.track for p in points} == {f"aisle-1.{RUN}.1"}
    assert {p.clothes for p in points} == {(1, 2, 3, 4, 5, 6)}
    assert all((p.y_mm, p.vx_mm_s, p.vy_mm_s) == (500.0, 1500.0, -700.0) for p in points)
    assert problems(pair) == ""
    assert state(pair)["lost"] == 0


def test_a_points_doubt_grows_by_what_its_time_may_be_wrong() -> None:
    point = TrackPoint("a.1.2", 5, 10.0, 20.0, 900.0, 30.0, 400.0, 1500.0, -700.0)
    wider = with_clock_doubt(point, 20 * MS)
    assert (wider.xx_mm2, wider.yy_mm2) == (pytest.approx(900.0 + 30.0**2), pytest.approx(400.0 + 14.0**2))
    assert wider.xy_mm2 == pytest.approx(30.0 - 30.0 * 14.0)
    pair = Pair()
    pair.delay_ns = pair.ask_delay_ns = 50 * MS  # there and back, so half of the way there and back is what isn't known
    (last,) = pair.run(20.0)[-1:]
    assert math.sqrt(last.xx_mm2 - 900.0) == pytest.approx(75.0, rel=0.2)


def test_until_the_name_comes_nobody_knows_whose_points_they_are() -> None:
    pair = Pair()
    pair.lost = lambda payload: decode_message(payload).here is not None
    assert pair.run(2.0) == []
    assert state(pair)["unnamed"] == pytest.approx(20, abs=2)
    pair.lost = lambda payload: False
    assert len(pair.run(3.0)) >= 15
    assert state(pair)["unsure"] == pytest.approx(0, abs=1)  # a question is asked as soon as something is heard


def test_losses_are_counted_and_cost_only_themselves() -> None:
    pair = Pair()
    count = iter(range(10**6))
    pair.lost = lambda payload: next(count) % 5 == 3
    points = pair.run(60.0)
    assert 440 <= len(points) <= 500
    assert state(pair)["lost"] == pytest.approx(len(points) / 4, rel=0.2)


def test_another_run_starts_over() -> None:
    """A reboot of the other node: another clock, numbers of cameras and identities begin anew."""
    pair = Pair()
    pair.run(10.0)
    pair.publisher, pair.ahead_ns = TrackPublisher(7), -65 * S
    points = pair.run(10.0)
    assert {p.track for p in points} == {"aisle-1.7.1"}
    assert all(abs(p.time_ns - pair.truth[p.x_mm]) <= 1.5 * MS for p in points)
    assert state(pair)["clock_slips"] == 0


def test_points_of_a_track_never_go_back_in_time() -> None:
    """Also where the clock becomes known better, by more than lies between two points."""
    pair = Pair()
    pair.delay_ns = 320 * MS
    points = pair.run(2.0, process_ns=250 * MS)
    assert points[0].time_ns - pair.truth[points[0].x_mm] > 120 * MS
    pair.delay_ns = MS
    points += pair.run(10.0, process_ns=250 * MS)
    times = [p.time_ns for p in points]
    assert times == sorted(set(times))
    assert len(points) > 90


def test_nobody_is_seen_later_than_the_message_came() -> None:
    """Where the clock was thought to be later than it is, the arrival sets a limit before the next heartbeat does."""
    pair = Pair()
    pair.delay_ns = 320 * MS
    pair.run(2.0)
    pair.delay_ns = MS
    points = pair.run(0.5)
    assert points
    assert all(p.time_ns - pair.truth[p.x_mm] <= 41 * MS for p in points)


def test_a_time_that_is_hardly_known_gives_no_points() -> None:
    pair = Pair()
    pair.delay_ns = pair.ask_delay_ns = 2 * MOST_SD_NS
    assert pair.run(5.0) == []
    assert state(pair)["unsure"] == pytest.approx(50, abs=4)


def test_what_comes_late_is_handed_over_counted_and_told() -> None:
    """Fusion refuses it; health says why nobody is seen."""
    pair = Pair()
    pair.run(5.0)
    points = pair.run(5.0, process_ns=SIGHT_DELAY_NS + 500 * MS)
    assert len(points) >= 40
    assert state(pair)["late"] == len(points)
    assert "tracks of node ceiling-1 come late" in problems(pair)
    assert "these by 90" in problems(pair)
    assert "what is older than 400 ms isn't used" in problems(pair)


def test_an_empty_aisle_is_no_problem_but_a_silent_camera_is_one() -> None:
    pair = Pair()
    pair.run(20.0, people=0)
    assert problems(pair) == ""
    assert state(pair)["cameras"] == {"aisle-1": {"heard_s": pytest.approx(0.5, abs=0.6), "people": 0}}
    other = pair.publisher
    pair.now_ns += 7 * S
    assert problems(pair) == ""  # of one camera it may be the network, too
    other.give("aisle-2", pair.now_ns + pair.ahead_ns, [])
    pair.receiver.heard("ceiling-1", other.next(pair.now_ns + pair.ahead_ns) or b"", pair.now_ns)
    assert "its camera aisle-1 has been silent for 8 s; it may be covered, dark or off" in problems(pair)
    assert "aisle-2" not in problems(pair)
    pair.now_ns += 30 * S
    assert "tracks of node ceiling-1: nothing has come for 30 s; check that it runs" in problems(pair)


def test_a_node_that_was_never_heard_is_told_of_after_a_while() -> None:
    pair = Pair()
    assert problems(pair) == ""
    pair.now_ns += 40 * S
    assert "nothing has come for 40 s" in problems(pair)
    assert pair.receiver.ask(pair.now_ns) is None  # nobody to ask yet


def test_without_answers_the_times_are_worse_and_health_says_so() -> None:
    pair = Pair(answers=False)
    points = pair.run(20.0)
    assert all(abs(p.time_ns - pair.truth[p.x_mm]) <= 10 * MS for p in points)
    assert len(points) >= 140
    assert "it answers no questions about its clock" in problems(pair)
    assert "10 ms only" in problems(pair)


def test_answers_that_nobody_asked_for_change_nothing() -> None:
    pair = Pair()
    pair.run(5.0)
    before = pair.receiver.state(pair.now_ns)
    for answer in (Answer(5, RUN, 1, 2), Answer(pair.now_ns // 1000, RUN, 1, 2), Answer(pair.now_ns // 1000, 9, 1, 2)):
        pair.receiver.answered("ceiling-1", encode_answer(answer), pair.now_ns)
        pair.receiver.answered("somebody", encode_answer(answer), pair.now_ns)
    assert pair.receiver.state(pair.now_ns) == before


def test_an_answer_of_a_life_that_isnt_known_yet_changes_nothing() -> None:
    """The other node was started again, and its answer overtakes its tracks."""
    pair = Pair()
    pair.run(5.0)
    before = pair.receiver.state(pair.now_ns)
    asked = pair.receiver.ask(pair.now_ns + 3 * S)
    assert asked is not None
    ask_us = decode_ask(asked[1])
    pair.receiver.answered("ceiling-1", encode_answer(Answer(ask_us, 9, ask_us + 50, ask_us + 60)), pair.now_ns + MS)
    assert pair.receiver.state(pair.now_ns) == before


def test_rubbish_is_counted_and_told_and_nothing_else() -> None:
    pair = Pair()
    pair.run(5.0)
    for payload in (b"", b"\xff", b"hello", cbor2.dumps({1: 5}), cbor2.dumps([1]), b"\xa1" * 9000):
        pair.receiver.heard("ceiling-1", payload, pair.now_ns)
        pair.receiver.answered("ceiling-1", payload, pair.now_ns)
        pair.receiver.heard("a stranger", payload, pair.now_ns)
    assert state(pair)["damaged"] == 12
    assert "a message can't be read" in problems(pair)
    assert len(pair.run(5.0)) >= 45


def test_what_the_loop_doesnt_take_is_bounded() -> None:
    """P4."""
    pair = Pair()
    pair.run(3.0)
    for _ in range(600):
        pair.now_ns += S // 10
        theirs_ns = pair.now_ns + pair.ahead_ns - 20 * MS
        pair.publisher.give("aisle-1", theirs_ns, [pair._point(who, theirs_ns) for who in range(1, 9)])
        pair._carry()
    assert len(pair.receiver.take()) == MOST_WAITING
    assert pair.receiver.state(pair.now_ns)["overflowed"] > 0
    assert pair.receiver.take() == []
