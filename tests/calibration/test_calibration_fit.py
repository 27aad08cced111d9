"""The fit by statics alone: what placements determine, what they can't, and how sure that is said to be."""

from __future__ import annotations

import numpy as np
import pytest
from calibration_board import site_of

from calibration.accuracy import place_accuracy, smallest_weight_g
from calibration.fit import BoardFit, BoardNoise, fit_board
from calibration.placements import BoardSite, CellSite, Placement
from calibration.plan import guided_places
from calibration.verdict import Empties, judge, suspect
from drivers.simulated.sharing import place_vector, sharing_matrix

EIGHT = {f"c{k}": (x, y) for k, (x, y) in enumerate((x, y) for y in (40.0, 360.0) for x in (40.0, 310.0, 590.0, 860.0))}
SIX = {f"c{k}": (x, y) for k, (x, y) in enumerate((x, y) for y in (40.0, 360.0) for x in (40.0, 450.0, 860.0))}


def _placements(
    site: BoardSite,
    gains: np.ndarray,
    wiring: list[int],
    rng: np.random.Generator,
    flexibility: float,
    noise_g: float = 0.3,
    off_mm: float = 8.0,
    weight_g: float = 2000.0,
    rounds: int = 1,
) -> list[Placement]:
    xy = site.xy_mm
    sharing = sharing_matrix(xy[:, 0], xy[:, 1], flexibility)
    middle = (float(xy[:, 0].mean()), float(xy[:, 1].mean()))
    found = []
    for place in guided_places(site) * rounds:
        x, y = place.x_mm + rng.normal(0, off_mm), place.y_mm + rng.normal(0, off_mm)
        force = sharing @ (weight_g * place_vector(x, y, middle))
        counts = gains * (force[wiring] + rng.normal(0, noise_g, len(gains)))
        found.append(Placement(place.name, place.x_mm, place.y_mm, weight_g, counts, np.diag((gains * noise_g) ** 2)))
    return found


def _fit(site: BoardSite, placements: list[Placement]) -> BoardFit:
    cells = len(site.cells)
    noise = BoardNoise(np.zeros(cells), np.ones(cells), np.full(cells, 60.0), np.eye(cells) * 400.0, 0.1)
    return fit_board(site, placements, noise, 0.0003)


def _gains(rng: np.random.Generator, cells: int) -> np.ndarray:
    return 215.0 * rng.uniform(0.8, 1.2, cells) * rng.choice([-1.0, 1.0], cells)


@pytest.mark.parametrize("flexibility", [0.0, 0.05, 0.5, 1.0])
def test_wiring_and_signs_are_found_on_any_plate(flexibility: float) -> None:
    site = site_of()
    rng = np.random.default_rng(11)
    for _ in range(25):
        wiring = [int(k) for k in rng.permutation(4)]
        gains = _gains(rng, 4)
        fit = _fit(site, _placements(site, gains, wiring, rng, flexibility))
        assert fit.cell_of == tuple(wiring)
        assert fit.wiring_sure
        np.testing.assert_array_equal(np.sign(fit.grams_per_count), np.sign(gains))


@pytest.mark.parametrize("flexibility", [0.0, 0.3])
def test_the_stated_doubt_of_gains_is_what_they_are_off(flexibility: float) -> None:
    """On a rigid plate the twist is known from the places alone: per cent, and said so; soft plates tell per mille."""
    site = site_of()
    rng = np.random.default_rng(12)
    over, doubts = [], []
    for _ in range(60):
        gains = _gains(rng, 4)
        fit = _fit(site, _placements(site, gains, [0, 1, 2, 3], rng, flexibility))
        stated = np.array([cell.gain_relative_sd for cell in fit.cells])
        off = np.array([cell.counts_per_gram for cell in fit.cells]) / gains - 1.0
        over.append(off / stated)
        doubts.append(stated.max())
    assert 0.6 < np.std(over) < 1.5
    assert (np.median(doubts) > 0.005) == (flexibility == 0.0)


def test_sums_are_right_though_a_rigid_plate_hides_each_cells_own_gain() -> None:
    site = site_of()
    rng = np.random.default_rng(13)
    gains = _gains(rng, 4)
    fit = _fit(site, _placements(site, gains, [0, 1, 2, 3], rng, 0.0, noise_g=0.1))
    xy = site.xy_mm
    sharing = sharing_matrix(xy[:, 0], xy[:, 1], 0.0)
    for x, y in rng.uniform((50, 50), (850, 350), (40, 2)):
        counts = gains * (sharing @ (700.0 * place_vector(x, y, (450.0, 200.0))))
        assert float(fit.grams_per_count @ counts) == pytest.approx(700.0, rel=0.001)
    assert any("stiff" in sentence for sentence in fit.untold)


def test_a_second_round_makes_places_surer_on_a_rigid_plate() -> None:
    site = site_of()
    worst = []
    for rounds in (1, 4):
        rng = np.random.default_rng(14)
        fit = _fit(site, _placements(site, _gains(rng, 4), [0, 1, 2, 3], rng, 0.0, rounds=rounds))
        worst.append(max(each.gains_mm for each in place_accuracy(fit, 500.0)))
    assert worst[1] == pytest.approx(worst[0] / 2.0, rel=0.35)


@pytest.mark.parametrize("places", [SIX, EIGHT], ids=["six", "eight"])
def test_many_cells_on_a_soft_plate(places: dict[str, tuple[float, float]]) -> None:
    site = site_of(places)
    rng = np.random.default_rng(15)
    right = 0
    for _ in range(8):
        wiring = [int(k) for k in rng.permutation(len(places))]
        fit = _fit(site, _placements(site, _gains(rng, len(places)), wiring, rng, 0.3, off_mm=5.0))
        right += fit.cell_of == tuple(wiring) or not fit.wiring_sure
    assert right == 8


def test_one_cell_per_lane_is_recognised_and_its_gains_need_no_plate() -> None:
    site = BoardSite("lanes", 900.0, 400.0, 80.0, tuple(CellSite(f"l{k}", 100.0 + 230.0 * k, 200.0) for k in range(4)))
    rng = np.random.default_rng(16)
    gains, wiring = _gains(rng, 4), [3, 1, 0, 2]
    placements = []
    for place in guided_places(site):
        lane = int(np.argmin([abs(cell.x_mm - place.x_mm) for cell in site.cells]))
        counts = np.where(np.array(wiring) == lane, gains * 2000.0, 0.0) + rng.normal(0, 20.0, 4)
        placements.append(Placement(place.name, place.x_mm, place.y_mm, 2000.0, counts, np.eye(4) * 400.0))
    fit = _fit(site, placements)
    assert fit.own_lanes
    assert fit.cell_of == tuple(wiring)
    np.testing.assert_allclose(1.0 / fit.grams_per_count, gains, rtol=0.001)
    assert any("plate of its own" in sentence for sentence in fit.untold)
    assert place_accuracy(fit, 500.0) == []


def test_a_cell_that_stands_elsewhere_than_filed_is_noticed() -> None:
    filed = site_of()
    moved = site_of({"fl": (150.0, 40.0), "fr": (860.0, 40.0), "bl": (40.0, 360.0), "br": (860.0, 360.0)})
    rng = np.random.default_rng(17)
    truth = _placements(moved, _gains(rng, 4), [0, 1, 2, 3], rng, 0.4, off_mm=3.0, rounds=3)
    fit = _fit(filed, truth)
    assert fit.cells[0].x_mm - 40.0 > 2 * (abs(fit.cells[1].x_mm - 860.0) + 5.0)


@pytest.mark.parametrize("ratio", [0.8, 1.3])
def test_the_placement_with_another_weight_is_the_suspect(ratio: float) -> None:
    site = site_of()
    rng = np.random.default_rng(18)
    placements = _placements(site, _gains(rng, 4), [0, 1, 2, 3], rng, 0.3)
    odd = placements[2]
    placements[2] = Placement(odd.place, odd.x_mm, odd.y_mm, odd.weight_g, odd.change * ratio, odd.cov)
    found = suspect(_fit(site, placements))
    assert found is not None
    assert found.placement.place == odd.place
    assert found.alone_share == pytest.approx(ratio - 1.0, abs=0.06)


def test_a_healthy_run_has_no_suspect_and_nothing_to_refuse() -> None:
    site = site_of()
    rng = np.random.default_rng(19)
    for _ in range(40):
        fit = _fit(site, _placements(site, _gains(rng, 4), [0, 1, 2, 3], rng, float(rng.uniform(0, 1))))
        assert suspect(fit) is None
        still = Empties(np.arange(6.0), np.zeros((6, 4)), np.zeros((6, 4)))
        assert not [finding for finding in judge(fit, still) if finding.refuses]


def test_the_smallest_weight_follows_the_noise() -> None:
    """``4 sqrt(2 Σ a² var w / T)``: 4 cells of 20 counts per 0.1 s window, over 0.5 s."""
    site = site_of()
    rng = np.random.default_rng(20)
    gains = np.full(4, 200.0)
    fit = _fit(site, _placements(site, gains, [0, 1, 2, 3], rng, 0.3))
    assert smallest_weight_g(fit) == pytest.approx(4 * np.sqrt(2 * 4 * 0.1**2 * 0.2), rel=0.02)
