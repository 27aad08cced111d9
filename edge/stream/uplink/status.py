"""The retained status of a node: one JSON object with one of three words, and the boot that it is of.

online: connected, said at every connection. stopped: ended on purpose. offline: the broker says so, by will, when the
node has gone without a word. A reader who sees a boot older than one he has seen has an old one before him.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edge.stream.uplink.topics import Names

ONLINE, STOPPED, OFFLINE = "online", "stopped", "offline"


def status_payload(word: str, names: Names, boot: int, more: Mapping[str, Any] | None = None) -> bytes:
    """The status as JSON; `more` is what else the birth tells, and can't change what is said here."""
    said = {"status": word, "boot": boot, "node": names.node, "store": names.store_level}
    return to_json({**said, **(more or {}), **said})


def to_json(value: Mapping[str, Any]) -> bytes:
    """Compact JSON. What JSON doesn't know is written as its text: telling something is better than failing."""
    return json.dumps(value, separators=(",", ":"), default=str).encode()
