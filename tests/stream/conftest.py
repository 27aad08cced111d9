"""What most tests of the uplink stand on; those that need another broker or outbox make their own of that name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from uplink_bed import MemoryOutbox

from hil.broker import Broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A real mosquitto without passwords, that never drops what waits for a listener."""
    with Broker(tmp_path / "broker", extra=["max_queued_messages 0"]) as running:
        yield running


@pytest.fixture
def outbox() -> MemoryOutbox:
    """Empty."""
    return MemoryOutbox()
