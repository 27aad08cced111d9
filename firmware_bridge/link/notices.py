"""What happened on the link or in the MCU that isn't a sample, in words for a technician."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.protocol.codes import WHOLE_MCU, NoticeCause, ResetCause, RestartCause
from firmware_bridge.protocol.messages import McuNotice

_RESTARTS = {
    RestartCause.TIMEOUT: "it didn't become ready in time",
    RestartCause.DESYNC: "its data line was low after the last bit",
    RestartCause.LONG_PULSE: "a clock pulse had been too long",
    RestartCause.COMMAND: "a command asked for it",
    RestartCause.CONFIGURED: "its setting changed",
}


@dataclass(frozen=True, slots=True)
class LinkNotice:
    """One happening.

    Attributes:
        cause: short fixed name: 'ready timeout', 'chip restart', 'chip back', 'settings damaged', 'tx full',
            'brown-out', 'mcu restart', 'unplugged', 'plugged', 'silent', 'garbled', 'link back', 'clock jump',
            'firmware news'.
        chip: 0..7; None where it concerns the MCU or the link.
        at_ns: host monotonic time.
        value: a number that belongs to it, as PROTOCOL.md says for the MCU's notices; else 0.
        text: a sentence with the remedy.
    """

    cause: str
    chip: int | None
    at_ns: int
    value: int
    text: str


def from_mcu(notice: McuNotice, at_ns: int) -> LinkNotice:
    """A NOTICE as a sentence. A cause that this version doesn't know becomes 'firmware news'."""
    chip = None if notice.chip == WHOLE_MCU else notice.chip
    who, value = f"chip {chip}" if chip is not None else "the MCU", notice.value
    match notice.cause:
        case NoticeCause.READY_TIMEOUT:
            cause, text = "ready timeout", f"{who} gave no sample for {value} ms: check its wires (VCC, DOUT, SCK)"
        case NoticeCause.RESTARTED_BY_MCU:
            known = value in RestartCause._value2member_map_
            why = _RESTARTS[RestartCause(value)] if known else f"cause {value}"
            cause, text = "chip restart", f"the MCU restarted {who}: {why}; if it goes on, check wires and supply"
        case NoticeCause.SELF_RESTART:
            cause = "chip restart"
            text = f"{who} restarted by itself ({value} ms without a sample): check its supply and ground wires"
        case NoticeCause.BACK_AFTER_SILENCE:
            cause, text = "chip back", f"{who} gives samples again after {value} ms"
        case NoticeCause.SETTINGS_DAMAGED:
            cause = "settings damaged"
            text = "the settings in the MCU's EEPROM were damaged, it runs on defaults: configure and save it again"
        case NoticeCause.TX_FULL:
            cause = "tx full"
            text = f"the MCU dropped {value} samples, its send buffer was full: check its baud rate, use fewer chips"
        case NoticeCause.BROWN_OUT:
            cause, text = "brown-out", f"the MCU's supply fell to {value} mV: check the USB cable, hub and power supply"
        case _:
            cause = "firmware news"
            text = f"{who} reports cause {notice.cause} (value {value}), which this version of the package doesn't know"
    return LinkNotice(cause, chip, at_ns, value, text)


def reset_words(reset_cause: int) -> str:
    """Why an MCU started, for people."""
    names = {
        ResetCause.POWER_ON: "power came on",
        ResetCause.EXTERNAL: "its reset line, as when the port was opened",
        ResetCause.BROWN_OUT: "its supply was too low",
        ResetCause.WATCHDOG: "its watchdog",
    }
    said = [text for bit, text in names.items() if reset_cause & bit]
    return ", ".join(said) if said else "unknown"
