"""Sheets with AprilTags to print and lay where a camera sees them: what is where on them, and which tag is on which.

Every sheet has a ruler bar. Its zero is the sheet's origin, it points along the sheet's x axis, and it tells by its
length whether the printer kept the scale. Tags are of the family 36h11; a tag's number tells sheet and size, so that
nobody has to say which sheets were laid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CELLS = 8
"""Of a tag's side: six of the code and a black one on either side."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A kind of sheet. Lengths in mm, from the paper's lower left corner.

    Attributes:
        name: as it is asked for. what_for: where it is to lie, for people.
        width_mm, height_mm: of the paper.
        bar_at_mm: the bar's zero; bar_mm: its length.
        tag_mm: a tag's black side. tags_at_mm: lower left corners of the tags.
        first_sheet, sheets: their numbers. first_tag: of the first sheet's first one.
    """

    name: str
    what_for: str
    width_mm: float
    height_mm: float
    bar_at_mm: tuple[float, float]
    bar_mm: float
    tag_mm: float
    tags_at_mm: tuple[tuple[float, float], ...]
    first_sheet: int
    sheets: int
    first_tag: int

    def tag(self, sheet: int, place: int) -> int:
        """The number of a sheet's tag."""
        return self.first_tag + (sheet - self.first_sheet) * len(self.tags_at_mm) + place

    def corners_mm(self, place: int) -> Floats:
        """A tag's corners from the bar's zero, float64[4, 2]: upper left, upper right, lower right, lower left."""
        x, y = np.array(self.tags_at_mm[place]) - self.bar_at_mm
        side = self.tag_mm
        return np.array([[x, y + side], [x + side, y + side], [x + side, y], [x, y]])


PAPERS = (
    Paper("A4", "floor", 210.0, 297.0, (30.0, 50.0), 150.0, 160.0, ((25.0, 112.0),), 1, 99, 1),
    Paper("A3", "floor", 297.0, 420.0, (48.5, 50.0), 200.0, 240.0, ((28.5, 150.0),), 101, 99, 101),
    Paper(
        "A4-board", "board", 297.0, 210.0, (28.5, 30.0), 200.0, 48.0,
        tuple((28.5 + 64.0 * column, 142.0 - 64.0 * row) for row in range(2) for column in range(4)), 201, 40, 201,
    ),
)  # fmt: skip


def paper_named(name: str) -> Paper | None:
    """The paper of this name, None where there is none."""
    return next((paper for paper in PAPERS if paper.name.lower() == name.lower()), None)


def paper_of(sheet: int) -> Paper | None:
    """The paper that a sheet of this number is on, None where there is no such sheet."""
    return next((paper for paper in PAPERS if 0 <= sheet - paper.first_sheet < paper.sheets), None)


def place_of(tag: int) -> tuple[int, Paper, int] | None:
    """Sheet, its paper, and the tag's place on it; None for a tag that is on none."""
    for paper in PAPERS:
        count = len(paper.tags_at_mm)
        if 0 <= tag - paper.first_tag < paper.sheets * count:
            sheet, place = divmod(tag - paper.first_tag, count)
            return paper.first_sheet + sheet, paper, place
    return None
