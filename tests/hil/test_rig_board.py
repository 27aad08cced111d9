"""A board with our firmware through its port: emulated, or on the bench that BENCH names. No wall-clock figures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from drivers.hx711.chip_faults import ChipFault, PlannedFault
from firmware_bridge.link.connection import Connection
from firmware_bridge.link.session import McuSample
from firmware_bridge.protocol.codes import PROTOCOL_VERSION, CommandCode, McuFlag
from hil.rig.bench import Rig
from hil.rig.port import PtyRig

LONGEST_S = 60.0  # of any wait; reached only when it is broken


class Host:
    """Pumps a connection and keeps what comes."""

    def __init__(self, rig: Rig) -> None:
        self.connection = Connection(find=lambda: rig.port)
        self.link = self.connection.link
        self.samples: list[McuSample] = []
        self.notices: list[str] = []

    def until(self, what: Callable[[], object]) -> None:
        end = time.monotonic() + LONGEST_S
        while not what():
            assert time.monotonic() < end, self.situation()
            self.connection.pump()
            if self.link.state(time.monotonic_ns()) == "running":
                self.samples += self.link.samples()
            self.notices += [notice.cause for notice in self.link.notices()]
            time.sleep(0.005)

    def situation(self) -> str:
        state, chips = self.link.state(time.monotonic_ns()), Counter((s.chip, s.flags) for s in self.samples)
        return f"not within {LONGEST_S} s: {state}, {self.notices}, {self.link.status}, samples {chips}"

    def running(self) -> bool:
        return self.link.state(time.monotonic_ns()) == "running"


@pytest.fixture
def host(rig: Rig) -> Iterator[Host]:
    it = Host(rig)
    it.connection.start()
    yield it
    it.connection.stop()


def test_the_board_tells_who_it_is_and_all_its_chips_stream_in_step(rig: Rig, host: Host) -> None:
    host.until(lambda: host.running() and host.link.status)
    identity = host.link.identity
    assert identity is not None
    assert (identity.protocol, identity.board, identity.baud) == (PROTOCOL_VERSION, "atmega328p-nano", 250_000)
    host.samples.clear()
    good = Counter[int]()

    def enough() -> bool:
        nonlocal good
        good = Counter(s.chip for s in host.samples if s.flags == McuFlag.GOOD)
        return all(good[chip] >= 100 for chip in rig.chips)

    host.until(enough)
    for chip in rig.chips:
        mine = [sample for sample in host.samples if sample.chip == chip]
        times = [sample.edge_ns for sample in mine]
        assert times == sorted(set(times))
        rate_hz = (len(mine) - 1 + sum(s.lost_before for s in mine[1:])) / (times[-1] - times[0]) * 1e9
        assert 8 < rate_hz < 13 or 70 < rate_hz < 105, f"chip {chip} converts at {rate_hz:.1f} Hz"
        assert max(sample.high_us for sample in mine) < 50


def test_commands_are_answered_and_kept(host: Host) -> None:
    host.until(host.running)
    assert host.link.identity is not None
    before = host.link.identity.serial
    for name in (b"rig-test", before.encode()):
        handle = host.link.command(CommandCode.SET_SERIAL, name)
        host.until(lambda asked=handle: asked.done)  # type: ignore[misc]
        assert handle.error is None
    ping = host.link.command(CommandCode.STATUS)
    host.until(lambda: ping.done)
    assert ping.error is None


def test_a_reboot_is_noticed_and_sampling_goes_on_by_itself(rig: Rig, host: Host) -> None:
    host.until(lambda: host.running() and len(host.samples) > 50)
    assert host.link.identity is not None
    boots = host.link.identity.boot_count
    host.link.command(CommandCode.REBOOT)
    host.until(lambda: "mcu restart" in host.notices)
    host.samples.clear()
    host.until(lambda: {sample.chip for sample in host.samples} >= set(rig.chips))
    assert host.link.identity.boot_count > boots


def test_pulling_and_plugging_the_cable_is_survived(rig: Rig, emulator: PtyRig, host: Host) -> None:
    host.until(lambda: host.running() and len(host.samples) > 50)
    last_ns = host.samples[-1].edge_ns
    emulator.unplug()
    host.until(lambda: "unplugged" in host.notices)
    emulator.plug()
    host.samples.clear()
    host.until(lambda: {sample.chip for sample in host.samples} >= set(rig.chips))
    assert min(sample.edge_ns for sample in host.samples) > last_ns


def test_a_dead_chip_is_told_and_stalls_no_other(rig: Rig, emulator: PtyRig, host: Host) -> None:
    dead, *others = rig.chips
    host.until(lambda: host.running() and {sample.chip for sample in host.samples} >= set(rig.chips))
    emulator.inject(dead, PlannedFault(ChipFault.DEAD, time.monotonic_ns()))
    host.until(lambda: host.link.status is not None and host.link.status.chips[dead].timeouts > 0)
    host.samples.clear()
    host.until(lambda: len(host.samples) > 100 * len(others))
    assert {sample.chip for sample in host.samples} == set(others)
