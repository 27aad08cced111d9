"""The pictures of screens: what a terminal showed, in an SVG that loads nothing; a missing tmux is said."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from hil import screens
from hil.screen_svg import HIGH, WIDE, screen_svg

NAME = "{http://www.w3.org/2000/svg}"
SHOWN = "\x1b[1mweight\x1b[0m  \x1b[32m✓ ok <a & b>\x1b[39m\n\x1b[46m  two lines   \n  of one paper  \x1b[49m\n██ ░░\n"


def _shapes(tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(screen_svg(SHOWN, 20, 4, "shelfedge demo")).iter(NAME + tag))


def test_a_picture_loads_nothing_and_has_every_word() -> None:
    picture = screen_svg(SHOWN, 20, 4, "shelfedge demo")
    assert not re.search(r"url\(|@import|href|<script|<image|https?://(?!www\.w3\.org/2000/svg)", picture)
    words = " ".join(text.text or "" for text in _shapes("text"))
    for word in ("shelfedge demo", "weight", "✓ ok <a & b>", "two lines", "of one paper"):
        assert word in words


def test_text_keeps_its_columns_in_any_font() -> None:
    for text in _shapes("text")[1:]:
        assert float(text.attrib["textLength"]) == pytest.approx(len(text.text or "") * WIDE, abs=0.1)


def test_a_style_goes_on_over_the_end_of_a_line() -> None:
    """tmux says a colour once, for all lines that have it."""
    cyan = [rect for rect in _shapes("rect") if rect.attrib["fill"] == "#3cbec8"]
    assert len(cyan) == 2
    assert float(cyan[1].attrib["y"]) - float(cyan[0].attrib["y"]) == HIGH


def test_blocks_are_drawn_not_written() -> None:
    """A font's blocks leave gaps between lines."""
    assert not any(set("█░") & set(text.text or "") for text in _shapes("text"))
    assert any(rect.attrib["width"] == f"{2 * WIDE:g}" for rect in _shapes("rect"))


def test_without_tmux_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(screens, "PICTURES", tmp_path / "pictures")
    assert screens.main(["demo"]) == 1
    assert "apt-get install tmux" in capsys.readouterr().err
    assert screens.main(["demos"]) == 2
