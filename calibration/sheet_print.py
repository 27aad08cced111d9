"""Tag sheets as PDF, a page each, or one as SVG, in millimetres: written here, since a printed scale is what counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from calibration.tag_sheet import CELLS, Paper, paper_of
from calibration.tags import tag_cells

_POINTS_PER_MM = 72.0 / 25.4
_TICK_MM = 10.0


@dataclass(frozen=True, slots=True)
class _Box:
    """Black, from its lower left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Text:
    """From its first letter's lower left corner; ``size`` is the height of a line, mm."""

    x: float
    y: float
    size: float
    text: str


def sheets_pdf(sheets: Sequence[int]) -> bytes:
    """Sheets by their numbers. Raises NoOpenCvError, which knows what tags look like."""
    pages: list[int] = []
    objects: list[bytes] = []
    for sheet in sheets:
        paper = paper_of(sheet)
        assert paper is not None
        drawing = "\n".join(map(_pdf, _drawn(paper, sheet))).encode("ascii")
        pages.append(4 + len(objects))
        size = f"{paper.width_mm * _POINTS_PER_MM:.3f} {paper.height_mm * _POINTS_PER_MM:.3f}"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] /Contents {pages[-1] + 1} 0 R "
            "/Resources << /Font << /F 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing))
    kids = " ".join(f"{page} 0 R" for page in pages)
    first = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    text, places = b"%PDF-1.6\n", []
    for number, content in enumerate([*first, *objects], 1):
        places.append(len(text))
        text += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    return text + head + table + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(places) + 1, len(text)
    )  # fmt: skip


def sheet_svg(sheet: int) -> bytes:
    """One sheet. Raises NoOpenCvError."""
    paper = paper_of(sheet)
    assert paper is not None
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{paper.width_mm:g}mm" height="{paper.height_mm:g}mm" '
        f'viewBox="0 0 {paper.width_mm:g} {paper.height_mm:g}" shape-rendering="crispEdges">',
        '<rect width="100%" height="100%" fill="white"/>',
        *(_svg(part, paper.height_mm) for part in _drawn(paper, sheet)),
        "</svg>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _drawn(paper: Paper, sheet: int) -> Iterator[_Box | _Text]:
    for place, (x, y) in enumerate(paper.tags_at_mm):
        cell = paper.tag_mm / CELLS
        for row, cells in enumerate(tag_cells(paper.tag(sheet, place)).tolist()):
            for begin, end in _runs(cells):
                yield _Box(x + begin * cell, y + (CELLS - 1 - row) * cell, (end - begin) * cell, cell)
    x, y = paper.bar_at_mm
    yield _Box(x, y - 0.3, paper.bar_mm, 0.6)
    for tick in range(int(paper.bar_mm / _TICK_MM) + 1):
        tall = 8.0 if tick == 0 else 5.0 if tick % 5 == 0 else 3.0
        yield _Box(x + tick * _TICK_MM - 0.15, y - 0.3, 0.3, tall)
    for back in range(12):  # an arrow's head
        yield _Box(x + paper.bar_mm + 1.0 + 0.5 * back, y - 0.25 * (12 - back), 0.5, 0.5 * (12 - back))
    yield _Text(x - 1.2, y + 9.0, 5.0, "0")
    yield _Text(x + paper.bar_mm - 14.0, y + 6.5, 4.0, f"{paper.bar_mm:g} mm")
    yield _Text(x, y - 9.0, 6.0, f"sheet {sheet}")
    yield _Text(
        x + 30.0, y - 7.0, 3.6, f"shelfedge {paper.name}. Print at 100 %: the bar must be {paper.bar_mm:g} mm long."
    )
    where = "floor" if paper.what_for == "floor" else "board"
    yield _Text(
        x + 30.0, y - 12.0, 3.6, f"Lay it flat on the {where}; measure where the bar's 0 lies and where its arrow"
    )
    yield _Text(x + 30.0, y - 17.0, 3.6, f'points: --sheet-at "{sheet}: X mm, Y mm, DIRECTION deg"')


def _runs(cells: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Of black cells in a row: neighbours are drawn as one, so that no printer shows a seam."""
    begin = None
    for k, black in enumerate([*cells, False]):
        if black and begin is None:
            begin = k
        elif not black and begin is not None:
            yield begin, k
            begin = None


def _pdf(part: _Box | _Text) -> str:
    if isinstance(part, _Box):
        return (
            " ".join(f"{value * _POINTS_PER_MM:.3f}" for value in (part.x, part.y, part.width, part.height)) + " re f"
        )
    text = part.text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    size = part.size * _POINTS_PER_MM
    return f"BT /F {size:.2f} Tf {part.x * _POINTS_PER_MM:.3f} {part.y * _POINTS_PER_MM:.3f} Td ({text}) Tj ET"


def _svg(part: _Box | _Text, height_mm: float) -> str:
    if isinstance(part, _Box):
        top = height_mm - part.y - part.height
        return f'<rect x="{part.x:g}" y="{top:g}" width="{part.width:g}" height="{part.height:g}"/>'
    text = part.text.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<text x="{part.x:g}" y="{height_mm - part.y:g}" font-size="{part.size:g}" '
        f'font-family="Helvetica, Arial, sans-serif">{text}</text>'
    )
