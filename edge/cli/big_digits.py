"""Numbers five lines high, to be read at arm's length."""

from __future__ import annotations

ROWS = 5
_GLYPHS = {
    "0": ("█▀▀█", "█  █", "█  █", "█  █", "█▄▄█"),
    "1": ("▄█  ", " █  ", " █  ", " █  ", "▄█▄ "),
    "2": ("▀▀▀█", "   █", "█▀▀▀", "█   ", "█▄▄▄"),
    "3": ("▀▀▀█", "   █", " ▀▀█", "   █", "▄▄▄█"),
    "4": ("█  █", "█  █", "▀▀▀█", "   █", "   █"),
    "5": ("█▀▀▀", "█   ", "▀▀▀█", "   █", "▄▄▄█"),
    "6": ("█▀▀▀", "█   ", "█▀▀█", "█  █", "█▄▄█"),
    "7": ("▀▀▀█", "   █", "   █", "   █", "   █"),
    "8": ("█▀▀█", "█  █", "█▀▀█", "█  █", "█▄▄█"),
    "9": ("█▀▀█", "█  █", "▀▀▀█", "   █", "▄▄▄█"),
    "-": ("    ", "    ", "▄▄▄▄", "    ", "    "),
    ".": (" ", " ", " ", " ", "▄"),
    "g": ("    ", "█▀▀█", "█  █", "▀▀▀█", "▄▄▄█"),
    " ": ("  ", "  ", "  ", "  ", "  "),
}


def big(text: str) -> list[str]:
    """The lines of a text of digits, '-', '.', 'g' and blanks; anything else is left out."""
    glyphs = [_GLYPHS[letter] for letter in text if letter in _GLYPHS]
    return [" ".join(glyph[row] for glyph in glyphs) for row in range(ROWS)]
