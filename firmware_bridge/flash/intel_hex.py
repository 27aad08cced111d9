"""Intel HEX text to the bytes of a flash memory (Intel, "Hexadecimal Object File Format Specification", rev. A)."""

from __future__ import annotations

from string import hexdigits

from firmware_bridge.flash.errors import ImageError

ERASED = 0xFF


def read_hex(text: str, limit: int) -> bytes:
    """The memory from address 0 up to the last byte that the file sets; gaps are 0xFF, as erased flash.

    ``limit`` is the first address in bytes that the file may not touch. Raises ImageError, with the line, for anything
    that isn't Intel HEX, is damaged or cut short, sets a byte twice or lies outside.
    """
    memory = bytearray([ERASED]) * limit
    written = bytearray(limit)
    base = end = 0
    ended = False
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line:
            continue
        if ended:
            raise ImageError(f"line {number}: there is more after the end record; expected nothing")
        kind, address, data = _record(number, line)
        match kind:
            case 0:
                begin = base + address
                stop = begin + len(data)
                if stop > limit:
                    raise ImageError(
                        f"line {number}: it needs flash up to 0x{stop - 1:x}; the application may go up to "
                        f"0x{limit - 1:x} ({limit} bytes), the bootloader is above. A smaller image is needed"
                    )
                if any(written[begin:stop]):
                    raise ImageError(f"line {number}: sets bytes at 0x{begin:x} that an earlier line has set already")
                memory[begin:stop] = data
                written[begin:stop] = b"\1" * len(data)
                end = max(end, stop)
            case 1:
                ended = True
            case 2 | 4:
                if len(data) != 2:
                    raise ImageError(f"line {number}: an address record of {len(data)} bytes; expected 2")
                base = int.from_bytes(data, "big") << (4 if kind == 2 else 16)
            case 3 | 5:
                pass  # where a program starts is fixed in these MCUs
            case _:
                raise ImageError(f"line {number}: record type {kind}; Intel HEX has types 0 to 5")
    if not ended:
        raise ImageError("the end record is missing: the file is cut short, or it isn't an Intel HEX file")
    if end == 0:
        raise ImageError("there is no data in it")
    return bytes(memory[:end])


def _record(number: int, line: str) -> tuple[int, int, bytes]:
    """Type, address and data of one line."""
    if not line.startswith(":"):
        raise ImageError(f"line {number}: starts with {line[:1]!r}; each line of an Intel HEX file starts with ':'")
    digits = line[1:]
    if not all(digit in hexdigits for digit in digits):
        raise ImageError(f"line {number}: holds something else than hex digits")
    raw = bytes.fromhex(digits[: len(digits) // 2 * 2])
    if len(digits) % 2 or len(raw) < 5 or len(raw) != raw[0] + 5:
        raise ImageError(f"line {number}: isn't as long as its own count says; the file is cut short or damaged there")
    if sum(raw) & 0xFF:
        raise ImageError(f"line {number}: its checksum doesn't fit; the file was damaged on the way")
    return raw[3], raw[1] << 8 | raw[2], raw[4:-1]
