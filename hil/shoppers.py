"""What happens in front of the shelves, family by family."""

from __future__ import annotations

from typing import Any

from drivers.simulated.shopper import RandomShopper
from drivers.simulated.stage import Scene, seeded
from hil.recorded import RecordedVibration, Together, why_missing

QUIET_END_S = 4.0  # nothing is begun so shortly before the end: the last movement shall settle
AFTER_S = (0.3, 0.8)  # one pair of hands: the next action comes so long after the hand of the last has gone
RECORDED_SCALE = (0.5, 1.5)

# Wishes beyond picks and puts 3-5 s apart by one pair of hands, with footsteps, bursts of vibration and a few leans.
WISHES: dict[str, dict[str, Any]] = {
    "busy": {"gap_s": (1.8, 2.2)},
    "overlapping": {"gap_s": (1.8, 2.2), "after_s": None},
    "grabs": {"grab_share": 0.6, "put_grab_share": 0.6},
    "two-at-once": {"second_hand_share": 0.6},
    "leans": {"leans_per_minute": 6.0},
    "look": {"look_share": 0.6},
    "wrong-slot": {"wrong_slot_share": 0.4, "put_back_share": 0.45, "stray_share": 0.3},
    "vibration": {"vibrations_per_minute": 0.0},
    "held": {"hold_share": 0.4, "hold_s": (2.0, 6.0), "slow_share": 0.3, "slow_s": (1.5, 5.0)},
    "restocking": {"restock_share": 0.1, "restock_units": 20, "restock_gap_s": (2.0, 3.0)},
    "foreign": {"foreign_share": 0.15},
    "nothing": {"gap_s": None, "leans_per_minute": 1.0, "vibrations_per_minute": 2.0},
    "everything": {
        "gap_s": (2.0, 5.0),
        "grab_share": 0.2,
        "put_grab_share": 0.2,
        "second_hand_share": 0.15,
        "look_share": 0.15,
        "wrong_slot_share": 0.15,
        "stray_share": 0.1,
        "hold_share": 0.08,
        "slow_share": 0.08,
        "restock_share": 0.008,
        "foreign_share": 0.04,
        "leans_per_minute": 2.0,
    },
}
LONGEST_S = {"look": 10.0, "held": 16.0, "everything": 20.0}  # that one action and its return may take
RECORDED_SHARE = {"vibration": 1.0, "nothing": 0.2, "everything": 0.3}  # of the time, where the recordings are there


def scene_of(family: str, seed: int, duration_s: float) -> Scene:
    """The scene of a family; one that can be pickled and played again. A family without wishes is calm."""
    end_s = LONGEST_S.get(family, QUIET_END_S)
    options: dict[str, Any] = {"until_s": duration_s - end_s, "after_s": AFTER_S} | WISHES.get(family, {})
    shopper = RandomShopper(seed, **options)
    share = RECORDED_SHARE.get(family, 0.0)
    if not share or why_missing():
        return shopper
    scale = float(seeded(seed, "scale").uniform(*RECORDED_SCALE))
    return Together((shopper, RecordedVibration(seed, scale, duration_s, share)))
