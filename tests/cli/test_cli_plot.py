"""Plots: nothing that matters is lost between the samples and the picture."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from drivers.samples import SampleBlock, SampleFlag
from edge.trace import curves as curves_module
from edge.trace.curves import CurveBuilder
from edge.trace.event import Event, Kind, Label, Status
from edge.trace.plot import PlotError, check_target, event_caption, make_plot, write_plot

S = 1_000_000_000
PERIOD_NS = 12_500_000


def setup(cells: int = 2, counts_per_gram: float = 100.0, calibrated: bool = True):
    """The little of a Setup that curves look at."""
    names = [f"c{i}" for i in range(cells)]
    record = SimpleNamespace(
        cells={name: SimpleNamespace(zero_counts=1000.0, counts_per_gram=counts_per_gram) for name in names}
    )
    board = SimpleNamespace(cells=dict.fromkeys(names), rate_hz=80.0)
    return SimpleNamespace(node=SimpleNamespace(boards={"b": board}), calibration={"b": record} if calibrated else {})


def samples(grams: np.ndarray, cells: int = 2, begin_ns: int = 0) -> SampleBlock:
    """Each row of time is sampled by all cells, a little apart; each cell carries its share of ``grams``."""
    n = grams.size
    time_ns = begin_ns + (np.arange(n)[:, None] * PERIOD_NS + np.arange(cells) * 1_000_000).ravel()
    counts = np.repeat(grams / cells * 100.0 + 1000.0, cells).astype(np.int32)
    return SampleBlock(
        "b",
        time_ns.astype(np.int64),
        np.tile(np.arange(cells, dtype=np.uint8), n),
        counts,
        np.zeros(n * cells, np.uint16),
    )


def build(block: SampleBlock, step: int = 997, **cut: float):
    builder = CurveBuilder(setup(), **cut)
    for begin in range(0, len(block), step):
        builder.add([block.part(begin, min(begin + step, len(block)))])
    return builder.curves()[0]


def test_the_curve_is_the_sum_of_the_cells() -> None:
    curve = build(samples(np.full(400, 500.0)))
    assert curve.unit == "g"
    assert np.nanmax(np.abs(curve.mean - 500.0)) < 0.1
    assert (curve.low <= curve.mean).all()
    assert (curve.mean <= curve.high).all()


def test_long_traces_are_decimated_but_a_one_sample_spike_stays_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves_module, "MAX_BINS", 64)
    block = samples(np.full(4000, 500.0))
    block.counts[4001] = 524_287  # 2^19 - 1
    curve = build(block)
    assert curve.mean.size <= 64
    assert np.nanmax(curve.high) > 5000
    assert np.nanmax(curve.coarser(7).high) == np.nanmax(curve.high)
    assert np.nanmax(curve.mean) == pytest.approx(500.0, abs=0.1), "a corrupted code is no weight (P7)"


def test_how_the_trace_is_cut_into_blocks_does_not_change_the_extremes() -> None:
    rng = np.random.default_rng(1)
    block = samples(500.0 + rng.normal(0, 5, 3000))
    whole, pieces = build(block, step=10**9), build(block, step=101)
    np.testing.assert_allclose(whole.low, pieces.low, atol=1e-6)
    np.testing.assert_allclose(whole.high, pieces.high, atol=1e-6)


def test_flagged_samples_are_seen_but_not_weighed_and_missing_ones_are_neither() -> None:
    block = samples(np.full(400, 500.0))
    block.counts[300:320] = 8_388_607
    block.flags[300:320] = SampleFlag.SATURATED
    block.counts[500:520] = -8_388_608
    block.flags[500:520] = SampleFlag.MISSING
    curve = build(block)
    assert np.nanmax(curve.high) > 80_000
    assert np.nanmin(curve.low) == pytest.approx(500.0, abs=0.1)
    assert np.nanmax(curve.mean) == pytest.approx(500.0, abs=0.1)


def test_a_pause_in_the_samples_is_a_gap_in_the_curve() -> None:
    builder = CurveBuilder(setup())
    builder.add([samples(np.full(80, 500.0)), samples(np.full(80, 500.0), begin_ns=5 * S)])
    curve = builder.curves()[0]
    assert np.isnan(curve.mean[(curve.time_s() > 1.1) & (curve.time_s() < 4.9)]).all()


def test_a_board_without_calibration_is_plotted_in_counts() -> None:
    builder = CurveBuilder(setup(calibrated=False))
    builder.add([samples(np.full(80, 500.0))])
    assert builder.curves()[0].unit == "counts"


def test_from_and_to_count_from_the_beginning_where_the_clock_is_unix_time() -> None:
    builder = CurveBuilder(setup(), begin_s=1.0, end_s=2.0)
    builder.add([samples(np.full(400, 500.0), begin_ns=1_700_000_000 * S)])
    curve = builder.curves()[0]
    assert builder.origin_s == 1_700_000_000.0
    assert curve.begin_ns == pytest.approx(1_700_000_001 * S, abs=PERIOD_NS)
    assert curve.mean.size == pytest.approx(80, abs=2)


def found(name: str, time_s: float, **fields: object) -> Event:
    values: dict[str, object] = {
        "event_id": name, "revision": 1, "status": Status.FINAL, "kind": Kind.PICK, "board": "b", "slot": "A1",
        "sku": "cola-033", "quantity": 2, "grams": -704.0, "x_mm": 5.0, "y_mm": None, "time_ns": round(time_s * S),
        "decided_ns": round((time_s + 1) * S), "confidence": 0.989, "needs_review": False,
    }  # fmt: skip
    return Event(**{**values, **fields})  # type: ignore[arg-type]


def drawing():
    builder = CurveBuilder(setup())
    builder.add([samples(np.concatenate([np.full(400, 2000.0), np.full(400, 1296.0)]))])
    labels = [Label(Kind.PICK, "b", "cola-033", "A1", 2, 4.5, 5.5), Label(Kind.PUT, "b", None, None, 1, 8.0, 8.5)]
    events = [
        found("1", 5.0),
        found("2", 5.1, needs_review=True, kind=Kind.PUT),
        found("3", 5.2, sku="</script><b>", confidence=0.999),
        found("4", 5.3, status=Status.RETRACTED),
        *[found(f"x{i}", 6.0 + i / 100) for i in range(12)],
    ]
    return make_plot(
        "a <trace>",
        builder.curves(),
        labels,
        events,
        0.0,
        {"1": "right", "3": "wrong", "x1": "false"},
        ["right", "missed"],
    )


def test_captions_say_what_went_which_way_and_never_round_up_to_certainty() -> None:
    assert event_caption(found("1", 5.0)) == "−2 cola-033 @A1 98 %"
    assert event_caption(found("1", 5.0, confidence=0.9999)) == "−2 cola-033 @A1 99 %"
    assert event_caption(found("1", 5.0, kind=Kind.PUT, sku=None, slot=None, confidence=1.0)) == "+2 unknown 100 %"


def test_events_are_coloured_by_what_became_of_them() -> None:
    groups = {mark.event.event_id: mark.group for mark in drawing().marks}
    assert (groups["1"], groups["2"], groups["3"], groups["x1"]) == ("accepted", "review", "wrong", "false")
    assert "4" not in groups, "retracted: nothing is left to show"


def test_captions_never_cover_each_other() -> None:
    pytest.importorskip("matplotlib")
    from edge.trace.plot_picture import FONT_PT, _Lanes

    lanes = _Lanes(drawing(), "b")
    placed: dict[int, float] = {}
    for mark, lane, middle_s in lanes.marks:
        if lane is None:
            continue
        half_s = 0.5 * len(mark.caption) * FONT_PT * 0.58 / 72 * (10.0 / 12.95)
        assert middle_s - half_s >= placed.get(lane, -1.0) - 1e-9
        placed[lane] = middle_s + half_s
    assert lanes.left_out > 0


def test_pictures_are_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name, head in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml")):
        write_plot(drawing(), tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(head)


def test_the_page_stands_alone_and_a_name_cannot_break_it(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    write_plot(drawing(), path)
    page = path.read_text("utf-8")
    assert not re.search(r"(src|href)\s*=|https?:|@import", page)
    assert page.count("</script>") == 2
    assert "a &lt;trace&gt;" in page
    data = json.loads(page.partition('type="application/json">')[2].partition("</script>")[0])
    assert [board["name"] for board in data["boards"]] == ["b"]
    assert len(data["boards"][0]["events"]) == 15
    assert data["boards"][0]["mean"][100] == pytest.approx(2000.0, abs=0.2)


def test_without_matplotlib_the_extra_is_named_and_html_still_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    monkeypatch.delitem(sys.modules, "edge.trace.plot_picture", raising=False)
    with pytest.raises(PlotError, match=r"pip install 'shelfedge\[plot\]'"):
        check_target(tmp_path / "a.png")
    check_target(tmp_path / "a.html")
    with pytest.raises(PlotError, match=r"\.png, \.svg or \.html"):
        check_target(tmp_path / "a.jpeg")
