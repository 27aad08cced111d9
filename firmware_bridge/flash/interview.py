"""The MCU is restarted over the port and asked who it is: before it is flashed, and to prove it afterwards."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

import serial

from firmware_bridge.flash.errors import FlashError, FlashPortError
from firmware_bridge.link.errors import PortError
from firmware_bridge.link.serial_port import open_port
from firmware_bridge.protocol.codes import CommandCode, NoticeCause, ReplyResult
from firmware_bridge.protocol.commands import Command, encode_command, serial_data
from firmware_bridge.protocol.frames import Deframer, encode_frame
from firmware_bridge.protocol.identity import Identity
from firmware_bridge.protocol.messages import McuMessage, McuNotice, Reply, decode_message

_READ_S = 0.1
_WRITE_S = 1.0
_ASK_EVERY_S = 0.5
_FIRST_ASK_S = 2.0  # until then a bootloader may be listening, which our bytes would confuse
_RESET_PULSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What an MCU said after its restart. ``settings_damaged``: it found its settings damaged and took the defaults."""

    identity: Identity
    settings_damaged: bool


class Interview:
    """An MCU on an open port, just restarted. Use as a context; leaving it closes the port.

    Raises FlashPortError where the port can't be opened.
    """

    def __init__(self, port: str) -> None:
        try:
            self._serial = open_port(port)
        except PortError as error:
            raise FlashPortError(str(error)) from error
        self._serial.timeout, self._serial.write_timeout = _READ_S, _WRITE_S
        self._port = port
        self._deframer = Deframer(decode_message)
        self._token = 0
        # Opening alone restarts the MCU only where the port dropped DTR before; the pulse always does. What was set but
        # not saved is gone then, as it will be after flashing: both interviews see the same settings. Some ports,
        # as a pseudo terminal, have no such lines.
        with contextlib.suppress(OSError, serial.SerialException):
            self._serial.dtr = self._serial.rts = False
            time.sleep(_RESET_PULSE_S)
            self._serial.dtr = self._serial.rts = True
            self._serial.reset_input_buffer()

    def __enter__(self) -> Interview:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._serial.close()

    def identity(self, timeout_s: float) -> Answer | None:
        """Who it is; None if no firmware of ours answers in time. Raises FlashPortError when the port goes away."""
        damaged = False
        ends_s = time.monotonic() + timeout_s
        asks_s = time.monotonic() + _FIRST_ASK_S
        while (now_s := time.monotonic()) < ends_s:
            if now_s >= asks_s:  # it says so by itself at boot: asked only where that got lost
                self._send(CommandCode.IDENTIFY)
                asks_s = now_s + _ASK_EVERY_S
            for message in self._read():
                if isinstance(message, McuNotice) and message.cause == NoticeCause.SETTINGS_DAMAGED:
                    damaged = True
                elif isinstance(message, Identity):
                    return Answer(message, damaged)
        return None

    def name_it(self, name: str, timeout_s: float) -> None:
        """Give the MCU its serial, kept in its EEPROM. Raises FlashError where it isn't taken; ValueError."""
        data = serial_data(name)
        token = self._send(CommandCode.SET_SERIAL, data)
        ends_s = time.monotonic() + timeout_s
        asks_s = time.monotonic() + _ASK_EVERY_S
        while (now_s := time.monotonic()) < ends_s:
            if now_s >= asks_s:
                self._send(CommandCode.SET_SERIAL, data, token)  # the same token: it won't be carried out twice
                asks_s = now_s + _ASK_EVERY_S
            for message in self._read():
                if isinstance(message, Reply) and message.token == token:
                    if message.result == ReplyResult.DONE:
                        return
                    raise FlashError(f"{self._port}: the MCU didn't take the serial '{name}' (result {message.result})")
        raise FlashError(f"{self._port}: the MCU didn't answer when it was given the serial '{name}'")

    def _send(self, code: CommandCode, data: bytes = b"", token: int | None = None) -> int:
        if token is None:
            self._token = token = self._token + 1
        try:
            self._serial.write(encode_frame(encode_command(Command(code, token, data))))
        except serial.SerialTimeoutException:
            pass  # asked again later
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from error
        return token

    def _read(self) -> list[McuMessage]:
        try:
            data = self._serial.read(max(1, self._serial.in_waiting))
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from error
        return [received.message for received in self._deframer.feed(data)]

    def _gone(self, error: Exception) -> FlashPortError:
        return FlashPortError(f"{self._port}: the port went away while the MCU was asked who it is ({_plain(error)})")


def _plain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
