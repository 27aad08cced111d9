"""All boards behind one reader: none holds up another, and each comes back by itself."""

from __future__ import annotations

import logging

import pytest
from node_benches import MS, HandDriver, S, Shelf, ToldClock, at_once, block, board

from drivers.errors import DriverError
from drivers.notices import Notice
from edge.node.boards import Boards


@pytest.fixture
def clock() -> ToldClock:
    return ToldClock()


def boards_on(shelf: Shelf, clock: ToldClock, *names: str, **more: object) -> Boards:
    return Boards({name: board() for name in names}, shelf.make, clock, background=at_once, **more)


def read(boards: Boards, clock: ToldClock, seconds: float = 0.02) -> dict[str, int]:
    """One round; how many samples of which board."""
    clock.sleep(seconds)
    blocks, _ = boards.read(clock())
    return {each.board: len(each) for each in blocks}


def test_a_board_that_never_answers_costs_only_itself(clock, caplog):
    """P3. It is tried again for ever, ever more seldom; its words are told once."""
    shelf = Shelf()
    shelf.missing.add("b")
    boards = boards_on(shelf, clock, "a", "b")
    read(boards, clock)
    with caplog.at_level(logging.INFO):
        for _ in range(60 * 60):
            read(boards, clock)
            shelf.newest("a").queue.append(block("a", (clock() + 1 * MS, 0)))
            assert read(boards, clock, 0.98) == {"a": 1}
    assert boards.states["a"].state == "running"
    assert boards.states["b"].state == "failed"
    assert boards.states["b"].text == "b: no port; plug the MCU in"
    assert 60 <= boards.states["b"].starts <= 70  # 1, 2, 4 ... 60 s, then once a minute
    assert caplog.text.count("plug the MCU in") == 1


def test_a_driver_that_fails_while_it_runs_comes_back(clock, caplog):
    shelf = Shelf()
    boards = boards_on(shelf, clock, "a", "b")
    read(boards, clock)
    read(boards, clock)
    first = shelf.newest("a")
    for name in "ab":
        shelf.newest(name).queue.append(block(name, (clock() + MS, 0)))
    assert read(boards, clock) == {"a": 1, "b": 1}
    with caplog.at_level(logging.INFO):
        first.fail_read = DriverError("a: the MCU speaks another protocol; flash it")
        read(boards, clock)
        assert boards.states["a"].state == "failed"
        assert first.stopped == 1
        read(boards, clock, 0.5)
        assert len(shelf.made["a"]) == 1
        read(boards, clock, 0.6)
        read(boards, clock)
        assert len(shelf.made["a"]) == 2
        assert boards.states["a"].state == "silent"
        shelf.newest("a").queue.append(block("a", (clock() + MS, 0)))
        assert read(boards, clock)["a"] == 1
    assert boards.states["a"].state == "running"
    assert boards.states["a"].text == ""
    assert caplog.text.count("flash it") == 1
    assert "a: samples come again" in caplog.text


def test_a_bug_in_a_driver_is_no_end_either(clock, caplog):
    shelf = Shelf()
    boards = boards_on(shelf, clock, "a")
    read(boards, clock)
    read(boards, clock)
    shelf.newest("a").fail_read = ZeroDivisionError("division by zero")
    read(boards, clock)
    assert boards.states["a"].state == "failed"
    assert "ZeroDivisionError" in caplog.text  # with its traceback, for developers


def test_a_driver_that_hangs_while_it_starts_holds_up_nobody(clock):
    shelf = Shelf()
    waiting = []
    boards = Boards({"a": board()}, shelf.make, clock, background=waiting.append)
    for _ in range(100):
        assert read(boards, clock, 1.0) == {}
    assert len(waiting) == 1
    assert boards.states["a"].state == "starting"
    waiting.pop()()
    read(boards, clock)
    assert boards.states["a"].state == "silent"


def test_one_that_starts_after_the_node_has_stopped_is_let_go(clock):
    shelf = Shelf()
    waiting = []
    boards = Boards({"a": board()}, shelf.make, clock, background=waiting.append)
    read(boards, clock)
    boards.stop()
    waiting.pop()()
    assert shelf.newest("a").stopped == 1


def test_too_late_samples_are_counted(clock):
    """P3, P8."""
    shelf = Shelf()
    boards = boards_on(shelf, clock, "a", "b")
    read(boards, clock)
    read(boards, clock)
    for _ in range(300):
        shelf.newest("a").queue.append(block("a", (clock() + MS, 0)))
        read(boards, clock)
    shelf.newest("b").queue.append(block("b", (clock() - 3 * S, 0), (clock() + MS, 1)))
    shelf.newest("a").queue.append(block("a", (clock() + MS, 0)))
    assert read(boards, clock) == {"a": 1, "b": 1}
    assert boards.refused["b"].too_late == 1


def test_notices_are_counted_and_a_storm_of_them_is_told_once(clock, caplog):
    shelf = Shelf()
    heard: list[Notice] = []
    boards = boards_on(shelf, clock, "a", on_notice=heard.append)
    read(boards, clock)
    read(boards, clock)
    notice = Notice("a", "c0", "link damage", 0, 1, 3, "a c0: 3 samples lost; check the USB cable")
    shelf.newest("a").notices = [notice] * 500
    read(boards, clock, 1.0)
    assert len(heard) == 500
    assert boards.states["a"].notices == {"link damage": 500}
    assert boards.states["a"].samples_lost == {"link damage": 1500}
    assert caplog.text.count("check the USB cable") == 1


def test_notices_that_fail_are_no_end(clock, caplog):
    class Mute(HandDriver):
        def take_notices(self) -> list[Notice]:
            raise RuntimeError("no")

    boards = Boards({"a": board()}, Mute, clock, background=at_once)
    for _ in range(3):
        read(boards, clock, 1.0)
    assert boards.states["a"].state == "silent"


def test_at_the_end_nothing_is_waited_for(clock):
    shelf = Shelf()
    boards = boards_on(shelf, clock, "a", "b")
    read(boards, clock)
    read(boards, clock)
    shelf.newest("a").queue.append(block("a", (clock(), 0)))
    blocks, until_ns = boards.read_last(clock())
    assert len(blocks) == 1
    assert until_ns == clock()
