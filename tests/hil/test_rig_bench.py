"""A bench file binds the same test to the emulator or a real board; its mistakes are all reported with their lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import serial
from rig_programs import ECHO
from rig_ready import CompileAvr, the_bench

import hil.rig
from edge.config.errors import ConfigError
from hil.rig.bench import EMULATOR_ONLY, BenchRig, load_bench, open_rig
from hil.rig.errors import BenchOnlyError

EXAMPLE = Path(hil.rig.__file__).parent / "bench.yaml"


def test_the_example_is_valid_also_with_its_real_board_uncommented(tmp_path: Path) -> None:
    assert load_bench(EXAMPLE).rigs == {"desk": BenchRig(kind="emulated")}
    both = tmp_path / "bench.yaml"
    both.write_text(re.sub("(?m)^  # ", "  ", EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8")
    rigs = load_bench(both).rigs
    assert (rigs["nano-1"].kind, rigs["nano-1"].chips) == ("serial", [0, 1, 2, 3])
    assert str(rigs["nano-1"].port).startswith("/dev/serial/by-id/")


def test_every_mistake_in_a_bench_file_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    wrong = tmp_path / "bench.yaml"
    wrong.write_text(
        "rigs:\n"
        "  one:\n"
        "    kind: seral\n"
        "    prt: /dev/ttyUSB0\n"
        "  two:\n"
        "    kind: serial\n"
        "    chips: [1, 1]\n"
        "  three: {kind: emulated, port: /dev/ttyUSB0, chips: [0, 8]}\n"
        "four: 1\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as refused:
        load_bench(wrong)
    assert [problem.line for problem in refused.value.problems] == [3, 4, 5, 7, 8, 8, 9]
    with pytest.raises(ConfigError, match="no such file"):
        load_bench(tmp_path / "other.yaml")
    wrong.write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="empty"):
        load_bench(wrong)
    wrong.write_text("rigs: {}", encoding="utf-8")
    with pytest.raises(ConfigError, match="at least one rig"):
        load_bench(wrong)


def test_the_environment_names_the_bench_and_without_it_there_is_the_emulator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("BENCH", raising=False)
    assert the_bench() == EMULATOR_ONLY
    mine = tmp_path / "mine.yaml"
    mine.write_text("rigs: {nano: {kind: serial, port: /dev/ttyUSB7}}", encoding="utf-8")
    monkeypatch.setenv("BENCH", str(mine))
    assert list(the_bench().rigs) == ["nano"]


@pytest.mark.usefixtures("rig_program")
def test_one_test_talks_alike_to_an_emulated_board_and_to_one_on_a_serial_port(avr: CompileAvr, tmp_path: Path) -> None:
    def talk(port: str) -> bytes:
        with serial.Serial(port, 250_000, timeout=20) as line:
            line.readline()
            line.write(b"hello")
            return bytes(line.read(5))

    with open_rig("desk", BenchRig(kind="emulated", chips=[0, 2]), tmp_path, avr(ECHO)) as desk:
        assert desk.is_emulated
        assert desk.emulator.chips == 3
        assert talk(desk.port) == b"hello"
        with open_rig("nano", BenchRig(kind="serial", port=desk.port, chips=[1]), tmp_path) as nano:
            assert (nano.name, nano.chips, nano.is_emulated) == ("nano", (1,), False)
            assert talk(nano.port) == b"hello"
            with pytest.raises(BenchOnlyError, match="real board"):
                _ = nano.emulator
