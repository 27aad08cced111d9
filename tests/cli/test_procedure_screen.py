"""What somebody at a board sees during a procedure: the word for what to do, at any size, and its colour."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from calibration.placements import BoardSite, CellSite
from calibration.prompts import Progress, Prompt, Step
from edge.cli.big_digits import big
from edge.cli.calibrate_screen import ProcedureScreen, calibration_words

SITE = BoardSite("shelf-1", 900.0, 400.0, 80.0, tuple(
    CellSite(name, x, y) for name, x, y in (("fl", 30, 30), ("fr", 870, 30), ("bl", 30, 370), ("br", 870, 370))
))  # fmt: skip
PUT = Prompt(Step.PUT, "Put 2000 g at: back right.", "back right", 786.0, 336.0, 2000.0, 4, 5, limit_s=90.0)
LIFTED = Prompt(Step.PUT, "Put 2000 g at: back right.", "back right", 786.0, 336.0, 2000.0, 4, 5,
                "the weight was lifted before it had rested", 90.0)  # fmt: skip
TAKE = Prompt(Step.TAKE_OFF, "Got it. Take the weight off.", number=4, of=5)
LOADED = Prompt(Step.CLEAR, "Take everything off.", mistake="by its former calibration +2003 g lie on the board")
CLEAR = Prompt(Step.CLEAR, "Clear the board and keep your hands off it.")


def progress(step=Step.PUT, live_g=0.0, resting=True, held=0.0):
    return Progress(step, live_g, resting, held, 60.0, 45.0)


def shown(prompts, columns=80, lines=24, newest=None):
    """The lines of a frame, with their colours left out, and the styles used in its banner."""
    screen = ProcedureScreen("calibrate", SITE, "Ctrl-C stops; nothing is changed then.")
    for prompt in prompts:
        screen.tell(prompt)
    if newest is not None:
        screen.tell(newest)
    console = Console(file=io.StringIO(), width=columns, height=lines, force_terminal=False)
    with console.capture() as kept:
        console.print(screen.frame(columns, lines), end="")
    return kept.get().splitlines()


@pytest.mark.parametrize(("columns", "lines"), [(60, 18), (64, 22), (80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("prompt", [None, CLEAR, PUT, LIFTED, TAKE])
def test_a_frame_is_never_larger_than_its_terminal(columns, lines, prompt):
    rows = shown([] if prompt is None else [prompt], columns, lines, progress())
    assert len(rows) <= lines
    assert max(map(len, rows)) <= columns
    assert "Ctrl-C stops" in rows[-1]


@pytest.mark.parametrize(
    ("prompts", "newest", "word", "line"),
    [
        ([CLEAR], progress(Step.CLEAR, resting=False), "CLEAR", "Take everything off"),
        ([CLEAR], progress(Step.CLEAR), "HANDS OFF", "The empty board is looked at"),
        ([LOADED], progress(Step.CLEAR), "CLEAR", "By its former calibration +2003 g lie on the board."),
        ([PUT], progress(), "PUT 2 kg", "BACK RIGHT:  786 mm from the left, 336 mm from the front, then let go"),
        ([PUT], progress(live_g=2000.0, held=0.4), "WAIT", "being weighed"),
        ([PUT], progress(live_g=None, held=0.4), "WAIT", "being weighed"),
        ([PUT], progress(live_g=3.0, held=0.4), "PUT 2 kg", "BACK RIGHT"),
        ([LIFTED], progress(), "PUT 2 kg", "The weight was lifted before it had rested."),
        ([PUT, TAKE], progress(Step.TAKE_OFF), "TAKE OFF", "Got it."),
    ],
)
def test_what_to_do_is_a_word_in_large_letters_and_a_line_of_text(prompts, newest, word, line):
    rows = shown(prompts, newest=newest)
    for letters in big(word):
        assert any(row.strip() == letters.strip() for row in rows), word
    assert any(line in row for row in rows)


def test_where_there_is_no_room_for_large_letters_the_words_say_it():
    rows = shown([PUT], 60, 18, progress())
    assert any("PUT 2 kg:  BACK RIGHT" in row for row in rows)


def test_colours_tell_waiting_from_putting_and_a_mistake_is_red():
    screen = ProcedureScreen("calibrate", SITE, "")
    styles = []
    for prompt, newest in ((PUT, progress()), (PUT, progress(live_g=2000.0, held=0.4)), (LIFTED, progress()),
                           (TAKE, progress(Step.TAKE_OFF))):  # fmt: skip
        screen.tell(prompt)
        screen.tell(newest)
        styles.append(screen._style(calibration_words(prompt, newest)).split(" on ")[1])
    assert styles == ["bright_cyan", "bright_yellow", "red", "green"]


def test_every_letter_of_every_word_has_its_picture():
    for word in ("HANDS OFF", "CLEAR", "PUT 2.5 kg", "PUT 500 g", "WAIT", "TAKE OFF", "DONE", "UNIT 10"):
        widths = {len(row) for row in big(word)}
        assert len(widths) == 1
        lit = [column for column in zip(*big(word), strict=True) if any(each != " " for each in column)]
        assert len(lit) >= len(word.replace(" ", ""))
        assert len(big(word)[0]) >= sum(1 if letter in " .I" else 3 for letter in word)
