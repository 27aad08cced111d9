"""What avrdude prints is understood, however its output is cut into pieces. The texts are avrdude's own, recorded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.flash.transcript import Doing, Transcript

BAR = "#" * 50
OPENED = """avrdude OS error: ioctl("TIOCMGET"): Inappropriate ioctl for device

avrdude: AVR device initialized and ready to accept instructions
avrdude: device signature = 0x1e950f (probably m328p)
"""
ONE_WRITE = f"""avrdude: reading input file 0.bin for flash
         with 8234 bytes in 1 section within [0, 0x2029]
         using 65 pages and 86 pad bytes
avrdude: writing 8234 bytes flash ...

Writing | {BAR} | 100% 0.92s

avrdude: 8234 bytes of flash written
avrdude: verifying flash memory against 0.bin

Reading | {BAR} | 100% 1.00s

"""
VERIFIED = "avrdude: 8234 bytes of flash verified\n"
DONE = "\navrdude done.  Thank you.\n\n"
WRONG_CHIP = """
avrdude: AVR device initialized and ready to accept instructions
avrdude: device signature = 0x1e9516 (probably m328pb)
avrdude error: expected signature for ATmega328P is 1E 95 0F
        double check chip or use -F to override this check
"""
MISMATCH = """avrdude warning: verification mismatch
        device 0x5b != input 0x5a at addr 0x1001 (error)
        device 0x00 != input 0x5a at addr 0x1002 (error)
avrdude error: verification mismatch
"""
VERSION_6 = f"""
avrdude: AVR device initialized and ready to accept instructions

Reading | {BAR} | 100% 0.00s

avrdude: Device signature = 0x1e950f (probably m328p)
avrdude: writing flash (1108 bytes):

Writing | {BAR} | 100% 0.20s

avrdude: 1108 bytes of flash written
avrdude: reading on-chip flash data:

Reading | {BAR} | 100% 0.15s

avrdude: verifying ...
avrdude: verification error, first mismatch at byte 0x0040
         0x0c != 0xff
avrdude: verification error; content mismatch
"""


def heard(text: str) -> Transcript:
    transcript = Transcript()
    transcript.feed(text)
    return transcript


def test_two_writes_are_followed_to_their_end() -> None:
    transcript = heard(OPENED + (ONE_WRITE + VERIFIED) * 2 + DONE)
    assert (transcript.begun, transcript.verified, transcript.share) == (2, 2, 1.0)
    assert transcript.doing is Doing.READING_BACK
    assert transcript.signature == b"\x1e\x95\x0f"
    assert (transcript.wrong_chip, transcript.mismatched, transcript.refused_open) == (False, False, "")


@settings(deadline=None)
@given(st.data())
def test_the_pieces_that_the_output_comes_in_dont_matter(data: st.DataObject) -> None:
    text = OPENED + ONE_WRITE + VERIFIED + ONE_WRITE + MISMATCH + DONE
    transcript = Transcript()
    at = 0
    shares = []
    while at < len(text):
        size = data.draw(st.integers(1, 400))
        transcript.feed(text[at : at + size])
        shares.append((transcript.begun, transcript.doing is Doing.READING_BACK, transcript.share))
        at += size
    assert shares == sorted(shares)  # it never goes back
    whole = heard(text)
    transcript.text = whole.text = ""
    assert transcript == whole
    assert (whole.begun, whole.verified, whole.mismatch_address) == (2, 1, 0x1001)


def test_a_bar_is_followed_while_it_grows() -> None:
    transcript = heard(OPENED + "\nWriting | ")
    assert (transcript.doing, transcript.begun, transcript.share) == (Doing.WRITING, 1, 0.0)
    transcript.feed("#" * 25)
    assert transcript.share == 0.5


def test_only_the_marks_of_a_bar_are_steps_also_when_a_complaint_breaks_its_line() -> None:
    transcript = heard(OPENED + "\nWriting | ####")
    for _ in range(3):
        transcript.feed("avrdude error: programmer is not responding\n")
    assert transcript.steps == 4
    transcript.feed("##")
    assert transcript.steps == 6


def test_the_bar_of_an_older_avrdude_for_the_signature_is_no_write() -> None:
    transcript = heard(VERSION_6[: VERSION_6.index("Writing")])
    assert (transcript.begun, transcript.doing) == (0, Doing.CONNECTING)
    transcript = heard(VERSION_6)
    assert (transcript.begun, transcript.verified, transcript.mismatched) == (1, 0, True)
    assert transcript.mismatch_address == 0x40


def test_another_chip_is_seen_with_its_signature() -> None:
    transcript = heard(WRONG_CHIP + DONE)
    assert transcript.wrong_chip
    assert transcript.signature == b"\x1e\x95\x16"
    assert transcript.begun == 0


@pytest.mark.parametrize(
    "text",
    [
        "avrdude OS error: cannot open port /dev/ttyUSB0: Permission denied\n",
        'avrdude: ser_open(): can\'t open device "/dev/ttyUSB0": Permission denied\n',
    ],
)
def test_a_port_that_avrdude_cant_open_is_told_with_its_reason(text: str) -> None:
    assert heard(text).refused_open == "Permission denied"


def test_a_failure_nobody_has_met_before_is_told_in_avrdudes_own_words() -> None:
    said = 'avrdude error: butterfly says no\navrdude error: giving up\navrdude OS error: ioctl("TIOCMGET"): no\n'
    assert heard(OPENED + said + DONE).complaint() == "avrdude error: butterfly says no"
    assert heard("avrdude: strange\n" + DONE).complaint() == "avrdude: strange"
    assert heard("").complaint() == "it said nothing"


@pytest.mark.parametrize(
    "said", ["avrdude error: programmer is not responding", "attempt 1 of 10: not in sync: resp=0x61"]
)
def test_a_bootloader_that_doesnt_answer_is_told_from_other_failures(said: str) -> None:
    assert heard(said + "\n").unanswered
    assert not heard("avrdude error: no configuration file\n").unanswered


@settings(deadline=None)
@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    transcript = heard(text)
    assert 0.0 <= transcript.share <= 1.0
    assert len(transcript.text) <= 20_000
