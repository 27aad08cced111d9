"""The monitor's screens: they fit, say every state in words, and show digits as large as they go in."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from monitor_views import bad_cell, bay, board, event, uncalibrated, view

from edge.cli.big_digits import block_digits
from edge.cli.monitor_screen import Look, frame, pages
from edge.cli.monitor_show import pressed_key, rotated
from edge.cli.terminal_keys import keys_in
from edge.node.monitor_data import MonitorView, Sign

SIZES = [(20, 5), (40, 10), (60, 16), (80, 24), (100, 30), (120, 40), (200, 60)]
VIEWS = {
    "sound": view(board(), board("shelf-2")),
    "large": bay(),
    "larger than any": bay(40, 8),
    "one cell": view(board(cells=1)),
    "without calibration": view(uncalibrated(board())),
    "failed": view(board(state="failed", text="shelf-1: /dev/ttyACM0 has gone; plug the MCU in again " * 4)),
    "silent cell": view(bad_cell(board(), Sign.NO_SAMPLES)),
    "no node": view(live=False, text="the node bay-12 has stopped; waiting until it is started again", age_s=60.0),
    "nothing yet": dataclasses.replace(view(), boards=(), events=(), age_s=None),
    "long names": view(board("a" * 64), events=(event(sku="b" * 64, slot="c" * 64, board="a" * 64),)),
}


def _text(shown: MonitorView, look: Look, columns: int = 80, lines: int = 24) -> str:
    return "\n".join(line.plain for line in frame(shown, look, columns, lines))


@pytest.mark.parametrize("name", VIEWS)
def test_a_frame_is_never_wider_or_higher_than_the_terminal(name: str) -> None:
    for (columns, lines), look in itertools.product(SIZES, (Look(), Look(board="shelf-1"), Look(page=99))):
        shown = frame(VIEWS[name], look, columns, lines)
        assert len(shown) <= lines
        assert max((line.cell_len for line in shown), default=0) <= columns
        for line in frame(VIEWS[name], look, columns, lines, ascii_only=True):
            assert line.plain.isascii()


@pytest.mark.parametrize(("columns", "lines", "high"), [(80, 24, 10), (120, 40, 15)])
def test_the_weight_fills_the_screen(columns: int, lines: int, high: int) -> None:
    shown = frame(view(board(level_g=12345.0)), Look(board="shelf-1"), columns, lines)
    rows = [line.plain for line in shown if "██" in line.plain and "✓" not in line.plain]
    assert len(rows) == high
    assert max(map(len, rows)) > 0.9 * columns


def test_digits_keep_their_size_while_a_number_grows() -> None:
    sizes = {len(block_digits(text, 76, 12, 5)) for text in ("7", "1234", "12345")}
    assert len(sizes) == 1
    assert block_digits("-352", 80, 10)[0] != block_digits("352", 80, 10)[0]
    assert block_digits("123456789", 20, 5) == []


@pytest.mark.parametrize("sign", [sign for sign in Sign if sign not in (Sign.OK, Sign.WAITING)])
def test_every_fault_of_a_cell_is_a_word_beside_its_colour(sign: Sign) -> None:
    shown = view(bad_cell(board(), sign), board("shelf-2"))
    assert sign.value.upper() in _text(shown, Look(board="shelf-1"))
    assert sign.value.upper() in _text(shown, Look())


def test_the_last_change_is_said_with_its_place() -> None:
    assert "−352 g at 420, 180 mm  3 s ago" in _text(view(), Look(board="shelf-1"))
    assert "−352 g at 420, 180 mm  3 s ago" in _text(view(board(), board("b")), Look())


def test_noise_stands_beside_the_datasheets() -> None:
    line = next(line for line in _text(view(), Look(board="shelf-1")).splitlines() if line.startswith("✓ c1"))
    assert "84.9" in line
    assert "0.31 g" in line
    assert "150" in line
    assert "×1.6" in line


def test_a_tare_is_marked_wherever_the_weight_stands() -> None:
    tared = board(level_g=-352.0, tare_g=5290.0)
    assert "NET, less 5290 g" in _text(view(tared), Look(board="shelf-1"))
    assert "NET" in _text(view(tared, board("b")), Look())


def test_without_calibration_it_says_so_and_shows_counts_and_mv_per_v() -> None:
    text = _text(view(uncalibrated(board())), Look(board="shelf-1"))
    assert "NOT CALIBRATED" in text
    assert "mV/V" in text
    assert "0.1234" in text
    assert "+81234 counts" in text


def test_all_boards_of_a_large_node_are_on_the_screen() -> None:
    for size in ((80, 24), (120, 40)):
        text = _text(bay(), Look(), *size)
        assert all(f"shelf-{k}" in text for k in range(1, 9))
        assert "NOT SHOWN" not in text


def test_boards_that_dont_go_in_are_counted_and_paged() -> None:
    many = bay(40, 8)
    count = pages(many, 80, 24)
    seen = set()
    for page in range(count):
        text = _text(many, Look(page=page))
        assert "NOT SHOWN" in text
        seen |= {word for word in text.split() if word.startswith("shelf-")}
    assert {f"shelf-{k}" for k in range(1, 41)} <= seen
    assert "21 below ↓" in _text(many, Look()) or "below ↓" in _text(many, Look())


def test_figures_that_no_longer_come_are_called_old() -> None:
    text = _text(VIEWS["no node"], Look(board="shelf-1"))
    assert "NO NEWS for 60 s" in text
    assert "OLD FIGURES" in text
    assert "has stopped; waiting" in text
    assert "at rest" not in text


class _Tares:
    """Remembers whose tare was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def tare(self, name: str) -> bool:
        self.asked.append(name)
        return True


def test_keys_pick_boards_pages_rotation_and_a_tare() -> None:
    shown, tares = bay(4), _Tares()

    def after(*keys: str, look: Look = Look()) -> Look:
        for key in keys:
            look = pressed_key(key, look, shown, tares, 3)  # type: ignore[arg-type]
        return look

    assert after("2").board == "shelf-2"
    assert after("9").board is None
    assert after("right").board == "shelf-1"
    assert after("left").board == "shelf-4"
    assert after("4", "right").board == "shelf-1"
    assert after("2", "a").board is None
    assert after("down", "down", "down", "down").page == 2
    assert after("down", "up", "up").page == 0
    assert after("r").rotating
    assert not after("r", "r").rotating
    assert rotated(after("4"), shown).board == "shelf-1"
    after("t")
    assert tares.asked == []
    after("3", "t")
    assert tares.asked == ["shelf-3"]


def test_keys_are_told_apart_from_what_terminals_send() -> None:
    assert keys_in(b"q") == ["q"]
    assert keys_in(b"\x1b[C\x1b[D1\x1bOA") == ["right", "left", "1", "up"]
    assert keys_in(b"\x1b[1;5C\x1b[200~") == []
    assert keys_in(b"\x1b") == []
    assert keys_in("é".encode()) == []


def test_old_figures_are_grey_and_carry_no_ticks() -> None:
    for look in (Look(board="shelf-1"), Look()):
        lines = frame(VIEWS["no node"], look, 80, 24)
        assert "✓" not in "".join(line.plain for line in lines)
        figures = next(line for line in lines if "c1" in line.plain)
        assert (str(figures.style), figures.spans) == ("bright_black", [])
        title = next(line for line in lines if "OLD FIGURES" in line.plain)
        assert [str(span.style) for span in title.spans] == ["bold red"]
