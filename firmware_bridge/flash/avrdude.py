"""avrdude as the engine: one run at one speed, watched while it works, ended where it would wait for ever."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from firmware_bridge.flash.chips import Chip
from firmware_bridge.flash.errors import ToolError
from firmware_bridge.flash.transcript import Transcript

_LOOK_EVERY_S = 0.1


class End(StrEnum):
    """How a run of avrdude ended."""

    DONE = "done"
    NOT_OPENED = "not opened"
    NO_ANSWER = "no answer"
    WRONG_CHIP = "wrong chip"
    MISMATCH = "mismatch"
    GONE = "gone"  # the port vanished
    SILENT = "silent"  # the bootloader stopped answering
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds, for the bootloader's first word and for each further 2 % of a bar."""

    connect_s: float = 3.0
    stall_s: float = 8.0


def find_avrdude() -> str:
    """The path of avrdude. Raises ToolError where it isn't installed."""
    found = shutil.which("avrdude")
    if found is None:
        raise ToolError(
            "avrdude isn't installed, and it is what writes the firmware. Nothing was written. "
            "Install it, then run this again: sudo apt install avrdude"
        )
    return found


def run_avrdude(
    port: str,
    baud: int,
    chip: Chip,
    writes: Sequence[bytes],
    watch: Callable[[Transcript], None],
    limits: Limits,
) -> tuple[End, Transcript]:
    """Write each of ``writes`` from address 0 on, in this order, each read back before the next begins.

    ``watch`` is called whenever something has moved, and in pauses; an exception from it, or Ctrl-C, ends avrdude at
    once. Raises ToolError where avrdude can't be run.
    """
    command = [find_avrdude(), "-p", chip.avrdude_part, "-c", "arduino", "-P", port, "-b", str(baud)]
    command.append("-D")  # the bootloader erases page by page; a chip erase isn't its to do
    with tempfile.TemporaryDirectory(prefix="shelfedge-flash-") as folder:
        for k, memory in enumerate(writes):
            Path(folder, f"{k}.bin").write_bytes(memory)
            command += ["-U", f"flash:w:{k}.bin:r"]
        return _supervise(command, folder, port, watch, limits)


def _supervise(
    command: list[str], folder: str, port: str, watch: Callable[[Transcript], None], limits: Limits
) -> tuple[End, Transcript]:
    transcript = Transcript()
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        raise ToolError(f"{command[0]} can't be run: {error.strerror}. Nothing was written") from error
    assert process.stderr is not None
    with process, selectors.DefaultSelector() as selector:
        try:
            selector.register(process.stderr, selectors.EVENT_READ)
            moved_s = started_s = time.monotonic()
            been = (False, 0)
            while True:
                if selector.select(_LOOK_EVERY_S):
                    piece = os.read(process.stderr.fileno(), 4096)
                    if not piece:
                        break
                    transcript.feed(piece.decode("ascii", "replace"))
                watch(transcript)
                now_s = time.monotonic()
                reached = (transcript.answered, transcript.steps)
                if reached != been:  # avrdude's complaints come for ever where nobody answers; they are no movement
                    been, moved_s = reached, now_s
                if not os.path.exists(port):  # noqa: PTH110 - a stat, ten times a second
                    return End.GONE, transcript
                if not transcript.answered and now_s - started_s > limits.connect_s:
                    return End.NO_ANSWER, transcript
                if transcript.answered and now_s - moved_s > limits.stall_s:
                    return End.SILENT, transcript
            code = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
    return _verdict(code, transcript, port), transcript


def _verdict(code: int, transcript: Transcript, port: str) -> End:
    if code == 0:
        return End.DONE
    if transcript.refused_open:
        return End.NOT_OPENED
    if not os.path.exists(port):  # noqa: PTH110
        return End.GONE
    if transcript.wrong_chip:
        return End.WRONG_CHIP
    if transcript.mismatched:
        return End.MISMATCH
    return End.NO_ANSWER if transcript.unanswered and not transcript.answered else End.OTHER
