"""The log of a temperature run: nothing that was written is lost, whatever ends the run, and bad input is said."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calibration.store_errors import StoreError
from calibration.temperature_log import LogError, LogRow, LogWriter, read_log
from calibration.temperature_run import MINUTE_NS, TemperatureRun
from drivers.samples import SampleBlock, SampleFlag

CELLS = ("fl", "fr")
ROOT = Path(__file__).parents[2]
VICTIM = """
import sys
from pathlib import Path
from calibration.temperature_log import LogRow, LogWriter
writer = LogWriter(Path(sys.argv[1]), "shelf-1", ("fl", "fr"), "a sensor", 0.0)
for k in range(10**9):
    writer.write(LogRow(1000.0 + 60 * k, 20.0 + k / 1000, 1.0, (100.0 + k, -5.0)))
    print(k, flush=True)
"""


def _row(k: int, celsius: float = 20.5, rested: float = 1.0) -> LogRow:
    return LogRow(1000.0 + 60.0 * k, celsius, rested, (100.0 + k, math.nan))


def _log(path: Path, rows: int = 3) -> Path:
    writer = LogWriter(path, "shelf-1", CELLS, "a sensor", 0.06)
    for k in range(rows):
        writer.write(_row(k))
    writer.close()
    return path


def test_rows_come_back_as_they_were_written(tmp_path):
    log = read_log(_log(tmp_path / "deep" / "er" / "log.csv"))
    assert (log.board, log.cells, log.thermometer, log.scale_sd) == ("shelf-1", CELLS, "a sensor", 0.06)
    assert log.series.time_s.tolist() == [1000.0, 1060.0, 1120.0]
    assert log.series.counts[:, 0].tolist() == [100.0, 101.0, 102.0]
    assert np.isnan(log.series.counts[:, 1]).all()
    assert log.series.begins.tolist() == [True, False, False]


def test_kill_9_leaves_a_log_with_every_row_that_was_reported(tmp_path):
    path = tmp_path / "log.csv"
    command, environment = [sys.executable, "-c", VICTIM, str(path)], {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as victim:
        assert victim.stdout is not None
        reported = -1
        for line in victim.stdout:
            reported = int(line)
            if reported >= 25:
                break
        victim.send_signal(signal.SIGKILL)
    log = read_log(path)
    assert log.series.time_s.size > reported
    assert log.left_out == 0


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_a_torn_row_costs_itself_alone_and_the_log_is_gone_on_with(tmp_path, cut):
    path = _log(tmp_path / "log.csv", rows=4)
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_log(path).series.time_s.size == 3
    writer = LogWriter(path, "shelf-1", CELLS, "another sensor", 0.0)
    writer.write(_row(9))
    writer.close()
    log = read_log(path)
    assert log.series.time_s.tolist()[-1] == _row(9).time_s
    assert log.series.time_s.size in (4, 5)  # a row that only lacked its line's end is whole
    assert log.series.begins.tolist()[-1]
    assert log.thermometer == "another sensor"


def test_every_cut_of_a_log_is_readable_or_refused_in_a_sentence(tmp_path):
    whole = _log(tmp_path / "whole.csv").read_bytes()
    path = tmp_path / "cut.csv"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with contextlib.suppress(LogError):
            assert read_log(path).series.time_s.size <= 3


def test_noise_in_a_log_costs_the_rows_it_hit(tmp_path):
    path = _log(tmp_path / "log.csv", rows=6)
    lines = path.read_text().splitlines()
    lines[5] = "nan,20,1.0,1,2"
    lines[6] = "\x00\x00\x00garbage"
    lines[7] = lines[7].replace("20.500", "inf")
    path.write_text("\n".join(lines) + "\n")
    log = read_log(path)
    assert log.left_out == 2
    assert log.series.time_s.size == 4
    assert np.isnan(log.series.celsius).sum() == 1


def test_what_is_no_log_or_another_boards_is_refused(tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(LogError, match="not a temperature log"):
        read_log(other)
    before = other.read_bytes()
    with pytest.raises(LogError, match="not a temperature log"):
        LogWriter(other, "shelf-1", CELLS, "x", 0.0)
    assert other.read_bytes() == before
    with pytest.raises(LogError, match="the log of shelf-1"):
        LogWriter(_log(tmp_path / "log.csv"), "shelf-2", CELLS, "x", 0.0)
    with pytest.raises(StoreError, match="is a folder"):
        read_log(tmp_path)
    with pytest.raises(StoreError, match="No such file"):
        read_log(tmp_path / "none.csv")


def _minute(levels: tuple[float, float], seed: int = 1, rate_hz: float = 10.0, disturb: bool = False) -> SampleBlock:
    rng = np.random.default_rng(seed)
    time_ns = np.sort(rng.integers(0, MINUTE_NS, round(2 * 60 * rate_hz)))
    cell = (np.arange(time_ns.size) % 2).astype(np.uint8)
    counts = np.array(levels)[cell] + rng.normal(0.0, 20.0, time_ns.size)
    if disturb:
        counts += np.where((time_ns > 20 * 10**9) & (time_ns < 28 * 10**9), 40_000.0, 0.0)
    counts[::97] = 8_388_607
    flags = np.zeros(time_ns.size, np.uint16)
    flags[5::89] = int(SampleFlag.SETTLING)
    counts[5::89] += 900.0
    return SampleBlock("shelf-1", time_ns, cell, counts.astype(np.int32), flags)


@pytest.mark.parametrize("disturb", [False, True])
def test_a_minute_becomes_a_row_without_spikes_and_hands(disturb):
    run = TemperatureRun("shelf-1", 2)
    assert run.push([_minute((90_000.0, -4_000.0), disturb=disturb)], 0, 5000.0) is None
    run.take_celsius(21.0)
    run.take_celsius(math.nan)
    run.take_celsius(22.0)
    row = run.push([], MINUTE_NS, 5060.0)
    assert row is not None
    assert row.time_s == 5030.0
    assert row.celsius == 21.5
    assert row.counts == pytest.approx((90_000.0, -4_000.0), abs=8.0)
    assert row.rested == pytest.approx(0.8 if disturb else 1.0, abs=0.1)


def test_a_silent_board_gives_rows_without_levels_and_another_boards_samples_are_not_taken():
    run = TemperatureRun("shelf-1", 2)
    foreign = _minute((1.0, 2.0))
    run.push([SampleBlock("shelf-2", foreign.time_ns, foreign.cell, foreign.counts, foreign.flags)], 0, 0.0)
    row = run.push([], MINUTE_NS, 60.0)
    assert row is not None
    assert row.rested == 0.0
    assert all(math.isnan(each) for each in (row.celsius, *row.counts))


def test_a_disk_that_refuses_is_said_and_what_is_there_stays(tmp_path):
    path = _log(tmp_path / "log.csv")
    writer = LogWriter(path, "shelf-1", CELLS, "x", 0.0)
    os.close(writer._handle)  # as if the card had gone
    with pytest.raises(StoreError, match="the rows before this one are kept"):
        writer.write(_row(7))
    writer._handle = -1
    assert read_log(path).series.time_s.size == 3
