"""What avrdude 6 and 7 print while they work, character by character, into where they are and why they stopped."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

_KEPT_CHARACTERS = 20_000
_BAR = re.compile(r"(Writing|Reading) \| (#*)")
_SIGNATURE = re.compile(r"device signature = 0x([0-9a-f]{6})", re.IGNORECASE)
_CANNOT_OPEN = re.compile(r"can(?:not|'t) open (?:port|device) \S+?\"?: (.+)")
_MISMATCH = re.compile(r"device 0x[0-9a-f]+ != input 0x[0-9a-f]+ at addr 0x([0-9a-f]+)", re.IGNORECASE)
_OLD_MISMATCH = re.compile(r"first mismatch at byte 0x([0-9a-f]+)", re.IGNORECASE)


class Doing(StrEnum):
    """What avrdude is at."""

    CONNECTING = "connecting"
    WRITING = "writing"
    READING_BACK = "reading back"


@dataclass(slots=True)
class Transcript:
    """Fed with avrdude's stderr in any pieces; says how far it is.

    ``begun`` counts the writes it has started, ``verified`` those it has read back and found right; a bar has 50 '#'.
    ``steps`` counts all '#' there were: retries print lines too, but only a bar that grows is work done.
    """

    text: str = ""
    doing: Doing = Doing.CONNECTING
    begun: int = 0
    verified: int = 0
    share: float = 0.0  # 0..1 of the present bar
    steps: int = 0
    answered: bool = False
    unanswered: bool = False  # it has asked, and nothing or nonsense came back
    signature: bytes = b""
    wrong_chip: bool = False
    refused_open: str = ""
    mismatch_address: int | None = None
    mismatched: bool = False
    _line: str = field(default="", repr=False)

    def feed(self, piece: str) -> None:
        """Take what came; a line that isn't complete yet is looked at too, since a bar grows within its line."""
        self.text = (self.text + piece)[-_KEPT_CHARACTERS:]
        self.steps += piece.count("#")  # not by line: a complaint in between breaks a bar's line in two
        *whole, rest = (self._line + piece).replace("\r", "\n").split("\n")
        for line in whole:
            self._bar(line, complete=True)
            self._sentence(line)
        self._line = rest
        self._bar(rest, complete=False)

    def complaint(self) -> str:
        """The first line that tells of an error, or else the last one, for a failure nobody has met before."""
        noise = ("avrdude done", "TIOCMGET")
        lines = [line.strip() for line in self.text.splitlines()]
        said = [line for line in lines if line and not any(word in line for word in noise)]
        errors = [line for line in said if "error" in line]
        return [*errors[:1], *said[-1:], "it said nothing"][0]

    def _bar(self, line: str, complete: bool) -> None:
        match = _BAR.search(line)
        if match is None:
            return
        doing = Doing.WRITING if match[1] == "Writing" else Doing.READING_BACK
        # avrdude shows a bar of reading also for the signature, before anything was written: that isn't ours.
        if doing is Doing.READING_BACK and self.begun == 0:
            return
        if doing is not self.doing:
            self.doing = doing
            self.begun += doing is Doing.WRITING
        self.share = 1.0 if complete and "100%" in line else min(len(match[2]) / 50.0, 1.0)

    def _sentence(self, line: str) -> None:
        if "AVR device initialized" in line:
            self.answered = True
        elif match := _SIGNATURE.search(line):
            self.answered = True
            self.signature = bytes.fromhex(match[1])
        elif re.search(r"expected signature for", line, re.IGNORECASE):
            self.wrong_chip = True
        elif re.search(r"not in sync|not responding", line):
            self.unanswered = True
        elif match := _CANNOT_OPEN.search(line):
            self.refused_open = match[1].strip()
        elif re.search(r"bytes of flash verified", line):
            self.verified += 1
        elif match := _MISMATCH.search(line) or _OLD_MISMATCH.search(line):
            self.mismatched = True
            if self.mismatch_address is None:
                self.mismatch_address = int(match[1], 16)
        elif "verification mismatch" in line or "verification error" in line:
            self.mismatched = True
