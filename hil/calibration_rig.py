"""A board in front of real firmware for a calibration in lockstep: physics, chip models, emulated MCU, line, link,
driver, and somebody who does what the prompts say; as fast as the machine allows, and the same each time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np

import firmware_bridge
from calibration.prompts import Progress, Prompt
from drivers.bridge import BridgeDriver
from drivers.mcu import Mcu
from drivers.samples import SampleBlock
from drivers.simulated.stage import seeded
from edge.node.calibrate import CalibrationRunner, Procedure, Weights, follow
from edge.node.mcu_facts import mcu_facts
from hil.installations import Found, Installation, measured
from hil.installer import Installer
from hil.rig.line import Latency, LockstepLine
from hil.rig.live import LiveBoard
from hil.rig.lockstep import LockstepRig

FIRMWARE = Path(firmware_bridge.__file__).parent / "firmware" / "shelfedge-atmega328p.hex"
USB = Latency(packet_timer_ns=16_000_000, out_ns=1_000_000)
"""A USB-serial chip whose latency timer is as it was delivered."""


class RigBoard:
    """Keeps `edge.node.board_source.BoardSource` and its clock: time is the emulator's, and passes by `sleep`.

    Attributes:
        person: hears the prompts. rig, line: for faults.
    """

    over = False

    def __init__(self, installation: Installation, person: Installer, seed: int) -> None:
        """Raises RigError where the rig can't be built, DriverError."""
        site = installation.site
        self.person = person
        self.rig = LockstepRig(FIRMWARE, chips=len(site.cells), seed=seed)
        self.line = LockstepLine(self.rig, USB, seed)
        self._live = LiveBoard(self.rig, installation.physics, person, site.board, seed)  # type: ignore[arg-type]
        mcu = Mcu("the rig", lambda: self.line, clock=self.line.now_ns)
        names = [cell.name for cell in site.cells]
        self._driver = BridgeDriver(site.board, names, site.rate_hz, {}, self.line.now_ns, lambda _: mcu)
        self._driver.start()

    @property
    def clock(self) -> RigBoard:
        """Itself."""
        return self

    @property
    def firmware(self) -> str:
        """What the emulated MCU says it runs; empty before it has."""
        facts = mcu_facts(self._driver)
        return "" if facts is None else str(facts["firmware"])

    def __call__(self) -> int:
        return self.line.now_ns()

    def sleep(self, seconds: float) -> None:
        """Let the board go on."""
        until_ns = self.line.now_ns() + round(seconds * 1e9)
        self._live.feed(until_ns)
        self.line.run_until(until_ns)

    def read(self, now_ns: int) -> list[SampleBlock]:
        """As `BoardSource` says."""
        block = self._driver.read(now_ns)
        self._driver.take_notices()
        return [block] if len(block) else []

    def hear(self, prompt: Prompt, now_ns: int) -> None:
        """Told to the person."""
        self.person.follow(prompt, max(now_ns / 1e9, self._live.made_until_s))

    def close(self) -> None:
        """As `BoardSource` says."""
        self._driver.stop()
        self.rig.close()

    def __enter__(self) -> RigBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def board_of(installation: Installation, seed: int) -> RigBoard:
    """A rig with this installation on its chips and its installer in front of it."""
    rng = seeded(seed, "person", installation.kind)
    return RigBoard(installation, Installer(installation.site, installation.weight_g, installation.habits, rng), seed)


def run_on_rig(board: RigBoard, procedure: Procedure, heard: Callable[[Prompt], None] = lambda prompt: None) -> None:
    """Follow a procedure to its end on that board."""

    def tell(said: Prompt | Progress) -> None:
        if isinstance(said, Prompt):
            heard(said)

    follow(procedure, board, tell)


def calibrate_on_rig(installation: Installation, seed: int) -> Found:
    """The whole run: what came of it, against the truth of the physics."""
    with board_of(installation, seed) as board:
        runner = CalibrationRunner(installation.site, Weights(installation.weight_g))
        run_on_rig(board, runner)
        return measured(installation, runner.outcome, board() / 1e9, np.random.default_rng([seed, 1]))


def at_wrong_rate(installation: Installation, rate_hz: float) -> Installation:
    """The same with its chips strapped for another rate than the node file says."""
    physics = dataclasses.replace(installation.physics, rate_hz=rate_hz)
    return dataclasses.replace(installation, physics=physics, kind="wrong strap")
