"""The bridge driver on the firmware itself: boards that share an MCU, settings, and MCUs that aren't what was asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import get_args

import numpy as np
import pytest
from rig_ready import FIRMWARE, needed

from drivers.bridge import FLAGS, REMEDIES, BridgeDriver
from drivers.build import build_driver
from drivers.errors import DriverError
from drivers.mcu import Mcu, shared_mcu
from drivers.samples import SampleBlock, SampleFlag
from firmware_bridge.link.losses import Cause
from firmware_bridge.link.session import Link
from firmware_bridge.protocol.codes import PROTOCOL_VERSION, CommandCode, McuFlag
from firmware_bridge.protocol.commands import serial_data
from firmware_bridge.protocol.frames import encode_frame
from firmware_bridge.protocol.identity import Identity
from firmware_bridge.protocol.messages import encode_message
from hil.rig.controls import ChipSetup
from hil.rig.faults import Reset, Way
from hil.rig.line import LockstepLine
from hil.rig.lockstep import LockstepRig

LEVEL, STEP = 200_000.0, 100_000.0  # of chip 0, and from chip to chip
NOISE = 40.0


class RiggedMcu:
    """A rig with four chips at levels of their own, and the MCU that drivers share."""

    def __init__(self) -> None:
        self.rig = LockstepRig(FIRMWARE, chips=4, seed=5)
        for chip in range(4):
            level = LEVEL + STEP * chip
            self.rig.setup(chip, ChipSetup(80.0 + chip, level_counts=level, level_b_counts=7e4, noise_counts=NOISE))
        self.line = LockstepLine(self.rig)
        self.mcu = Mcu("the rig", lambda: self.line, clock=self.line.now_ns)

    def driver(self, board: str, cells: str, mcu: Mcu | None = None, **options: object) -> BridgeDriver:
        driver = BridgeDriver(board, cells.split(), 80.0, options, self.line.now_ns, lambda _: mcu or self.mcu)
        driver.start()
        return driver

    def run(self, seconds: float, *drivers: BridgeDriver) -> list[SampleBlock]:
        got: list[list[SampleBlock]] = [[SampleBlock.empty(driver.board)] for driver in drivers]
        for _ in range(round(seconds * 20)):
            self.line.run_until(self.line.now_ns() + 50_000_000)
            for parts, driver in zip(got, drivers, strict=True):
                parts.append(driver.read(self.line.now_ns()))
        return [SampleBlock.join(parts) for parts in got]

    def chip_settings(self) -> tuple[int, ...]:
        """As the MCU says them now."""
        assert self.mcu.link is not None
        self.mcu.link.command(CommandCode.IDENTIFY)
        for _ in range(10):
            self.line.run_until(self.line.now_ns() + 50_000_000)
            self.mcu.pump()
        assert self.mcu.link.identity is not None
        return tuple(self.mcu.link.identity.settings[:4])


@pytest.fixture
def world() -> Iterator[RiggedMcu]:
    needed("simavr")
    made = RiggedMcu()
    yield made
    made.rig.close()


def good(block: SampleBlock, cell: int) -> np.ndarray:
    return block.counts[(block.cell == cell) & (block.flags == 0)].astype(float)


def test_boards_that_share_an_mcu_each_get_their_own_chips(world: RiggedMcu) -> None:
    first = world.driver("upper", "l r", chips={"l": 3, "r": 0})
    second = world.driver("lower", "only", chips={"only": 2})
    upper, lower = world.run(4.0, first, second)
    assert good(upper, 0).mean() == pytest.approx(LEVEL + 3 * STEP, abs=10)
    assert good(upper, 1).mean() == pytest.approx(LEVEL, abs=10)
    assert good(lower, 0).mean() == pytest.approx(LEVEL + 2 * STEP, abs=10)
    assert len(upper) > 2 * len(lower) - 10 > 500


def test_what_happens_to_a_chip_is_told_to_its_board_alone(world: RiggedMcu) -> None:
    first = world.driver("upper", "l r")
    second = world.driver("lower", "only", chips={"only": 2})
    world.run(2.0, first, second)
    first.take_notices(), second.take_notices()
    world.rig.setup(1, ChipSetup(connected=False))
    world.run(2.0, first, second)
    told = first.take_notices()
    assert {(notice.cell, notice.cause) for notice in told} >= {("r", "ready timeout")}
    assert "upper r: chip 1 gave no sample" in next(n.text for n in told if n.cause == "ready timeout")
    assert second.take_notices() == []
    world.rig.reset(Reset.EXTERNAL)
    world.run(3.0, first, second)
    for driver in (first, second):
        assert (None, "mcu restart") in [(notice.cell, notice.cause) for notice in driver.take_notices()]


def test_one_board_may_go_and_come_again_while_the_other_reads_on(world: RiggedMcu) -> None:
    first = world.driver("upper", "l")
    second = world.driver("lower", "r", chips={"r": 1})
    world.run(2.0, first, second)
    second.stop()
    (alone,) = world.run(2.0, first)
    assert len(alone) == pytest.approx(160, abs=2)
    again = world.driver("lower", "r", chips={"r": 1})
    both = world.run(2.0, first, again)
    assert [len(block) > 100 for block in both] == [True, True]
    first.stop(), again.stop()
    assert world.mcu.link is None
    once_more = world.driver("lower", "r", chips={"r": 1})
    (back,) = world.run(3.0, once_more)
    assert len(good(back, 0)) > 100


@pytest.mark.parametrize(("gain", "expected"), [(64, LEVEL / 2), (32, 7e4)])
def test_chips_are_set_to_the_gain_wanted_and_no_sample_at_another_is_weight(
    world: RiggedMcu, gain: int, expected: float
) -> None:
    """P7: a wrong gain looks like a weight. So what was converted before the MCU was told is marked."""
    driver = world.driver("b", "l r", gain={"l": gain, "r": 128})
    (block,) = world.run(4.0, driver)
    assert np.abs(good(block, 0) - expected).max() < 8 * NOISE
    assert np.abs(good(block, 1) - (LEVEL + STEP)).max() < 8 * NOISE
    at_first = (block.cell == 0) & (np.abs(block.counts - LEVEL) < 1_500)
    assert at_first.any()
    assert (block.flags[at_first] & SampleFlag.SETTLING).all()
    assert world.chip_settings() == ({64: 27, 32: 26}[gain], 25, 25, 25)


def test_the_gain_is_saved_in_the_mcu_so_that_its_next_boot_begins_with_it(world: RiggedMcu) -> None:
    driver = world.driver("b", "l", gain=64)
    world.run(3.0, driver)
    world.rig.reset(Reset.EXTERNAL)
    (block,) = world.run(3.0, driver)
    settling = int(((block.flags & SampleFlag.SETTLING) != 0).sum())
    assert settling == 5  # those of the restart itself, none for want of a setting
    assert len(good(block, 0)) > 150
    assert np.abs(good(block, 0) - LEVEL / 2).max() < 8 * NOISE


def test_a_board_that_comes_again_with_another_gain_gets_it(world: RiggedMcu) -> None:
    stays = world.driver("a", "x", chips={"x": 3})
    for gain, level in ((64, LEVEL / 2), (128, LEVEL), (64, LEVEL / 2)):
        driver = world.driver("b", "l", gain=gain)
        block, other = world.run(4.0, driver, stays)
        assert len(good(block, 0)) > 150
        assert np.abs(good(block, 0) - level).max() < 8 * NOISE, gain
        driver.stop()
    assert not other.flags.any(), "the chips of others aren't disturbed"


def test_an_mcu_that_does_not_hear_gives_no_weight_at_a_gain_that_was_not_wanted(world: RiggedMcu) -> None:
    driver = world.driver("b", "l", gain=64)
    world.rig.wire(Way.TO_MCU, silent=True)
    (block,) = world.run(8.0, driver)
    assert len(block) > 400
    assert (block.flags & SampleFlag.SETTLING).all()
    told = [notice for notice in driver.take_notices() if notice.cause == "not configured"]
    assert len(told) == 1
    assert "didn't answer CONFIGURE" in told[0].text
    world.rig.wire(Way.TO_MCU, silent=False)
    (block,) = world.run(14.0, driver)
    assert len(good(block, 0)) > 100
    assert np.abs(good(block, 0) - LEVEL / 2).max() < 8 * NOISE


def test_an_mcu_with_another_serial_is_refused_until_it_has_the_right_one(world: RiggedMcu) -> None:
    mcu = Mcu("/dev/ttyUSB0", lambda: world.line, "bay-07", world.line.now_ns)
    driver = world.driver("b", "l", mcu)
    with pytest.raises(DriverError, match=r"b: .* has the serial 'unset', expected 'bay-07': plug in the right one"):
        world.run(3.0, driver)
    world.line.link.command(CommandCode.SET_SERIAL, serial_data("bay-07"))
    world.line.run_until(world.line.now_ns() + 50_000_000)
    with pytest.raises(DriverError):
        driver.read(world.line.now_ns())
    for _ in range(20):
        world.line.run_until(world.line.now_ns() + 50_000_000)
        mcu.pump()
    world.rig.reset(Reset.EXTERNAL)
    for _ in range(5):
        world.line.run_until(world.line.now_ns() + 50_000_000)
        mcu.pump()
    (block,) = world.run(3.0, driver)
    assert len(good(block, 0)) > 100


# ---- without a rig ----


class ScriptedLine:
    """A line on which only what a test says comes."""

    def __init__(self) -> None:
        self.link = Link(0)
        self.now_ns = 0
        self.words: list[bytes] = []

    def start(self, must_open: bool = True) -> None:
        self.link.opened(self.now_ns)

    def pump(self) -> None:
        self.now_ns += 50_000_000
        for words in self.words:
            self.link.received(words, self.now_ns)
        self.words.clear()
        self.link.to_send(self.now_ns)

    def stop(self) -> None:
        self.link.closed(self.now_ns)


def scripted(line: ScriptedLine, board: str, cells: str, **options: object) -> BridgeDriver:
    mcu = shared_of(line)
    driver = BridgeDriver(board, cells.split(), 80.0, options, lambda: line.now_ns, lambda _: mcu)
    driver.start()
    return driver


def shared_of(line: ScriptedLine) -> Mcu:
    return shared_mcu(f"scripted-{id(line)}", None, lambda: Mcu("MCU 1", lambda: line, clock=lambda: line.now_ns))


def said(boot: int = 1, protocol: int = PROTOCOL_VERSION, chips: int = 8) -> bytes:
    identity = Identity(0, boot, protocol, "0.1", "other", "s", boot, chips=chips, settings=bytes([25] * chips))
    return encode_frame(encode_message(identity))


def test_another_version_of_the_protocol_is_an_error_that_says_to_flash() -> None:
    line = ScriptedLine()
    driver = scripted(line, "b", "l")
    assert len(driver.read(0)) == 0
    line.words = [said(protocol=9)]
    for _ in range(2):
        with pytest.raises(DriverError, match=r"b: MCU 1: .*speaks version 9 .*`shelfedge flash`"):
            driver.read(0)
    line.words = [said(boot=2)]
    assert len(driver.read(0)) == 0
    driver.stop()


def test_a_chip_that_the_mcu_has_not_is_the_error_of_its_board_alone() -> None:
    line = ScriptedLine()
    fits, too_far = scripted(line, "near", "l r"), scripted(line, "far", "x", chips={"x": 5})
    line.words = [said(chips=4)]
    assert len(fits.read(0)) == 0
    with pytest.raises(DriverError, match=r"far: .*has chips 0 to 3, but the board is to read chip 5; correct the op"):
        too_far.read(0)
    fits.stop(), too_far.stop()


def test_a_refused_mcu_is_forgotten_once_it_is_unplugged_and_refused_again_only_when_it_speaks() -> None:
    line = ScriptedLine()
    driver = scripted(line, "b", "l")
    line.words = [said(protocol=9)]
    with pytest.raises(DriverError, match="speaks version 9"):
        driver.read(0)
    line.link.closed(line.now_ns)
    assert len(driver.read(0)) == 0
    line.link.opened(line.now_ns)
    assert len(driver.read(0)) == 0
    line.words = [said(boot=2, protocol=9)]
    with pytest.raises(DriverError, match="speaks version 9"):
        driver.read(0)
    line.link.closed(line.now_ns)
    driver.read(0)
    line.link.opened(line.now_ns)
    line.words = [said(boot=3)]
    assert len(driver.read(0)) == 0
    driver.stop()


def test_an_mcu_with_too_few_chips_is_no_error_while_it_is_unplugged() -> None:
    line = ScriptedLine()
    driver = scripted(line, "far", "x", chips={"x": 5})
    line.words = [said(chips=4)]
    with pytest.raises(DriverError, match="has chips 0 to 3"):
        driver.read(0)
    line.link.closed(line.now_ns)
    assert len(driver.read(0)) == 0
    line.link.opened(line.now_ns)
    line.words = [said(boot=2, chips=8)]
    for _ in range(3):
        assert len(driver.read(0)) == 0
    driver.stop()


def test_a_refused_mcu_is_forgotten_when_boards_begin_anew() -> None:
    lines = [ScriptedLine(), ScriptedLine()]
    left = iter(lines)
    mcu = Mcu("MCU 1", lambda: next(left), clock=lambda: 0)

    def begun() -> BridgeDriver:
        driver = BridgeDriver("b", ["l"], 80.0, {}, lambda: 0, lambda _: mcu)
        driver.start()
        return driver

    first = begun()
    lines[0].words = [said(protocol=9)]
    with pytest.raises(DriverError, match="speaks version 9"):
        first.read(0)
    first.stop()
    again = begun()
    assert len(again.read(0)) == 0
    again.stop()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"chips": {"x": 1}}, "c: chip 1 of the MCU at MCU 1 is read by board b already; give each board chips of its"),
        (
            {"chips": {"x": 2}, "shared_clock": True},
            "c: boards of one MCU have one clock mode; b says shared_clock: fal",
        ),
        (
            {"chips": {"x": 2}, "baud": 115_200},
            "c: boards of one MCU have one line; b says baud: 250000, this one 115200",
        ),
    ],
)
def test_boards_that_contradict_each_other_are_told_so_at_start(options: Mapping[str, object], text: str) -> None:
    line = ScriptedLine()
    first = scripted(line, "b", "l r")
    with pytest.raises(DriverError) as raised:
        scripted(line, "c", "x", **options)
    assert text in str(raised.value)
    first.stop()


def test_a_port_that_is_not_there_is_an_error_that_names_it() -> None:
    driver = build_driver("b", ["l"], 80.0, "bridge", {"port": "/dev/shelfedge-none"})
    with pytest.raises(DriverError, match=r"^b: there is no serial port /dev/shelfedge-none: plug the shelf MCU in"):
        driver.start()
    driver.stop()


def test_an_mcu_that_nobody_reads_is_opened_with_the_baud_of_the_next_board(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    def connect(port: str, baud: int, *_: object) -> ScriptedLine:
        opened.append(baud)
        return ScriptedLine()

    monkeypatch.setattr("drivers.bridge.Connection", connect)

    def begun(board: str, baud: int, chip: int = 0) -> BridgeDriver:
        options = {"port": "/dev/of-two-bauds", "baud": baud, "chips": {"l": chip}}
        driver = BridgeDriver(board, ["l"], 80.0, options, lambda: 0)
        driver.start()
        return driver

    begun("a", 115_200).stop()
    right = begun("b", 250_000)
    with pytest.raises(DriverError, match="c: boards of one MCU have one line; b says baud: 250000, this one 115200"):
        begun("c", 115_200, chip=1)
    shares = begun("d", 250_000, chip=1)
    assert shares.mcu is right.mcu
    right.stop(), shares.stop()
    begun("e", 115_200).stop()
    assert opened == [115_200, 250_000, 115_200]


def test_boards_that_name_the_same_port_share_its_mcu() -> None:
    made = (Mcu(f"{n}", ScriptedLine) for n in itertools.count())
    one, two = shared_mcu("/dev/a", None, lambda: next(made)), shared_mcu("/dev/a", None, lambda: next(made))
    other = shared_mcu("/dev/b", None, lambda: next(made))
    assert one is two
    assert other is not one


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({"prot": "x"}, ["unknown option 'prot': its options are port, serial, chips, gain", "did you mean 'port'?"]),
        ({"port": 3}, ["port: 3 doesn't fit"]),
        ({"port": ""}, ["port: '' doesn't fit", "expected a port as '/dev/serial/by-id/...'"]),
        ({"serial": ""}, ["serial: '' doesn't fit", "expected the MCU's own serial, as 'bay-07'"]),
        ({"gain": 100}, ["gain", "100 doesn't fit", "128 or 64 (channel A) or 32 (channel B)"]),
        ({"gain": {"l": 64}}, ["gain: nothing for cell 'r'"]),
        ({"chips": {"l": 0, "r": 0}}, ["two cells have the same chip"]),
        (
            {"chips": {"l": 0, "q": 8}},
            ["nothing for cell 'r'", "no cell 'q'; its cells are l, r", "chip 8; expected 0 "],
        ),
        ({"baud": 50}, ["baud: 50 doesn't fit"]),
        ({"shared_clock": "yes"}, ["shared_clock: 'yes' doesn't fit"]),
    ],
)
def test_options_that_do_not_fit_are_told_all_at_once(options: Mapping[str, object], texts: list[str]) -> None:
    with pytest.raises(DriverError) as raised:
        build_driver("b", ["l", "r"], 80.0, "bridge", options)
    for text in texts:
        assert text in str(raised.value)


def test_every_cause_of_a_loss_comes_with_a_remedy() -> None:
    assert set(REMEDIES) == set(get_args(Cause))


def test_every_flag_of_the_wire_that_speaks_against_a_sample_is_kept() -> None:
    """P7. An overrun is a loss before the sample, and an unsure edge shows in its interval."""
    about_others = McuFlag.OVERRUN | McuFlag.EDGE_UNSURE
    for bits in range(256):
        assert bool(FLAGS[bits]) == bool(bits & ~about_others)


def test_a_board_with_more_cells_than_an_mcu_has_chips_is_told_so() -> None:
    with pytest.raises(DriverError, match="c8 is to be chip 8; expected 0 to 7"):
        build_driver("b", [f"c{k}" for k in range(9)], 80.0, "bridge", {})


def test_what_nobody_reads_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch, world: RiggedMcu) -> None:
    """P4: everything is bounded, and what is dropped is counted."""
    monkeypatch.setattr("drivers.sampling.KEPT_S", 1.0)
    idle = world.driver("idle", "l")
    busy = world.driver("busy", "x", chips={"x": 1})
    world.run(5.0, busy)
    begin_ns = world.line.now_ns()
    late = idle.read(begin_ns)
    chip = world.rig.state().chips[0]
    told = idle.take_notices()
    assert {notice.cause for notice in told} == {"not read in time"}
    assert late.time_ns[0] > begin_ns - 1_300_000_000
    lost = sum(notice.samples_lost for notice in told)
    assert len(late) > 50
    assert chip["read"] - 30 < lost + len(late) <= chip["read"] + chip["spoilt"]  # the newest wait to be judged
