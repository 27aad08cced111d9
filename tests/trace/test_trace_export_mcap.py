"""The per-sample MCAP that Foxglove and PlotJuggler plot as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_trace import write_trace

from calibration.record import nominal_grams_calibration
from drivers.samples import SampleBlock, SampleFlag
from edge.config.setup import Setup
from edge.trace.errors import TraceError
from edge.trace.export_mcap import export_mcap
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter


def _messages(path: Path) -> list[tuple[str, int, dict[str, Any]]]:
    import jsonschema
    from mcap.reader import make_reader

    found = []
    with path.open("rb") as file:
        for schema, channel, message in make_reader(file, validate_crcs=True).iter_messages():
            assert schema is not None
            assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
            data = json.loads(message.data)
            jsonschema.validate(data, json.loads(schema.data))
            found.append((channel.topic, message.log_time, data))
    return found


def _block(rows: list[tuple[int, int, int, int]]) -> SampleBlock:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    kinds = (np.int64, np.uint8, np.int32, np.uint16)
    return SampleBlock("top", *(column.astype(kind) for column, kind in zip(columns, kinds, strict=True)))  # type: ignore[arg-type]


def test_grams_of_cells_and_their_total(tmp_path: Path, setup: Setup) -> None:
    """A flagged sample has no grams (P7) and doesn't enter the total; a cell silent for a second ends it."""
    for board, cells in (("top", ["fl", "fr"]), ("low.er", ["one"])):
        setup.calibration[board] = nominal_grams_calibration(board, cells, 1000.0, 0.0, "test")
    spike = int(SampleFlag.SPIKE)
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.write(
            _block(
                [
                    (-500_000_000, 0, 1000, 0),
                    (-400_000_000, 1, 500, 0),
                    (100_000_000, 0, 8_000_000, spike),
                    (200_000_000, 1, 700, 0),
                    (1_300_000_000, 1, 800, 0),
                ]
            )
        )
    with TraceReader(tmp_path / "a.mcap") as reader:
        n_messages = export_mcap(reader, tmp_path / "b.mcap", grams=True)
    messages = _messages(tmp_path / "b.mcap")
    assert len(messages) == n_messages
    assert [(topic, data["time_s"], data["grams"]) for topic, _, data in messages] == [
        ("/top/fl", -0.5, 1.0),
        ("/top/fr", -0.4, 0.5),
        ("/top/total", -0.4, 1.5),
        ("/top/fr", 0.2, 0.7),
        ("/top/total", 0.2, 1.7),
        ("/top/fr", 1.3, 0.8),
    ]
    steps = np.diff([log_ns for _, log_ns, _ in messages]) / 1e9
    assert np.allclose(steps, [0.1, 0, 0.6, 0, 1.1])


def test_counts_with_flags(tmp_path: Path, setup: Setup) -> None:
    """Without calibration: every sample, with its flags."""
    blocks = write_trace(tmp_path / "a.mcap", setup, 0, 5)
    with TraceReader(tmp_path / "a.mcap") as reader:
        export_mcap(reader, tmp_path / "b.mcap", grams=False)
        with pytest.raises(TraceError, match=r"board low\.er: no calibration"):
            export_mcap(reader, tmp_path / "c.mcap", grams=True)
    assert not (tmp_path / "c.mcap").exists()
    messages = _messages(tmp_path / "b.mcap")
    assert len(messages) == sum(map(len, blocks))
    low = [data["counts"] for topic, _, data in messages if topic == "/low.er/one"]
    assert low == blocks[1].counts.tolist()
    assert sum(data["flags"] > 0 for _, _, data in messages) == sum(int((block.flags > 0).sum()) for block in blocks)
