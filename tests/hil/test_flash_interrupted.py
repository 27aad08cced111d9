"""Flashing cut off at any percent, by any means, leaves an MCU that takes the next flash and keeps its name (P10).

Six of the interruptions of `python -m hil.flash_soak`, on three boards at a time, with the real firmware and avrdude.
"""

from __future__ import annotations

from rig_ready import needed

from hil.flash_soak import Cut, soak


def test_six_interruptions_from_1_to_99_percent_are_all_recovered() -> None:
    needed("simavr", "avr-gcc", "avrdude")
    outcomes = soak(rounds=6, parallel=3)
    assert [round(outcome.percent) for outcome in outcomes] == [1, 21, 40, 60, 79, 99]
    assert {outcome.cut for outcome in outcomes} == set(Cut)
    assert all(outcome.left in ("standstill", "new") for outcome in outcomes), "something was written each time"
    for outcome in outcomes:
        assert "un this again" in outcome.told or "un the same command again" in outcome.told
        assert outcome.recovered.after.firmware == outcome.recovered.image.version
        assert outcome.recovered.after.image_crc32 == outcome.recovered.image.crc32
