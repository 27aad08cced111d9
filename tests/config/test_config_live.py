"""What a live node is told: sizes that hold something, an address that can be listened on."""

from __future__ import annotations

import pytest
from config_texts import NODE, Write

from edge.config.errors import ConfigError
from edge.config.live_schema import LEAST_OUTBOX_BYTES
from edge.config.setup import load_setup, setup_from_texts
from edge.stream.outbox.records import LEAST_SIZE_BYTES


def _with(section: str) -> str:
    return f"{NODE}{section}\n"


@pytest.mark.parametrize(
    ("section", "key", "says"),
    [
        ("outbox: {size: 1 kB}", "outbox.size", "512 KiB"),
        ("outbox: {size: 0 MB}", "outbox.size", "512 KiB"),
        ("outbox: {size: 524 kB}", "outbox.size", "512 KiB"),
        ("recording: {size: 1 kB}", "recording.size", "0 MB for no recording, or a size from 5 MB"),
        ("recording: {size: 4999999 B}", "recording.size", "from 5 MB"),
        ("metrics: {port: 9464, address: not an ip}", "metrics.address", "IP address"),
        ("metrics: {port: 9464, address: 300.0.0.1}", "metrics.address", "IP address"),
        ("metrics: {port: 9464, address: 127.0.0.1:9464}", "metrics.address", "IP address"),
    ],
)
def test_what_a_node_cant_live_with_is_a_problem_with_its_line(write: Write, section: str, key: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_setup(write(_with(section)))
    (problem,) = caught.value.problems
    assert key in str(problem)
    assert says in str(problem)
    assert problem.line == NODE.count("\n") + 1


@pytest.mark.parametrize(
    "section",
    [
        "outbox: {size: 525 kB}",
        "outbox: {size: 524288 B}",
        "recording: {size: 0 MB}",
        "recording: {size: 5 MB}",
        "outbox: {age: 1 d}",
        "recording: {age: 1 d}",
        "metrics: {port: 9464}",
        "metrics: {port: 9464, address: 0.0.0.0}",
        'metrics: {port: 9464, address: "::1"}',
        "metrics: {port: 9464, address: localhost}",
    ],
)
def test_what_it_can_live_with_is_none(write: Write, section: str) -> None:
    load_setup(write(_with(section)))


def test_a_trace_that_was_recorded_with_them_can_still_be_read(write: Write) -> None:
    planogram = write().with_name("planogram.yaml").read_text()
    text = _with("outbox: {size: 1 kB}\nrecording: {size: 1 kB}\nmetrics: {port: 1, address: here}")
    assert setup_from_texts(text, planogram, "", "old.mcap").node.outbox.size_bytes == 1000


def test_the_least_size_is_the_outboxs_own() -> None:
    assert LEAST_OUTBOX_BYTES == LEAST_SIZE_BYTES
