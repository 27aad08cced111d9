"""A clock that stamps readings may jump: that is no loss and no restart of any chip."""

from __future__ import annotations

import random

import pytest

from drivers.hx711.examiner import Examiner
from drivers.hx711.readings import Reading
from drivers.samples import SampleFlag

PERIOD_NS = 12_500_000


@pytest.mark.parametrize("jump_ns", [5_000_000_000, 3_300_000, 60_000_000])
@pytest.mark.parametrize("told", [True, False])
def test_the_interval_across_a_jump_says_nothing_where_the_jump_is_told(jump_ns: int, told: bool) -> None:
    noise = random.Random(1)
    examiner = Examiner(1, 80.0)
    got: list[Reading] = []
    at_ns = 0
    for number in range(400):
        at_ns += PERIOD_NS
        if number == 200:
            at_ns += jump_ns
            if told:
                examiner.clock_jumped()
        examiner.push(Reading(0, at_ns, 100_000 + round(noise.gauss(0, 40)), 0))
        got += examiner.take(at_ns + 1)
    got += examiner.flush()
    causes = {notice.cause for notice in examiner.take_notices()}
    flags = {SampleFlag(reading.flags) for reading in got[200:]}
    if told:
        assert (causes, flags) == (set(), {SampleFlag.GOOD})
    else:
        assert causes or flags != {SampleFlag.GOOD}
    assert len(got) == 400
    assert examiner.period_ns(0) == pytest.approx(PERIOD_NS, rel=1e-3)


def test_a_period_that_was_learned_wrong_is_learned_anew_however_wrong_it_was() -> None:
    """Stamps that were all wrong for a while, as on a line that was cut and joined many times."""
    noise = random.Random(2)
    examiner = Examiner(1, 80.0)
    at_ns, good = 0, 0
    for number in range(400):
        at_ns += 2_478_930 if number < 60 else PERIOD_NS
        examiner.push(Reading(0, at_ns, 100_000 + round(noise.gauss(0, 40)), 0))
        got = examiner.take(at_ns + 1)
        good += sum(reading.flags == 0 for reading in got if number > 100)
    assert good > 280
    assert examiner.period_ns(0) == pytest.approx(PERIOD_NS, rel=1e-3)
