"""The pictures of the screens in the README: `python -m hil.screens [NAME ...]` runs the commands in real terminals.

Each command is run in tmux at 80x24 and at 120x40, captured with its colours, and written as an SVG to `hil/pictures/`.
Names: demo, calibrate, calibrated, check, teach, taught, diagnose, monitor, monitor-board. What doesn't come to the
screen that is waited for is said, its former picture stays, and the exit code is 1.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drivers.samples import SampleBlock
from drivers.simulated.physics import FaultRates
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.config.state_folder import state_folder
from edge.node.control import NodeNotRunningError, ask
from edge.node.simulate import physics_for, simulate_trace
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter
from hil.screen_svg import screen_svg
from hil.tmux_screen import NoTmuxError, Screen

SIZES = ((80, 24), (120, 40))
PICTURES = Path(__file__).parent / "pictures"
ROOT = Path(__file__).parents[1]
PATIENCE_S = 120.0
SPEED = 12
_SHELFEDGE = (sys.executable, "-m", "edge.cli.main")


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture to be taken.

    Attributes:
        name: of its file. pattern: what the screen shows when it is to be taken. press: keys before that, as soon as
            the screen shows `before`. rest_s: how long to wait after the pattern came.
        whole: with what has gone off the top, as high as it gets.
    """

    name: str
    pattern: str
    before: str = ""
    press: tuple[str, ...] = ()
    rest_s: float = 0.0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command, of which one or more pictures are taken; ``last`` is waited for at its end."""

    arguments: tuple[str, ...]
    shots: tuple[Shot, ...]
    title: str
    press_last: tuple[str, ...] = ()
    last: str = ""


RUNS = (
    Run(
        ("demo", "--seconds", "60", "--speed", "3"),
        (Shot("demo", r"0:4[0-9] of"),),
        "shelfedge demo",
    ),
    Run(
        ("calibrate", "shelf-1", "--weight", "2 kg", "--speed", str(SPEED)),
        (Shot("calibrate", r"3 of \d+[\s\S]*2kg"), Shot("calibrated", r"Save it\?")),
        "shelfedge calibrate shelf-1 --weight '2 kg'",
        ("y", "Enter"),
        "saved as",
    ),
    Run(
        ("calibrate", "shelf-1", "--weight", "2 kg", "--check", "--speed", str(SPEED)),
        (Shot("check", "HOLDS|CALIBRATE AGAIN"),),
        "shelfedge calibrate shelf-1 --check --weight '2 kg'",
    ),
    Run(
        ("teach", "cola-033", "--speed", str(SPEED)),
        (Shot("teach", r"3 of \d+"), Shot("taught", r"\[Y/n\]")),
        "shelfedge teach cola-033",
        ("n", "Enter"),
    ),
    Run(
        ("diagnose", "--trace", "tuesday.mcap"),
        (Shot("diagnose", r"(PASS|WARN|FAIL) ", whole=True),),
        "shelfedge diagnose --trace tuesday.mcap",
    ),
    Run(
        ("monitor",),
        (
            Shot("monitor", r"✓ sure[\s\S]*✓ sure", rest_s=2.0),
            Shot("monitor-board", r"last change [−+][1-9]\d+ g at[\s\S]*✓ sure", r"shelf-1", ("1",), 1.0),
        ),
        "shelfedge monitor",
    ),
)


def main(wanted: Sequence[str]) -> int:
    """All pictures, or those named; the exit code."""
    names = [shot.name for run in RUNS for shot in run.shots]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        print(f"no picture {unknown[0]!r}; expected some of {', '.join(names)}", file=sys.stderr)  # noqa: T201
        return 2
    PICTURES.mkdir(exist_ok=True)
    missed: list[str] = []
    try:
        for columns, lines in SIZES:
            with tempfile.TemporaryDirectory(prefix="shelfedge-screens-") as scratch:
                missed += _of_size(columns, lines, prepared(Path(scratch)), wanted)
    except NoTmuxError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    for line in missed:
        print(line, file=sys.stderr)  # noqa: T201
    return 1 if missed else 0


def prepared(folder: Path) -> Path:
    """A folder with the demo's node, which may be calibrated, and a recording in which two cells are unwell."""
    for name in ("node.yaml", "planogram.yaml"):
        shutil.copy(demo_node_path().with_name(name), folder / name)
    node = folder / "node.yaml"
    node.write_text(
        node.read_text().replace("planogram: planogram.yaml\n", "planogram: planogram.yaml\ncalibration: calibration\n")
        + "\nstate: state\n"
    )
    (folder / "calibration").mkdir()
    return folder


def unwell_trace(path: Path) -> None:
    """45 s of the demo's boards: shelf-1's back left cell floats, a lead of shelf-2's front right has come off."""
    sound = path.with_name("sound.mcap")
    setup = load_setup(demo_node_path())
    simulate_trace(setup, sound, seed=17, duration_s=45.0, physics=physics_for(setup, 17, FaultRates.none()))
    rng = np.random.default_rng(17)
    with TraceReader(sound) as reader, TraceWriter(path, reader.require_setup()) as writer:
        for blocks in reader.epochs():
            for block in blocks:
                writer.write(_unwell(block, rng))
    sound.unlink()


def _unwell(block: SampleBlock, rng: np.random.Generator) -> SampleBlock:
    counts = block.counts.astype(np.float64)
    if block.board == "shelf-1":
        counts += np.where(block.cell == 2, rng.normal(0.0, 2500.0, len(block)), 0.0)
    else:
        counts = np.where(block.cell == 1, 0x7FFFFF, counts)
    return dataclasses.replace(block, counts=counts.round().astype(np.int32))


def _of_size(columns: int, lines: int, folder: Path, wanted: Sequence[str]) -> Iterator[str]:
    """Takes the pictures of one size; a sentence for each that couldn't be taken."""
    environ = {"PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "LINES": str(lines)}
    for run in RUNS:
        shots = [shot for shot in run.shots if not wanted or shot.name in wanted]
        if not shots and not run.last:  # what is saved for a later command is needed all the same
            continue
        if not shots and not any(name in wanted for name in ("check", "teach", "taught")):
            continue
        if run.arguments[0] == "diagnose":
            unwell_trace(folder / "tuesday.mcap")
        with _node(folder) if run.arguments[0] == "monitor" else contextlib.nullcontext():
            yield from _run(run, shots, columns, lines, folder, environ)


def _run(
    run: Run, shots: Sequence[Shot], columns: int, lines: int, folder: Path, environ: dict[str, str]
) -> Iterator[str]:
    with Screen(columns, lines, (*_SHELFEDGE, *run.arguments), folder, environ) as screen:
        for shot in run.shots:
            if shot.press and screen.wait_for(shot.before, PATIENCE_S):
                screen.press(*shot.press)
            came = screen.wait_for(shot.pattern, PATIENCE_S)
            time.sleep(shot.rest_s)
            if shot not in shots:
                continue
            path = PICTURES / f"{shot.name}-{columns}x{lines}.svg"
            if not came:
                waited = f"waited {PATIENCE_S:g} s for {shot.pattern!r}"
                yield f"{path.name}: not taken; {waited}, the screen had:\n{screen.text()}"
                continue
            path.write_text(_picture(screen, shot, run.title), encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.1f} kB", flush=True)  # noqa: T201
        if run.press_last:
            screen.press(*run.press_last)
        if run.last and not screen.wait_for(run.last, PATIENCE_S):
            yield f"{run.title}: it didn't come to {run.last!r}; the screen had:\n{screen.text()}"


def _picture(screen: Screen, shot: Shot, title: str) -> str:
    if not shot.whole:
        return screen_svg(screen.ansi(), screen.columns, screen.lines, title)
    ansi = screen.whole_ansi().rstrip()
    return screen_svg(ansi, screen.columns, ansi.count("\n") + 1, title)


@contextlib.contextmanager
def _node(folder: Path) -> Iterator[None]:
    """The node runs."""
    path = folder / "node.yaml"
    node = load_setup(path).node
    with (folder / "node.log").open("wb") as log:
        process = subprocess.Popen(
            [*_SHELFEDGE, "run", str(path)], stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
    try:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s and process.poll() is None:
            with contextlib.suppress(NodeNotRunningError):
                ask(state_folder(path, node), {"do": "who"})
                break
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
