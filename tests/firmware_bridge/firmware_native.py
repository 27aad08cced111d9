"""The firmware's plain C files, compiled by the host's compiler, as Python can call them."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

import firmware_bridge

FIRMWARE = Path(firmware_bridge.__file__).parent / "firmware"

_SHIM = r"""
#include "frame.h"
#include "period.h"
#include <string.h>

#define RING 512

/* The frame of a message, written into a ring from `start` on. */
int write_frame(const uint8_t *message, int length, int start, uint8_t *frame)
{
    static uint8_t ring[RING];
    memset(ring, 0xEE, sizeof ring);
    struct frame_writer writer = {.ring = ring, .mask = RING - 1, .at = (uint16_t)start};
    frame_begin(&writer);
    for (int i = 0; i < length; i++)
        frame_put(&writer, message[i]);
    frame_end(&writer);
    int size = (uint16_t)(writer.at - (uint16_t)start);
    for (int i = 0; i < size; i++)
        frame[i] = ring[(start + i) % RING];
    return size;
}

/* What a stream holds: for each frame its event, its length and, for a whole one, its bytes. */
int read_stream(const uint8_t *stream, int length, uint8_t *events)
{
    static struct frame_reader reader;
    int at = 0;
    memset(&reader, 0, sizeof reader);
    for (int i = 0; i < length; i++) {
        enum frame_event event = frame_take(&reader, stream[i]);
        if (event == FRAME_NOTHING)
            continue;
        events[at++] = (uint8_t)event;
        events[at++] = reader.length;
        memcpy(events + at, reader.bytes, reader.length);
        at += reader.length;
    }
    return at;
}

/* The period after each of these intervals. */
void learn(const uint32_t *intervals, int count, uint32_t *periods)
{
    struct period period = {0};
    for (int i = 0; i < count; i++) {
        period_learn(&period, intervals[i]);
        periods[i] = period.us;
    }
}
"""

MESSAGE, DAMAGED = 1, 2
"""What `NativeFirmware.read` finds: enum frame_event."""


class NativeFirmware:
    """frame.c and period.c, compiled with every warning an error and a sanitizer that aborts on undefined behaviour."""

    def __init__(self, folder: Path) -> None:
        shim, library = folder / "shim.c", folder / "firmware.so"
        shim.write_text(_SHIM, encoding="utf-8")
        command = ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fshort-enums", "-shared", "-fPIC"]
        command += ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", f"-I{FIRMWARE}", "-o", str(library)]
        subprocess.run([*command, str(shim), str(FIRMWARE / "frame.c"), str(FIRMWARE / "period.c")], check=True)
        self._c = ctypes.CDLL(str(library))

    def crc(self, data: bytes) -> int:
        """crc16_update over all bytes."""
        value = 0xFFFF
        self._c.crc16_update.restype = ctypes.c_uint16
        for byte in data:
            value = self._c.crc16_update(ctypes.c_uint16(value), ctypes.c_uint8(byte))
        return value

    def write(self, message: bytes, start: int = 0) -> bytes:
        """The frame of a message, written from that place of the ring on."""
        frame = ctypes.create_string_buffer(600)
        size = self._c.write_frame(message, len(message), start, frame)
        return frame.raw[:size]

    def read(self, stream: bytes) -> list[tuple[int, bytes]]:
        """What the command reader makes of a stream: (event, message) in order."""
        room = ctypes.create_string_buffer(4 * len(stream) + 64)
        size = self._c.read_stream(stream, len(stream), room)
        left = room.raw[:size]
        found = []
        while left:
            event, length = left[0], left[1]
            found.append((event, left[2 : 2 + length]))
            left = left[2 + length :]
        return found

    def learn(self, intervals_us: list[int]) -> list[int]:
        """The learned period after each interval; 0 is unknown."""
        kind = ctypes.c_uint32 * len(intervals_us)
        periods = kind()
        self._c.learn(kind(*intervals_us), len(intervals_us), periods)
        return list(periods)


def native_firmware(factory: pytest.TempPathFactory) -> NativeFirmware:
    """Compiled once for a test module."""
    return NativeFirmware(factory.mktemp("native"))
