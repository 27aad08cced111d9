"""One shelf MCU as the host knows it: bytes in, samples with host times out, every loss counted. No thread, no port."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from firmware_bridge.link.asking import Asking, CommandHandle
from firmware_bridge.link.clock import McuClock
from firmware_bridge.link.errors import ProtocolVersionError
from firmware_bridge.link.following import Following, Met
from firmware_bridge.link.losses import Account, Books, Cause, Loss
from firmware_bridge.link.notices import LinkNotice, from_mcu, reset_words
from firmware_bridge.protocol.codes import BAUD, MOST_CHIPS, PROTOCOL_VERSION, CommandCode
from firmware_bridge.protocol.commands import ping_times
from firmware_bridge.protocol.errors import DamagedMessageError
from firmware_bridge.protocol.frames import Deframer, FrameCounts
from firmware_bridge.protocol.identity import Identity
from firmware_bridge.protocol.messages import McuMessage, McuNotice, Reply, Samples, Status, decode_message

SECOND = 1_000_000_000

State = Literal["closed", "waiting", "starting", "running", "silent", "garbled", "refused"]

_SPEAK_UNASKED_NS = 2_500_000_000  # before that a bootloader may be listening, which our bytes would confuse
_SILENT_NS = 3 * SECOND
_GARBLED_NS = 3 * SECOND
_ASK_AGAIN_NS = 500_000_000
_MOST_HELD = 512  # messages that wait for identity and clock: 10 s at the fullest, and they wait one
_MOST_SAMPLES = 1 << 16  # not taken by whoever reads: 100 s at the fullest
_MOST_NOTICES = 1000
_BITS_A_BYTE = 10

_Told = Samples | Status | McuNotice | Cause | bool  # a cause: the line broke here; a bool: STREAM was carried out


@dataclass(slots=True)
class McuSample:
    """One conversion with its host time.

    Attributes:
        chip: 0..7.
        edge_ns: host monotonic time of the ready edge; rises strictly within a chip.
        counts: the code, sign-extended.
        flags: `firmware_bridge.protocol.codes.McuFlag` bits.
        number: the chip's conversions since the MCU's boot, this one counted. In the first two seconds after meeting an
            MCU that had been running, or after a gap of seconds, it may be off by a multiple of 256, and `lost_before`
            with it; the losses and accounts aren't.
        read_us: from the edge to the end of the read; 1020 is that or longer.
        high_us: longest time the clock was high in this read; 127.5 is that or longer.
        lost_before: conversions of this boot lost between the sample before and this one; `Loss`es tell the causes.
    """

    chip: int
    edge_ns: int
    counts: int
    flags: int
    number: int
    read_us: int
    high_us: float
    lost_before: int


class Link:
    """The conversation with one MCU. Give it what came in, send what it says, take samples, losses and notices.

    All times are the host's monotonic clock. Samples wait until identity and clock are known, 0.6 to 1 s after the
    first message, then they come all at once.
    """

    def __init__(self, now_ns: int, baud: int = BAUD) -> None:
        """``baud``: of the line, for the time that bytes are under way; 0 for a line without one, as native USB."""
        self.identity: Identity | None = None
        self.status: Status | None = None
        self.clock = McuClock()
        self.frames_lost = 0
        self._deframer: Deframer[McuMessage] = Deframer(decode_message)
        self._following = Following()
        self._books = Books(MOST_CHIPS)
        self._asking = Asking(token=now_ns // 1000 & 0xFF)
        self._byte_ns = _BITS_A_BYTE * SECOND // baud if baud else 0
        self._held: deque[tuple[_Told, int, int]] = deque()  # with host time and MCU time
        self._samples: deque[McuSample] = deque()
        self._notices: deque[LinkNotice] = deque(maxlen=_MOST_NOTICES)
        self._last_edge_ns = [-(1 << 62)] * MOST_CHIPS
        self._tick_us = 0.5
        self._refused: ProtocolVersionError | None = None
        self._open = False
        self._opened_ns = now_ns
        self._bytes_ns = now_ns  # when bytes came last
        self._heard_ns: int | None = None  # when a message was believed last, since the port was opened
        self._asked_ns = now_ns
        self._complained: State | None = None
        self._gone = False  # the port went, and nothing was heard since
        self._jumps = 0

    @property
    def counts(self) -> FrameCounts:
        """Frames and bytes that came in."""
        return self._deframer.counts

    @property
    def strays(self) -> int:
        """Messages whose CRC was right by chance, or that came twice: in no place of the stream, and dropped."""
        return self._following.strays

    def accounts(self) -> list[Account]:
        """Per chip: received and lost by cause, over all boots since the link was made."""
        return self._books.accounts()

    def state(self, now_ns: int) -> State:
        """'closed' no port · 'waiting' nothing came yet · 'starting' identity or clock not known yet · 'running' ·
        'silent' port open, nothing comes · 'garbled' bytes come, but no message · 'refused' other protocol version."""
        if not self._open:
            return "closed"
        if self._refused is not None:
            return "refused"
        if now_ns - max(self._bytes_ns, self._opened_ns) > _SILENT_NS:
            return "silent"
        if now_ns - max(self._heard_ns or 0, self._opened_ns) > _GARBLED_NS:
            return "garbled" if self._bytes_ns > self._opened_ns else "waiting"
        if self._heard_ns is None:
            return "waiting"
        return "running" if self._ready() else "starting"

    def opened(self, now_ns: int) -> None:
        """The port is open. Asks nothing before the MCU spoke, or 2.5 s: until then its bootloader may listen."""
        self._open = True
        self._opened_ns = self._bytes_ns = now_ns
        self._heard_ns = None
        self._complained = None
        self._deframer.forget()
        if self._gone:
            self._notice("plugged", now_ns, "the MCU's port is there again; samples go on once it has started")

    def closed(self, now_ns: int) -> None:
        """The port went: cable out, MCU without power, or closed on purpose."""
        if not self._open:
            return
        self._open = False
        self._gone = True
        self._asking.line_down("the MCU was unplugged before it answered: plug it in and try again")
        self._held.clear()  # if this boot goes on later, their numbers are missed then
        self._books.closed()
        self._following.lose_sight()
        self._deframer.forget()
        self._notice("unplugged", now_ns, "the MCU's port is gone: check its USB cable and hub; it is being looked for")

    def host_overran(self, now_ns: int) -> None:
        """Bytes were thrown away on the host, between what `received` got before and what it gets next."""
        self._deframer.forget()
        self._wait("host overrun", now_ns)
        self._release()

    def received(self, data: bytes, now_ns: int) -> None:
        """Bytes as they came in, with the time at which the read that gave them returned."""
        if not data:
            return
        self._bytes_ns = now_ns
        for message, wire_bytes, bytes_after in self._deframer.feed(data):
            frame_ns = now_ns - (wire_bytes + bytes_after) * self._byte_ns
            for met in self._following.meet(message, now_ns, frame_ns):
                self._believe(met)
        self._release()

    def to_send(self, now_ns: int) -> bytes:
        """What to write now, at most one frame; write it at once. Call at least every 50 ms."""
        if not self._open:
            return b""
        self._watch(now_ns)
        if self._heard_ns is None:
            if now_ns - self._opened_ns < _SPEAK_UNASKED_NS or now_ns - self._asked_ns < _ASK_AGAIN_NS:
                return b""
            self._asked_ns = now_ns
            self._asking.line_up(now_ns)
        elif self.identity is None and now_ns - self._asked_ns >= _ASK_AGAIN_NS:
            self._asked_ns = now_ns
            if not self._asking.waits_for(CommandCode.IDENTIFY):
                self._asking.command(CommandCode.IDENTIFY, b"")
        return self._asking.to_send(now_ns, self._byte_ns)

    def command(self, code: CommandCode, data: bytes = b"") -> CommandHandle:
        """Send a command and repeat it until it is answered (five times in 3.5 s). See `protocol.commands` for data.

        Raises CommandError where 32 wait already. The handle tells what becomes of it; it fails when the port goes.
        """
        return self._asking.command(code, data)

    def samples(self) -> list[McuSample]:
        """The samples since the last call. Raises ProtocolVersionError while the MCU speaks another version."""
        if self._refused is not None:
            raise self._refused
        taken = list(self._samples)
        self._samples.clear()
        return taken

    def losses(self) -> list[Loss]:
        """The losses that became known since the last call; some wait for the next STATUS to know their cause."""
        return self._books.take()

    def notices(self) -> list[LinkNotice]:
        """What happened since the last call; the newest 1000."""
        taken = list(self._notices)
        self._notices.clear()
        return taken

    # ---- what came in
    def _believe(self, met: Met) -> None:
        message, now_ns = met.message, met.now_ns
        again = self._heard_ns is None  # the first since the port was opened
        self._heard_ns = now_ns
        if met.begins or (isinstance(message, Status) and self._uptime_fell(message)):
            self._boot(met)
        else:
            if again:
                self.clock.restart()  # hours may have passed, for which its rate isn't sure enough
                self._asking.line_up(now_ns)
            if met.frames_lost:
                self.frames_lost += met.frames_lost
                self._wait("link damage", now_ns)
        self._gone = False
        match message:
            case Identity():
                self._identified(message)
            case Reply():
                self._replied(message, met)
            case Samples():
                base_us = self.clock.unwrap(message.base_us, met.frame_ns)
                last = message.samples[-1]
                self.clock.arrived(base_us + last.edge_us + 4 * last.read_4us, met.frame_ns)
                self._wait(message, now_ns, base_us)
            case Status():
                self.status = message
                self._wait(message, now_ns)
            case McuNotice():
                at_us = self.clock.unwrap(message.at_us, met.frame_ns)
                self.clock.arrived(at_us, met.frame_ns)
                self._wait(message, now_ns, at_us)
        if self.clock.jumps != self._jumps:
            self._jumps = self.clock.jumps
            text = (
                f"the clocks of MCU and host jumped by about {abs(self.clock.jump_ns) / 1e6:.0f} ms against each other,"
                " times are learned anew: did the host sleep? If it comes again, check the MCU's supply"
            )
            self._notice("clock jump", now_ns, text)

    def _uptime_fell(self, status: Status) -> bool:
        """A restart that kept its boot id, as with a worn-out EEPROM."""
        if self.status is None or self.status.boot != status.boot:
            return False
        return (status.uptime_ms - self.status.uptime_ms) & 0xFFFFFFFF > 1 << 31

    def _boot(self, met: Met) -> None:
        met_before = self.status is not None or self.identity is not None
        self._held.clear()  # their boot is over before its clock was known; the estimate of the gap covers them
        self._books.begin(met.message.seq == 0, "unplugged" if self._gone else "mcu restart")
        self.clock.restart()
        self.identity = self.status = self._refused = None
        self._asking.restarted()
        self._asking.line_up(met.now_ns)
        self._asked_ns = met.now_ns - _ASK_AGAIN_NS
        if met_before and not self._gone:
            why = reset_words(met.message.reset_cause) if isinstance(met.message, Identity | Status) else "not told"
            self._notice("mcu restart", met.now_ns, f"the MCU restarted ({why}): check its supply and USB cable")

    def _identified(self, identity: Identity) -> None:
        self.identity = identity
        if identity.high_tick_ns:
            self._tick_us = identity.high_tick_ns / 1000.0
        if identity.protocol != PROTOCOL_VERSION:
            self._held.clear()
            self._refused = ProtocolVersionError(
                f"the MCU ({identity.board or 'unknown board'}, serial {identity.serial or 'unset'}, firmware"
                f" {identity.firmware or 'unknown'}) speaks version {identity.protocol} of the shelf MCU protocol, this"
                f" package version {PROTOCOL_VERSION}: `shelfedge flash` brings the MCU to this package's firmware"
            )

    def _replied(self, reply: Reply, met: Met) -> None:
        if reply.command != CommandCode.PING:
            handle = self._asking.replied(reply)
            if handle is not None and handle.error is None and handle.code == CommandCode.STREAM:
                self._wait(handle.data != b"\0", met.now_ns)
            return
        sent_ns = self._asking.pinged(reply)
        if sent_ns is None:
            return
        try:
            came_us, queued_us = ping_times(reply.data)
        except DamagedMessageError:
            self.counts.damaged += 1
            return
        came = self.clock.unwrap(came_us, met.frame_ns)
        queued = self.clock.unwrap(queued_us, met.frame_ns)
        if came <= queued:
            self.clock.departed(came, sent_ns)
            self.clock.arrived(queued, met.frame_ns)

    # ---- what waits for the clock
    def _ready(self) -> bool:
        return self.identity is not None and self._refused is None and self.clock.known and not self.clock.doubtful

    def _wait(self, what: _Told, now_ns: int, mcu_us: int = 0) -> None:
        """Keep what is to be booked in the order of the line, until times are known."""
        if self._refused is not None:
            return
        if len(self._held) < _MOST_HELD:
            self._held.append((what, now_ns, mcu_us))
        elif self._held[-1][0] != "host overrun":
            self._held[-1] = ("host overrun", now_ns, 0)

    def _release(self) -> None:
        while self._held and self._ready():
            what, now_ns, mcu_us = self._held.popleft()
            match what:
                case Samples():
                    self._deliver(what, now_ns, mcu_us)
                case Status():
                    self._books.status(what.chips, what.samples_dropped, now_ns)
                case McuNotice():
                    self._notices.append(from_mcu(what, min(self.clock.to_host_ns(mcu_us), now_ns)))
                case bool():
                    self._books.streaming(what)
                case _:
                    self._books.line_broke(what)

    def _deliver(self, message: Samples, now_ns: int, base_us: int) -> None:
        to_host_ns, book, last_edge_ns = self.clock.to_host_ns, self._books.sample, self._last_edge_ns
        for chip, flags, number, edge_us, counts, read_4us, high in message.samples:
            edge_ns = to_host_ns(base_us + edge_us)
            if edge_ns > now_ns:  # nothing comes before it happened: the clock has jumped, which isn't known yet
                edge_ns = now_ns
            if edge_ns <= last_edge_ns[chip]:
                edge_ns = last_edge_ns[chip] + 1
            last_edge_ns[chip] = edge_ns
            whole, lost = book(chip, number, flags, edge_ns)
            self._samples.append(
                McuSample(chip, edge_ns, counts, flags, whole, 4 * read_4us, high * self._tick_us, lost)
            )
        while len(self._samples) > _MOST_SAMPLES:
            left = self._samples.popleft()
            self._books.not_taken(left.chip, left.edge_ns)

    # ---- what is said about it
    def _watch(self, now_ns: int) -> None:
        state = self.state(now_ns)
        if state == "silent" and self._complained != "silent":
            text = (
                f"nothing came from the MCU for {_SILENT_NS / 1e9:.0f} s though its port is open: unplug it and plug it"
                " in again; if that doesn't help, `shelfedge flash`"
            )
            self._notice("silent", now_ns, text)
            self._complained = "silent"
        elif state == "garbled" and self._complained != "garbled":
            text = (
                f"bytes come from the port, but for {_GARBLED_NS / 1e9:.0f} s none made a message (so far"
                f" {self.counts.damaged} damaged, {self.counts.unknown} unknown, {self.counts.oversize} too long): is"
                " it a shelf MCU with this package's firmware? Try `shelfedge flash`, else check the cable"
            )
            self._notice("garbled", now_ns, text)
            self._complained = "garbled"
        elif state == "running" and self._complained is not None:
            self._notice("link back", now_ns, "messages come from the MCU again")
            self._complained = None

    def _notice(self, cause: str, now_ns: int, text: str) -> None:
        self._notices.append(LinkNotice(cause, None, now_ns, 0, text))
