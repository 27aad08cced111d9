"""The books: whatever is lost wherever, received and lost are the conversions, and each loss has the cause it had."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware_bridge.link.losses import Books
from firmware_bridge.protocol.codes import McuFlag
from firmware_bridge.protocol.messages import ChipStatus

PERIOD_NS = 12_500_000


@dataclass
class _Mcu:
    """One chip of an MCU, and the books that hear of it; knows itself what became of each conversion."""

    books: Books = field(default_factory=lambda: Books(1))
    conversions: int = 0
    overruns: int = 0
    dropped: int = 0
    flag_next: int = 0
    received: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    told: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.books.begin(fresh=True, cause="mcu restart")

    def convert(self, fate: str, count: int) -> None:
        """So many conversions come through, or are lost in one of the ways."""
        if fate == "link damage" and count:
            self.books.line_broke("link damage")
        for _ in range(count):
            self.conversions += 1
            if fate == "come":
                flags, self.flag_next = self.flag_next, 0
                self.received += 1
                number, _ = self.books.sample(0, self.conversions & 255, flags, self.conversions * PERIOD_NS)
                self.told.append(number - self.conversions)
                continue
            self.lost[fate] += 1
            if fate == "mcu overrun":
                self.overruns += 1
                self.flag_next |= McuFlag.OVERRUN
            elif fate == "tx full":
                self.dropped += 1
                self.flag_next |= McuFlag.OVERRUN

    def status(self) -> None:
        row = ChipStatus(self.conversions, PERIOD_NS // 10_000, 0, 0, 0, 0, 0, self.overruns, 0, 0, 3, 3)
        self.books.status((row,), self.dropped, self.conversions * PERIOD_NS)


FATES = st.sampled_from(["come", "come", "come", "link damage", "mcu overrun", "tx full"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(FATES, st.integers(0, 90), st.booleans()), max_size=40))
@example([("link damage", 1, False), ("come", 1, False), ("mcu overrun", 1, True), ("come", 0, True)])
@example([("link damage", 2, False), ("come", 1, False), ("tx full", 2, True), ("come", 0, True)])
def test_received_and_lost_are_the_conversions_whatever_happens_in_what_order(
    story: list[tuple[str, int, bool]],
) -> None:
    mcu = _Mcu()
    for fate, count, says_status in story:
        mcu.convert(fate, count)
        if says_status:
            mcu.status()
    mcu.convert("come", 1)
    mcu.status()
    mcu.status()
    account = mcu.books.accounts()[0]
    assert account.received == mcu.received
    assert account.received + account.lost.total() == mcu.conversions
    assert account.lost["unexplained"] == 0
    assert account.out_of_step == 0
    assert account.lost["link damage"] <= mcu.lost["link damage"]
    assert +account.lost == _summed(mcu.books.take())


def _summed(losses: list) -> Counter[str]:  # type: ignore[type-arg]
    total: Counter[str] = Counter()
    for loss in losses:
        total[loss.cause] += loss.samples
    return total


@pytest.mark.parametrize("cause", ["link damage", "mcu overrun", "tx full"])
def test_each_cause_is_named_when_it_comes_alone(cause: str) -> None:
    mcu = _Mcu()
    for _ in range(5):
        mcu.convert("come", 50)
        mcu.convert(cause, 7)
        mcu.convert("come", 23)
        mcu.status()
    assert mcu.books.accounts()[0].lost == Counter({cause: 35})
    assert set(mcu.told) == {0}


def test_causes_in_one_gap_are_told_apart_by_the_counters_of_the_mcu() -> None:
    mcu = _Mcu()
    mcu.convert("come", 50)
    mcu.convert("link damage", 5)
    mcu.convert("mcu overrun", 3)
    mcu.convert("tx full", 2)
    mcu.convert("come", 10)
    mcu.status()
    assert mcu.books.accounts()[0].lost == Counter({"link damage": 5, "mcu overrun": 3, "tx full": 2})


def test_a_gap_that_nothing_accounts_for_is_said_to_be_unexplained() -> None:
    mcu = _Mcu()
    mcu.convert("come", 50)
    mcu.convert("nothing that anybody knows of", 4)
    mcu.convert("come", 10)
    mcu.status()
    assert mcu.books.accounts()[0].lost == Counter({"unexplained": 4})


@pytest.mark.parametrize("lost", [255, 256, 257, 700, 5000])
def test_any_number_lost_at_once_is_counted_right(lost: int) -> None:
    mcu = _Mcu()
    mcu.convert("come", 100)
    mcu.status()
    mcu.convert("link damage", lost)
    mcu.convert("come", 10)
    mcu.status()
    assert mcu.books.accounts()[0].lost == Counter({"link damage": lost})
    assert set(mcu.told) == {0}


def test_a_chip_that_stood_still_in_a_gap_is_not_taken_to_have_gone_on() -> None:
    mcu = _Mcu()
    mcu.convert("come", 100)
    mcu.status()
    mcu.books.line_broke("link damage")
    mcu.books.sample(0, 104, 0, (100 + 3000) * PERIOD_NS)  # by the time 3000 conversions, but it was silent
    mcu.conversions = 104
    mcu.status()
    account = mcu.books.accounts()[0]
    assert (account.lost["link damage"], account.out_of_step) == (3, 0)


def test_an_mcu_met_in_the_middle_owes_nothing_from_before() -> None:
    books = Books(1)
    books.begin(fresh=False, cause="unplugged")
    counters = ChipStatus(4991, 1250, 0, 0, 0, 0, 0, 40, 0, 0, 3, 3)
    books.sample(0, 4990 & 255, 0, PERIOD_NS)
    books.status((counters,), 33, 2 * PERIOD_NS)
    number, missing = books.sample(0, 4991 & 255, 0, 2 * PERIOD_NS)
    assert (number, missing) == (4991, 0)
    books.line_broke("link damage")
    assert books.sample(0, 4994 & 255, 0, 5 * PERIOD_NS) == (4994, 2)
    books.status((replace(counters, conversions=4995),), 33, 6 * PERIOD_NS)
    assert books.accounts()[0].lost == Counter({"link damage": 2})


def test_a_number_ahead_of_the_mcus_own_counter_is_out_of_step() -> None:
    mcu = _Mcu()
    mcu.convert("come", 50)
    mcu.conversions = 20
    mcu.status()
    assert mcu.books.accounts()[0].out_of_step == 1


def test_a_restart_is_one_loss_by_time() -> None:
    mcu = _Mcu()
    mcu.convert("come", 100)
    mcu.status()
    mcu.books.begin(fresh=True, cause="mcu restart")
    mcu.books.sample(0, 1, 0, 200 * PERIOD_NS)
    (loss,) = mcu.books.take()
    assert (loss.cause, loss.samples, loss.estimated) == ("mcu restart", 99, True)
    assert (loss.begin_ns, loss.end_ns) == (100 * PERIOD_NS, 200 * PERIOD_NS)
    assert mcu.books.accounts()[0].lost == Counter()
    assert mcu.books.accounts()[0].estimated == Counter({"mcu restart": 99})


def test_losses_that_nobody_takes_are_bounded() -> None:
    mcu = _Mcu()
    for _ in range(9000):
        mcu.convert("come", 1)
        mcu.convert("link damage", 1)
    mcu.convert("come", 1)
    mcu.status()
    assert len(mcu.books.take()) == 8192
    assert mcu.books.accounts()[0].lost["link damage"] == 9000
