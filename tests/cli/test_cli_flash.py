"""`shelfedge flash` as an installer types it: what is wrong is told before a board is touched (P10)."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from edge.cli.flash_show import FlashShow
from firmware_bridge.flash.image import manifest_path
from firmware_bridge.flash.writing import Progress
from hil.flash_images import made_up, write_image


@pytest.mark.parametrize("wrong", ["mcu", "large", "no manifest", "no hex"])
def test_a_wrong_image_is_refused_with_its_own_sentence(shelfedge, tmp_path: Path, wrong: str) -> None:
    """Without a board: what is wrong with an image is found before the port is looked for."""
    path = write_image(tmp_path / "new.hex", made_up(0x7900 if wrong == "large" else 4000), mcu="atmega328p")
    if wrong == "mcu":
        write_image(path, made_up(), mcu="atmega2560")
    elif wrong == "no manifest":
        manifest_path(path).unlink()
    elif wrong == "no hex":
        path.write_bytes(b"\x7fELF")
    done = shelfedge("flash", "--port", "/dev/no-such-port", "--image", path)
    sentence = {
        "mcu": "it is for the MCU 'atmega2560'",
        "large": "the bootloader is above",
        "no manifest": "there is no manifest beside it (new.json)",
        "no hex": "each line of an Intel HEX file starts with ':'",
    }[wrong]
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_isnt_there_is_told_with_what_there_is(shelfedge, tmp_path: Path) -> None:
    path = write_image(tmp_path / "new.hex", made_up())
    done = shelfedge("flash", "--port", "/dev/ttyUSB99", "--image", path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: there is no serial port /dev/ttyUSB99: plug the shelf MCU in, or name another"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "a name"], "--name: an MCU's serial is 1 to 16 plain characters"),
        (["--port", "/dev/ttyUSB0", "--serial", "bay-07"], "--port and --serial both choose the MCU"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(shelfedge, words: list[str], said: str) -> None:
    done = shelfedge("flash", *words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


def show_a_flash(stream: io.StringIO) -> str:
    with FlashShow(stream) as show:
        show.step("asking [who] it is")
        show.progress(Progress(0.0, "connecting at 115200 baud"))
        for k in range(101):
            show.progress(Progress(k / 100, "writing" if k < 50 else "reading back"))
        show.step("written")
    return stream.getvalue()


def test_a_log_gets_a_line_for_each_quarter() -> None:
    assert show_a_flash(io.StringIO()).splitlines() == [
        "asking [who] it is",
        "connecting at 115200 baud",
        "writing",
        "25 % writing",
        "50 % reading back",
        "75 % reading back",
        "100 % reading back",
        "written",
    ]


def test_a_terminal_gets_a_bar_and_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    with FlashShow(stream) as show:
        show.step("asking [who] it is")
        show.progress(Progress(0.42, "writing"))
    shown = stream.getvalue()
    assert "asking [who] it is\n" in shown
    assert "writing" in shown
    assert "42%" in shown
    assert "━" in shown
    assert "25 % writing" not in shown
