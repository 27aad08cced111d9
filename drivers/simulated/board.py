"""One simulated board: what acts on it goes through plate, cells and converters, and comes out as samples.

Everything is made in windows of one length, whatever is read: the same seed gives the same samples however they are
asked for.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock, SampleFlag
from drivers.simulated.converter import Converter
from drivers.simulated.forces import Force, Shake
from drivers.simulated.kernels import ring
from drivers.simulated.physics import BoardPhysics
from drivers.simulated.sharing import MODES, place_vector, sharing_matrix
from drivers.simulated.stage import Stage, seeded

Floats = npt.NDArray[np.float64]

STEP_S = 0.001  # ten to thirty steps per half oscillation at 10-30 Hz, and a dozen per conversion at 80 SPS
WINDOW_S = 2.0


class BoardSimulator:
    """Windows of samples, one after the other, each cell with its own random stream.

    Args:
        window_s: of each of them, some conversions at least: short for somebody who acts on what was just seen.
    """

    def __init__(self, board: str, physics: BoardPhysics, stage: Stage, seed: int, window_s: float = WINDOW_S) -> None:
        cells = physics.cells
        self._window_s, self._steps = window_s, round(window_s / STEP_S)
        x, y = np.array([c.x_mm for c in cells]), np.array([c.y_mm for c in cells])
        self.board = board
        self.physics = physics
        self._stage = stage
        self._middle = (float(x.mean()), float(y.mean()))
        self._sharing = sharing_matrix(x, y, physics.plate.flexibility)
        self._lying = np.zeros(MODES)
        for x_mm, y_mm, grams in stage.settled_g[board]:
            self._lying += grams * place_vector(x_mm, y_mm, self._middle)
        self._coming: list[Force | Shake] = []  # the latest first
        self._forces: list[Force] = []
        self._shakes: list[Shake] = []
        self._ringing = np.column_stack([self._lying, np.zeros(MODES)])
        self._rng = seeded(seed, board, "plate")
        first = self._sharing @ self._lying
        self._converters = [
            Converter(cell, physics, float(first[k]), seeded(seed, board, "cell", k)) for k, cell in enumerate(cells)
        ]
        self._kept_steps = math.ceil(max(c.reach_s for c in self._converters) / STEP_S) + 2
        self._kept = np.repeat(first[:, None], self._kept_steps, axis=1)
        self._window = 0

    @property
    def made_until_s(self) -> float:
        """Time up to which samples have been made."""
        return self._window * self._window_s

    def next_window(self) -> SampleBlock:
        """The samples of the next window; time 0 is the beginning of the simulation."""
        end_s = (self._window + 1) * self._window_s
        self._let_begin(end_s)
        time_s = np.arange(self._window * self._steps, (self._window + 1) * self._steps).astype(np.float64) * STEP_S
        cell_g: Floats = np.matmul(self._sharing, self._moved(time_s, end_s))
        force = np.concatenate([self._kept, cell_g], axis=1)
        self._kept = np.ascontiguousarray(force[:, -self._kept_steps :])
        force_begin_s = float(time_s[0]) - self._kept_steps * STEP_S
        parts = [
            converter.convert(np.ascontiguousarray(force[k]), force_begin_s, STEP_S, end_s)
            for k, converter in enumerate(self._converters)
        ]
        self._window += 1
        return self._in_order(parts)

    def _let_begin(self, end_s: float) -> None:
        """Bring what begins before `end_s` onto the board; what was played ahead waits."""
        forces, shakes = self._stage.acting(self.board, end_s)
        if forces or shakes:
            self._coming += [*forces, *shakes]
            self._coming.sort(key=lambda each: each.begin_s, reverse=True)
        while self._coming and self._coming[-1].begin_s < end_s:
            each = self._coming.pop()
            if isinstance(each, Force):
                self._forces.append(each)
            else:
                self._shakes.append(each)

    def _moved(self, time_s: Floats, end_s: float) -> Floats:
        """Mode loads as the plate passes them on, float64[modes, n]."""
        plate = self.physics.plate
        load = np.repeat(self._lying[:, None], time_s.size, axis=1)
        held = np.full(time_s.size, self._lying[0])
        unfinished = []
        for force in self._forces:
            vector = place_vector(force.x_mm, force.y_mm, self._middle)
            first = int(np.searchsorted(time_s, force.begin_s))
            load[:, first:] += vector[:, None] * force.on(time_s[first:])
            if force.end_s < end_s:
                self._lying += force.stays_g * vector
            else:
                unfinished.append(force)
        self._forces = unfinished
        mode_hz = np.array([plate.heave_hz, plate.tilt_x_hz, plate.tilt_y_hz, max(plate.tilt_x_hz, plate.tilt_y_hz)])
        load[:3] += self._hum(time_s.size, mode_hz[:3])
        moved: Floats = ring(load, held, self._ringing, mode_hz, plate.damping, plate.softening_g, STEP_S)
        for shake in self._shakes:
            first, last = np.searchsorted(time_s, [shake.begin_s, shake.end_s])
            if last > first:
                vector = place_vector(shake.x_mm, shake.y_mm, self._middle)
                moved[:, first:last] += vector[:, None] * shake.on(time_s[first:last])
        self._shakes = [shake for shake in self._shakes if shake.end_s > end_s]
        return moved

    def _hum(self, n: int, mode_hz: Floats) -> Floats:
        """White force that makes each mode ring by `hum_g` rms: an oscillator turns ``s`` per step into
        ``s² · dt · ω / (4 ζ)`` (stationary variance of the driven oscillator).
        """
        plate = self.physics.plate
        lever_mm = np.array([1.0, plate.width_mm / 4, plate.depth_mm / 4])
        per_step = plate.hum_g * lever_mm * np.sqrt(4 * plate.damping / (2 * np.pi * mode_hz * STEP_S))
        hum: Floats = self._rng.standard_normal((3, n)) * per_step[:, None]
        return hum

    def _in_order(self, parts: list[tuple[Floats, npt.NDArray[np.int32], npt.NDArray[np.bool_]]]) -> SampleBlock:
        time_ns = np.concatenate([np.rint(time_s * 1e9).astype(np.int64) for time_s, _, _ in parts])
        cell = np.concatenate([np.full(p[0].size, k, np.uint8) for k, p in enumerate(parts)])
        settling = np.concatenate([p[2] for p in parts])
        order = np.lexsort((cell, time_ns))
        flag = SampleFlag.SETTLING if self.physics.marks_settling else SampleFlag.GOOD
        flags = np.where(settling, np.uint16(flag), np.uint16(0)).astype(np.uint16)
        counts = np.concatenate([p[1] for p in parts])
        return SampleBlock(self.board, time_ns[order], cell[order], counts[order], flags[order])
