"""An installer's quarter of an hour with a real-time rig: `shelfedge` in a terminal, real firmware behind a pty, the
physics of a board under its chips while it runs, and somebody who has only the screen to go by.
"""

from __future__ import annotations

import contextlib
import math
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

from calibration.prompts import Prompt
from drivers.simulated.stage import seeded
from hil.calibration_rig import FIRMWARE
from hil.installations import Installation
from hil.installer import Installer
from hil.rig.live import LiveBoard
from hil.rig.port import PtyRig
from hil.terminal import Terminal
from hil.terminal_person import AtTheBoard, Reader

_AHEAD_NS = 300_000_000
_FEED_S = 0.05
SKU, UNIT_G, UNIT_SD_G, SLOT_MM = "cola-033", 352.0, 2.5, 250.0


class LivePort:
    """A board behind a serial port, whose physics go on by themselves until the context is left.

    Attributes:
        rig: for faults. person: acts on the board. units_g: of the product, that were put down.
    """

    def __init__(self, installation: Installation, folder: Path, seed: int) -> None:
        site = installation.site
        rng = seeded(seed, "person", "terminal")
        self.installation = installation
        self.units_g: list[float] = []
        self.person = AtTheBoard(Installer(site, installation.weight_g, installation.habits, rng), rng)
        self.rig = PtyRig(folder / "ttyRIG", FIRMWARE, chips=len(site.cells), seed=seed)
        self._begin_ns = time.monotonic_ns()
        self._live = LiveBoard(
            self.rig, installation.physics, self.person, site.board, seed, self._begin_ns  # type: ignore[arg-type]
        )  # fmt: skip
        self._ended = threading.Event()
        self._live.feed(self._begin_ns + _AHEAD_NS)
        self._thread = threading.Thread(target=self._feed, name="physics", daemon=True)
        self._thread.start()

    @property
    def now_s(self) -> float:
        """The simulation's time before which everything is settled."""
        return max((time.monotonic_ns() - self._begin_ns) / 1e9, self._live.made_until_s)

    def follow(self, prompt: Prompt) -> None:
        """The person does what was read."""
        self.person.follow(prompt, self.now_s)

    def put_unit(self, number: int) -> None:
        """A unit goes into its slot, beside those before."""
        grams = UNIT_G + UNIT_SD_G * float(seeded(number, "unit").standard_normal())
        self.units_g.append(grams)
        site = self.installation.site
        self.person.put_unit(grams, 60.0 + 25.0 * number, site.depth_mm / 2, self.now_s)

    def _feed(self) -> None:
        while not self._ended.wait(_FEED_S):
            self._live.feed(time.monotonic_ns() + _AHEAD_NS)

    def close(self) -> None:
        """Switch it off."""
        self._ended.set()
        self._thread.join()
        self.rig.close()

    def __enter__(self) -> LivePort:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def node_for(installation: Installation, folder: Path, port: Path) -> Path:
    """A node file and planogram that say what an installer knows of it; the wiring is taken to be in order."""
    site = installation.site
    cells = "\n".join(
        f"      {cell.name}: {{x: {cell.x_mm:g} mm, y: {cell.y_mm:g} mm, capacity: {cell.capacity_g or 10_000:g} g}}"
        for cell in site.cells
    )
    chips = ", ".join(f"{cell.name}: {chip}" for chip, cell in enumerate(site.cells))
    (folder / "planogram.yaml").write_text(
        f'skus:\n  {SKU}: {{name: "Cola, can 0.33 l", weight: 340 g, spread: 3 g}}\n'
        f"slots:\n  A1: {{board: {site.board}, sku: {SKU}, x: [0 mm, {SLOT_MM:g} mm], count: 0}}\n"
    )
    (folder / "calibration").mkdir(exist_ok=True)
    node = folder / "node.yaml"
    node.write_text(
        f"node: bay-12\nplanogram: planogram.yaml\ncalibration: calibration\nstate: state\n"
        f"boards:\n  {site.board}:\n    width: {site.width_mm:g} mm\n    depth: {site.depth_mm:g} mm\n"
        f"    rate: {site.rate_hz:g} Hz\n"
        f"    driver: {{type: bridge, port: {port}, chips: {{{chips}}}}}\n    cells:\n{cells}\n"
    )
    return node


def follow_screen(
    port: LivePort,
    arguments: Sequence[str],
    seconds: float,
    seen: Callable[[Terminal], None] = lambda terminal: None,
) -> tuple[int, Terminal, tuple[str, ...]]:
    """Run a command to its end, do what its screen says, and answer yes; its exit code (-1: it didn't end), what was
    seen, and what was asked for.

    Args:
        seconds: how long at most. seen: shown each look.
    """
    reader = Reader(port.installation.weight_g)
    until = time.monotonic() + seconds
    answered = False
    with Terminal(arguments) as terminal:
        while terminal.look(0.08) and time.monotonic() < until:
            seen(terminal)
            if terminal.screen.full:
                prompt = reader.read(terminal.screen.rows)
                if prompt is not None and prompt.place == "unit":
                    port.put_unit(prompt.number)
                elif prompt is not None:
                    port.follow(prompt)
            elif not answered and ("Save it?" in terminal.screen.text or "Write it" in terminal.screen.text):
                answered = True
                terminal.press("y\n")
        code = -1
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = terminal.end(10.0)
    asked = tuple(f"{each.step} {each.place} {each.mistake}".strip() for each in reader.prompts)
    return code, terminal, asked


@dataclass(frozen=True, slots=True)
class VisitStep:
    """One command of a visit.

    Attributes:
        told: what it came to, in a line.
        screen: the last one. prompts: what its screens asked for, in order.
    """

    name: str
    code: int
    seconds: float
    is_right: bool
    told: str
    screen: tuple[str, ...]
    prompts: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


@dataclass(slots=True)
class Visit:
    """What an installer did; ``taught_g``: what a unit was found to weigh, nan where none was; ``unit_g``: in truth."""

    steps: list[VisitStep] = field(default_factory=list)
    taught_g: float = math.nan
    unit_g: float = math.nan


def visit(port: LivePort, node: Path) -> Visit:
    """Calibrate, check, teach, diagnose, and look at the history."""
    done = Visit()
    board, weight = port.installation.site.board, f"{port.installation.weight_g:g} g"

    def step(name: str, arguments: Sequence[str], seconds: float, cue: str) -> str:
        begun_s = time.monotonic()
        code, terminal, prompts = follow_screen(port, arguments, seconds)
        rows = tuple(row.rstrip() for row in terminal.screen.rows if row.strip())
        told = next((row.strip() for row in rows if cue in row), rows[-1].strip() if rows else "")
        is_right = code == 0 and cue in terminal.screen.text
        done.steps.append(VisitStep(name, code, time.monotonic() - begun_s, is_right, told, rows, prompts))
        return terminal.screen.text

    step("calibrate", ["calibrate", board, str(node), "--weight", weight, "--who", "ada"], 240.0, "saved as")
    step("calibrate --check", ["calibrate", board, str(node), "--weight", weight, "--check"], 90.0, "HOLDS")
    text = step("teach", ["teach", SKU, str(node), "--count", "5"], 150.0, "written into")
    if found := re.search(r"unit weight\s+([0-9.]+) g", text):
        done.taught_g = float(found[1])
    done.unit_g = sum(port.units_g) / max(len(port.units_g), 1)
    step("diagnose --json", ["diagnose", str(node), "--json"], 90.0, '"verdict"')
    step("calibrate history", ["calibrate", "history", board, str(node)], 30.0, "in use")
    return done
