"""What lies where and what is out in hands; and the chain of plateaus that waits to be decided."""

from __future__ import annotations

import numpy as np
import pytest

from edge.fusion.chain import Chain
from edge.fusion.memory import HANDS_MOST, STRAYS_MOST, Contents, Guess, Hands, HandUnit, Stray
from edge.fusion.plateau import Plateau


def _unit(sku: int, grams: float, taken_ns: int = 0) -> HandUnit:
    return HandUnit((Guess(sku, 0, 1, 1.0),), grams, 1.0, "b", taken_ns)


def _stray(grams: float, *guesses: tuple[int, int]) -> Stray:
    return Stray(tuple(Guess(sku, slot, 1, 1 / len(guesses)) for sku, slot in guesses), grams, 1.0, 100.0, 100.0)


def test_the_unit_that_weighs_the_same_came_back() -> None:
    hands = Hands()
    for grams in (349.0, 352.5, 356.0):
        hands.take(_unit(1, grams))
    hands.take(_unit(2, 352.4))
    hands.give_back(1, 352.0)
    assert [unit.weight_g for unit in hands.units] == [349.0, 356.0, 352.4]


def test_giving_back_what_nobody_holds_changes_nothing() -> None:
    hands = Hands()
    hands.take(_unit(1, 350.0))
    hands.give_back(2, 350.0)
    assert len(hands.units) == 1


def test_a_unit_in_doubt_may_come_back_as_either() -> None:
    hands = Hands()
    hands.take(HandUnit((Guess(1, 0, 1, 0.6), Guess(2, 1, 1, 0.4)), 350.0, 1.0, "b", 0))
    hands.give_back(3, 350.0)
    assert len(hands.units) == 1
    hands.give_back(2, 350.0)
    assert hands.units == []


def test_hands_are_bounded_and_forget_the_oldest() -> None:
    """P4: units that left the store don't pile up."""
    hands = Hands()
    for n in range(10 * HANDS_MOST):
        hands.take(_unit(1, 300.0 + n))
    assert len(hands.units) == HANDS_MOST
    assert hands.units[-1].weight_g == 300.0 + 10 * HANDS_MOST - 1


def test_counts_never_fall_below_none() -> None:
    """A planogram that says 1 where 3 lie isn't held against the shopper."""
    contents = Contents(np.array([[1, 0]]))
    contents.change(0, 0, -3)
    contents.change(0, 1, 2)
    assert contents.count.tolist() == [[0, 2]]
    contents.change(0, 0, 1)
    assert contents.count.tolist() == [[1, 2]]


def test_a_stray_is_forgotten_when_it_leaves() -> None:
    """By what it may be and by its weight: something else taken from beside it doesn't count."""
    contents = Contents(np.zeros((3, 3), np.int64))
    contents.put_stray(_stray(300.0, (1, 0)))
    contents.put_stray(_stray(900.0, (1, 0), (2, 0)))
    assert not contents.take_stray(1, 0, 2000.0)
    assert not contents.take_stray(1, 2, 300.0)
    assert not contents.take_stray(0, 0, 300.0)
    assert len(contents.strays) == 2
    assert contents.take_stray(2, 0, 903.0)
    assert [stray.weight_g for stray in contents.strays] == [300.0]


def test_strays_are_bounded() -> None:
    """P4: what nobody takes away again doesn't pile up."""
    contents = Contents(np.zeros((1, 1), np.int64))
    for n in range(5 * STRAYS_MOST):
        contents.put_stray(_stray(100.0 + n, (0, 0)))
    assert len(contents.strays) == STRAYS_MOST
    assert contents.strays[-1].weight_g == 100.0 + 5 * STRAYS_MOST - 1


def _plateau(begin_s: float, end_s: float, grams: float, mask: int = 3, unrest: float = 1.0) -> Plateau:
    level = np.array([0.5 * grams if mask >> cell & 1 else np.nan for cell in range(2)])
    var = np.where(np.isnan(level), np.inf, 0.01)
    batches = round((end_s - begin_s) * 20)
    return Plateau(round(begin_s * 1e9), round(end_s * 1e9), mask, level, var, 0.02, batches, unrest)


def _chain(*plateaus: Plateau) -> Chain:
    chain = Chain(2.0)
    chain.begin(plateaus[0])
    for plateau in plateaus[1:]:
        chain.open(plateau)
    return chain


def _levels(chain: Chain) -> list[float]:
    return [round(float(np.nansum(plateau.level_g))) for plateau in chain.plateaus]


def test_a_plateau_is_known_by_its_beginning() -> None:
    chain = _chain(_plateau(0, 5, 1000), _plateau(6, 6.4, 648))
    assert chain.knows(_plateau(6, 9, 640))
    assert not chain.knows(_plateau(6.5, 9, 648))


def test_each_other_level_is_a_plateau_of_its_own() -> None:
    assert _levels(_chain(_plateau(0, 5, 1000), _plateau(6, 9, 648), _plateau(10, 12, 300))) == [1000, 648, 300]


def test_a_level_that_comes_again_goes_on() -> None:
    """A bump amid a rest: what says the same as before is the same rest, longer."""
    chain = _chain(_plateau(0, 5, 1000), _plateau(6, 9, 648), _plateau(9.5, 12, 648.2))
    assert _levels(chain) == [1000, 648]
    assert chain.plateaus[-1].begin_ns == 6_000_000_000
    assert chain.plateaus[-1].end_ns == 12_000_000_000
    assert chain.plateaus[-1].batches == 110


def test_a_better_look_may_tell_them_apart_again() -> None:
    chain = _chain(_plateau(0, 5, 1000), _plateau(6, 9, 648), _plateau(9.5, 9.8, 648.5))
    assert _levels(chain) == [1000, 648]
    chain.look_again(_plateau(9.5, 10.5, 660))
    assert _levels(chain) == [1000, 648, 660]
    assert chain.plateaus[1].end_ns == 9_000_000_000


def test_a_moment_between_two_motions_is_nobodys_rest() -> None:
    chain = _chain(_plateau(0, 5, 1000), _plateau(6, 6.2, 1700), _plateau(7, 9, 648))
    assert _levels(chain) == [1000, 648]


def test_other_cells_working_make_another_plateau() -> None:
    """Levels of two cells and of one can't be told to be the same."""
    assert len(_chain(_plateau(0, 5, 1000), _plateau(6, 9, 1000, mask=1))) == 2
    assert len(_chain(_plateau(0, 5, 1000), _plateau(6, 9, 648), _plateau(10, 12, 648, mask=1))) == 3


def test_settling_drops_what_came_before() -> None:
    chain = _chain(_plateau(0, 5, 1000), _plateau(6, 9, 648), _plateau(10, 12, 300))
    chain.settle(1)
    assert _levels(chain) == [648, 300]
    chain.settle(1)
    assert _levels(chain) == [300]


def test_when_nothing_happened_the_settled_level_goes_on_and_follows_drift() -> None:
    """The old level is doubted the more the longer ago it was, so the new one counts for most after a while."""
    levels = []
    for pause_s in (1.0, 60.0, 3600.0):
        chain = _chain(_plateau(0, 5, 1000), _plateau(5 + pause_s, 10 + pause_s, 1001.0))
        chain.go_on()
        (settled,) = chain.plateaus
        assert settled.begin_ns == 0
        assert settled.end_ns == round((10 + pause_s) * 1e9)
        levels.append(float(settled.level_g.sum()))
    assert 1000.3 < levels[0] < levels[1] < levels[2] < 1001.0
    assert levels[2] > 1000.99


def test_after_nothing_happened_a_better_look_still_corrects_the_level() -> None:
    chain = _chain(_plateau(0, 5, 1000), _plateau(6, 6.5, 1000.8))
    chain.go_on()
    chain.look_again(_plateau(6, 11, 1000.1))
    assert len(chain) == 1
    assert float(chain.plateaus[0].level_g.sum()) == pytest.approx(1000.05, abs=0.1)


def test_when_a_cell_failed_the_levels_arent_mixed() -> None:
    chain = _chain(_plateau(0, 5, 1000), _plateau(6, 9, 1000, mask=1))
    chain.go_on()
    (settled,) = chain.plateaus
    assert settled.mask == 1
    assert settled.begin_ns == 6_000_000_000


def test_two_looks_at_one_level_know_it_better_unless_they_differ() -> None:
    a, b, far = _plateau(0, 5, 1000), _plateau(5, 10, 1000), _plateau(5, 10, 1004)
    assert b.after(a).sum_var == pytest.approx(0.01)
    assert float(b.after(a).level_var[0]) == pytest.approx(0.005)
    assert far.after(a).sum_var > 3.0
    assert float(far.after(a).level_g.sum()) == pytest.approx(1002)
