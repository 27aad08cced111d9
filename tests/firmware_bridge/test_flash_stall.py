"""An avrdude that only complains any more is ended: its lines are no movement, only a bar that grows is (P10)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from firmware_bridge.flash.avrdude import End, Limits, run_avrdude
from firmware_bridge.flash.chips import CHIPS
from firmware_bridge.flash.transcript import Transcript

# Complains more often than the limit is long, as avrdude does for minutes when the MCU loses power while it writes.
COMPLAINS = """#!{python}
import sys, time
sys.stderr.write("avrdude: AVR device initialized and ready to accept instructions\\n\\nWriting | #####")
for _ in range(200):
    sys.stderr.write("avrdude error: programmer is not responding\\n")
    sys.stderr.flush()
    time.sleep(0.1)
sys.exit(1)
"""


def test_complaints_without_progress_are_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "avrdude"
    program.write_text(COMPLAINS.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    port = tmp_path / "port"
    port.touch()
    heard: list[Transcript] = []
    end, transcript = run_avrdude(str(port), 115_200, CHIPS["atmega328p"], [b"x"], heard.append, Limits(60.0, 1.0))
    assert end is End.SILENT
    assert transcript.steps == 5
    assert transcript.unanswered
