"""A shelf camera's looks on rendered scenes: hands, what left, what came, and everything that is neither."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from calibration.plane_map import PlaneMap
from drivers.camera.scenes.products import CATALOGUE
from drivers.camera.scenes.shelf_stage import StageCamera, StageItem, StageView, stage_frames
from drivers.frames import Frame, FrameFlag
from drivers.simulated.scene import Handling
from edge.trace.sighting import ShelfLook, SlotLook
from edge.vision.errors import FloorPointsError, FrameShapeError, FrameTimeError
from edge.vision.floor import FloorMap
from edge.vision.shelf import MOST_LOG, ShelfWatcher, log_changed
from edge.vision.shelf_regions import SlotBox

BOARD_MM = (800.0, 350.0)
SKUS = ("cola-033", "lemonade-033", "energy-025", "crisps-90")
SLOTS = {f"s{k}": SlotBox((200.0 * k, 200.0 * (k + 1)), (0.0, 350.0), sku) for k, sku in enumerate(SKUS)}
VIEW = StageView()
TAKEN_S, GONE_S = 2.5, 5.0  # when hands let go; when everything has long been still


def items() -> list[StageItem]:
    """Three rows of each product."""
    return [
        StageItem(sku, 200.0 * k + 100.0, y_mm, 90.0, 80.0, 120.0)
        for k, sku in enumerate(SKUS)
        for y_mm in (60.0, 160.0, 260.0)
    ]


def a_hand(slot: int, sign: int, sku: str | None = None, y_mm: float = 60.0, start_s: float = 1.5) -> Handling:
    x_mm = 200.0 * slot + 100.0
    units = ((sku or SKUS[slot], x_mm, y_mm),) if sign else ()
    return Handling("b", sign, units, x_mm, y_mm, start_s, start_s + TAKEN_S - 1.5)


def the_map(view: StageView = VIEW) -> FloorMap:
    matrix = StageCamera(*BOARD_MM, view).board_map
    return FloorMap(PlaneMap((view.width, view.height), matrix, np.zeros(2), 0.0, np.zeros((9, 9))))


def watcher() -> ShelfWatcher:
    return ShelfWatcher("eye", "b", the_map(), SLOTS)


def frames(*hands: Handling, view: StageView = VIEW, standing: list[StageItem] | None = None) -> Iterator[Frame]:
    looks = {sku: CATALOGUE[sku] for sku in SKUS}
    return stage_frames(view, BOARD_MM, items() if standing is None else standing, hands, looks, GONE_S, 3)


def told(pictures: Iterable[Frame]) -> list[ShelfLook]:
    watches = watcher()
    return [look for look in map(watches.push, pictures) if look is not None]


@functools.cache
def taken_from(slot: int) -> tuple[ShelfLook, ...]:
    return tuple(told(frames(a_hand(slot, -1))))


def slot_looks(looks: Iterable[ShelfLook], slot: str) -> list[tuple[float, SlotLook]]:
    return [(look.time_ns * 1e-9, seen) for look in looks for seen in look.slots if seen.slot == slot]


def surest(looks: Iterable[ShelfLook], slot: str) -> SlotLook:
    return max((seen for _, seen in slot_looks(looks, slot)), key=lambda seen: seen.gone)


@pytest.mark.parametrize("slot", [0, 2])
def test_a_hand_is_told_before_its_slot_while_it_is_there(slot: int) -> None:
    looks = taken_from(slot)
    for time_s, seen in slot_looks(looks, f"s{slot}"):
        if 1.6 < time_s < TAKEN_S:
            assert seen.hand > 2.0
        elif time_s < 0.7 or time_s > 3.6:
            assert seen.hand < -2.0
    far = f"s{(slot + 2) % 4}"
    assert max(seen.hand for _, seen in slot_looks(looks, far)) < 0.0


def test_while_a_hand_is_there_nothing_is_said_of_what_moved() -> None:
    for time_s, seen in slot_looks(taken_from(2), "s2"):
        if 1.6 < time_s < TAKEN_S:
            assert (seen.gone, seen.come, seen.thing) == (0.0, 0.0, 0)
            assert seen.since_ns == round(time_s * 1e9)


@pytest.mark.parametrize("slot", [0, 1, 2, 3])
def test_what_was_taken_is_missed_in_its_slot_soon_after_the_hand_and_named(slot: int) -> None:
    best = surest(taken_from(slot), f"s{slot}")
    assert best.gone > 4.0
    assert best.thing > 0
    assert best.since_ns < 1.5e9
    when_s = next(time_s for time_s, seen in slot_looks(taken_from(slot), f"s{slot}") if seen is best)
    assert TAKEN_S < when_s < TAKEN_S + 1.2
    ratios = dict(best.left)
    assert max(ratios, key=lambda sku: ratios[sku]) == SKUS[slot]
    for other in set(SLOTS) - {f"s{slot}"}:
        assert surest(taken_from(slot), other).gone < best.gone - 2.0


def test_what_was_put_into_another_slot_is_seen_and_named() -> None:
    without = [item for item in items() if (item.sku, item.y_mm) != ("energy-025", 60.0)]
    looks = told(frames(a_hand(2, 1, "cola-033"), standing=without))
    best = surest(looks, "s2")
    assert best.come > 4.0
    ratios = dict(best.came)
    assert ratios["cola-033"] > ratios["energy-025"] + 1.0


def test_a_hand_and_a_body_that_move_nothing_leave_the_slots_as_they_were() -> None:
    looks = told(frames(a_hand(1, 0), view=dataclasses.replace(VIEW, shadow=0.35)))
    assert max(seen.hand for _, seen in slot_looks(looks, "s1")) > 2.0
    assert all(surest(looks, slot).gone <= 0.0 for slot in SLOTS)
    after = [seen for time_s, seen in slot_looks(looks, "s1") if time_s > 3.6]
    assert after
    assert all(seen.gone < -1.0 for seen in after)


def test_a_light_that_is_switched_and_an_exposure_that_swings_take_nothing_away() -> None:
    for view in (
        dataclasses.replace(VIEW, switches_s=(1.0, 2.2)),
        dataclasses.replace(VIEW, exposure_s=3.0),
    ):
        looks = told(frames(view=view))
        assert looks
        assert all(surest(looks, slot).gone <= 0.0 for slot in SLOTS)


def test_what_is_taken_while_the_light_changes_is_missed_all_the_same() -> None:
    looks = told(frames(a_hand(1, -1), view=dataclasses.replace(VIEW, switches_s=(2.0,))))
    assert surest(looks, "s1").gone > 3.0


@pytest.mark.parametrize("flag", [FrameFlag.DARK, FrameFlag.COVERED, FrameFlag.FROZEN, FrameFlag.MOVED])
def test_a_camera_that_sees_nothing_says_nothing(flag: FrameFlag) -> None:
    flagged = (dataclasses.replace(frame, flags=flag) for frame in frames(a_hand(1, -1)))
    assert told(flagged) == []


def test_what_happened_while_the_camera_was_blind_is_missed_afterwards() -> None:
    blind = (
        dataclasses.replace(frame, flags=FrameFlag.COVERED if 0.9e9 < frame.time_ns < 3.5e9 else FrameFlag.GOOD)
        for frame in frames(a_hand(1, -1))
    )
    best = surest(told(blind), "s1")
    assert best.gone > 3.0
    assert best.since_ns < 1e9


def test_a_view_that_changed_as_a_whole_is_learned_anew() -> None:
    def turned(frame: Frame) -> Frame:
        if frame.time_ns < 2e9:
            return frame
        return dataclasses.replace(frame, y=np.ascontiguousarray(255 - frame.y[::-1, ::-1]))

    looks = told(map(turned, frames()))
    assert all(surest(looks, slot).gone <= 0.0 for slot in SLOTS)
    assert looks[-1].time_ns > 3e9


def test_the_same_frames_give_the_same_looks() -> None:
    """P8."""
    assert told(frames(a_hand(2, -1))) == list(taken_from(2))


def test_frames_that_do_not_fit_are_named() -> None:
    made = list(frames())[:3]
    watches = watcher()
    watches.push(made[1])
    with pytest.raises(FrameTimeError, match="older than the one before"):
        watches.push(made[0])
    small = dataclasses.replace(made[2], y=made[2].y[:-2], u=None, v=None)
    with pytest.raises(FrameShapeError, match="start a new watcher"):
        watches.push(small)


def test_a_map_of_another_camera_is_named() -> None:
    matrix = the_map().plane.to_pixels.copy()
    matrix[:2] = np.array([[1.0, 0.0, 5000.0], [0.0, 1.0, 5000.0]])
    away = FloorMap(PlaneMap((160, 120), matrix, np.zeros(2), 0.0, np.zeros((9, 9))))
    with pytest.raises(FloorPointsError, match="calibrate the camera anew"):
        ShelfWatcher("eye", "b", away, SLOTS).push(next(frames()))


def test_grey_pictures_are_looked_at_too() -> None:
    grey = (dataclasses.replace(frame, u=None, v=None) for frame in frames(a_hand(3, -1)))
    assert surest(told(grey), "s3").gone > 2.0


def test_a_larger_difference_speaks_more_for_a_move_and_none_against_it() -> None:
    logs = [log_changed(cells, 30.0) for cells in range(60)]
    assert logs[0] < -1.0
    assert all(a < b for a, b in pairwise(logs[1:]))
    every = [seen for look in taken_from(1) for seen in look.slots]
    assert max(abs(seen.gone) for seen in every) <= MOST_LOG
