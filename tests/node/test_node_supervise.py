"""Parts beside the loop: started again when they fail, given up when that doesn't help."""

from __future__ import annotations

import os
import threading

import pytest
from node_benches import ToldClock

from edge.node.supervise import MOST_RESTARTS, NICENESS, Part, Periodic, Supervisor


class Thing:
    """A part with a will of its own."""

    def __init__(self, name: str = "thing") -> None:
        self.name = name
        self.up = False
        self.starts = self.stops = self.ticks = 0
        self.trouble: Exception | None = None
        self.tick_trouble: Exception | None = None

    def part(self, **more: object) -> Part:
        return Part(self.name, self.start, self.stop, lambda: self.up, self.tick, **more)

    def start(self) -> None:
        self.starts += 1
        if self.trouble is not None:
            raise self.trouble
        self.up = True

    def stop(self) -> None:
        self.stops += 1
        self.up = False

    def tick(self) -> None:
        self.ticks += 1
        if self.tick_trouble is not None:
            raise self.tick_trouble


@pytest.fixture
def clock() -> ToldClock:
    return ToldClock()


def look(supervisor: Supervisor, clock: ToldClock, times: int = 1, every_s: float = 1.0) -> None:
    for _ in range(times):
        supervisor.look()
        clock.sleep(every_s)


def test_a_part_that_ends_is_started_again(clock):
    thing, other = Thing(), Thing("other")
    supervisor = Supervisor([thing.part(), other.part()], clock)
    look(supervisor, clock, 3)
    assert (thing.starts, thing.ticks) == (1, 2)
    thing.up = False
    look(supervisor, clock, 3)
    assert (thing.starts, thing.stops, other.starts) == (2, 1, 1)
    assert supervisor.report()["thing"] == {"restarts": 1, "given_up": False, "text": ""}


def test_five_restarts_in_a_minute_and_no_more(clock, caplog):
    thing, other = Thing(), Thing("other")
    thing.tick_trouble = ValueError("a bug")
    supervisor = Supervisor([thing.part(), other.part()], clock)
    look(supervisor, clock, 60)
    assert thing.starts == 1 + MOST_RESTARTS
    assert supervisor.report()["thing"] == {"restarts": MOST_RESTARTS, "given_up": True, "text": "a bug"}
    assert "given up" in caplog.text
    assert other.up
    assert not thing.up


def test_one_failure_a_minute_is_borne_for_ever(clock):
    thing = Thing()
    supervisor = Supervisor([thing.part()], clock)
    for _ in range(100):
        look(supervisor, clock, 70)
        thing.up = False
    look(supervisor, clock, 3)
    assert thing.up
    assert supervisor.report()["thing"]["restarts"] == 100
    assert not supervisor.report()["thing"]["given_up"]


def test_what_cant_start_takes_nothing_with_it(clock):
    thing, other = Thing(), Thing("other")
    thing.trouble = OSError("no port")
    supervisor = Supervisor([thing.part(), other.part()], clock)
    look(supervisor, clock, 3)
    thing.trouble = None
    look(supervisor, clock, 5)
    assert thing.up
    assert other.starts == 1


def test_what_was_given_up_is_tried_again_after_a_while(clock, caplog):
    """A disk that was full for an hour must not cost a part for years. It is said once."""
    thing = Thing()
    thing.trouble = OSError("the disk is full")
    supervisor = Supervisor([thing.part()], clock)
    look(supervisor, clock, 3600)
    assert 8 <= thing.starts <= 14
    assert supervisor.report()["thing"]["given_up"]
    assert caplog.text.count("given up") == 1
    thing.trouble = None
    look(supervisor, clock, 700)
    assert thing.up
    assert supervisor.report()["thing"] == {"restarts": MOST_RESTARTS, "given_up": False, "text": ""}


def test_a_part_that_isnt_ready_is_waited_for(clock):
    thing, ready = Thing(), []
    supervisor = Supervisor([thing.part(ready=lambda: bool(ready))], clock)
    look(supervisor, clock, 10)
    assert thing.starts == 0
    ready.append(True)
    look(supervisor, clock)
    assert thing.up


def test_they_stop_the_other_way_round(clock):
    order: list[str] = []
    started = threading.Event()  # the last of them
    parts = [
        Part(name, begin, lambda name=name: order.append(name))
        for name, begin in (("outbox", lambda: None), ("uplink", lambda: None), ("health", started.set))
    ]
    supervisor = Supervisor(parts, clock)
    supervisor.start()
    assert started.wait(10.0)
    supervisor.stop()
    assert order == ["health", "uplink", "outbox"]


def test_a_stop_that_fails_keeps_no_other_from_stopping(clock):
    order: list[str] = []

    def fail() -> None:
        raise RuntimeError("no")

    supervisor = Supervisor([Part("a", lambda: None, lambda: order.append("a")), Part("b", lambda: None, fail)], clock)
    look(supervisor, clock)
    supervisor.end()
    assert order == ["a"]


@pytest.mark.skipif(not hasattr(os, "setpriority"), reason="needs os.setpriority")
def test_the_parts_threads_have_less_claim_to_the_cpu_than_fusions(clock):
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    if mine >= NICENESS:
        pytest.skip("these tests run niced themselves")
    found: list[int] = []
    done = threading.Event()

    def look_at_it() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        done.set()

    supervisor = Supervisor([Part("a", threading.Thread(target=look_at_it).start, lambda: None)], clock)
    supervisor.start()
    assert done.wait(10.0)
    supervisor.stop()
    assert found == [NICENESS]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine


def test_periodic_work_that_raises_ends_and_that_shows(caplog):
    done = threading.Event()

    def work() -> None:
        done.set()
        raise ValueError("a bug")

    periodic = Periodic("p", 0.01, work)
    periodic.start()
    assert done.wait(10.0)
    periodic.stop()
    assert not periodic.alive
    assert "ValueError: a bug" in caplog.text
