"""A cell read out of the chip model as a shelf MCU reads it, with faults at its pins, for the diagnosis matrix."""

from __future__ import annotations

import dataclasses

import numpy as np

from calibration.diagnosis.faults import Fault
from drivers.hx711.chip import Chip
from drivers.hx711.chip_faults import ChipFault, PlannedFault
from drivers.samples import SampleBlock, SampleFlag
from hil.diagnosis_cases import Case, Floats, bay

LEAST_FAULTS = 10  # of some 220 reads at 10 SPS; most change low bits only, and fewer nobody would notice
POLL_NS = 100_000
PULSE_NS = 1_000
BITS = 24


def read_by_chip(expected: tuple[Fault, ...], fault: ChipFault, share: float, seed: int) -> Case:
    """One cell of a sound board goes through the chip model; a share of its reads is spoilt by ``fault``."""
    there = bay(seed)
    name, block = next(iter(there.blocks.items()))
    index = int(there.rng.integers(len(there.boards[name].cells)))
    mine = np.flatnonzero((block.cell == index) & (block.flags == 0))
    time_ns = block.time_ns[mine]
    codes = block.counts[mine].astype(np.float64)
    level = np.where(np.abs(codes - np.median(codes)) < 6e5, codes, np.median(codes))  # the simulator's own spikes
    times, counts, flags = _read(time_ns, level, fault, share, there.rng)
    others = block.cell != index
    merged = SampleBlock(
        name,
        np.concatenate([block.time_ns[others], times]),
        np.concatenate([block.cell[others], np.full(times.size, index, np.uint8)]),
        np.concatenate([block.counts[others], counts]),
        np.concatenate([block.flags[others], flags]),
    )
    order = np.lexsort((merged.cell, merged.time_ns))
    sorted_block = dataclasses.replace(
        merged,
        time_ns=merged.time_ns[order],
        cell=merged.cell[order],
        counts=merged.counts[order],
        flags=merged.flags[order],
    )
    cell_name = list(there.setup.node.boards[name].cells)[index]
    return Case(there.samples({name: sorted_block}), expected, f"{name} {cell_name}")


def _read(
    time_ns: np.ndarray, level: Floats, fault: ChipFault, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, codes and flags of the reads until the samples end."""
    rate_hz = 1e9 / float(np.median(np.diff(time_ns)))

    def source(at_ns: int) -> float:
        return float(level[min(int(np.searchsorted(time_ns, at_ns)), level.size - 1)])

    chip = Chip(source, rate_hz, first_edge_ns=int(time_ns[0]), settling_at_start=0, seed=int(rng.integers(1 << 30)))
    reads = int((time_ns[-1] - time_ns[0]) / 1e9 * rate_hz)
    for at in rng.choice(reads - 8, max(LEAST_FAULTS, round(share * reads)), replace=False):
        bit = int(rng.integers(0, 12)) if fault is ChipFault.EXTRA_PULSE else int(rng.integers(2, 20))
        chip.inject(PlannedFault(fault, int(time_ns[0] + at * 1e9 / rate_hz), bit=bit))
    now_ns, found = int(time_ns[0]) - 1, []
    last_ns = 0
    while now_ns < int(time_ns[-1]):
        now_ns += POLL_NS
        if last_ns and now_ns - last_ns < 0.9e9 / rate_hz:
            now_ns = last_ns + round(0.9e9 / rate_hz)
        if chip.dout(now_ns):
            continue
        edge_ns = now_ns
        code = 0
        for _ in range(BITS):
            chip.sck(True, now_ns := now_ns + PULSE_NS)
            code = code << 1 | int(chip.dout(now_ns + PULSE_NS // 2))
            chip.sck(False, now_ns := now_ns + PULSE_NS)
        chip.sck(True, now_ns := now_ns + PULSE_NS)
        high = chip.dout(now_ns + PULSE_NS // 2)
        chip.sck(False, now_ns := now_ns + PULSE_NS)
        signed = code - (1 << BITS) if code >> (BITS - 1) else code
        found.append((edge_ns, signed, 0 if high else int(SampleFlag.DESYNC)))
        last_ns = edge_ns
    times, codes, flags = zip(*found, strict=True)
    return np.array(times, np.int64), np.array(codes, np.int32), np.array(flags, np.uint16)
