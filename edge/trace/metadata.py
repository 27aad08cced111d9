"""Length-prefixed texts of MCAP, and its metadata records."""

from __future__ import annotations


def texts(content: bytes, at: int, end: int) -> list[str] | None:
    """Length-prefixed strings that fill ``content[at:end]`` exactly, or None when they don't."""
    found = []
    while at < end:
        stop = at + 4 + int.from_bytes(content[at : at + 4], "little")
        if at + 4 > end or stop > min(end, len(content)):
            return None
        try:
            found.append(content[at + 4 : stop].decode())
        except UnicodeDecodeError:
            return None
        at = stop
    return found


def metadata(content: bytes) -> tuple[str, dict[str, str]] | None:
    """Name and values of a metadata record, or None when its lengths don't add up."""
    name_end = 4 + int.from_bytes(content[:4], "little")
    map_end = name_end + 4 + int.from_bytes(content[name_end : name_end + 4], "little")
    name = texts(content, 0, name_end)
    pairs = texts(content, name_end + 4, map_end)
    if not name or pairs is None or len(pairs) % 2 or map_end != len(content):
        return None
    return name[0], dict(zip(pairs[::2], pairs[1::2], strict=True))
