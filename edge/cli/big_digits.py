"""Numbers and short words five lines high, to be read at arm's length, and from where both hands are full."""

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
    "A": ("▄▀▀▄", "█  █", "█▀▀█", "█  █", "█  █"),
    "C": ("▄▀▀▄", "█   ", "█   ", "█   ", "▀▄▄▀"),
    "D": ("█▀▀▄", "█  █", "█  █", "█  █", "█▄▄▀"),
    "E": ("█▀▀▀", "█   ", "█▀▀ ", "█   ", "█▄▄▄"),
    "F": ("█▀▀▀", "█   ", "█▀▀ ", "█   ", "█   "),
    "H": ("█  █", "█  █", "█▀▀█", "█  █", "█  █"),
    "I": ("█", "█", "█", "█", "█"),
    "K": ("█  █", "█ ▄▀", "█▀▄ ", "█  █", "█  █"),
    "L": ("█   ", "█   ", "█   ", "█   ", "█▄▄▄"),
    "N": ("█▄  █", "█▀▄ █", "█ ▀▄█", "█  ▀█", "█   █"),
    "O": ("▄▀▀▄", "█  █", "█  █", "█  █", "▀▄▄▀"),
    "P": ("█▀▀▄", "█  █", "█▀▀ ", "█   ", "█   "),
    "R": ("█▀▀▄", "█  █", "█▀█ ", "█  █", "█  █"),
    "S": ("▄▀▀▀", "█   ", "▀▀▀▄", "   █", "▄▄▄▀"),
    "T": ("▀▀█▀▀", "  █  ", "  █  ", "  █  ", "  █  "),
    "U": ("█  █", "█  █", "█  █", "█  █", "▀▄▄▀"),
    "W": ("█   █", "█   █", "█ █ █", "█▄▀▄█", "█   █"),
    "k": ("█   ", "█ ▄▀", "█▀▄ ", "█  █", "█  █"),
    " ": ("  ", "  ", "  ", "  ", "  "),
}
_PIXELS = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": (" # ", "## ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    "-": ("   ", "   ", "###", "   ", "   "),
    "+": ("   ", " # ", "###", " # ", "   "),
    ".": (" ", " ", " ", " ", "#"),
    " ": (" ", " ", " ", " ", " "),
}
_SIZES = ((10, 5), (9, 4), (8, 4), (7, 3), (6, 3), (5, 2), (4, 2), (3, 2), (2, 1), (1, 1))
"""Columns and lines of a pixel; a character is about twice as high as it is wide."""


def block_digits(text: str, columns: int, lines: int, least_letters: int = 0) -> list[str]:
    """A number of solid blocks, as large as ``columns`` x ``lines`` allow; [] where not even the smallest goes in.

    ``text``: digits, '-', '+', '.' and blanks; anything else is left out. ``least_letters``: choose the size as if
    there were so many, so that it stays the same while a number grows.
    """
    glyphs = [_PIXELS[letter] for letter in text if letter in _PIXELS]
    if not glyphs:
        return []
    pixels = max(sum(len(glyph[0]) + 1 for glyph in glyphs), 4 * least_letters) - 1
    for wide, high in _SIZES:
        if pixels * wide <= columns and ROWS * high <= lines:
            rows = (" ".join(glyph[row] for glyph in glyphs) for row in range(ROWS))
            return [
                "".join(("█" if pixel == "#" else " ") * wide for pixel in row) for row in rows for _ in range(high)
            ]
    return []


def big(text: str) -> list[str]:
    """The lines of a text; letters that these pictures have no need of are left out."""
    glyphs = [_GLYPHS[letter] for letter in text if letter in _GLYPHS]
    return [" ".join(glyph[row] for glyph in glyphs) for row in range(ROWS)]
