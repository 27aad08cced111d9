"""What a trace's channels carry. A message whose channel's record was lost to damage is known by its first byte."""

from __future__ import annotations

from enum import Enum

from edge.trace import block_codec, frame_codec, sighting_codec
from edge.trace.chunk import channel_topic


class Content(Enum):
    """What a message is; the value is a word for people."""

    SAMPLES = "samples"
    SIGHTINGS = "sightings"
    FRAME = "frames"
    FOREIGN = "something else"


_BY_MARK = {sighting_codec.MARK: Content.SIGHTINGS, frame_codec.MARK: Content.FRAME}


class Channels:
    """The channels of a file, as far as it has been read."""

    def __init__(self) -> None:
        self._known: dict[int, Content] = {}

    def learn(self, channel: int, record: memoryview) -> Content:
        """A channel's record: what it carries."""
        self._known[channel] = found = _content_of(*channel_topic(record))
        return found

    def content(self, channel: int, payload: bytes | memoryview) -> Content:
        """What a message of that channel is."""
        known = self._known.get(channel)
        if known is None:
            return _BY_MARK.get(payload[0], Content.SAMPLES) if len(payload) else Content.FOREIGN
        return known


def _content_of(topic: str | None, encoding: str | None) -> Content:
    if encoding == block_codec.MESSAGE_ENCODING:
        return Content.SAMPLES
    if encoding == sighting_codec.MESSAGE_ENCODING:
        return Content.SIGHTINGS
    if encoding == frame_codec.MESSAGE_ENCODING and topic is not None and topic.startswith(frame_codec.TOPIC_PREFIX):
        return Content.FRAME
    return Content.FOREIGN
