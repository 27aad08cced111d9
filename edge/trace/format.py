"""Names and limits that the writer and the reader of a trace share."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping

MAGIC = b"\x89MCAP0\r\n"
PROFILE = "shelfedge"
FORMAT_VERSION = 1
EPOCH_NS = 1_000_000_000
CHUNK_BYTES = 256 * 1024
"""A chunk is what a power cut costs, and what is decoded at a time."""
CHUNK_SPAN_EPOCHS = 10
"""A slow board would take hours to fill a chunk: close it after this many epochs, however small it is."""
HOLD_EPOCHS = 60
"""How far boards may be out of step in a file: the reader waits this many epochs for a board that is behind."""
MAX_RECORD_BYTES = 64 << 20
"""No record or chunk of a trace is larger; a length beyond it is damage."""

NODE_FILE = "node.yaml"
PLANOGRAM = "planogram.yaml"
CALIBRATION = "calibration.json"
LABELS = "labels.json"
ATTACHMENTS = (NODE_FILE, PLANOGRAM, CALIBRATION, LABELS)
MEDIA_TYPES = {"yaml": "application/yaml", "json": "application/json"}

METADATA_FORMAT = "shelfedge.trace"
METADATA_TOTALS = "shelfedge.totals"
TOPIC_PREFIX = "/samples/"
SIGHTINGS_TOPIC = "/sightings"
CAMERA_RECORD_SUFFIX = ".camera.json"


def sealed(values: Mapping[str, str]) -> dict[str, str]:
    """Metadata with a CRC of its own, since MCAP gives metadata records none."""
    return {**values, "crc32": _crc(values)}


def unsealed(values: Mapping[str, str]) -> dict[str, str] | None:
    """What was `sealed`, or None when it isn't what was written."""
    inner = {key: value for key, value in values.items() if key != "crc32"}
    return inner if values.get("crc32") == _crc(inner) else None


def _crc(values: Mapping[str, str]) -> str:
    return f"{zlib.crc32(json.dumps(dict(values), sort_keys=True).encode()):08x}"
