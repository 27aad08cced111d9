"""Facts about the machine, from trees of /proc and /sys as they were found on real ones, and from none at all."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from edge.node.host_facts import HostFacts

PI_4 = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/sys/kernel/osrelease": "6.6.51+rpt-rpi-v8\n",
    "proc/loadavg": "0.42 0.31 0.25 1/187 2214\n",
    "proc/uptime": "93712.25 371002.11\n",
    "proc/self/status": "Name:\tshelfedge\nVmPeak:\t  412344 kB\nVmRSS:\t  189432 kB\nThreads:\t9\n",
    "proc/meminfo": "MemTotal:        3884360 kB\nMemFree:         2201232 kB\nMemAvailable:    3120044 kB\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "53556\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
}


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def _no_program(command: list[str]) -> str:
    raise FileNotFoundError(command[0])


def _facts(root: Path, files: dict[str, str]) -> HostFacts:
    return HostFacts(root, _tree(root, files), run=_no_program)


def test_a_pi_4_says_all_there_is(tmp_path: Path) -> None:
    facts = _facts(tmp_path, PI_4).read()
    assert facts["temperatures_c"] == {"cpu-thermal": 53.6}
    assert facts["throttling"]["under_voltage_now"] is False
    assert facts["own_memory_bytes"] == 189432 * 1024
    assert facts["available_memory_bytes"] == 3120044 * 1024
    assert facts["load_1min"] == 0.42
    assert facts["machine_up_s"] == 93712.25
    assert facts["versions"]["model"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert facts["versions"]["kernel"] == "6.6.51+rpt-rpi-v8"
    assert facts["disk_free_bytes"] > 0
    json.dumps(facts, allow_nan=False)


def test_a_machine_that_tells_nothing_gives_nothing_and_no_error(tmp_path: Path) -> None:
    facts = _facts(tmp_path, {}).read()
    assert facts["temperatures_c"] == {}
    for name in ("throttling", "load_1min", "own_memory_bytes", "available_memory_bytes", "machine_up_s", "cpu_share"):
        assert facts[name] is None
    assert facts["versions"]["model"] is None


@pytest.mark.parametrize(
    ("bits", "named"),
    [
        ("50005", {"under_voltage_now", "under_voltage_ever", "throttled_now", "throttled_ever"}),
        ("0x80000", {"soft_temperature_limit_ever"}),
        ("20002", {"frequency_capped_now", "frequency_capped_ever"}),
    ],
)
def test_the_firmwares_bits_are_named(tmp_path: Path, bits: str, named: set[str]) -> None:
    facts = _facts(tmp_path, {**PI_4, "sys/devices/platform/soc/soc:firmware/get_throttled": bits + "\n"}).read()
    assert {name for name, on in facts["throttling"].items() if on} == named


def test_under_voltage_that_is_over_isnt_forgotten_though_reading_clears_it(tmp_path: Path) -> None:
    host = _facts(tmp_path, {**PI_4, "sys/devices/platform/soc/soc:firmware/get_throttled": "1"})
    host.read()
    _tree(tmp_path, {"sys/devices/platform/soc/soc:firmware/get_throttled": "0"})
    throttling = host.read()["throttling"]
    assert not throttling["under_voltage_now"]
    assert throttling["under_voltage_ever"]


def test_without_the_kernels_file_the_firmwares_own_program_is_asked(tmp_path: Path) -> None:
    host = HostFacts(tmp_path, tmp_path, run=lambda command: "throttled=0x50000\n")
    assert host.read()["throttling"]["under_voltage_ever"]


@pytest.mark.parametrize(
    "error", [FileNotFoundError(), PermissionError(), subprocess.TimeoutExpired("vcgencmd", 2), OSError(5, "I/O")]
)
def test_a_program_that_fails_leaves_it_unknown(tmp_path: Path, error: Exception) -> None:
    def fails(command: list[str]) -> str:
        raise error

    assert HostFacts(tmp_path, tmp_path, run=fails).read()["throttling"] is None


@pytest.mark.parametrize("name", sorted(PI_4))
@pytest.mark.parametrize("text", ["", "\0\0\xff garbage", "VmRSS:\nMemTotal: x kB\n", "9" * 400, "VmRSS: " + "9" * 400])
def test_no_file_however_odd_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    json.dumps(_facts(tmp_path, {**PI_4, name: text}).read(), allow_nan=False)


def test_two_zones_of_one_kind_are_both_told(tmp_path: Path) -> None:
    zone = "sys/class/thermal/thermal_zone1"
    facts = _facts(tmp_path, {**PI_4, f"{zone}/type": "cpu-thermal", f"{zone}/temp": "-40000"}).read()
    assert facts["temperatures_c"] == {"cpu-thermal": 53.6, "cpu-thermal thermal_zone1": -40.0}


def test_a_zone_that_cant_be_read_is_left_out(tmp_path: Path) -> None:
    """Some zones give EINVAL as long as their device sleeps."""
    (tmp_path / "sys/class/thermal/thermal_zone9/temp").mkdir(parents=True)
    assert _facts(tmp_path, PI_4).read()["temperatures_c"] == {"cpu-thermal": 53.6}


def test_the_share_of_a_cpu_is_of_the_last_minute_however_often_it_is_asked_for(tmp_path: Path) -> None:
    now_s, cpu_s = [0.0], [5.0]
    host = HostFacts(tmp_path, tmp_path, _no_program, lambda: now_s[0], lambda: cpu_s[0])
    host.sample()
    assert host.read()["cpu_share"] is None
    for second in range(1, 201):
        now_s[0] = float(second)
        cpu_s[0] += 0.1 if second <= 100 else 0.5
        host.sample()
        shares = {host.read()["cpu_share"] for _ in range(3)}
        assert len(shares) == 1  # several askers don't shorten each other's time
        if second in (60, 100):
            assert shares == {0.1}
    assert shares == {0.5}
    assert len(host._sampled_s) <= 62


def test_the_disk_is_that_of_a_state_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    facts = HostFacts(tmp_path / "not" / "yet", tmp_path, run=_no_program).read()
    assert facts["disk_size_bytes"] > 0


def test_the_machine_that_runs_this_test_can_be_asked(tmp_path: Path) -> None:
    facts = HostFacts(tmp_path).read()
    assert facts["own_memory_bytes"] > 1_000_000
    json.dumps(facts, allow_nan=False)
