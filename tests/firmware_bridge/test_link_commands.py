"""Commands: carried out once however often they must be said, refused with a reason, given up with advice."""

from __future__ import annotations

import pytest
from fake_mcu import FakeMcu
from line_run import LineRun

from firmware_bridge.link.errors import CommandError
from firmware_bridge.protocol.codes import CommandCode
from firmware_bridge.protocol.commands import configure_data, serial_data


def _running() -> LineRun:
    run = LineRun(FakeMcu.with_chips(2, 80.0))
    run.plug()
    run.run(4.0)
    return run


def _count(run: LineRun, code: CommandCode) -> int:
    return sum(command.code == code for command in run.mcu.commands)


def test_a_command_is_answered_and_done() -> None:
    run = _running()
    handle = run.link.command(CommandCode.SET_SERIAL, serial_data("bay-12"))
    assert not handle.done
    with pytest.raises(ValueError, match="no answer yet"):
        handle.result()
    run.run(1.0)
    assert handle.result() == b""
    assert (run.mcu.serial, handle.tries) == ("bay-12", 1)


@pytest.mark.parametrize("lost", [1, 2, 4])
def test_a_command_that_got_lost_is_said_again(lost: int) -> None:
    run = _running()
    run.mcu.ignore_commands = lost
    handle = run.link.command(CommandCode.SET_SERIAL, serial_data("bay-13"))
    run.run(4.0)
    assert handle.result() == b""
    assert handle.tries == lost + 1


def test_a_reply_that_got_lost_comes_again_and_the_command_is_carried_out_once() -> None:
    run = _running()
    handle = run.link.command(CommandCode.SET_SERIAL, serial_data("bay-14"))
    run.run(0.02)
    run.mcu.drop_share = 1.0
    run.run(0.3)
    run.mcu.serial = "carried out once"
    run.mcu.drop_share = 0.0
    run.run(2.0)
    assert handle.result() == b""
    assert handle.tries > 1
    assert _count(run, CommandCode.SET_SERIAL) == handle.tries
    assert run.mcu.serial == "carried out once"


def test_no_ping_comes_between_a_command_and_its_repetition() -> None:
    run = _running()
    run.mcu.ignore_commands = 3
    begin = len(run.mcu.commands)
    run.link.command(CommandCode.SAVE)
    run.run(3.0)
    codes = [command.code for command in run.mcu.commands[begin:]]
    assert CommandCode.SAVE in codes
    assert run.mcu.ignore_commands == 0
    assert len({command.token for command in run.mcu.commands[begin:] if command.code == CommandCode.SAVE}) == 1


def test_a_command_never_answered_is_given_up_with_advice() -> None:
    run = _running()
    run.mcu.ignore_commands = 1000
    handle = run.link.command(CommandCode.SAVE)
    run.run(5.0)
    with pytest.raises(CommandError, match=r"SAVE, asked 5 times in 3\.5 s: check its cable"):
        handle.result()
    run.mcu.ignore_commands = 0
    again = run.link.command(CommandCode.SAVE)
    run.run(1.0)
    assert again.result() == b""


def test_a_refused_command_says_why() -> None:
    run = _running()
    handle = run.link.command(CommandCode.CONFIGURE, configure_data(0, [25, 25, 25]))
    run.run(1.0)
    with pytest.raises(CommandError, match=r"refused CONFIGURE .result 2.*flash the firmware"):
        handle.result()


def test_commands_are_carried_out_in_order() -> None:
    run = _running()
    handles = [run.link.command(CommandCode.SET_SERIAL, serial_data(f"bay-{k}")) for k in range(5)]
    run.run(2.0)
    assert all(handle.result() == b"" for handle in handles)
    said = [command.data for command in run.mcu.commands if command.code == CommandCode.SET_SERIAL]
    assert said == [f"bay-{k}".encode() for k in range(5)]


def test_unplugging_ends_what_waits() -> None:
    run = _running()
    handle = run.link.command(CommandCode.SAVE)
    run.unplug()
    with pytest.raises(CommandError, match="unplugged before it answered"):
        handle.result()


def test_a_reboot_is_done_when_the_mcu_has_restarted_though_its_reply_got_lost() -> None:
    run = _running()
    boot = run.mcu.boot_count
    handle = run.link.command(CommandCode.REBOOT)
    run.run(0.02)
    run.mcu.drop_share = 1.0
    run.run(0.02)
    run.mcu.drop_share = 0.0
    run.run(4.0)
    assert handle.result() == b""
    assert run.mcu.boot_count == boot + 1
    assert run.link.state(run.now_ns) == "running"


def test_too_many_commands_are_refused_at_once() -> None:
    run = _running()
    for _ in range(32):
        run.link.command(CommandCode.SAVE)
    with pytest.raises(CommandError, match="32 commands wait"):
        run.link.command(CommandCode.SAVE)


def test_pings_go_about_each_second_and_not_in_step_with_the_status() -> None:
    run = _running()
    run.run(20.0)
    before = _count(run, CommandCode.PING)
    run.run(59.0)
    pings = _count(run, CommandCode.PING) - before
    assert 55 <= pings <= 61
    assert run.bytes_out < 30 * 300


def test_an_old_reply_to_a_token_of_the_host_before_is_not_believed() -> None:
    run = LineRun(FakeMcu.with_chips(2, 80.0))
    run.mcu.boot(run.now_ns)
    run.now_ns += 10_000_000_000
    run.mcu.run(run.now_ns)
    stale = LineRun(run.mcu)  # a host that was here before, and whose last ping had the token that comes next
    stale.now_ns = run.now_ns
    stale.link.opened(stale.now_ns)
    stale.run(5.0)
    last = run.mcu.commands[-1]
    assert last.code == CommandCode.PING
    run.now_ns = stale.now_ns + 60_000_000_000
    run.mcu.run(run.now_ns)
    run.link._asking.token = (last.token - 1) & 0xFF
    run.plug(boots=False)
    run.run(5.0)
    assert (
        run.mcu.commands.count(last) == 2
    )  # the same token met again: the fake, as the firmware, replied with old times
    late = [k for k, s in enumerate(run.samples) if s.edge_ns > run.now_ns - 2_000_000_000]
    run.samples, run.boots = [run.samples[k] for k in late], [run.boots[k] for k in late]
    assert abs(run.errors_ns()).max() < 1_000_000
