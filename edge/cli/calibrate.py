"""`shelfedge calibrate BOARD`, and `calibrate camera | creep | temperature | history | restore | export | import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

MOST_WHO, MOST_NAME = 80, 200
"""Characters of what people call themselves and their weights, for the record."""


class _BoardFirst(TyperGroup):
    """`calibrate shelf-1` is `calibrate run shelf-1`: what an installer types first is the board."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_BoardFirst,
    no_args_is_help=True,
    help="Calibrate a board with a reference weight: `shelfedge calibrate shelf-1` (what it can be told: "
    "`shelfedge calibrate run --help`), or a camera: `shelfedge calibrate camera aisle-1`.",
)

_Board = Annotated[str, typer.Argument(metavar="BOARD", help="The board, as the node file calls it.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The board or camera, as the node file calls it.")]
_Node = Annotated[
    Path | None,
    typer.Argument(metavar="[NODE.yaml]", help="The node file; else ./node.yaml, or /etc/shelfedge/node.yaml."),
]


def _checked_who(given: str | None) -> str | None:
    from edge.cli.node_choice import record_text

    return record_text(given, MOST_WHO)


def _checked_name(given: str) -> str:
    from edge.cli.node_choice import record_text

    return record_text(given, MOST_NAME) or ""


_Who = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Who does it, for the record; else the user's name.", callback=_checked_who),
]


@app.command(short_help="The guided run; `run` may be left out.")
def run(
    board: _Board,
    config: _Node = None,
    weight: Annotated[list[str] | None, typer.Option(metavar="WEIGHT", help="The reference weight: '2 kg'.")] = None,
    tolerance: Annotated[
        str | None, typer.Option(metavar="WEIGHT", help="How far it may be off, plus or minus: '0.1 g'.")
    ] = None,
    extra: Annotated[
        list[str] | None,
        typer.Option(metavar="WEIGHT", help="More loads in the middle, in all, up and down again; may be repeated."),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--weight-name",
            metavar="TEXT",
            help="Which weight, for the record: '2 kg M1, no. 17'.",
            callback=_checked_name,
        ),
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Only see whether the calibration still holds, with one placement.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A stiff plate: not the up to 20 placements more that make places surer.")
    ] = False,
    who: _Who = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Save without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON; prompts go to stderr.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, also in a terminal.")] = False,
    simulate: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="SEED",
            help="Practise on a simulated board, with somebody who does what is said; nothing is saved.",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1e9, help="Of a simulated run: times real time.")] = 1.0,
    celsius: Annotated[
        float | None,
        typer.Option("--temperature", metavar="CELSIUS", help="For the record: 21.5; else by the board's thermometer."),
    ] = None,
) -> None:
    """Calibrate a board: empty it, then put one known weight where the picture shows and take it off.

    How often: once for each cell and in the middle, so five times on four cells, seven on six, nine on eight. A plate
    that is stiff against its cells, as with six or eight cells, needs up to 20 more before places are well known: it is
    said when it is so, and the whole run takes at most 9 minutes or so. --quick leaves those out; weights are as well
    known then, places less.

    The node must not run meanwhile, but for practice (--simulate). Everything is recognised by itself; nothing is
    pressed. The record is saved if the run is trustworthy, and the former one is kept. Ctrl-C at any time: nothing is
    changed.
    """
    import sys

    from edge.cli.calibrate_run import STOPPED, Asked, asked_weight, calibrate, check_calibration
    from edge.cli.node_choice import node_file, once, quantity, who_i_am
    from edge.cli.procedure_show import stopped_by_ctrl_c
    from edge.cli.window import only_lines
    from edge.config.quantity import WEIGHT
    from edge.config.setup import load_setup
    from edge.node.board_source import check_board
    from edge.node.calibrate import Weights, check_weights

    path = node_file(config)
    setup = load_setup(path, calibrated=False)
    check_board(setup, board, path)
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    if celsius is not None and not -40.0 <= celsius <= 85.0:
        raise typer.BadParameter(f"expected -40 to 85 °C, got {celsius:g}", param_hint="--temperature")
    if check and extra:
        raise typer.BadParameter("--check is one placement of one weight: leave --extra out", param_hint="--extra")
    given = once(weight, "--weight")
    if given is None and not terminal:
        raise typer.BadParameter("say how heavy the reference weight is: --weight '2 kg'", param_hint="--weight")
    with stopped_by_ctrl_c(STOPPED):
        text = asked_weight() if given is None else given
    weights = Weights(
        quantity(WEIGHT, text, "--weight"),
        tuple(quantity(WEIGHT, each, "--extra") for each in extra or []),
        None if tolerance is None else quantity(WEIGHT, tolerance, "--tolerance"),
    )
    check_weights(board, setup, weights)
    asked = Asked(board, path, setup, weights, name, who or who_i_am(), terminal and not yes, as_json,
                  only_lines(plain, as_json), simulate, speed, celsius, quick)  # fmt: skip
    raise typer.Exit(check_calibration(asked) if check else calibrate(asked))


_Sensor = Annotated[
    str | None,
    typer.Option(
        metavar="SENSOR", help="The thermometer: 'tmp36' or 'lm35' at the shelf MCU, or a file with milli-degrees."
    ),
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Save without asking.")]
_Json = Annotated[bool, typer.Option("--json", help="The result as JSON; what is told meanwhile goes to stderr.")]
_Simulate = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="SEED", help="Practise on a simulated board in a room, with somebody there; nothing is saved."
    ),
]
_Speed = Annotated[float, typer.Option(min=0.1, max=1e9, help="Of a simulated run: times real time.")]


@app.command(short_help="How it creeps under a weight that stands there for 20 minutes.")
def creep(
    board: _Board,
    config: _Node = None,
    weight: Annotated[
        str | None, typer.Option(metavar="WEIGHT", help="The weight: '2 kg'; heavier tells more.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=2, max=1440, help="How long it stands.")] = 20.0,
    recovery: Annotated[float, typer.Option(min=0, max=1440, help="Minutes after it is off again; 0: none.")] = 5.0,
    sensor: _Sensor = None,
    who: _Who = None,
    yes: _Yes = False,
    as_json: _Json = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, also in a terminal.")] = False,
    simulate: _Simulate = None,
    speed: _Speed = 1.0,
) -> None:
    """Creep of a calibrated board: empty it, put one weight down and leave it, then take it off and wait a little.

    The verdict (as class C3, as a hobby cell, more) and its figures are kept with the board's calibration, whose gains
    and zeros stay. The node must not run meanwhile. Ctrl-C before the weight has stood its time: nothing is changed;
    after that it ends with what it has.
    """
    import sys

    from edge.cli.calibrate_creep import CreepAsked
    from edge.cli.calibrate_creep import creep as run_creep
    from edge.cli.node_choice import node_file, quantity, who_i_am
    from edge.cli.window import only_lines
    from edge.config.quantity import WEIGHT
    from edge.config.setup import load_setup
    from edge.node.board_source import check_board

    path = node_file(config)
    setup = load_setup(path, calibrated=False)
    check_board(setup, board, path)
    if weight is None:
        raise typer.BadParameter("say how heavy the weight is: --weight '2 kg'", param_hint="--weight")
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    weight_g = quantity(WEIGHT, weight, "--weight")
    asked = CreepAsked(board, path, setup, sensor, who or who_i_am(), as_json, simulate, speed, weight_g, minutes,
                       recovery, terminal and not yes, only_lines(plain, as_json))  # fmt: skip
    raise typer.Exit(run_creep(asked))


@app.command(short_help="How its zero goes with temperature, over hours.")
def temperature(
    board: _Board,
    config: _Node = None,
    hours: Annotated[float | None, typer.Option(min=0.01, max=1000, help="How long; else until Ctrl-C.")] = None,
    sensor: _Sensor = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Where the rows go, or a log to go on with; else a new one.")
    ] = None,
    fit: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Only fit this log.")] = None,
    who: _Who = None,
    yes: _Yes = False,
    as_json: _Json = False,
    simulate: _Simulate = None,
    speed: _Speed = 1.0,
) -> None:
    """The zero of a calibrated board against temperature: logs both, a row each minute, for hours or a day.

    Whatever lies on the board stays there. Ctrl-C ends it with what it has; every row is on the disk at once, so that a
    power cut costs none: go on with `--log FILE.csv`. Needs a thermometer and a change of 2 °C. What is found is kept
    with the board's calibration, whose gains and zeros stay. The node must not run meanwhile.
    """
    import sys

    from edge.cli.calibrate_temperature import TemperatureAsked
    from edge.cli.calibrate_temperature import temperature as run_temperature
    from edge.cli.node_choice import node_file, who_i_am
    from edge.config.setup import load_setup
    from edge.node.board_source import check_board

    path = node_file(config)
    setup = load_setup(path, calibrated=False)
    check_board(setup, board, path)
    if log is not None and fit is not None:
        raise typer.BadParameter("give either --log or --fit: the one is logged into, the other only read")
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    asked = TemperatureAsked(board, path, setup, sensor, who or who_i_am(), as_json, simulate, speed, hours, log, fit,
                             terminal and not yes)  # fmt: skip
    raise typer.Exit(run_temperature(asked))


@app.command(short_help="Where a camera's pixels lie, from printed sheets or points.")
def camera(
    camera: Annotated[
        str | None, typer.Argument(metavar="CAMERA", help="The camera, as the node file calls it.")
    ] = None,
    config: _Node = None,
    sheet_at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLACE",
            help="Where a printed sheet's bar begins and points to: '2: 1200 mm, 300 mm, 90 deg'. Repeat.",
        ),
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(metavar="POINT", help="A known place and its pixel: '1200 mm, 300 mm = 812, 440'. Repeat."),
    ] = None,
    marks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Points (x_mm,y_mm,x_px,y_px) or sheets (sheet,x_mm,y_mm,direction_deg), a row each.",
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A picture that the camera took; else it takes one now.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Of the picture that points were read in, to do without it: 1640x1232."),
    ] = None,
    tape: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="How well places are measured: '10 mm'; on a board '2 mm'.")
    ] = None,
    bar: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="How long the sheets' bar is on the print, if it isn't as it says."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only see whether the calibration still holds at these places.")
    ] = False,
    save_picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the picture with a grid of the floor, to look whether it fits."),
    ] = None,
    still: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jpg", help="Only write what the camera sees, and one to read pixels off."),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.pdf", help="Only write sheets to print; .svg for one.")
    ] = None,
    sheets: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="How many sheets to print; else 4.")
    ] = None,
    paper: Annotated[str, typer.Option(metavar="PAPER", help="A4 or A3 for the floor, A4-board for a board.")] = "A4",
    who: _Who = None,
    yes: _Yes = False,
    as_json: _Json = False,
) -> None:
    """Calibrate a camera: what places on the store's floor, or on a board, its pixels show, with its errors in mm.

    Best with sheets: print some (--sheet sheets.pdf), lay them far apart where people walk, measure where each bar
    begins and which way it points, and say so (--sheet-at, once for each). Or with tape marks: --still writes what the
    camera sees, with lines to read pixels off; give six or more (--point).

    Places on the floor are the store's: x and y from its corner that was chosen once; places on a board are from its
    left and its front edge. A picture is taken while the node doesn't run, or given (--picture). The record is saved if
    it is trustworthy, and the former one is kept.
    """
    import sys

    from edge.cli.calibrate_camera import CameraAsked, calibrate_camera, check_camera, print_sheets, save_still
    from edge.cli.node_choice import node_file, picture_size, quantity, who_i_am
    from edge.config.quantity import LENGTH
    from edge.config.setup import load_setup
    from edge.node.calibrate_camera import camera_of

    if sheet is not None:
        raise typer.Exit(print_sheets(sheet, paper, sheets))
    if camera is None:
        raise typer.BadParameter("say which camera, as the node file calls it", param_hint="CAMERA")
    path = node_file(config)
    setup = load_setup(path, calibrated=False)
    camera_of(setup, camera, path)
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    asked = CameraAsked(
        camera, path, setup, tuple(point or ()), tuple(sheet_at or ()), marks, picture,
        None if size is None else picture_size(size),
        None if tape is None else quantity(LENGTH, tape, "--tape"),
        None if bar is None else quantity(LENGTH, bar, "--bar"),
        save_picture, who or who_i_am(), terminal and not yes, as_json,
    )  # fmt: skip
    if still is not None:
        raise typer.Exit(save_still(asked, still))
    raise typer.Exit(check_camera(asked) if check else calibrate_camera(asked))


@app.command(short_help="The records of a board or camera, oldest first.")
def history(
    name: _Name,
    config: _Node = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines, records included.")] = False,
) -> None:
    """List the calibration records of a board or camera: when, who, with which weights; the last one is in use."""
    import json

    from edge.node.calibrate_records import history_lines, kept_data, store_for

    path = _path(config)
    store = store_for(name, path)
    kept = store.history(name)
    if as_json:
        lines = [json.dumps(kept_data(each), ensure_ascii=False) for each in kept]
    else:
        lines = history_lines(name, kept, store.kind.again, path)
    typer.echo("\n".join(lines))


@app.command(short_help="Put a former record into use again.")
def restore(
    name: _Name,
    number: Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="As `history` numbers them.")],
    config: _Node = None,
    who: _Who = None,
) -> None:
    """Put a former record into use again, as a new one: restoring the one before undoes it. The node reads it when it
    is started."""
    from edge.cli.next_step import start_command
    from edge.cli.node_choice import who_i_am
    from edge.cli.procedure_show import uninterrupted
    from edge.node.calibrate_records import restored_note, store_for

    path = _path(config)
    store = store_for(name, path)
    with uninterrupted():
        new = store.restore(name, number, restored_note(who or who_i_am()))
        typer.echo(f"{name}: record {number} is in use again, as number {new} ({store.path(name)})")
        typer.echo(f"start the node anew for it: {start_command(path, again=True)}")


@app.command(short_help="Print a record, or write it to a file.")
def export(
    name: _Name,
    config: _Node = None,
    number: Annotated[int | None, typer.Option(min=1, metavar="NUMBER", help="Else the one in use.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Else to stdout.")] = None,
) -> None:
    """Print the calibration record of a board or camera as JSON, as the node reads it."""
    from edge.node.calibrate_records import store_for

    path = _path(config)
    text = store_for(name, path).export(name, number)
    if output is None:
        typer.echo(text)
        return
    from edge.cli.outputs import config_files, refuse_overwriting
    from edge.config.setup import load_setup
    from edge.trace.whole_file import WholeFile

    refuse_overwriting(output, config_files(path, load_setup(path, calibrated=False)))
    with WholeFile(output) as file:
        file.file.write((text + "\n").encode())


@app.command("import", short_help="Put a record out of a file into use.")
def import_(
    name: _Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `export` writes it.")],
    config: _Node = None,
    who: _Who = None,
) -> None:
    """Put a record out of a file into use: of a run that couldn't be saved, or of a node whose disk was replaced. The
    former one is kept."""
    from edge.cli.next_step import start_command
    from edge.cli.node_choice import who_i_am
    from edge.cli.procedure_show import uninterrupted
    from edge.node.calibrate_records import import_record, restored_note

    path = _path(config)
    with uninterrupted():
        used, number = import_record(name, path, file, restored_note(who or who_i_am()))
        if number is None:
            typer.echo(f"{name}: the record in {file} is in use already; nothing was changed")
            return
        typer.echo(f"{name}: {file} is in use, as number {number} ({used})")
        typer.echo(f"start the node anew for it: {start_command(path, again=True)}")


def _path(config: Path | None) -> Path:
    from edge.cli.node_choice import node_file

    return node_file(config)
