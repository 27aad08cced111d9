"""A link to an MCU with physics: samples with true times, through damage, restarts, unplugging and silence."""

from __future__ import annotations

import random
import re
from collections import Counter

import numpy as np
import pytest
from fake_mcu import MS, SECOND, Bridge, Crystal, FakeMcu
from line_run import START_NS, LineRun

from firmware_bridge.link.errors import LinkError, ProtocolVersionError
from firmware_bridge.protocol.codes import CommandCode
from firmware_bridge.protocol.frames import encode_frame
from firmware_bridge.protocol.messages import RawSample, Samples, encode_message


def _run(seconds: float, chips: int = 4, rate_hz: float = 80.0, **options: object) -> LineRun:
    run = LineRun(FakeMcu.with_chips(chips, rate_hz, **options))
    run.plug()
    run.run(seconds)
    return run


def _assert_balanced(run: LineRun) -> None:
    """Per chip: received and lost are all conversions of the one boot, up to the last sample."""
    for chip, account in enumerate(run.link.accounts()[: len(run.mcu.chips)]):
        last = max(sample.number for sample in run.samples if sample.chip == chip)
        assert account.received + account.lost.total() == last
        assert account.received == sum(sample.chip == chip for sample in run.samples)
        assert account.out_of_step == 0
    told = Counter((loss.chip, loss.cause) for loss in run.losses for _ in range(loss.samples) if not loss.estimated)
    booked = {(c, cause): n for c, a in enumerate(run.link.accounts()) for cause, n in a.lost.items()}
    assert told == booked


def _assert_rising(run: LineRun) -> None:
    for chip in range(len(run.mcu.chips)):
        times = [sample.edge_ns for sample in run.samples if sample.chip == chip]
        assert np.all(np.diff(times) > 0)


def test_every_conversion_of_eight_chips_comes_with_its_number_and_its_counts() -> None:
    run = _run(20.0, chips=8)
    run.errors_ns()
    _assert_balanced(run)
    _assert_rising(run)
    assert run.losses == []
    in_flight = len(run.mcu.truth) - len(run.samples)
    assert 0 <= in_flight < 60
    assert run.link.state(run.now_ns) == "running"
    assert run.link.identity is not None
    assert run.link.identity.serial == "bay-07"
    assert run.link.status is not None


def test_the_first_samples_are_held_for_a_second_at_most() -> None:
    run = LineRun(FakeMcu.with_chips(2, 80.0))
    run.plug()
    while not run.samples:
        run.run(0.02)
    waited_ns = run.now_ns - min(t.edge_ns for t in run.mcu.truth)
    assert waited_ns < 1.15 * SECOND  # of them up to 25 ms in the frame, and 20 ms between the steps
    assert run.samples[0].number == 1


def test_the_host_says_nothing_while_a_bootloader_may_listen() -> None:
    run = LineRun(FakeMcu.with_chips(1, 80.0))
    run.plug()
    run.run(1.0)
    assert run.bytes_out == 0


def test_an_mcu_that_was_running_is_met_without_a_restart() -> None:
    run = LineRun(FakeMcu.with_chips(2, 80.0))
    run.mcu.boot(run.now_ns)
    run.now_ns += 30 * SECOND
    run.mcu.run(run.now_ns)
    run.plug(boots=False)
    run.run(10.0)
    settled = [k for k, s in enumerate(run.samples) if s.edge_ns > START_NS + 33 * SECOND]
    run.samples = [run.samples[k] for k in settled]
    run.boots = [run.boots[k] for k in settled]
    assert np.abs(run.errors_ns()).max() < MS
    assert run.losses == []


@pytest.mark.parametrize("bridge", [Bridge(), Bridge.ftdi()], ids=["ch340", "ftdi"])
def test_flipped_bits_and_lost_packets_are_counted_as_link_damage_and_no_sample_is_wrong(bridge: Bridge) -> None:
    run = _run(40.0, chips=8, flip_share=0.02, drop_share=0.002, bridge=bridge)
    run.mcu.flip_share = run.mcu.drop_share = 0.0
    run.run(2.5)  # the cause of a gap is said after the next STATUS
    errors = run.errors_ns()  # fails for a sample that never was
    _assert_balanced(run)
    _assert_rising(run)
    assert run.causes() == {"link damage"}
    assert run.link.frames_lost > 20
    assert np.percentile(np.abs(errors), 99) < MS
    assert sum(sample.lost_before for sample in run.samples) == sum(loss.samples for loss in run.losses)
    for loss in run.losses:
        assert loss.begin_ns < loss.end_ns


def test_garbage_between_the_packets_makes_no_sample_and_no_unexplained_loss() -> None:
    rng = random.Random(4)
    run = _run(5.0)
    for _ in range(500):
        run.link.received(rng.randbytes(rng.randrange(120)), run.now_ns)
        run.run(0.02)
    run.run(2.5)
    run.errors_ns()
    _assert_balanced(run)
    _assert_rising(run)
    assert run.causes() == {"link damage"}
    assert {notice.cause for notice in run.notices} <= {"garbled", "link back"}
    assert run.link.counts.damaged + run.link.counts.oversize > 100


def test_what_the_mcu_itself_lost_is_told_apart_from_the_line() -> None:
    run = LineRun(FakeMcu.with_chips(4, 80.0, flip_share=0.01))
    run.plug()
    for _ in range(20):
        run.run(1.0)
        run.mcu.chips[2].to_lose = 3
    run.mcu.flip_share = 0.0
    run.run(2.5)
    _assert_balanced(run)
    lost = [account.lost for account in run.link.accounts()]
    assert lost[2]["mcu overrun"] == 60
    assert all(lost[chip]["mcu overrun"] == 0 for chip in (0, 1, 3))
    assert run.causes() == {"mcu overrun", "link damage"}


def test_samples_that_found_no_room_in_the_mcu_are_told_as_such() -> None:
    run = LineRun(FakeMcu.with_chips(8, 80.0))
    run.plug()
    run.run(5.0)
    run.mcu.tx_bytes = 180  # a second frame doesn't fit behind a STATUS
    run.run(20.0)
    run.mcu.tx_bytes = 400
    run.run(3.0)
    assert run.mcu.samples_dropped > 0
    _assert_balanced(run)
    assert run.causes() == {"tx full"}
    assert sum(account.lost["tx full"] for account in run.link.accounts()) == run.mcu.samples_dropped


def test_more_than_a_turn_of_the_number_lost_at_once_is_still_counted_right() -> None:
    run = _run(10.0, chips=2)
    run.mcu.drop_share = 1.0
    run.run(7.0)  # 560 conversions of each chip: the 8 bits of the number turn twice
    run.mcu.drop_share = 0.0
    run.run(5.0)
    run.errors_ns()
    _assert_balanced(run)
    assert all(account.lost["link damage"] > 500 for account in run.link.accounts()[:2])


def test_a_chip_that_fell_silent_has_its_last_losses_counted_as_well() -> None:
    run = _run(10.0, chips=2)
    run.mcu.drop_share = 1.0
    run.run(0.5)
    run.mcu.chips[1].silent = True
    run.mcu.drop_share = 0.0
    run.run(4.0)
    account = run.link.accounts()[1]
    assert account.received + account.lost["link damage"] == run.mcu.chips[1].conversions


def test_streaming_switched_off_and_on_is_no_unexplained_loss() -> None:
    run = _run(5.0)
    run.link.command(CommandCode.STREAM, b"\0")
    run.run(5.0)
    stopped = len(run.samples)
    run.link.command(CommandCode.STREAM, b"\1")
    run.run(5.0)
    assert len(run.samples) > stopped + 1000
    _assert_balanced(run)
    assert run.causes() == {"stream off"}


def test_a_restart_of_the_mcu_is_told_by_its_boot_id_and_times_go_on_rising() -> None:
    run = _run(10.0)
    last_ns = run.now_ns
    run.mcu.boot(run.now_ns)
    run.run(10.0)
    errors = run.errors_ns()
    assert np.percentile(np.abs(errors), 99) < MS
    _assert_rising(run)
    assert {loss.cause for loss in run.losses if loss.samples} == {"mcu restart"}
    restarts = [loss for loss in run.losses if loss.cause == "mcu restart"]
    assert sorted(loss.chip for loss in restarts) == [0, 1, 2, 3]
    for loss in restarts:
        assert loss.estimated
        assert loss.begin_ns <= last_ns < loss.end_ns
        assert abs(loss.samples - 1.2 * 80) < 12  # the bootloader's 1.1 s and the first conversion
    assert [notice.cause for notice in run.notices] == ["mcu restart"]
    assert run.link.identity is not None


@pytest.mark.parametrize("hello_lost", [False, True])
def test_a_restart_whose_boot_id_was_not_kept_is_noticed_all_the_same(hello_lost: bool) -> None:
    run = _run(10.0)
    run.mcu.boot(run.now_ns)
    run.mcu.boot_count -= 1  # the EEPROM is worn out
    if hello_lost:
        run.mcu.drop_share = 1.0
        run.run(1.5)
        run.mcu.drop_share = 0.0
    run.run(6.0)
    assert "mcu restart" in {notice.cause for notice in run.notices}
    _assert_rising(run)
    assert run.link.state(run.now_ns) == "running"


def test_unplugged_with_its_power_the_mcu_is_taken_up_again_when_it_is_back() -> None:
    run = _run(10.0)
    run.unplug()
    run.run(5.0)
    assert run.link.state(run.now_ns) == "closed"
    run.plug()
    run.run(10.0)
    errors = run.errors_ns()
    assert np.percentile(np.abs(errors), 99) < MS
    _assert_rising(run)
    assert run.causes() == {"unplugged"}
    assert all(abs(loss.samples - 6.2 * 80) < 30 for loss in run.losses if loss.estimated)
    assert [notice.cause for notice in run.notices] == ["unplugged", "plugged"]


def test_unplugged_while_it_goes_on_the_samples_missed_are_counted_exactly() -> None:
    run = _run(10.0)
    run.unplug(power_off=False)
    away_ns = run.now_ns + 100 * SECOND
    run.mcu.run(away_ns)
    run.now_ns = away_ns
    run.plug(boots=False)
    run.run(10.0)
    errors = run.errors_ns()
    assert np.percentile(np.abs(errors), 99) < MS
    _assert_rising(run)
    assert run.causes() == {"unplugged"}
    for chip, account in enumerate(run.link.accounts()[:4]):
        assert abs(account.lost["unplugged"] - 100e9 / run.mcu.chips[chip].period_ns) < 10
        settled = run.mcu.chips[chip].conversions - account.received - account.lost.total()
        assert 0 <= settled < 10


def test_another_protocol_version_is_refused_until_it_is_flashed() -> None:
    run = LineRun(FakeMcu.with_chips(2, 80.0, protocol=2))
    run.plug()
    with pytest.raises(ProtocolVersionError, match=r"bay-07.*version 2.*version 1.*`shelfedge flash`"):
        run.run(10.0)
    assert run.link.state(run.now_ns) == "refused"
    assert issubclass(ProtocolVersionError, LinkError)
    assert issubclass(LinkError, OSError)
    run.mcu.protocol = 1
    run.mcu.boot(run.now_ns)
    while run.link.state(run.now_ns) == "refused":
        run.now_ns += 20 * MS
        for at_ns, data in run.mcu.run(run.now_ns):
            run.link.received(data, at_ns)
    run.run(5.0)
    assert len(run.samples) > 300


def test_a_message_that_belongs_nowhere_changes_nothing_though_its_crc_is_right() -> None:
    run = _run(10.0, chips=2)
    row = RawSample(0, 0, 77, 0, 12345, 15, 3)
    strangers = [Samples(40_000, 8, 5, (row,)), Samples(7, 60_000, 5, (row,)), Samples(0, 8, 5, (row,))]
    for stranger in strangers:
        run.link.received(encode_frame(encode_message(stranger)), run.now_ns)
        run.run(3.0)
    run.errors_ns()
    _assert_balanced(run)
    assert run.losses == []
    assert run.notices == []
    assert run.link.strays >= 2


def test_an_open_port_with_nothing_coming_is_said_once_and_so_is_its_end() -> None:
    run = _run(5.0)
    run.mcu.drop_share = 1.0
    run.run(10.0)
    assert run.link.state(run.now_ns) == "silent"
    run.mcu.drop_share = 0.0
    run.run(5.0)
    assert [notice.cause for notice in run.notices] == ["silent", "link back"]
    assert run.causes() == {"link damage"}
    run.errors_ns()
    _assert_balanced(run)


def test_bytes_that_make_no_message_are_said_to_be_other_firmware() -> None:
    run = LineRun(FakeMcu.with_chips(1, 80.0))
    run.link.opened(run.now_ns)
    for _ in range(300):
        run.run(0.02)
        run.link.received(b"Weight: 12.3 g\r\n", run.now_ns)
    assert run.link.state(run.now_ns) == "garbled"
    assert [notice.cause for notice in run.notices] == ["garbled"]
    assert "shelfedge flash" in run.notices[0].text
    assert run.samples == []


def test_bytes_thrown_away_on_the_host_are_its_own_loss() -> None:
    run = _run(5.0)
    run.mcu.lose_wire()
    run.mcu.run(run.now_ns + SECOND)
    run.mcu.lose_wire()
    run.now_ns += SECOND
    run.link.host_overran(run.now_ns)
    run.run(4.0)
    _assert_balanced(run)
    assert run.causes() == {"host overrun"}


def test_samples_that_nobody_takes_are_bounded_and_counted() -> None:
    run = _run(4.0, chips=8)
    taken = len(run.samples)
    end_ns = run.now_ns + 120 * SECOND
    while run.now_ns < end_ns:
        run.now_ns += 20 * MS
        for at_ns, data in run.mcu.run(run.now_ns):
            run.link.received(data, at_ns)
        run.mcu.send(run.link.to_send(run.now_ns), run.now_ns)
    rest = run.link.samples()
    assert len(rest) == 1 << 16
    lost = sum(account.lost["host overrun"] for account in run.link.accounts())
    assert lost > 1000
    assert sum(account.received for account in run.link.accounts()) == taken + len(rest)


def test_a_host_that_slept_is_told_with_a_notice_and_times_rise_all_the_same() -> None:
    """P6: only monotonic time is used; where even that stands still, it is noticed."""
    run = _run(20.0)
    slept_ns = 30 * SECOND
    run.mcu.run(run.now_ns + slept_ns)  # meanwhile the MCU went on, and the line's bytes were lost
    run.mcu.lose_wire()
    real_run = run.mcu.run
    run.mcu.run = lambda until_ns: [(at - slept_ns, data) for at, data in real_run(until_ns + slept_ns)]  # type: ignore[method-assign]
    real_send = run.mcu.send
    run.mcu.send = lambda data, at_ns: real_send(data, at_ns + slept_ns)  # type: ignore[method-assign]
    run.run(20.0)
    (notice,) = [notice for notice in run.notices if notice.cause == "clock jump"]
    assert re.search(r"jumped by about (299|300)\d\d ms", notice.text)
    _assert_rising(run)
    assert all(sample.edge_ns <= run.now_ns for sample in run.samples)
    late = [k for k, sample in enumerate(run.samples) if sample.edge_ns > run.now_ns - 8 * SECOND]
    run.samples, run.boots = [run.samples[k] for k in late], [run.boots[k] for k in late]
    assert np.abs(run.errors_ns() + slept_ns).max() < MS


def test_a_notice_of_the_mcu_comes_as_a_sentence_with_its_time() -> None:
    run = _run(5.0)
    run.mcu.notice(2, 1, 52)
    at_ns = run.now_ns
    run.mcu.notice(255, 7, 4300)
    run.mcu.notice(0, 99, 1)
    run.run(1.0)
    assert [(n.cause, n.chip, n.value) for n in run.notices] == [
        ("ready timeout", 2, 52),
        ("brown-out", None, 4300),
        ("firmware news", 0, 1),
    ]
    assert abs(run.notices[0].at_ns - at_ns) < MS
    assert "52 ms" in run.notices[0].text
    assert "4300 mV" in run.notices[1].text


@pytest.mark.parametrize("ppm", [-5000.0, 5000.0])
def test_a_bad_resonator_and_a_stalling_host_leave_times_within_a_millisecond(ppm: float) -> None:
    stalls = [(START_NS + k * 1300 * MS, START_NS + k * 1300 * MS + 120 * MS) for k in range(60)]
    run = _run(40.0, crystal=Crystal(ppm, 60.0, 300.0), bridge=Bridge.ftdi(), stalls=stalls)
    assert np.percentile(np.abs(run.errors_ns()), 99) < MS
    _assert_rising(run)
    assert run.losses == []


def test_an_hour_on_the_line_is_true_to_a_millisecond_from_the_first_sample_to_the_last() -> None:
    stalls = [(START_NS + k * 97 * SECOND, START_NS + k * 97 * SECOND + 400 * MS) for k in range(60)]
    crystal = Crystal(-4200.0, 80.0, 1500.0)
    run = LineRun(FakeMcu.with_chips(1, 10.0, crystal=crystal, bridge=Bridge.ftdi(), stalls=stalls), step_ns=50 * MS)
    run.plug()
    run.run(75 * 60)  # the MCU's clock turns over at 71.6 min
    errors = run.errors_ns()
    assert np.percentile(np.abs(errors), 99) < MS
    means = [part.mean() for part in np.array_split(errors, 10)]
    assert max(means) - min(means) < 0.5 * MS
    assert len(run.losses) == 0
    assert run.link.clock.jumps == 0
    _assert_balanced(run)
    _assert_rising(run)
