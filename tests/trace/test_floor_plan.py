"""The store from above: boards where they stand, people's ways, and who is thought to have moved what."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from small_sights import sights
from small_trace import noise

from edge.config.camera_schema import Place
from edge.config.setup import Setup
from edge.trace.curves import CurveBuilder
from edge.trace.event import Event, Kind, Status
from edge.trace.floor_plan import MOST_POINTS, FloorPlan, Way, WayBuilder, boards_on_floor, make_floor_plan
from edge.trace.plot import Mark, PlotError, check_floor_target, make_plot, write_plot
from edge.trace.sighting import TrackPoint

NS = 10**9


def _placed(setup: Setup) -> Setup:
    place = Place.model_validate({"x": "1000 mm", "y": "2000 mm", "facing": "90 deg"})
    boards = {
        "top": setup.node.boards["top"].model_copy(update={"place": place}),
        "low.er": setup.node.boards["low.er"],
    }
    return dataclasses.replace(setup, node=setup.node.model_copy(update={"boards": boards}))


def _mark(time_s: float, slot: str | None, who: tuple[tuple[str, float], ...], **more: object) -> Mark:
    event = Event(
        "top-1", 1, Status.FINAL, Kind.PICK, str(more.get("board", "top")), slot, "cola", 1, -350.0,
        more.get("x_mm"), more.get("y_mm"), round(time_s * NS), round(time_s * NS), 0.99, False, (), who,
    )  # type: ignore[arg-type]  # fmt: skip
    return Mark(event, "accepted", time_s, "−1 cola @A1 99 %")


def _walk(name: str, places: dict[float, tuple[float, float]]) -> list[TrackPoint]:
    return [TrackPoint(name, round(t * NS), x, y, 1.0, 0.0, 1.0, 0.0, 0.0) for t, (x, y) in places.items()]


def _plan(setup: Setup, points: list[TrackPoint], marks: list[Mark]) -> FloorPlan:
    ways = WayBuilder()
    ways.add(points)
    return make_floor_plan("t", "time", (0.0, 60.0), setup, ways.ways(0.0, 0.0, 60.0), marks)


def test_a_board_lies_behind_its_front_edge(setup: Setup) -> None:
    """Facing +y: the shopper looks against it, so the board runs to their right (-x) and away from them (-y)."""
    [board] = boards_on_floor(_placed(setup))
    assert np.allclose(board.corners, [(1000, 2000), (100, 2000), (100, 1600), (1000, 1600)])
    assert np.allclose(board.middle, (550, 1800))


def test_an_event_is_joined_to_where_those_stood_who_may_have_done_it(setup: Setup) -> None:
    """Between two known places by time; the item where it lay: as weighed, else the slot's middle."""
    one = _walk("aisle.7.1", {0.0: (0, 2500), 10.0: (1000, 2500)})
    other = _walk("aisle.7.2", {0.0: (0, 3000), 2.0: (0, 3000)})
    who = (("aisle.7.1", 0.8), ("aisle.7.2", 0.15), ("", 0.05), ("gone.1.1", 0.04))
    marks = [_mark(5.0, "A1", who), _mark(6.0, None, (), x_mm=900.0, y_mm=0.0), _mark(7.0, "B1", who, board="low.er")]
    weighed, exact = _plan(_placed(setup), [*one, *other], marks).deeds
    assert weighed.who == (("1", 0.8, (500.0, 2500.0)), ("2", 0.15, (0.0, 3000.0)))
    assert weighed.caption == "−1 cola @A1 99 %\nby 1 (80 %) or 2 (15 %)"
    assert np.allclose(weighed.place, (1000 - 55, 1800))
    assert np.allclose(exact.place, (100, 2000))
    assert exact.caption == "−1 cola @A1 99 %"


def test_ways_are_thinned_cut_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """P4: a place every 0.1 s, in the part that is plotted, and no more than memory should hold."""
    fast = _walk("a.1.1", {k / 50: (k, 0.0) for k in range(500)})
    ways = WayBuilder()
    ways.add(fast)
    [way] = ways.ways(0.0, 2.0, 4.0)
    assert 19 <= len(way.time_s) <= 21
    assert way.time_s[0] >= 2.0
    assert MOST_POINTS >= 100_000
    monkeypatch.setattr("edge.trace.floor_plan.MOST_POINTS", 10)
    few = WayBuilder()
    few.add(fast)
    assert len(few.ways(0.0, 0.0, 60.0)[0].time_s) == 10
    assert few.left_out > 400


def test_tracks_have_names_that_people_can_tell_apart() -> None:
    """The number alone where that is enough, else the camera's name, else the node's start too."""
    for tracks, names in [
        (["a.1.1", "a.1.2"], ["1", "2"]),
        (["a.1.1", "b.9.1"], ["a 1", "b 1"]),
        (["a.1.1", "a.2.1", "b.9.3"], ["a 1.1", "a 2.1", "b 3"]),
    ]:
        ways = WayBuilder()
        ways.add([point for track in tracks for point in _walk(track, {1.0: (0, 0)})])
        assert [way.name for way in ways.ways(0.0, 0.0, 9.0)] == names


def test_a_place_is_only_guessed_near_what_is_known() -> None:
    """Nobody is drawn where nobody was seen."""
    way = Way("a.1.1", "1", [5.0, 7.0], [0.0, 100.0], [0.0, 0.0], [False, False])
    assert way.at(6.0) == (50.0, 0.0)
    assert way.at(8.5) == (100.0, 0.0)
    assert way.at(1.0) is None
    assert way.at(11.0) is None


def test_the_picture_is_written(tmp_path: Path, setup: Setup) -> None:
    """As PNG or SVG, also with nobody on the floor, with crowds, and with many events."""
    pytest.importorskip("matplotlib")
    from edge.trace.floor_picture import write_floor_picture

    placed = _placed(setup)
    points = [s for s in sights(0, 30) if isinstance(s, TrackPoint)]
    marks = [_mark(k, "A1", (("aisle.7.1", 0.7), ("aisle.7.2", 0.3))) for k in range(3, 27, 6)]
    crowd = [p for k in range(70) for p in _walk(f"a.1.{k}", {float(k % 9): (k, 0), 20.0: (k, 4000)})]
    plans = _plan(placed, [*points, *crowd], marks * 8), _plan(placed, [], marks)
    for plan, name, begins in zip(plans, ("a.png", "b.svg"), (b"\x89PNG", b"<?xml"), strict=True):
        write_floor_picture(plan, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        assert content.startswith(begins)
        assert len(content) > 10_000


def test_the_page_has_the_floor_below_the_weights(tmp_path: Path, setup: Setup) -> None:
    """Ways that a browser draws without a pause, with all that the picture has."""
    placed = _placed(setup)
    many = [p for k in range(30) for p in _walk(f"a.1.{k}", {t / 8: (t, 10.0 * k) for t in range(240)})]
    plan = _plan(placed, many, [_mark(5.0, "A1", (("a.1.3", 0.9),))])
    curves = CurveBuilder(placed)
    curves.add([noise("top", 2, 10, 0, 30)])
    write_plot(make_plot("t", curves.curves(), (), [], 0.0), tmp_path / "p.html", plan)
    page = (tmp_path / "p.html").read_text()
    found = json.loads(page.partition('type="application/json">')[2].partition("</script>")[0])["floor"]
    assert [len(way["time_s"]) for way in found["ways"]] == [240] * 30
    assert found["deeds"][0]["who"] == [["3", 0.9, [40, 30]]]
    assert found["boards"][0]["corners"][0] == [1000, 2000]


def test_where_there_is_nothing_to_draw_that_is_said(setup: Setup) -> None:
    """And a file of another kind is refused before anything is read."""
    with pytest.raises(PlotError, match="no board has a `place:`"):
        _plan(setup, [], [])
    with pytest.raises(PlotError, match=r"ending in \.png or \.svg"):
        check_floor_target(Path("floor.html"))
