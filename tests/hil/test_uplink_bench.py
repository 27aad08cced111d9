"""The bench of the uplink runs, and gives figures that can be; how large they are is for `make bench`."""

from __future__ import annotations

from pathlib import Path

from hil.uplink_bench import measure


def test_the_bench_of_the_uplink_drains_what_it_filled(tmp_path: Path) -> None:
    figures = measure(2000, tmp_path)
    assert figures.events == 2000
    assert min(figures.uplink_per_s, figures.paho_single_per_s, figures.paho_batched_per_s) > 0
    assert 30 < figures.payload_bytes_per_event < 80
    assert 0 < figures.live_p50_ms <= figures.live_p99_ms
    assert "2,000 events" in figures.lines()[0]
