"""What the host says to the MCU: pings for the clock, and commands that are repeated until they are answered."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from firmware_bridge.link.errors import CommandError
from firmware_bridge.protocol.codes import CommandCode, ReplyResult
from firmware_bridge.protocol.commands import Command, encode_command
from firmware_bridge.protocol.frames import encode_frame
from firmware_bridge.protocol.messages import Reply

MS = 1_000_000

PING_NS = 983_900_000  # not a second: a STATUS goes each second, and the two would meet for hours
_FIRST_PING_NS = 40 * MS
_PING_SHARE = 20  # the time between pings is this part of the time since the clock began
_MOST_PINGS = 8  # unanswered ones kept

_TRIES_NS = (150 * MS, 300 * MS, 600 * MS, 1200 * MS, 1200 * MS)  # after each try, how long a reply is waited for
_MOST_QUEUED = 32

_REFUSALS = {
    ReplyResult.UNKNOWN_COMMAND: "its firmware doesn't know this command; flash the firmware of this package",
    ReplyResult.BAD_LENGTH: "its firmware expects other data; flash the firmware of this package",
    ReplyResult.OUT_OF_RANGE: "a value is out of range; look up the command in PROTOCOL.md",
    ReplyResult.EEPROM_FAILED: "its EEPROM can't be written; try once more, then replace the MCU",
}


@dataclass(slots=True, eq=False)
class CommandHandle:
    """One command on its way. ``done`` turns true once it is answered or given up.

    Attributes:
        code: which command.
        data: what it says.
        done: answered, refused, or given up.
        reply: the MCU's data where it was carried out.
        error: why not, where it wasn't.
        tries: how often it was sent.
    """

    code: CommandCode
    data: bytes = b""
    done: bool = False
    reply: bytes = b""
    error: CommandError | None = None
    tries: int = 0

    def result(self) -> bytes:
        """The reply's data. Raises CommandError where it failed, ValueError where it isn't `done` yet."""
        if not self.done:
            raise ValueError(f"{self.code.name} has no answer yet; ask when `done` is true")
        if self.error is not None:
            raise self.error
        return self.reply

    def _fail(self, text: str) -> None:
        self.done, self.error = True, CommandError(text)


@dataclass(slots=True)
class Asking:
    """One side of the conversation; `Link` tells it when the line is up.

    One command at a time, and no ping while one waits: the MCU remembers the last token only, and so knows a repetition
    from a new command. Tokens start anywhere, and the first ping after the line came up isn't believed: its token may
    be the last one of a host before this one, whose reply would come with times of then.
    """

    token: int
    pings: dict[int, int] = field(default_factory=dict)  # token -> earliest host time at which the MCU can have had it
    unanswered_pings: int = 0  # since the last answer
    _queue: deque[CommandHandle] = field(default_factory=deque)
    _current_token: int = 0
    _retry_ns: int = 0
    _next_ping_ns: int = 0
    _clock_begun_ns: int = 0
    _mistrusted: int | None = None

    def line_up(self, now_ns: int) -> None:
        """The MCU can hear us, and its clock is to be learned from now on."""
        self.pings.clear()
        self.unanswered_pings = 0
        self._next_ping_ns = self._clock_begun_ns = now_ns
        self._mistrusted = -1

    def line_down(self, why: str) -> None:
        """Nobody hears us: what waits fails with ``why``."""
        self.pings.clear()
        while self._queue:
            self._queue.popleft()._fail(why)

    def restarted(self) -> None:
        """Another boot: it remembers no token, and a reboot that was asked for has happened."""
        self.pings.clear()
        if self._queue and self._queue[0].code == CommandCode.REBOOT and self._queue[0].tries:
            self._queue.popleft().done = True

    def command(self, code: CommandCode, data: bytes) -> CommandHandle:
        """Queue one command. Raises CommandError where too many wait already."""
        if len(self._queue) >= _MOST_QUEUED:
            raise CommandError(f"{_MOST_QUEUED} commands wait for the MCU already; wait until some are done")
        handle = CommandHandle(code, data)
        self._queue.append(handle)
        return handle

    def waits_for(self, code: CommandCode) -> bool:
        """Whether such a command is queued or under way."""
        return any(handle.code == code for handle in self._queue)

    def to_send(self, now_ns: int, byte_ns: int) -> bytes:
        """The frame to send now, if any."""
        if self._queue and self._mistrusted != -1:  # the first ping goes first
            return self._send_command(now_ns)
        if now_ns < self._next_ping_ns:
            return b""
        age_ns = now_ns - self._clock_begun_ns
        self._next_ping_ns = now_ns + min(max(age_ns // _PING_SHARE, _FIRST_PING_NS), PING_NS)
        self.token = (self.token + 1) & 0xFF
        frame = encode_frame(encode_command(Command(CommandCode.PING, self.token)))
        while len(self.pings) >= _MOST_PINGS:
            del self.pings[next(iter(self.pings))]
        if self._mistrusted == -1:
            self._mistrusted = self.token
        self.pings[self.token] = now_ns + len(frame) * byte_ns
        self.unanswered_pings += 1
        return frame

    def pinged(self, reply: Reply) -> int | None:
        """When the MCU had this ping at the earliest; None for a reply that isn't to be believed."""
        self.unanswered_pings = 0
        sent_ns = self.pings.pop(reply.token, None)
        return None if reply.token == self._mistrusted else sent_ns

    def replied(self, reply: Reply) -> CommandHandle | None:
        """The command that this reply ends; None where it repeats an old one."""
        handle = self._queue[0] if self._queue else None
        if handle is None or not handle.tries or (reply.token, reply.command) != (self._current_token, handle.code):
            return None
        self._queue.popleft()
        if reply.result == ReplyResult.DONE:
            handle.done, handle.reply = True, reply.data
        else:
            known = reply.result in ReplyResult._value2member_map_
            why = _REFUSALS[ReplyResult(reply.result)] if known else "for a reason this version doesn't know"
            handle._fail(f"the MCU refused {handle.code.name} (result {reply.result}): {why}")
        return handle

    def _send_command(self, now_ns: int) -> bytes:
        handle = self._queue[0]
        if handle.tries and now_ns < self._retry_ns:
            return b""
        if handle.tries == len(_TRIES_NS):
            self._queue.popleft()
            handle._fail(
                f"the MCU didn't answer {handle.code.name}, asked {handle.tries} times in"
                f" {sum(_TRIES_NS) / 1e9:.1f} s: check its cable, unplug it and plug it in again"
            )
            return b""
        if not handle.tries:
            self.token = (self.token + 1) & 0xFF
            self._current_token = self.token
        self._retry_ns = now_ns + _TRIES_NS[handle.tries]
        handle.tries += 1
        return encode_frame(encode_command(Command(handle.code, self._current_token, handle.data)))
