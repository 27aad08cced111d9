"""A terminal's screen, as tmux captures it with its colours, as an SVG that loads nothing.

Text is stretched to its columns, so any monospace font will do; blocks and bars are drawn, since fonts leave
gaps between lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from xml.sax.saxutils import escape

from rich.ansi import AnsiDecoder
from rich.color import ColorType
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme

WIDE, HIGH, FONT = 8.4, 18.0, 14.0
_EDGE, _TITLE = 10.0, 26.0
_RULES = (
    f"text{{font:{FONT:g}px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}}"
    "rect{shape-rendering:crispEdges}"  # else there are seams between lines where it is shown at another size
)
_PAPER, _INK = (12, 14, 18), (222, 225, 230)
_NORMAL = [(40, 44, 52), (224, 84, 84), (84, 190, 104), (222, 178, 60), (82, 148, 240), (198, 112, 214), (60, 190, 200)]
_BRIGHT = [(110, 116, 128), (255, 110, 110), (110, 220, 130), (245, 205, 90), (120, 175, 255), (225, 140, 240)]
_THEME = TerminalTheme(_PAPER, _INK, [*_NORMAL, (205, 208, 214)], [*_BRIGHT, (90, 222, 232), (255, 255, 255)])
_BLOCKS = {  # left, top, width, height as shares of a character; opacity
    "█": (0, 0, 1, 1, 1.0), "▀": (0, 0, 1, 0.5, 1.0), "▄": (0, 0.5, 1, 0.5, 1.0), "░": (0, 0.1, 1, 0.8, 0.22),
    "▒": (0, 0.1, 1, 0.8, 0.55), "━": (0, 0.42, 1, 0.16, 1.0), "─": (0, 0.47, 1, 0.06, 1.0),
    **{letter: (0, 1 - k / 8, 0.9, k / 8, 1.0) for k, letter in enumerate("▁▂▃▄▅▆▇", 1) if letter != "▄"},
}  # fmt: skip
_Colour = tuple[int, int, int]


def screen_svg(ansi: str, columns: int, lines: int, title: str) -> str:
    """The picture of a screen of that size; ``title`` stands over it."""
    width, height = columns * WIDE + 2 * _EDGE, lines * HIGH + 2 * _EDGE + _TITLE
    classes: dict[str, str] = {}
    shapes: list[str] = []
    for row, line in enumerate(_rows(ansi, columns, lines)):
        column = 0
        for text, style in line:
            shapes += _run(text, style, _EDGE + column * WIDE, _TITLE + _EDGE + row * HIGH, classes)
            column += len(text)
    rules = "".join(f".{name}{{{css}}}" for css, name in classes.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title, {chr(34): "&quot;"})}">\n'
        f"<style>{_RULES}"
        f"{rules}</style>\n"
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{_hex(_PAPER)}"/>\n'
        f'<text x="{_EDGE + 6:g}" y="{_TITLE - 6:g}" fill="#8a919e">{escape(title)}</text>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def _rows(ansi: str, columns: int, lines: int) -> list[list[tuple[str, Style]]]:
    """By line, runs of characters of one style; exactly so wide."""
    console = Console(width=columns, height=lines, color_system="truecolor", force_terminal=True, legacy_windows=False)
    found = []
    for text in islice(AnsiDecoder().decode(ansi), lines):  # a style may go on over the end of a line
        runs = [
            (segment.text, segment.style or Style())
            for segment in text.render(console, end="")
            if segment.text and not segment.control
        ]
        found.append(runs)
    return found


def _run(text: str, style: Style, x: float, y: float, classes: dict[str, str]) -> Iterator[str]:
    ink, paper = _colours(style)
    if paper != _PAPER:
        yield f'<rect x="{x:g}" y="{y:g}" width="{_short(len(text) * WIDE)}" height="{HIGH:g}" fill="{_hex(paper)}"/>'
    css = (
        f"fill:{_hex(ink)}"
        + (";font-weight:700" if style.bold else "")
        + (";font-style:italic" if style.italic else "")
    )
    at = 0
    while at < len(text):
        letter = text[at]
        end = at + 1
        if letter == " ":
            at = end
            continue
        if letter in _BLOCKS:
            while end < len(text) and text[end] == letter and _BLOCKS[letter][2] == 1:
                end += 1
            left, top, wide, high, opacity = _BLOCKS[letter]
            yield (
                f'<rect x="{_short(x + (at + left) * WIDE)}" y="{_short(y + top * HIGH)}" '
                f'width="{_short((end - at - 1 + wide) * WIDE)}" height="{_short(high * HIGH)}" fill="{_hex(ink)}"'
                + (f' opacity="{opacity:g}"/>' if opacity < 1 else "/>")
            )
        else:
            while end < len(text) and text[end] not in _BLOCKS and text[end : end + 2] != "  ":
                end += 1
            part = text[at:end].rstrip()
            name = classes.setdefault(css, f"c{len(classes)}")
            yield (
                f'<text class="{name}" x="{_short(x + at * WIDE)}" y="{_short(y + 0.76 * HIGH)}" '
                f'textLength="{_short(len(part) * WIDE)}">{escape(part)}</text>'
            )
        at = end


def _colours(style: Style) -> tuple[_Colour, _Colour]:
    ink, paper = _INK, _PAPER
    if style.color is not None and style.color.type is not ColorType.DEFAULT:
        ink = _three(style.color.get_truecolor(_THEME))
    if style.bgcolor is not None and style.bgcolor.type is not ColorType.DEFAULT:
        paper = _three(style.bgcolor.get_truecolor(_THEME, foreground=False))
    if style.reverse:
        ink, paper = paper, ink
    if style.dim:
        ink = _three([round(0.6 * a + 0.4 * b) for a, b in zip(ink, paper, strict=True)])
    return ink, paper


def _three(colour: Sequence[int]) -> _Colour:
    red, green, blue = colour
    return red, green, blue


def _hex(colour: _Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _short(value: float) -> str:
    return f"{round(value, 1):g}"
