"""Everything about a simulated board that doesn't change while it runs: plate, cells, converters, faults.

The defaults are the middle of what was measured; `drivers.simulated.draw` draws a board at random. Sources are the
project's fact sheets: "LC" is facts/loadcell.md, "FR" is facts/field.md, each with its section or table row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.simulated.room import Room

ADC_MAX = 0x7FFFFF  # LC 1 "Code": 24-bit two's complement, clamps at 0x7FFFFF / 0x800000, doesn't wrap
ADC_MIN = -0x800000


@dataclass(frozen=True, slots=True)
class PlatePhysics:
    """The board's own mechanics.

    Attributes:
        width_mm, depth_mm: the board's size; x runs from its left edge, y from its front edge.
        flexibility: 0, a rigid plate (it can't twist, so the load is shared as statics of a rigid body on equal springs
            says); 1, a plate so soft that each quadrant hands its load to its corners (bilinear). Only with four cells
            or more.
        heave_hz: natural frequency of the empty board going up and down. FR 4.1.2: shelves ring at 10.4-15 Hz when
            stocked, brief: 10-30 Hz.
        tilt_x_hz, tilt_y_hz: the same for rocking to left and right, to front and back.
        damping: damping ratio of all modes, 0.02-0.15.
        softening_g: stock at which the frequencies have fallen by √2 (mass on a spring: f ~ 1/√(1 + m/m0)).
        hum_g: what the building does to the sum of the cells all the time, grams rms (FR 4, AIM3S: quiet 1.2-2.4 g rms
            on the sum of twelve plates, so about a third of that on one board).
    """

    width_mm: float
    depth_mm: float
    flexibility: float = 0.3
    heave_hz: float = 18.0
    tilt_x_hz: float = 21.0
    tilt_y_hz: float = 23.0
    damping: float = 0.06
    softening_g: float = 20_000.0
    hum_g: float = 0.3


@dataclass(frozen=True, slots=True)
class CellPhysics:
    """One load cell with its HX711.

    Attributes:
        x_mm, y_mm: where it carries the board.
        counts_per_gram: with sign; LC 1: a 10 kg cell of 1 mV/V at gain 128 gives 215 counts/g.
        zero_counts: reading with the empty board on it.
        capacity_g: rated load, for what is specified as a share of it.
        rate_error: the chip's own clock, relative; LC 1 "Measured rates": +2.5..+17 % seen, brief: -3..+17 %.
        jitter: rms of a conversion period, relative; LC 1 "Real capture": 57 ppm.
        filter_order: the converter averages its input with a kernel of this many conversions (a cascade of moving
            averages, sinc^n). 4 explains three measurements at once: settling in four conversions (LC 1 "Settling"),
            lag-1 autocorrelation of the noise 0.49 and ~0 beyond (FR 4.1.7; sinc^4 gives 0.493, 0.050, 0.000), and
            20.7 ms of lag at 84 Hz (FR 4, telenaco). 1 is a plain average over the last conversion.
        noise_counts: rms. LC 1 table: 21-40 at 10 SPS and 39-72 at 80, by datasheet; 19-41 at 10 (FR 4.1.7) and 109 at
            82 SPS (LC 1 "Real capture") measured.
        nonlinearity: share of the load by which a cell loaded to capacity is off (LC 6: 0.03-0.05 %FS, hobby cells).
        creep: share of a load change that follows slowly, by time constant in seconds. LC 6: 0.05 %FS in 30 min for a
            hobby cell; FR 4.1.9: the first 2 g of 2.3 kg take 1.8-7 s.
        walk_counts: random walk of the zero, counts per √s; FR 4.1.8: worst 60 s 253 counts, 488 in 10 min.
        daily_g: amplitude of the daily cycle of the zero; LC 6: 0.05 %FS per 10 °C, so 0.5 g/°C with a 10 kg cell.
        daily_phase: in turns.
        drift_g_per_h: a steady drift of the zero.
        zero_g_per_degree: how the zero goes with the room's temperature; LC 6: 0.5 g/°C for a 10 kg hobby cell.
        lags_s: the cell follows the room through these first-order lags; LC 6: tens of minutes.
        warm_up_counts: how far the zero is off at power-up; LC 5 row 13: exponential, 5-15 min.
        warm_up_s: its time constant.
        settling_counts: how far the first conversions after power-up or reset are off; FR 4.1.10: 480-980 counts.
        dies_at_s: no samples from here on. sticks_at_s: the same code from here on (LC 5 row 6).
    """

    x_mm: float
    y_mm: float
    counts_per_gram: float = 215.0
    zero_counts: float = 0.0
    capacity_g: float = 10_000.0
    rate_error: float = 0.05
    jitter: float = 57e-6
    filter_order: int = 4
    noise_counts: float = 50.0
    nonlinearity: float = 0.0003
    creep: tuple[tuple[float, float], ...] = ((3.0, 0.0002), (60.0, 0.0001), (600.0, 0.0003))
    walk_counts: float = 3.0
    daily_g: float = 0.5
    daily_phase: float = 0.0
    drift_g_per_h: float = 0.0
    zero_g_per_degree: float = 0.0
    lags_s: tuple[float, ...] = ()
    warm_up_counts: float = 0.0
    warm_up_s: float = 300.0
    settling_counts: float = 700.0
    dies_at_s: float | None = None
    sticks_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class FaultRates:
    """How often what goes wrong, per cell.

    Attributes:
        spikes_per_1000: samples replaced by 2^n - 1 (n = 19..23) or 0; FR 4.1.5: 1.1 per 1000 at worst; a spike is
            followed by a longer wait (same place), here one lost conversion.
        lost_per_hour: single conversions lost; FR 4.1.6: 0.19 s at 10 SPS, 104 times in 2.2 h.
        resets_per_hour: power-down resets: `reset_s` without samples, then four settling ones; FR 4.1.6: 0.42 s, 145
            times in 2.2 h.
    """

    spikes_per_1000: float = 0.1
    lost_per_hour: float = 2.0
    resets_per_hour: float = 0.5
    reset_s: float = 0.42

    @staticmethod
    def none() -> FaultRates:
        """A board on which nothing goes wrong."""
        return FaultRates(spikes_per_1000=0.0, lost_per_hour=0.0, resets_per_hour=0.0)

    @staticmethod
    def worst() -> FaultRates:
        """The worst of the recordings in FR 4.1."""
        return FaultRates(spikes_per_1000=1.1, lost_per_hour=47.0, resets_per_hour=66.0)


@dataclass(frozen=True, slots=True)
class BoardPhysics:
    """One board: plate, cells in the board's order of cells, nominal rate, faults.

    Attributes:
        marks_settling: the driver flags settling samples, as an MCU that knows of the reset would.
        cold_start: the converters are switched on when the simulation begins, so it begins with settling samples.
        room: whose temperature the zeros follow.
    """

    plate: PlatePhysics
    cells: tuple[CellPhysics, ...]
    rate_hz: float = 80.0
    faults: FaultRates = field(default_factory=FaultRates)
    marks_settling: bool = False
    cold_start: bool = False
    room: Room = field(default_factory=Room)

    def __post_init__(self) -> None:
        if not 1 <= len(self.cells) <= 8:
            raise ValueError(f"a board has 1 to 8 cells, got {len(self.cells)}")
        if not 1.0 <= self.rate_hz <= 1000.0:
            raise ValueError(f"rate must be 1 to 1000 samples per second, got {self.rate_hz}")
