"""What a node keeps, asked for through the broker by somebody who isn't its back end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from uplink_bed import BOOT, NAMES, Listener, MemoryOutbox, options, start_uplink, until

from edge.stream.broker_export import BrokerExport
from edge.stream.uplink.errors import UplinkError
from hil.broker import Broker, find_mosquitto

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="needs mosquitto (apt-get install mosquitto)")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


def test_everything_that_is_kept_comes_oldest_first(broker: Broker) -> None:
    """Evicted entries are no problem; what is long since delivered comes too, and nothing is acknowledged."""
    outbox = MemoryOutbox()
    outbox.add(30, boot=BOOT - 1)
    outbox.add(700)
    outbox.forget(BOOT - 1, 1, 10)
    uplink = start_uplink(outbox, broker)
    try:
        until(lambda: not outbox.waiting(), "the broker to have it all")
        with Listener(broker) as listener:
            export = BrokerExport(options(broker), NAMES, patience_s=2.0)
            assert export.open() == []
            found = [(entry.boot, entry.seq) for entry in export.entries()]
            expected = [(BOOT - 1, seq) for seq in range(11, 31)] + [(BOOT, seq) for seq in range(1, 701)]
            assert (found, export.problems) == (expected, [])
            export.close()
            assert listener.on(NAMES.ack) == []
            one = BrokerExport(options(broker), NAMES, patience_s=2.0)
            one.open()
            assert [entry.seq for entry in one.entries(BOOT - 1)] == list(range(11, 31))
            one.close()
    finally:
        uplink.stop()


def test_a_node_that_isnt_there_cant_be_asked(broker: Broker) -> None:
    export = BrokerExport(options(broker), NAMES, patience_s=0.2)
    with pytest.raises(UplinkError, match="node bay-12 is unknown to the broker; expected it online"):
        export.open()
    export.close()
    uplink = start_uplink(MemoryOutbox(), broker)
    until(lambda: uplink.state()["state"] == "connected", "the node at the broker")
    uplink.stop()
    export = BrokerExport(options(broker), NAMES, patience_s=0.2)
    with pytest.raises(UplinkError, match="node bay-12 is stopped"):
        export.open()
    export.close()


def test_a_node_that_may_not_be_asked_says_so(broker: Broker) -> None:
    """P11."""
    uplink = start_uplink(MemoryOutbox(), broker, commands={"resend": "off"})
    try:
        until(lambda: uplink.state()["state"] == "connected", "the node at the broker")
        export = BrokerExport(options(broker), NAMES, patience_s=2.0)
        export.open()
        with pytest.raises(UplinkError, match="doesn't send its events again: the command resend is switched off"):
            list(export.entries())
        export.close()
    finally:
        uplink.stop()
