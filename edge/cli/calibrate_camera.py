"""A camera's calibration in a terminal: picture, marks, result, saving; returns exit codes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibration.camera_fit import Mark
from calibration.camera_verdict import CameraOutcome, SeenMark, Site, check_map, judge, seen_marks
from calibration.plane_map import PlaneMap
from calibration.sheet_print import sheet_svg, sheets_pdf
from calibration.store_errors import StoreError
from calibration.tag_sheet import PAPERS, Paper, paper_named
from calibration.tags import find_tags
from edge.cli.calibrate_result import console_for, findings_lines, verdict_banner
from edge.cli.next_step import start_command
from edge.cli.outputs import config_files, refuse_overwriting
from edge.cli.procedure_show import stopped_by_ctrl_c, uninterrupted
from edge.config.setup import Setup
from edge.node.board_source import hold_node
from edge.node.calibrate import name_in_node_file
from edge.node.calibrate_camera import (
    BOARD_TAPE_MM,
    FLOOR_TAPE_MM,
    camera_data,
    camera_of,
    camera_store_of,
    check_shape,
    driver_of,
    has_tags,
    mark_data,
    record_from,
    settle_s,
    site_of_camera,
)
from edge.node.calibrate_camera_marks import (
    MarksError,
    SheetPlace,
    check_places,
    marks_file,
    point_marks,
    point_of,
    sheet_marks,
    sheet_place_of,
)
from edge.node.calibrate_camera_picture import (
    Picture,
    check_name,
    encoded,
    grey_of,
    picture_of,
    take_still,
    with_map,
    with_pixel_grid,
)
from edge.node.calibrate_records import now_text
from edge.node.calibrate_result import finding_data
from edge.trace.whole_file import WholeFile
from edge.vision.camera_map import map_of

REFUSED = 1
STOPPED = "stopped: nothing was changed"
DEFAULT_SHEETS = 4
_BANNERS = {"PASS": "bold black on green", "WARN": "bold black on yellow", "REFUSED": "bold white on red"}


@dataclass(frozen=True, slots=True)
class CameraAsked:
    """What the command line asks for.

    Attributes:
        size: of the picture that points were read in, where none is given.
        tape_mm: how well places were measured; None: the plane's usual. bar_mm: how long the ruler bar is on the print.
        asks: a person answers before something is saved.
    """

    camera: str
    node_path: Path
    setup: Setup
    points: tuple[str, ...]
    sheets_at: tuple[str, ...]
    marks: Path | None
    picture: Path | None
    size: tuple[int, int] | None
    tape_mm: float | None
    bar_mm: float | None
    save_picture: Path | None
    who: str
    asks: bool
    as_json: bool


def print_sheets(path: Path, paper_name: str, count: int | None) -> int:
    """Write sheets to print, and say what to do with them; ``count`` None: four, or one where a file holds one.

    Raises MarksError, NoOpenCvError, TraceFileError.
    """
    count = count or (1 if path.suffix.lower() == ".svg" else DEFAULT_SHEETS)
    paper = paper_named(paper_name)
    if paper is None:
        raise MarksError(f"there is no sheet '{paper_name}'; expected {', '.join(each.name for each in PAPERS)}")
    if not 1 <= count <= paper.sheets:
        raise MarksError(f"--sheets {count}: expected 1 to {paper.sheets}")
    sheets = range(paper.first_sheet, paper.first_sheet + count)
    if path.suffix.lower() == ".svg":
        if count > 1:
            raise MarksError(f"{path}: an SVG holds one sheet; for {count} name a PDF")
        data = sheet_svg(sheets[0])
    elif path.suffix.lower() == ".pdf":
        data = sheets_pdf(sheets)
    else:
        raise MarksError(f"{path}: expected a name that ends in .pdf, or .svg for one sheet")
    with WholeFile(path) as file:
        file.file.write(data)
    for line in _sheet_steps(path, paper, list(sheets)):
        typer.echo(line)
    return 0


def _sheet_steps(path: Path, paper: Paper, sheets: list[int]) -> list[str]:
    last = sheets[-1]
    named = f"sheet {last}" if len(sheets) == 1 else f"sheets {sheets[0]} to {last}"
    plane = "the board" if paper.what_for == "board" else "the floor, far apart, where people walk"
    return [
        f"wrote {path}: {named}",
        f"1. print at 100 % ('actual size'): the bar must be {paper.bar_mm:g} mm long; else say its length: --bar",
        f"2. lay {'it' if len(sheets) == 1 else 'them'} flat on {plane}; measure where each bar's 0 lies and its arrow "
        "points (0 deg: along x, 90 deg: along y)",
        f"3. shelfedge calibrate camera CAMERA NODE.yaml --sheet-at '{sheets[0]}: 1200 mm, 300 mm, 90 deg' ...",
    ]


def save_still(asked: CameraAsked, path: Path) -> int:
    """Write what the camera sees, and beside it the same with lines to read pixels off."""
    _keep_inputs(asked, path)
    with stopped_by_ctrl_c(STOPPED):
        picture = _picture(asked)
    grid = path.with_name(f"{path.stem}-grid{path.suffix}")
    for name, data in ((path, encoded(picture, path)), (grid, encoded(with_pixel_grid(picture), path))):
        with WholeFile(name, private=True) as file:
            file.file.write(data)
    typer.echo(f"wrote {path}, {picture.shape[1]} x {picture.shape[0]}, and {grid} with lines to read pixels off")
    typer.echo(
        f"next: shelfedge calibrate camera {asked.camera} {asked.node_path} --picture {path} "
        "--point 'X mm, Y mm = PX, PY' ... (four or more, better six, over the whole picture)"
    )
    return 0


def calibrate_camera(asked: CameraAsked) -> int:
    """Marks to a map, its result, and the record. Raises ShelfedgeError for what keeps it from beginning."""
    store = camera_store_of(asked.setup, asked.node_path)
    store.check_writable(asked.camera)
    with stopped_by_ctrl_c(STOPPED):
        marks, picture, size, site = _marks(asked)
    outcome = judge(marks, size, site)
    data: dict[str, Any] = {**camera_data(asked.camera, outcome), "saved": None}
    console = console_for(to_stderr=asked.as_json)
    console.print(_screen(asked.camera, outcome))
    if picture is not None and outcome.area is not None:
        _save_check(asked, picture, outcome.fit.plane, site, outcome.marks, outcome.area.places_mm)
    if outcome.verdict == "REFUSED":
        return _told(asked, data, REFUSED)
    if asked.asks and not typer.confirm("\nSave it?", default=True):
        typer.echo("not saved: nothing was changed")
        return _told(asked, data, REFUSED)
    made = now_text() + (f" by {asked.who}" if asked.who else "")
    record = record_from(asked.camera, outcome, has_tags(marks), made)
    try:
        with uninterrupted():
            number = store.save(record)
            path = store.path(asked.camera)
            former = f"; number {number - 1} is kept" if number > 1 else ""
            console.print(f"\nsaved as {path}, number {number}{former}")
            if told := name_in_node_file(asked.setup, asked.node_path):
                console.print(told)
            console.print(f"next: another camera, or start the node: {start_command(asked.node_path, again=True)}")
            return _told(asked, {**data, "saved": {"path": str(path), "number": number}}, 0)
    except StoreError as error:
        typer.echo(f"error: {error}", err=True)
        typer.echo("the marks aren't lost: once the disk is in order, give the same command again", err=True)
        return _told(asked, data, REFUSED)


def check_camera(asked: CameraAsked) -> int:
    """Known marks against the record in use, which isn't touched."""
    store = camera_store_of(asked.setup, asked.node_path)
    record = store.current(asked.camera)
    if record is None:
        raise StoreError(f"{asked.camera} was never calibrated: there is no {store.path(asked.camera)}")
    with stopped_by_ctrl_c(STOPPED):
        marks, picture, size, site = _marks(asked)
    plane = map_of(record, *size).plane
    findings = check_map(plane, marks, site)
    seen = seen_marks(plane, marks)
    verdict = "CALIBRATE AGAIN" if findings else "THE CALIBRATION HOLDS"
    banner = verdict_banner(f"{asked.camera}: {verdict}", _BANNERS["REFUSED" if findings else "PASS"])
    console_for(to_stderr=asked.as_json).print(Group(banner, Text(), _table(seen), *findings_lines(findings)))
    area = site.area(plane)
    if picture is not None and area is not None:
        _save_check(asked, picture, plane, site, seen, area.places_mm)
    data = {
        "camera": asked.camera,
        "holds": not findings,
        "marks": [mark_data(each) for each in seen],
        "findings": [finding_data(finding) for finding in findings],
    }
    return _told(asked, data, REFUSED if findings else 0)


def _marks(asked: CameraAsked) -> tuple[list[Mark], Picture | None, tuple[int, int], Site]:
    """What was told of marks, found in the picture where they are sheets."""
    camera = camera_of(asked.setup, asked.camera, asked.node_path)
    site = site_of_camera(asked.setup, camera)
    if asked.save_picture is not None:
        _keep_inputs(asked, asked.save_picture)
    points = [point_of(text, number) for number, text in enumerate(asked.points, 1)]
    sheets = [sheet_place_of(text) for text in asked.sheets_at]
    if asked.marks is not None:
        more_points, more_sheets = marks_file(asked.marks)
        points, sheets = points + more_points, sheets + more_sheets
    if not points and not sheets:
        raise typer.BadParameter(
            "say what lies where: --sheet-at for printed sheets (--sheet FILE.pdf makes them), --point, or --marks FILE"
        )
    picture = None if _needs_none(asked, sheets) else _picture(asked)
    if picture is not None:
        size = (picture.shape[1], picture.shape[0])
    else:
        assert asked.size is not None
        size = asked.size
    check_shape(asked.camera, camera, size)
    tape_mm = asked.tape_mm or (FLOOR_TAPE_MM if site.board_mm is None else BOARD_TAPE_MM)
    marks = [*point_marks(points, size, tape_mm), *_laid(asked, sheets, picture, tape_mm)]
    check_places(marks, site)
    return marks, picture, size, site


def _laid(asked: CameraAsked, sheets: list[SheetPlace], picture: Picture | None, tape_mm: float) -> list[Mark]:
    if not sheets or picture is None:
        return []
    marks, told = sheet_marks(sheets, find_tags(grey_of(picture)), tape_mm, asked.bar_mm)
    for sentence in told:
        typer.echo(f"warning: {sentence}", err=True)
    return marks


def _keep_inputs(asked: CameraAsked, output: Path) -> None:
    """Refuse a picture over a file that is read. Raises TraceError, and PictureError for a name that says no format."""
    check_name(output)
    refuse_overwriting(output, [*config_files(asked.node_path, asked.setup), asked.picture, asked.marks])


def _needs_none(asked: CameraAsked, sheets: list[SheetPlace]) -> bool:
    """Points alone, in a picture whose size is said: nothing needs to be looked at."""
    return not sheets and asked.picture is None and asked.size is not None and asked.save_picture is None


def _picture(asked: CameraAsked) -> Picture:
    if asked.picture is not None:
        return picture_of(asked.picture.read_bytes(), str(asked.picture))
    camera = camera_of(asked.setup, asked.camera, asked.node_path)
    driver = driver_of(asked.camera, camera, asked.node_path)
    held = hold_node(asked.node_path, asked.setup)
    try:
        return picture_of(take_still(driver, settle_s(camera)), asked.camera)
    finally:
        if held is not None:
            held.release()


def _save_check(
    asked: CameraAsked, picture: Picture, plane: PlaneMap, site: Site, marks: tuple[SeenMark, ...],
    places_mm: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    path = asked.save_picture
    if path is None:
        return
    data = encoded(with_map(picture, plane, site, marks, places_mm), path)
    with WholeFile(path, private=True) as file:
        file.file.write(data)
    typer.echo(f"wrote {path}: look whether the grid lies on the {'floor' if site.board_mm is None else 'board'}",
               err=asked.as_json)  # fmt: skip


def _screen(camera: str, outcome: CameraOutcome) -> RenderableType:
    words = {
        "PASS": "CALIBRATED",
        "WARN": "CALIBRATED, BUT SEE BELOW",
        "REFUSED": "NOT CALIBRATED, nothing was changed",
    }
    lines: list[RenderableType] = [
        verdict_banner(f"{camera}: {words[outcome.verdict]}", _BANNERS[outcome.verdict]),
        Text(),
    ]
    if outcome.area is not None:
        word = "floor" if outcome.site.board_mm is None else "board"
        figures = Table.grid(padding=(0, 2))
        figures.add_row(
            f"{word} known to", f"± {2 * outcome.area.median_mm:.0f} mm", "in the median of what it sees (95 %)"
        )
        figures.add_row("", f"± {2 * outcome.area.worst_mm:.0f} mm", "in the worst twentieth of it")
        lines += [figures, Text()]
    return Group(*lines, _table(outcome.marks), *findings_lines(outcome.findings))


def _table(marks: tuple[SeenMark, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("mark", "said to lie at", "seen at", "off by"):
        table.add_column(name, justify="left" if name == "mark" else "right")
    for seen in marks:
        finite = bool(np.isfinite(seen.error_mm))
        table.add_row(
            seen.mark.name,
            f"{seen.mark.at_mm[0]:.0f}, {seen.mark.at_mm[1]:.0f} mm",
            f"{seen.seen_mm[0]:.0f}, {seen.seen_mm[1]:.0f} mm" if finite else "nowhere on it",
            f"{seen.error_mm:.0f} mm" if finite else "",
        )
    return table


def _told(asked: CameraAsked, data: dict[str, Any], code: int) -> int:
    if asked.as_json:
        typer.echo(json.dumps(data, ensure_ascii=False))
    return code
