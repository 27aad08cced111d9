"""What cameras saw, for Foxglove and PlotJuggler: frames as pictures, tracks as JSON, beside the samples."""

from __future__ import annotations

import json
from typing import Any

from edge.trace import frame_codec
from edge.trace.epoch import Epoch
from edge.trace.sighting import TrackPoint

_NUMBERS = ("time_s", "x_mm", "y_mm", "vx_mm_s", "vy_mm_s")


class SightTopics:
    """Topics ``/frames/<camera>`` (foxglove.CompressedImage) and ``/tracks/<track>`` of a plain MCAP file.

    Attributes:
        message_count: how many were written.
    """

    def __init__(self, writer: Any) -> None:
        self.message_count = 0
        self._writer = writer
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}

    def write(self, epoch: Epoch, origin_ns: int) -> None:
        """An epoch's; MCAP's log times count from ``origin_ns``."""
        for seen in epoch.sightings:
            if isinstance(seen, TrackPoint):
                values = {
                    "time_s": seen.time_ns / 1e9,
                    "x_mm": seen.x_mm,
                    "y_mm": seen.y_mm,
                    "vx_mm_s": seen.vx_mm_s,
                    "vy_mm_s": seen.vy_mm_s,
                    "hidden": seen.hidden,
                }
                channel = self._channel(
                    f"/tracks/{seen.track}", "json", "shelfedge.Track", "jsonschema", _track_schema()
                )
                self._message(channel, seen.time_ns - origin_ns, json.dumps(values).encode())
        for frame in epoch.frames:
            topic, schema = frame_codec.TOPIC_PREFIX + frame.camera, frame_codec.schema_bytes()
            encoding = frame_codec.MESSAGE_ENCODING
            channel = self._channel(topic, encoding, frame_codec.SCHEMA_NAME, encoding, schema)
            self._message(channel, frame.time_ns - origin_ns, frame_codec.encode_frame(frame))

    def _channel(self, topic: str, encoding: str, name: str, schema_encoding: str, schema: bytes) -> int:
        if topic not in self._channels:
            if name not in self._schemas:
                self._schemas[name] = self._writer.register_schema(name, schema_encoding, schema)
            self._channels[topic] = self._writer.register_channel(topic, encoding, self._schemas[name])
        return self._channels[topic]

    def _message(self, channel: int, log_ns: int, data: bytes) -> None:
        self._writer.add_message(channel, max(0, log_ns), data, max(0, log_ns))
        self.message_count += 1


def _track_schema() -> bytes:
    properties = {name: {"type": "number"} for name in _NUMBERS} | {"hidden": {"type": "boolean"}}
    return json.dumps({"type": "object", "properties": properties, "required": list(properties)}).encode()
