"""Six and eight cells: the wiring by the forces' pattern, and as many placements as stiff plates need."""

from __future__ import annotations

import numpy as np
import pytest
from calibration_board import GAINS, Script, physics_of, run, site_of, tidy

from calibration.findings import Reason
from calibration.fit import BoardFit, BoardNoise, fit_board
from calibration.more_places import ENOUGH_MM, places_sd_mm, places_to_weigh
from calibration.outcome import review
from calibration.placements import BoardSite, Placement
from calibration.plan import PlanStep, guided_places
from calibration.prompts import Prompt, Step
from calibration.recognise import Recogniser
from calibration.session import CalibrationSession, RunOptions
from calibration.solve import problem_of
from calibration.wiring import assigned, find_wiring
from drivers.simulated.sharing import place_vector, sharing_matrix

PATIENCE = RunOptions(warm_up_limit_s=40.0, step_limit_s=40.0)


def _many(cells: int) -> BoardSite:
    across = np.linspace(40.0, 860.0, cells // 2)
    return site_of({f"c{k}": (float(x), y) for k, (x, y) in enumerate((x, y) for y in (40.0, 360.0) for x in across)})


def _placement(
    site: BoardSite, place: int, gains: np.ndarray, wiring: list[int], rng: np.random.Generator, flexibility: float
) -> Placement:
    """2 kg within 15 mm of a guided place, weighed to 0.3 g per cell."""
    xy, guided = site.xy_mm, guided_places(site)[place]
    away, turn = 15.0 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    x, y = guided.x_mm + away * np.cos(turn), guided.y_mm + away * np.sin(turn)
    middle = (float(xy[:, 0].mean()), float(xy[:, 1].mean()))
    force = sharing_matrix(xy[:, 0], xy[:, 1], flexibility) @ (2000.0 * place_vector(x, y, middle))
    counts = gains * (force[wiring] + rng.normal(0, 0.3, len(gains)))
    cov = np.diag((gains * 0.3) ** 2)
    return Placement(guided.name, guided.x_mm, guided.y_mm, 2000.0, counts, cov)


def _fit(site: BoardSite, placements: list[Placement]) -> BoardFit:
    n = len(site.cells)
    return fit_board(site, placements, BoardNoise(np.zeros(n), np.ones(n), np.ones(n), np.eye(n), 0.1), 0.0003)


@pytest.mark.parametrize("flexibility", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("cells", [6, 8])
def test_the_wiring_of_many_cells_is_found_and_sure(cells: int, flexibility: float) -> None:
    """Statics alone leave up to five gains free there: the pattern of the forces tells."""
    site = _many(cells)
    rng = np.random.default_rng(21)
    for _ in range(4):
        wiring = [int(k) for k in rng.permutation(cells)]
        gains = 215.0 * rng.uniform(0.8, 1.2, cells) * rng.choice([-1.0, 1.0], cells)
        placements = [_placement(site, p, gains, wiring, rng, flexibility) for p in range(cells + 1)]
        found = find_wiring(problem_of(site, placements), 8.0)
        assert found.solution.cell_of == tuple(wiring)
        assert found.sure
        assert found.doubtful == ()


def test_channels_go_to_cells_at_the_least_cost_in_sum() -> None:
    """Where swapping pairs ends in a corner: each channel is cheap at its neighbour."""
    cost = np.array([[2.0, 1.0, 9.0], [9.0, 2.0, 1.0], [1.0, 9.0, 2.0]])
    assert assigned(cost) == (1, 2, 0)


def test_one_place_weighed_wrong_does_not_turn_the_wiring() -> None:
    site = site_of()
    rng = np.random.default_rng(22)
    for flexibility in (0.05, 0.5):
        gains = 215.0 * rng.uniform(0.8, 1.2, 4)
        placements = [_placement(site, p, gains, [0, 1, 2, 3], rng, flexibility) for p in range(5)]
        odd = placements[1]
        placements[1] = Placement(odd.place, odd.x_mm, odd.y_mm, odd.weight_g, 0.72 * odd.change, odd.cov)
        assert _fit(site, placements).cell_of == (0, 1, 2, 3)


@pytest.mark.parametrize("cells", [4, 8])
def test_more_placements_make_the_places_of_a_rigid_plate_sure_enough(cells: int) -> None:
    site = site_of() if cells == 4 else _many(cells)
    rng = np.random.default_rng(23)
    gains = 215.0 * rng.uniform(0.8, 1.2, cells)
    wiring = list(range(cells))
    placements = [_placement(site, p, gains, wiring, rng, 0.0) for p in range(cells + 1)]
    fit = _fit(site, placements)
    assert places_sd_mm(fit) > ENOUGH_MM
    names = [place.name for place in guided_places(site)]
    more = places_to_weigh(fit, 40, 8.0)
    assert 3 < len(more) < 40
    placements += [_placement(site, names.index(p.placement.place), gains, wiring, rng, 0.0) for p in more]
    assert places_sd_mm(_fit(site, placements)) < 1.1 * ENOUGH_MM


def test_a_soft_plate_needs_no_more_placements() -> None:
    site = site_of()
    rng = np.random.default_rng(24)
    fit = _fit(site, [_placement(site, p, np.full(4, 215.0), [0, 1, 2, 3], rng, 0.5) for p in range(5)])
    assert places_to_weigh(fit, 20, 8.0) == []


def test_what_is_left_on_the_board_refuses_the_run() -> None:
    person, seen = tidy(), []

    def forgets(prompt: Prompt, now_s: float, script: Script) -> None:
        person(prompt, now_s, script)
        if prompt.step is Step.TAKE_OFF and not seen:
            seen.append(prompt)
            script.put(300.0, 150.0, 400.0, now_s + 3.1)

    session = CalibrationSession(site_of(), 2000.0, options=PATIENCE)
    run(session, physics_of(site_of(), list(GAINS.values())), forgets)
    assert session.outcome is not None
    assert [finding.reason for finding in session.outcome.refusals] == [Reason.NOT_EMPTY]
    assert "lay on the board still" in session.outcome.refusals[0].evidence


def test_what_lay_there_at_first_makes_the_run_begin_again() -> None:
    person, seen = tidy(), []

    def tidies_up(prompt: Prompt, now_s: float, script: Script) -> None:
        if prompt.place == "front left" and not seen:
            seen.append(prompt)
            script.put(300.0, 150.0, -400.0, now_s + 2.0)
        person(prompt, now_s, script)

    script = Script()
    script.settled_g["shelf-1"].append((300.0, 150.0, 400.0))
    session = CalibrationSession(site_of(), 2000.0, options=PATIENCE)
    prompts = run(session, physics_of(site_of(), list(GAINS.values())), tidies_up, script)
    assert session.outcome is not None
    assert session.outcome.accepted, [str(finding) for finding in session.outcome.findings]
    assert any("something lay on it" in prompt.mistake for prompt in prompts)
    assert session.outcome.fit is not None
    for cell in session.outcome.fit.cells:
        assert cell.counts_per_gram == pytest.approx(GAINS[cell.name], rel=0.004)


def test_pounds_taken_for_kilograms_are_told_once_and_by_name() -> None:
    """2 lb where 2 kg were said: all cells 55 % below their labels."""
    site = site_of(rated=1.0)
    rng = np.random.default_rng(26)
    gains = 214.7 * rng.uniform(0.9, 1.1, 4)
    placements = [_placement(site, p, 0.45359237 * gains, [0, 1, 2, 3], rng, 0.4) for p in range(5)]
    empties = [(float(t), np.zeros(4), np.zeros(4)) for t in range(4)]
    refusals = [
        f for f in review(site, placements, empties, np.eye(4), np.ones(4), 0.1, 0.0003, 8.0).findings if f.refuses
    ]
    assert [finding.reason for finding in refusals] == [Reason.OFF_LABEL]
    assert "pounds" in refusals[0].remedy


def test_a_soft_plate_that_pulls_far_cells_up_is_not_taken_for_a_lighter_board() -> None:
    """The first placement lies in the middle, where a corner may be pulled up: its sign isn't known from there."""
    site = site_of()
    recogniser = Recogniser(site, 1000.0)
    first, *_, last = (PlanStep(place, 1000.0) for place in guided_places(site))
    recogniser.learn(np.array([70_000.0, 70_000.0, 70_000.0, -2_000.0]), first)
    assert recogniser.less_g(np.array([-4_000.0, 20_000.0, 18_000.0, 170_000.0])) == 0.0
    recogniser.learn(np.array([-4_000.0, 20_000.0, 18_000.0, 170_000.0]), last)
    assert recogniser.less_g(np.array([-20_000.0, -20_000.0, -20_000.0, -20_000.0])) > 300.0


def test_a_weight_lying_wrong_is_outvoted_by_two_that_agree() -> None:
    site = _many(8)
    rng = np.random.default_rng(25)
    gains = np.full(8, 215.0)
    placements = [_placement(site, p, gains, list(range(8)), rng, 0.0) for p in range(9) for _ in range(3)]
    there, own = 3, placements[3]
    wrong = placements[-1]
    assert np.hypot(own.x_mm - wrong.x_mm, own.y_mm - wrong.y_mm) > 200.0
    placements[there] = Placement(own.place, own.x_mm, own.y_mm, own.weight_g, wrong.change, wrong.cov)
    empties = [(float(t), np.zeros(8), np.zeros(8)) for t in range(4)]
    found = review(site, placements, empties, np.eye(8), np.ones(8), 0.1, 0.0003, 8.0)
    assert len(found.placements) == len(placements) - 1
    assert not [finding for finding in found.findings if finding.refuses]


def test_places_of_many_cells_are_named_by_counting() -> None:
    assert [place.name for place in guided_places(_many(8))] == [
        "middle",
        *(f"front, {nth} from left" for nth in ("1st", "2nd", "3rd", "4th")),
        *(f"back, {nth} from left" for nth in ("4th", "3rd", "2nd", "1st")),
    ]
    assert [place.name for place in guided_places(_many(6))][1:4] == ["front left", "front middle", "front right"]
