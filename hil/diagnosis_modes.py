"""The failure modes of the diagnosis matrix: what each does to a cell or a board, at three severities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.physics import datasheet_noise_nv, nv_per_count
from drivers.hx711.chip_faults import ChipFault
from drivers.samples import SampleFlag
from hil.diagnosis_cases import (
    LISTEN_S,
    Case,
    Floats,
    brown_out,
    chip_noise,
    datasheet_counts,
    flagged,
    gain_of_cell,
    one_cell,
    restarts,
    shaken,
    swapped_boards,
    without,
    wrong_rate,
    wrong_record,
)
from hil.diagnosis_chip import LEAST_FAULTS, read_by_chip
from hil.diagnosis_mechanics import leaning, loose_mount
from hil.diagnosis_slow import creeping, in_a_draught, warming_up
from hil.diagnosis_wires import all_cells, bent, shared_clock, stuck_bit, unsettled

Make = Callable[[int], Case]
Three = tuple[float, float, float]
DATASHEET = f"{datasheet_noise_nv(10.0):.0f} (10 SPS) or {datasheet_noise_nv(80.0):.0f} (80 SPS)"


@dataclass(frozen=True)
class Mode:
    """A failure mode: its name, three makers of cases, mild to grave, and what the three are, in physical units."""

    name: str
    severities: tuple[Make, Make, Make]
    figures: str


def _constant(code: float) -> Callable[[Floats, Floats, np.random.Generator, float], Floats]:
    """From a share of the time on, one code only; share 0 is from the beginning."""

    def spoil(time_s: Floats, codes: Floats, rng: np.random.Generator, share: float) -> Floats:
        held = code if np.isfinite(code) else float(codes[round(share * (codes.size - 1))])
        return np.where(time_s >= share * time_s[-1], held, codes)

    return spoil


def _clipped(time_s: Floats, codes: Floats, rng: np.random.Generator, share: float) -> Floats:
    """At an end stop for a share of the time, in stretches: a lead that comes off."""
    phase = (time_s / 4.0 + rng.random()) % 1.0
    return np.where(phase < share, float(rng.choice([0x7FFFFF, -0x800000])), codes)


def _dead(time_s: Floats, codes: Floats, rng: np.random.Generator, rms: float) -> Floats:
    """A short between A+ and A-, or no excitation and a quiet input: a level near zero, noise of so many counts."""
    return float(rng.uniform(-40_000, 40_000)) + chip_noise(codes.size, rms, rng)


def _floating(time_s: Floats, codes: Floats, rng: np.random.Generator, wander: float) -> Floats:
    """AGND not tied: wanders by so many counts a second (Ornstein-Uhlenbeck, 5 s), 10 to 30 times the noise."""
    step_s = float(np.median(np.diff(time_s)))
    walk, value = np.empty(codes.size), 0.0
    kicks = rng.standard_normal(codes.size) * wander * np.sqrt(step_s)
    for k in range(codes.size):
        value += kicks[k] - value * step_s / 5.0
        walk[k] = value
    noise = chip_noise(codes.size, float(rng.uniform(10.0, 30.0)) * datasheet_counts(time_s), rng)
    spoilt: Floats = float(np.median(codes)) + walk + noise  # load-independent
    return spoilt


def _noisy(time_s: Floats, codes: Floats, rng: np.random.Generator, times: float) -> Floats:
    return codes + chip_noise(codes.size, times * datasheet_counts(time_s), rng)


def _mains(time_s: Floats, codes: Floats, rng: np.random.Generator, times: float) -> Floats:
    """A line of 50 or 60 Hz that doesn't fold onto 0 or half the rate; rms in datasheet noises."""
    rate_hz = 1.0 / float(np.mean(np.diff(time_s)))
    seen = [f for f in (50.0, 60.0) if 0.6 < abs(f - round(f / rate_hz) * rate_hz) < rate_hz / 2 - 0.6]
    true_hz = float(rng.choice(seen or [50.0])) + float(rng.normal(0.0, 0.02))
    wave = np.sqrt(2.0) * np.sin(2 * np.pi * (true_hz * time_s + rng.random()))
    spoilt: Floats = codes + times * datasheet_counts(time_s) * wave
    return spoilt


def _impulses(time_s: Floats, codes: Floats, rng: np.random.Generator, per_s: float) -> Floats:
    """Relays nearby: one to three conversions far off, through the decimator's kernel."""
    found = codes.copy()
    for at_s in np.sort(rng.uniform(0.5, time_s[-1] - 0.5, max(6, rng.poisson(per_s * time_s[-1])))):
        first = int(np.searchsorted(time_s, at_s))
        height = float(rng.choice([-1, 1])) * float(rng.uniform(30.0, 120.0)) * datasheet_counts(time_s)
        kernel = height * np.array([0.06, 0.69, 0.25]) if rng.random() < 0.5 else np.array([height])
        last = min(first + kernel.size, found.size)
        found[first:last] += kernel[: last - first]
    return found


def _drift(time_s: Floats, codes: Floats, rng: np.random.Generator, per_min: float) -> Floats:
    """Warming up: an exponential of 5 to 15 min (section 5 row 13), in its beginning."""
    tau_s = float(rng.uniform(300.0, 900.0))
    sign = float(rng.choice([-1, 1]))
    return codes + sign * per_min / 60.0 * tau_s * (1.0 - np.exp(-time_s / tau_s))


def _overload(time_s: Floats, codes: Floats, rng: np.random.Generator, mv_per_v: float) -> Floats:
    spoilt: Floats = codes - np.median(codes) + float(rng.choice([-1, 1])) * mv_per_v / 1000.0 * 128 * (1 << 24)
    return spoilt


def _scattered(time_s: Floats, codes: Floats, rng: np.random.Generator, share: float) -> Floats:
    """1 where a sample stays: lost ones by themselves, here and there."""
    return (rng.random(codes.size) >= share).astype(np.float64)


def _silent(time_s: Floats, codes: Floats, rng: np.random.Generator, share: float) -> Floats:
    """1 where a sample stays: all until a share of the time."""
    stays: Floats = (time_s < share * time_s[-1]).astype(np.float64)
    return stays


def _mode(name: str, make: Callable[[float, int], Case], amounts: Three, unit: str, times: float = 1.0) -> Mode:
    """``unit``: of the amounts times ``times``, for people."""
    first, second, third = (lambda seed, a=amount: make(a, seed) for amount in amounts)
    return Mode(name, (first, second, third), f"{_listed(amounts, times)} {unit}")


def _listed(amounts: Sequence[float], times: float = 1.0) -> str:
    return " / ".join(f"{each:.3g}" if abs(each) < 1000 else f"{each:.0f}" for each in np.array(amounts) * times)


def _code(
    name: str, faults: tuple[Fault, ...], spoil: object, amounts: Three, unit: str, times: float = 1.0, **wanted: int
) -> Mode:
    return _mode(name, lambda a, seed: one_cell(faults, spoil, a, seed, **wanted), amounts, unit, times)  # type: ignore[arg-type]


def _chip(name: str, faults: tuple[Fault, ...], fault: ChipFault, shares: Three) -> Mode:
    unit = f"% of the reads, {LEAST_FAULTS} at least"
    return _mode(name, lambda share, seed: read_by_chip(faults, fault, share, seed), shares, unit, 100.0)


def _uv(counts: Three) -> str:
    """What so many counts are at 5 V."""
    return f"counts ({_listed(counts, nv_per_count(5.0) / 1000.0)} uV at 5 V)"


def _floats(name: str, make: Callable[[float, int], Case]) -> Mode:
    wander = (4000.0, 12_000.0, 40_000.0)
    return _mode(name, make, wander, _uv(wander) + " of wander in a second, noise 10 to 30 times the datasheet's")


PULSES = (Fault.GAIN_SLIPS, Fault.DESYNC)
CUT = (Fault.CORRUPT, Fault.RESTARTS)
RATES = ((14.0, 10), (80.0, 10), (10.0, 80))  # SPS in the node file, and by the strap
DRIFTS, SLOW = (3000.0, 8000.0, 20_000.0), (1500.0, 4000.0, 12_000.0)
SWAPS = ((0.035, 0.07), (0.07, 0.2), (0.2, 1.0))
UNTIL = "% of the time until then"
GONE = "% of the samples"

MODES = (
    _mode("no samples", lambda a, seed: without((Fault.NO_SAMPLES,), _silent, a, seed), (0.8, 0.3, 0.0), UNTIL, 100),
    _code("not ready (-1)", (Fault.NOT_READY,), _constant(-1.0), (0.6, 0.3, 0.0), UNTIL, 100),
    _code("all zero", (Fault.ALL_ZERO,), _constant(0.0), (0.6, 0.3, 0.0), UNTIL, 100),
    _code("clipped", (Fault.CLIPPED,), _clipped, (0.15, 0.5, 1.0), "% of the time", 100),
    _code("stuck code", (Fault.STUCK,), _constant(np.nan), (0.6, 0.3, 0.0), UNTIL, 100),
    _code("dead input", (Fault.DEAD_INPUT,), _dead, (4.0, 2.0, 0.7), "counts of noise"),
    _floats("floating bridge", lambda a, seed: one_cell((Fault.FLOATING,), _floating, a, seed)),
    Mode(
        "wrong rate",
        (
            lambda seed: wrong_rate(*RATES[0], seed),
            lambda seed: wrong_rate(*RATES[1], seed),
            lambda seed: wrong_rate(*RATES[2], seed),
        ),
        " / ".join(f"{told:g} for {true}" for told, true in RATES) + " SPS",
    ),
    _chip("extra pulse", PULSES, ChipFault.EXTRA_PULSE, (0.01, 0.03, 0.08)),
    _chip("missed pulse", PULSES, ChipFault.MISSED_PULSE, (0.01, 0.03, 0.08)),
    _chip("reset in mid-read", CUT, ChipFault.RESET_MID_READ, (0.01, 0.02, 0.05)),
    _chip("clock held high", (*CUT, Fault.LONG_PULSES), ChipFault.LONG_PULSE, (0.01, 0.02, 0.05)),
    _mode(
        "late reads",
        lambda a, seed: flagged((Fault.LATE_READS,), int(SampleFlag.LATE_READ), a, seed),
        (0.03, 0.06, 0.2),
        GONE,
        100,
    ),
    _mode("chip restarts", lambda a, seed: restarts(int(a), seed), (2, 4, 8), f"in {LISTEN_S:g} s"),
    _mode("brown-out", lambda a, seed: brown_out(int(a), seed), (1, 2, 4), f"in {LISTEN_S:g} s"),
    _mode(
        "lost conversions", lambda a, seed: without((Fault.LOST,), _scattered, a, seed), (0.03, 0.06, 0.2), GONE, 100
    ),
    _code("noise", (Fault.NOISY,), _noisy, (4.5, 7.0, 14.0), f"times {DATASHEET} nV", visits=False),
    _code("mains hum", (Fault.MAINS,), _mains, (1.0, 3.0, 8.0), f"times {DATASHEET} nV rms", rate_hz=80, visits=False),
    _code(
        "impulses",
        (Fault.IMPULSES,),
        _impulses,
        (0.5, 0.8, 1.2),
        f"a second, of 30 to 120 times {DATASHEET} nV",
        least_cells=2,
        visits=False,
    ),
    _code("drift", (Fault.DRIFT,), _drift, DRIFTS, _uv(DRIFTS) + " a minute", visits=False),
    _code("overload", (Fault.OVERLOAD,), _overload, (3.15, 3.4, 3.7), "mV/V"),
    _mode(
        "cell dead",
        lambda a, seed: gain_of_cell((Fault.CELL_DEAD,), a, seed),
        (0.01, 0.005, 0.0),
        "% of its load still felt",
        100,
    ),
    _mode(
        "reversed",
        lambda a, seed: gain_of_cell((Fault.REVERSED,), a, seed, True),
        (-0.98, -1.0, -1.02),
        "times what it should be",
    ),
    _mode(
        "gain of one cell",
        lambda a, seed: gain_of_cell((Fault.WRONG_GAIN,), a, seed, True),
        (0.5, 2.0, 0.25),
        "times what it should be",
    ),
    _mode(
        "corner hangs",
        lambda a, seed: gain_of_cell((Fault.BINDING,), a, seed),
        (0.6, 0.45, 0.3),
        "% of its load felt",
        100,
    ),
    _mode(
        "wrong calibration",
        lambda a, seed: wrong_record(a, Fault.WRONG_CALIBRATION, seed),
        (1.08, 0.85, 1.25),
        "times the weight",
    ),
    _mode(
        "gain of a board", lambda a, seed: wrong_record(a, Fault.WRONG_GAIN, seed), (2.0, 0.5, 4.0), "times the weight"
    ),
    Mode(
        "boards swapped",
        (
            lambda seed: swapped_boards(SWAPS[0], seed),
            lambda seed: swapped_boards(SWAPS[1], seed),
            lambda seed: swapped_boards(SWAPS[2], seed),
        ),
        " / ".join(f"{100 * low:g} to {100 * high:g}" for low, high in SWAPS) + " % of their stock apart",
    ),
    _mode("something leans on", leaning, (0.5, 1.0, 2.5), "times as stiff as a cell"),
    _mode("loose mount", loose_mount, (0.4, 0.2, 0.05), "times as stiff as the other mounts"),
    _mode("creep", creeping, (0.01, 0.02, 0.05), "% of each load change", 100),
    _mode("warming up", warming_up, SLOW, _uv(SLOW) + " in the first minute"),
    _mode("temperature", in_a_draught, SLOW, _uv(SLOW) + " a minute"),
    _mode("shared clock", shared_clock, (0.02, 0.05, 0.15), "% slower than the one that is waited for", 100),
    _mode("stuck bit", stuck_bit, (0.03, 0.1, 0.4), "% of the resting codes in the band", 100),
    _mode("not settled", unsettled, (480.0, 980.0, 2000.0), _uv((480.0, 980.0, 2000.0)) + " off"),
    _floats("ground not tied", lambda a, seed: all_cells((Fault.FLOATING,), _floating, a, seed)),
    _mode("zero out of class", bent, (0.75, 0.9, 1.1), "% of the rated output", 100),
    _mode("vibration", shaken, (8.0, 15.0, 30.0), "g rms"),
)
