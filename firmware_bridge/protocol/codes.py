"""The fixed numbers of the protocol: types, flags, causes, results. PROTOCOL.md says what each means."""

from __future__ import annotations

from enum import IntEnum, IntFlag

PROTOCOL_VERSION = 1
MOST_CHIPS = 8
MOST_SAMPLES = 20  # in one frame
WHOLE_MCU = 255  # the `chip` of a notice that concerns the MCU itself
NO_SENSOR_MV = 0xFFFF
BAUD = 250_000


class MessageType(IntEnum):
    """First byte of a message from the MCU."""

    SAMPLES = 0x01
    STATUS = 0x02
    NOTICE = 0x03
    IDENTITY = 0x04
    REPLY = 0x05


class CommandCode(IntEnum):
    """First byte of a command to the MCU."""

    PING = 0x41
    IDENTIFY = 0x42
    CONFIGURE = 0x43
    SAVE = 0x44
    SET_SERIAL = 0x45
    RESTART = 0x46
    STREAM = 0x47
    REBOOT = 0x48
    STATUS = 0x49


class McuFlag(IntFlag):
    """What the MCU saw when it read a sample. Not the flags of `drivers.samples`: these are the wire's."""

    GOOD = 0
    SATURATED = 1
    DESYNC = 2
    SETTLING = 4
    LATE = 8
    RESTARTED = 16
    LONG_PULSE = 32
    OVERRUN = 64
    EDGE_UNSURE = 128


class NoticeCause(IntEnum):
    """Why the MCU sent a NOTICE. A number that isn't here is kept as it is: newer firmware may know more."""

    READY_TIMEOUT = 1
    RESTARTED_BY_MCU = 2
    SELF_RESTART = 3
    BACK_AFTER_SILENCE = 4
    SETTINGS_DAMAGED = 5
    TX_FULL = 6
    BROWN_OUT = 7


class RestartCause(IntEnum):
    """The value of a RESTARTED_BY_MCU notice."""

    TIMEOUT = 1
    DESYNC = 2
    LONG_PULSE = 3
    COMMAND = 4
    CONFIGURED = 5


class ChipState(IntEnum):
    """What a chip was doing when the STATUS was made."""

    OFF = 0
    WAITING = 1
    SETTLING = 2
    GOOD = 3
    SILENT = 4


class ReplyResult(IntEnum):
    """What became of a command."""

    DONE = 0
    UNKNOWN_COMMAND = 1
    BAD_LENGTH = 2
    OUT_OF_RANGE = 3
    EEPROM_FAILED = 4


class ResetCause(IntFlag):
    """Why the MCU started; several may be set. Bits of MCUSR on an AVR, given the same meaning elsewhere."""

    POWER_ON = 1
    EXTERNAL = 2
    BROWN_OUT = 4
    WATCHDOG = 8


class ClockMode(IntEnum):
    """How the chips are clocked."""

    OWN = 0  # a clock line per chip
    SHARED = 1  # the first chip's line clocks all


class Gain(IntEnum):
    """Setting of one chip: the pulses of a read, which choose channel and gain of the next conversion."""

    OFF = 0
    A128 = 25
    B32 = 26
    A64 = 27
