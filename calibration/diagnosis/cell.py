"""One cell's verdict: what its codes, its clock, its noise and its level say. What explains the rest is told first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from calibration.diagnosis import physics
from calibration.diagnosis.clockwork import ChipClock, chip_clock
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.misread import misread_findings
from calibration.diagnosis.noise import CellNoise, cell_noise
from calibration.diagnosis.reading import reading_findings
from calibration.diagnosis.samples import CellSamples
from calibration.diagnosis.slopes import Slope, slope_of
from calibration.diagnosis.spectrum import Spectrum, spectrum_of
from calibration.diagnosis.verdicts import Finding, PartKind, PartVerdict, Verdict, finding, part
from drivers.hx711.codes import OTHER, RAW
from drivers.samples import SampleFlag

FAIL_NOISE = 10.0  # times the datasheet: section 5 row 9, a floating bridge makes 10 to 100 times
WANDER_COUNTS = 1000.0
FLOATING_NOISE, FLOATING_COUNTS = 0.5 * FAIL_NOISE, 300.0
"""Times the datasheet, and from one half second to the next. The zero of a sound cell moves by 4 in a second
(facts/field.md 4.1.8: 253 in the worst minute), a floating one by thousands, and it is noisy, too (section 5 row 9)."""
SECONDS_OF_MEAN = 0.5
BUSY_TIMES = 5.0  # on a board that people are at, so much more is needed to be called noise
AMBIENT_TIMES = 10.0  # a rack that trembles by half a gram is so much on a cell of 800 counts a gram
ROAMS_UNEVEN, ROAMS_ALIKE, ROAMS_OVER_NOISE = 2.5, 0.2, 1.6
"""A floating input roams alike all the time: nine stretches of ten are within 1.6 times the usual one by chance, and
the calmest has a third of it. And
farther than its own noise takes the means."""
AMBIENT_ROAM_G = 2.5  # what shakes a rack folds down to a slow swing at 10 SPS: 1.2 to 2.4 g rms (facts/field.md 4)
DRIFT_COUNTS_PER_MIN = 1000.0
"""Worst minutes of sound cells: 253 and 410 counts (facts/field.md 4.1.8)."""
DRIFT_SIGMAS, DRIFT_STRAIGHT = 6.0, 0.65
LINE_SHARE = 0.5  # of the datasheet's noise: from here a line costs more than the chip's own noise does
RATED_MV_PER_V = 2.0  # of the cells that come for shelves; hobby ones have 0.5 to 1 (facts/loadcell.md 6)
MOST_MV_PER_V = 1.5 * RATED_MV_PER_V  # the usual safe overload, 150 %
ZERO_SHARE, TARE_SHARE = 0.05, 0.5
"""Zero balance is within 5 % of the rated output (facts/loadcell.md 6); the board itself weighs at most half of what
its cells carry, or they were chosen wrong."""
SENSITIVITY_MV_PER_V = (0.3, 3.5)  # 0.5 to 3 mV/V are sold


@dataclass(frozen=True, slots=True)
class CellLook:
    """A cell with everything that was measured of it."""

    samples: CellSamples
    clock: ChipClock
    noise: CellNoise | None
    spectrum: Spectrum | None
    slope: Slope | None


def look(samples: CellSamples, nominal_hz: float) -> CellLook:
    """Measure everything of one cell."""
    clock = chip_clock(samples)
    rate_hz = clock.rate_hz or nominal_hz
    noise = cell_noise(samples, rate_hz)
    slope = slope_of(samples, noise.counts, rate_hz) if noise is not None else None
    return CellLook(samples, clock, noise, spectrum_of(samples, rate_hz), slope)


def cell_verdict(
    board: str,
    seen: CellLook,
    nominal_hz: float,
    supply_v: float | None,
    expected_s: float,
    board_end_s: float,
    impulses: list[float] | None,
    shaken: bool,
    shared_line: bool,
    ambient: bool = False,
    lone_harmonic: bool = False,
) -> PartVerdict:
    """``shaken``: the whole board moves at this moment, so that a level's slope says nothing of the cell.

    ``ambient``: its noise is little, in grams, and as much as that of the board's other cells: the rack's, not its own.
    ``shared_line``: what looks like the mains is a movement of the board.
    """
    samples = seen.samples
    name = f"{board} {samples.cell.name}"
    found = list(reading_findings(samples, seen.clock, nominal_hz, expected_s, board_end_s))
    blind = any(each.fault in _BLINDING and each.verdict is Verdict.FAIL for each in found)
    unseen: list[str] = []
    if not blind:
        found += misread_findings(samples, seen.clock)
    if not blind and seen.noise is not None:
        analog = list(_analog(seen, seen.noise, nominal_hz, supply_v, shaken, shared_line, ambient, lone_harmonic))
        found += analog
        if not any(each.fault in (Fault.DEAD_INPUT, Fault.FLOATING) for each in analog):
            garbled = any(each.fault in _GARBLING and each.verdict > Verdict.PASS for each in found)
            found += [*_level(seen), *([] if garbled else _impulse(seen, impulses))]
        unseen += _unseen(seen, impulses)
    elif not blind:
        unseen.append(f"noise, drift and mains: {len(samples)} usable samples are too few")
    return part(PartKind.CELL, name, found, unseen, _figures(seen, supply_v, nominal_hz))


_GARBLING = (Fault.DEAD_BAND, Fault.GAIN_SLIPS, Fault.DESYNC, Fault.CORRUPT, Fault.LONG_PULSES, Fault.RESTARTS)
_BLINDING = (Fault.NO_SAMPLES, Fault.NOT_READY, Fault.ALL_ZERO, Fault.CLIPPED, Fault.STUCK)


def _figures(seen: CellLook, supply_v: float | None, nominal_hz: float) -> dict[str, float]:
    samples, found = seen.samples, {"samples": float(len(seen.samples)), "rate_sps": seen.clock.rate_hz}
    found["jitter_ppm"] = seen.clock.jitter_share * 1e6
    if seen.noise is not None and samples.usable.any():
        level = float(samples.counts[samples.usable][seen.noise.calm].mean()) if seen.noise.calm.any() else 0.0
        found["noise_counts"] = seen.noise.counts
        if samples.cell.kind != OTHER:
            lsb = physics.nv_per_count(supply_v or physics.SUPPLIES_V[1], samples.cell.gain)
            found["noise_nv"] = seen.noise.counts * lsb
            found["floor_nv"] = seen.noise.floor_counts * lsb
            found["datasheet_nv"] = physics.datasheet_noise_nv(seen.clock.rate_hz or nominal_hz)
        if samples.counts_per_gram:
            found["noise_g"] = seen.noise.counts / abs(samples.counts_per_gram)
        if samples.cell.kind == RAW:
            found["level_mv_per_v"] = physics.mv_per_v(level, samples.cell.gain)
        if samples.weighed and samples.counts_per_gram and samples.zero_counts is not None:
            found["level_g"] = (level - samples.zero_counts) / samples.counts_per_gram
    if seen.slope is not None:
        found["drift_counts_per_min"] = 60.0 * seen.slope.counts_per_s
    return found


def _analog(
    seen: CellLook,
    noise: CellNoise,
    nominal_hz: float,
    supply_v: float | None,
    shaken: bool,
    shared_line: bool,
    ambient: bool,
    lone_harmonic: bool,
) -> Iterator[Finding]:
    samples, gain = seen.samples, seen.samples.cell.gain
    if samples.cell.kind == OTHER:
        return
    rate_hz = seen.clock.rate_hz or nominal_hz
    allowed_nv = physics.datasheet_noise_nv(rate_hz)
    highest_v = supply_v or physics.SUPPLIES_V[1]
    most_nv = noise.floor_counts * physics.nv_per_count(highest_v, gain)
    least_nv = noise.floor_counts * physics.nv_per_count(supply_v or physics.SUPPLIES_V[0], gain)
    stopped = noise.counts * physics.nv_per_count(highest_v, gain) < physics.LEAST_SHARE * allowed_nv
    if stopped and noise.wander_counts < WANDER_COUNTS:
        level = physics.mv_per_v(float(samples.counts[samples.usable].mean()), gain)
        evidence = (
            f"{noise.counts * physics.nv_per_count(highest_v, gain):.1f} nV rms ({noise.counts:.1f} counts): the chip "
            f"alone makes {allowed_nv:.0f} nV at {rate_hz:.1f} SPS"
        )
        if samples.cell.kind == RAW:
            evidence += f"; level {level:+.4f} mV/V"
        yield finding(Fault.DEAD_INPUT, Verdict.FAIL, evidence, noise_counts=noise.counts, level_mv_per_v=level)
        return
    over = least_nv / allowed_nv
    text = f"{noise.floor_counts:.0f} counts rms, {most_nv:.0f} nV"
    text += f" at {supply_v:g} V" if supply_v else f" at 5 V ({least_nv:.0f} nV at 2.7 V)"
    text += f"; the datasheet allows {allowed_nv:.0f} nV at {rate_hz:.1f} SPS"
    roaming = noise.roaming
    wanders = over > FLOATING_NOISE and roaming.calmest > FLOATING_COUNTS
    wanders = wanders and roaming.uneven < ROAMS_UNEVEN and roaming.calmest > ROAMS_ALIKE * roaming.usual
    wanders = wanders and roaming.over_noise > ROAMS_OVER_NOISE
    if ambient and samples.counts_per_gram:
        wanders = wanders and roaming.usual > AMBIENT_ROAM_G * abs(samples.counts_per_gram)
    straight = seen.slope is not None and seen.slope.straight_share > 0.9
    limit = physics.SOUND_BOARDS * (AMBIENT_TIMES if ambient else BUSY_TIMES if noise.busy else 1.0)
    if noise.restless:
        return  # what looks like noise is what people do
    if wanders and not straight and not shaken:
        wander_nv = roaming.usual * physics.nv_per_count(highest_v, gain)
        evidence = (
            f"wanders by {roaming.usual:.0f} counts ({wander_nv / 1000:.1f} uV) from one half second to the next, and "
            f"by {roaming.calmest:.0f} in its calmest seconds"
        )
        yield finding(
            Fault.FLOATING, Verdict.FAIL, f"{evidence}; noise {text}", noise_nv=most_nv, datasheet_nv=allowed_nv
        )
    elif over > max(FAIL_NOISE, limit):
        remedy = "tie the amplifier's E- (AGND) to its GND and check each wire of the cell; then twist and shield it"
        yield finding(Fault.NOISY, Verdict.FAIL, text, remedy, noise_nv=most_nv, datasheet_nv=allowed_nv)
    elif over > limit:
        yield finding(Fault.NOISY, Verdict.WARN, text, noise_nv=most_nv, datasheet_nv=allowed_nv)
    yield from _mains(seen, allowed_nv, highest_v, supply_v, shaken or shared_line, lone_harmonic)
    yield from _drift(seen, noise, rate_hz, shaken)


def _mains(
    seen: CellLook, allowed_nv: float, highest_v: float, supply_v: float | None, shaken: bool, lone_harmonic: bool
) -> Iterator[Finding]:
    """``lone_harmonic``: nothing else tells a harmonic from a machine that shakes at where it folds to."""
    line = seen.spectrum.mains if seen.spectrum is not None else None
    if line is None or shaken:
        return
    gain = seen.samples.cell.gain
    line_nv = line.rms_counts * physics.nv_per_count(highest_v, gain)
    least = line.rms_counts * physics.nv_per_count(supply_v or physics.SUPPLIES_V[0], gain) / allowed_nv
    evidence = (
        f"{line_nv:.0f} nV rms at {line.hz:.2f} Hz, {line.over_floor:.0f} times what is around it: "
        f"{line.true_hz:.0f} Hz sampled at {seen.clock.rate_hz:.2f} SPS shows there"
    )
    bad = Verdict.PASS
    if least > LINE_SHARE and not lone_harmonic:
        bad = Verdict.FAIL if least > FAIL_NOISE else Verdict.WARN
    yield finding(Fault.MAINS, bad, evidence, line_nv=line_nv, line_hz=line.hz, mains_hz=line.true_hz)


def _drift(seen: CellLook, noise: CellNoise, rate_hz: float, shaken: bool) -> Iterator[Finding]:
    slope = seen.slope
    if slope is None or shaken:
        return
    per_min = 60.0 * slope.counts_per_s
    doubt = 2.0 * noise.counts / math.sqrt(rate_hz * SECONDS_OF_MEAN)
    if abs(slope.counts_per_s) > 2.0 * (noise.calm_step_counts_per_s + doubt / SECONDS_OF_MEAN):
        return  # the calm moments don't go that way: it is what people move
    sure = abs(slope.counts_per_s) > DRIFT_SIGMAS * slope.sd_counts_per_s and slope.straight_share > DRIFT_STRAIGHT
    if not sure or abs(per_min) < DRIFT_COUNTS_PER_MIN:
        return
    text = f"{per_min:+.0f} counts a minute ({physics.mv_per_v(per_min, seen.samples.cell.gain) * 1000:+.2f} uV/V"
    if seen.samples.counts_per_gram:
        text += f", {per_min / seen.samples.counts_per_gram:+.1f} g"
    text += ") all the time; sound cells stay below 410 in their worst minute"
    if slope.time_constant_s is not None:
        text += f"; it dies away with a time constant of about {slope.time_constant_s:.0f} s"
    yield finding(Fault.DRIFT, Verdict.WARN, text, drift_counts_per_min=per_min)


def _level(seen: CellLook) -> Iterator[Finding]:
    samples = seen.samples
    if samples.cell.kind != RAW or seen.noise is None:
        return
    level = float(samples.counts[samples.usable].mean())
    output = physics.mv_per_v(level, samples.cell.gain)
    if abs(output) > MOST_MV_PER_V:
        evidence = f"{output:+.2f} mV/V; cells give {RATED_MV_PER_V:g} mV/V at most with their whole capacity on them"
        yield finding(Fault.OVERLOAD, Verdict.FAIL, evidence, level_mv_per_v=output)
        return
    capacity = samples.cell.capacity_g
    if not samples.weighed or not capacity or samples.zero_counts is None or not samples.counts_per_gram:
        return
    load_g = (level - samples.zero_counts) / samples.counts_per_gram
    if load_g > capacity:
        evidence = f"{load_g / 1000:.1f} kg lie on it; it is rated for {capacity / 1000:g} kg"
        bad = Verdict.FAIL if load_g > 1.5 * capacity else Verdict.WARN
        yield finding(Fault.OVERLOAD, bad, evidence, level_g=load_g)
    sensitivity = physics.mv_per_v(abs(samples.counts_per_gram) * capacity, samples.cell.gain)
    zero = physics.mv_per_v(samples.zero_counts, samples.cell.gain)
    if not SENSITIVITY_MV_PER_V[0] <= sensitivity <= SENSITIVITY_MV_PER_V[1]:
        evidence = (
            f"{sensitivity:.2f} mV/V at {capacity / 1000:g} kg by its calibration; cells are made for 0.5 to 3 mV/V"
        )
        yield finding(Fault.OFF_CLASS, Verdict.WARN, evidence, sensitivity_mv_per_v=sensitivity)
    limit = (ZERO_SHARE + TARE_SHARE) * sensitivity + physics.OFFSET_MV / physics.SUPPLIES_V[0]
    if abs(zero) > limit:
        evidence = (
            f"its zero is {zero:+.3f} mV/V; zero balance (5 %), the board's weight and the chip's offset explain "
            f"{limit:.3f} at most"
        )
        yield finding(Fault.OFF_CLASS, Verdict.WARN, evidence, zero_mv_per_v=zero)


def _impulse(seen: CellLook, impulses: list[float] | None) -> Iterator[Finding]:
    spikes = seen.samples.number(SampleFlag.SPIKE)
    count = len(impulses or ()) + spikes
    if count == 0:
        return
    seconds = float(seen.samples.time_s[-1] - seen.samples.time_s[0]) or 1.0
    often = count >= 5 and count / seconds > 0.2
    evidence = f"{count} in {seconds:.0f} s, each a few samples long, while the board's other cells lay still"
    yield finding(Fault.IMPULSES, Verdict.WARN if often else Verdict.PASS, evidence, impulses_per_s=count / seconds)


def _unseen(seen: CellLook, impulses: list[float] | None) -> Iterator[str]:
    if seen.noise is not None and seen.noise.restless:
        yield "noise, mains and drift: the board was hardly left alone; diagnose again while nobody touches it"
    else:
        if seen.spectrum is None:
            yield "mains: it takes 8 s without gaps"
        elif not seen.spectrum.searched:
            yield f"mains: at {seen.clock.rate_hz:.2f} SPS it folds onto 0 Hz or half the rate"
        if seen.slope is None:
            yield "drift: it takes 8 s"
        elif 60.0 * DRIFT_SIGMAS * seen.slope.sd_counts_per_s > 3.0 * DRIFT_COUNTS_PER_MIN:
            yield "drift: too much was moved on the board; diagnose again while nobody touches it"
    if impulses is None:
        yield "impulses: told from knocks only where other cells carry the same board"
