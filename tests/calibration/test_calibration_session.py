"""The guided run, on the simulator's physics: what it measures, what it forgives, what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibration_board import CORNERS, GAINS, Script, driver_for, physics_of, run, site_of, tidy, with_gain

from calibration.drawing import draw_board
from calibration.findings import Reason
from calibration.outcome import record_of
from calibration.placements import CalibrationInputError
from calibration.prompts import Progress, Prompt, Step
from calibration.record import calibration_from_json, calibration_to_json
from calibration.session import CalibrationSession, RunOptions
from drivers.samples import SampleBlock

PATIENCE = RunOptions(warm_up_limit_s=40.0, step_limit_s=40.0)


def _reasons(session: CalibrationSession) -> list[Reason]:
    assert session.outcome is not None
    return [finding.reason for finding in session.outcome.refusals]


def test_five_placements_give_gains_signs_and_wiring_that_nobody_knew() -> None:
    site = site_of()
    wiring = (2, 0, 3, 1)
    physics = physics_of(site, [GAINS[site.cells[c].name] for c in wiring], wiring)
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    prompts = run(session, physics, tidy())
    assert session.outcome is not None
    assert session.outcome.accepted, [str(f) for f in session.outcome.findings]
    fit = session.outcome.fit
    assert fit is not None
    assert fit.cell_of == wiring
    assert {cell.name: np.sign(cell.counts_per_gram) for cell in fit.cells} == {n: np.sign(g) for n, g in GAINS.items()}
    for cell in fit.cells:
        assert cell.counts_per_gram == pytest.approx(GAINS[cell.name], rel=0.003)
    told = {finding.reason for finding in session.outcome.findings}
    assert {Reason.WIRING_DIFFERS, Reason.REVERSED_CELL} <= told
    assert [p.place for p in prompts if p.step is Step.PUT] == [
        "middle", "front left", "front right", "back right", "back left"
    ]  # fmt: skip


def test_the_offsets_at_which_the_weights_lay_are_found() -> None:
    site = site_of()
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    run(session, physics_of(site, list(GAINS.values())), tidy(off_mm=14.0))
    assert session.outcome is not None
    assert session.outcome.fit is not None
    for place in session.outcome.fit.places:
        assert np.hypot(place.off_x_mm, place.off_y_mm) == pytest.approx(14.0, abs=2.5)


def test_the_result_does_not_depend_on_how_the_stream_is_cut() -> None:
    site = site_of()
    physics = physics_of(site, list(GAINS.values()))
    gains = []
    for block_s in (0.25, 0.05):
        script = Script()
        places = [(450, 200), (81, 56), (819, 56), (819, 344), (81, 344)]
        for k, (x, y) in enumerate(places):
            script.put(x, y, 2000.0, 12.0 + 16.0 * k)
            script.put(x, y, -2000.0, 20.0 + 16.0 * k)
        session = CalibrationSession(site, 2000.0, options=PATIENCE)
        run(session, physics, lambda prompt, now_s, script: None, script, block_s=block_s)
        assert session.outcome is not None
        assert session.outcome.fit is not None
        gains.append(session.outcome.fit.grams_per_count)
    np.testing.assert_array_equal(gains[0], gains[1])


def test_the_record_keeps_the_run_and_comes_back_from_json() -> None:
    site = site_of()
    wiring = (1, 0, 2, 3)
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    run(session, physics_of(site, [GAINS[site.cells[c].name] for c in wiring], wiring), tidy())
    assert session.outcome is not None
    record = record_of(session.outcome, "2026-11-21T18:00:00+00:00", who="Kim", weights=["2 kg M1"])
    assert [cell.carries for cell in record.cells.values()] == ["fr", "fl", None, None]
    assert record.cells["fl"].counts_per_gram == pytest.approx(GAINS["fr"], rel=0.003)
    assert record.run is not None
    assert len(record.run.places) == 5
    assert calibration_from_json(calibration_to_json({"shelf-1": record}), "x") == {"shelf-1": record}


def test_loads_up_and_down_tell_hysteresis() -> None:
    site = site_of()

    def climbs(prompt: Prompt, now_s: float, script: Script) -> None:
        if prompt.step is Step.DONE or prompt.mistake:
            return
        wanted = prompt.weight_g if prompt.step is Step.PUT else 0.0
        place = (prompt.x_mm or 450.0, prompt.y_mm or 200.0) if wanted else on[0][:2]
        script.put(place[0], place[1], wanted - on[0][2], now_s + 3.0)
        on[0] = (*place, wanted)

    on: list[tuple[float, float, float]] = [(450.0, 200.0, 0.0)]
    session = CalibrationSession(site, 1000.0, more_loads_g=(1000.0, 2000.0, 4000.0), options=PATIENCE)
    run(session, physics_of(site, list(GAINS.values())), climbs)
    assert session.outcome is not None
    assert session.outcome.accepted, [str(f) for f in session.outcome.findings]
    assert session.outcome.fit is not None
    assert session.outcome.fit.hysteresis_g is not None
    assert abs(session.outcome.fit.hysteresis_g) < 4.0


def test_a_weight_lifted_too_early_is_asked_for_again() -> None:
    site = site_of()
    person = tidy()
    seen = []

    def hasty(prompt: Prompt, now_s: float, script: Script) -> None:
        if prompt.place == "front right" and not seen:
            seen.append(prompt)
            script.put(819, 56, 2000.0, now_s + 3.0)
            script.put(819, 56, -2000.0, now_s + 4.2)
            return
        person(prompt, now_s, script)

    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    prompts = run(session, physics_of(site, list(GAINS.values())), hasty)
    assert session.outcome is not None
    assert session.outcome.accepted
    assert any("lifted" in prompt.mistake for prompt in prompts)


def test_bumps_and_a_hand_on_the_board_are_not_placements() -> None:
    site = site_of()
    person = tidy()

    def bumps(prompt: Prompt, now_s: float, script: Script) -> None:
        if prompt.step is Step.PUT:
            script.lean(300.0, 50.0, 1500.0, now_s + 2.2, 0.4)
        person(prompt, now_s + (1.5 if prompt.step is Step.PUT else 0.0), script)

    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    run(session, physics_of(site, list(GAINS.values())), bumps)
    assert session.outcome is not None
    assert session.outcome.accepted
    assert session.outcome.fit is not None
    assert len(session.outcome.fit.places) == 5


def test_a_weight_at_the_wrong_corner_is_told_at_once_or_asked_for_again() -> None:
    site = site_of()
    person = tidy()
    wrong = []

    def mixes_up(prompt: Prompt, now_s: float, script: Script) -> None:
        if prompt.place == "back right" and not wrong:
            wrong.append(prompt)
            prompt = replace(prompt, x_mm=450.0, y_mm=328.0)
        person(prompt, now_s, script)

    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    prompts = run(session, physics_of(site, list(GAINS.values())), mixes_up)
    assert session.outcome is not None
    assert session.outcome.accepted, [str(f) for f in session.outcome.findings]
    assert [p.place for p in prompts if p.step is Step.PUT and p.mistake] == ["back right"]


def test_a_weight_that_is_half_the_other_is_told() -> None:
    site = site_of()
    person = tidy(grams=lambda prompt: 800.0 if prompt.place == "front left" else 2000.0)
    session = CalibrationSession(site, 2000.0, options=replace(PATIENCE, most_mistakes=1))
    run(session, physics_of(site, list(GAINS.values())), person)
    assert _reasons(session) == [Reason.WRONG_WEIGHT]


def test_a_corner_that_binds_is_mechanics() -> None:
    site = site_of()
    person = tidy()

    def binds(prompt: Prompt, now_s: float, script: Script) -> None:
        near = prompt.place == "front left" and prompt.step is Step.PUT
        if near:
            script.put(0.0, 0.0, -200.0, now_s + 3.1)
            bound.append(1)
        elif bound and prompt.step is Step.TAKE_OFF:
            bound.pop()
            script.put(0.0, 0.0, 200.0, now_s + 3.1)
        person(prompt, now_s, script)

    bound: list[int] = []
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    run(session, physics_of(site, list(GAINS.values())), binds)
    assert _reasons(session) == [Reason.CORNERS_APART]


def test_a_board_that_does_not_return_to_zero_is_refused() -> None:
    site = site_of()
    person = tidy()

    def sticks(prompt: Prompt, now_s: float, script: Script) -> None:
        person(prompt, now_s, script)
        if prompt.step is Step.TAKE_OFF:
            stays.append(-1 if stays and stays[-1] > 0 else 1)
            script.put(450.0, 200.0, 35.0 * stays[-1], now_s + 3.2)

    stays: list[int] = []
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    run(session, physics_of(site, list(GAINS.values())), sticks)
    assert Reason.NO_RETURN in _reasons(session)


@pytest.mark.parametrize(
    ("reason", "field", "value"),
    [
        (Reason.SATURATED, "zero_counts", 9.5e6),
        (Reason.STUCK_CELL, "sticks_at_s", 5.0),
        (Reason.SILENT_CELL, "dies_at_s", 5.0),
        (Reason.DEAD_CELL, "counts_per_gram", 0.3),
        (Reason.NOISY, "noise_counts", 5000.0),
        (Reason.DRIFTING, "warm_up_counts", 40_000.0),
    ],
)
def test_a_cell_that_is_not_well_is_named(reason: Reason, field: str, value: float) -> None:
    site = site_of()
    physics = physics_of(
        site, list(GAINS.values()), change=lambda k, cell: replace(cell, **{field: value}) if k == 2 else cell
    )
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    run(session, physics, tidy())
    assert reason in _reasons(session)
    assert session.outcome is not None
    assert session.outcome.refusals[0].remedy


def test_a_sensitivity_off_the_label_is_refused_and_one_within_is_not() -> None:
    gain = 214.7
    for factor, refused in ((1.3, True), (1.12, False)):
        site = site_of(rated=1.0)
        session = CalibrationSession(site, 2000.0, options=PATIENCE)
        run(session, physics_of(site, [gain] * 4, change=with_gain(1, factor)), tidy())
        assert session.outcome is not None
        assert (Reason.OFF_LABEL in _reasons(session)) == refused


def test_a_weight_that_never_comes_and_one_that_comes_down_elsewhere() -> None:
    site = site_of()
    physics = physics_of(site, list(GAINS.values()))
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    run(session, physics, lambda prompt, now_s, script: None)
    assert _reasons(session) == [Reason.NOT_MOVED]

    other = Script(board="shelf-2")
    for k in range(4):
        other.put(450.0, 200.0, 2000.0 * (-1) ** k, 14.0 + 8.0 * k)
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    run(session, physics, lambda prompt, now_s, script: None, others=[driver_for(physics, other, "shelf-2", seed=9)])
    assert _reasons(session) == [Reason.SWAPPED_BOARDS]


def test_no_samples_and_being_stopped_end_the_run_with_a_reason() -> None:
    session = CalibrationSession(site_of(), 2000.0)
    for second in range(8):
        session.push([SampleBlock.empty("shelf-1")], second * 1_000_000_000)
    assert _reasons(session) == [Reason.SILENT_CELL]

    session = CalibrationSession(site_of(), 2000.0)
    assert not session.stop().accepted
    assert _reasons(session) == [Reason.STOPPED]
    with pytest.raises(ValueError, match="refused"):
        record_of(session.stop(), "now")


@pytest.mark.parametrize("grams", [0.0, -2.0, float("nan"), float("inf"), 1e9])
def test_an_impossible_weight_is_an_error_before_anything_moves(grams: float) -> None:
    with pytest.raises(CalibrationInputError, match="reference weight"):
        CalibrationSession(site_of(), grams)


@pytest.mark.parametrize(
    "places",
    [
        {"only": (450.0, 200.0)},
        {"l": (40.0, 200.0), "r": (860.0, 200.0)},
        {"f": (450.0, 40.0), "bl": (40.0, 360.0), "br": (860.0, 360.0)},
        CORNERS,
    ],
    ids=lambda places: f"{len(places)} cells",
)
def test_boards_of_few_cells_are_calibrated_and_what_they_cannot_tell_is_said(
    places: dict[str, tuple[float, float]],
) -> None:
    site = site_of(places)
    gains = [210.0, -230.0, 190.0, 205.0][: len(places)]
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    run(session, physics_of(site, gains), tidy())
    assert session.outcome is not None
    assert session.outcome.accepted, [str(f) for f in session.outcome.findings]
    assert session.outcome.fit is not None
    np.testing.assert_allclose([c.counts_per_gram for c in session.outcome.fit.cells], gains, rtol=0.004)
    told = " ".join(session.outcome.fit.untold)
    assert ("not where it lies" in told) == (len(places) == 1)
    assert ("one line" in told) == (len(places) == 2)


def test_a_live_display_knows_what_lies_there_after_the_first_placement() -> None:
    site = site_of()
    session = CalibrationSession(site, 2000.0, options=PATIENCE)
    script = Script()
    script.put(450.0, 200.0, 2000.0, 10.0)
    driver = driver_for(physics_of(site, list(GAINS.values())), script)
    last = [session.push([driver.read(round(t * 1e9))], round(t * 1e9))[-1] for t in np.arange(0.25, 18.0, 0.25)]
    assert isinstance(last[-1], Progress)
    assert last[-1].live_g == pytest.approx(2000.0, rel=0.02)
    assert last[-1].step is Step.TAKE_OFF


def test_the_picture_shows_the_place_and_stays_narrow() -> None:
    prompt = Prompt(Step.PUT, "", "front left", 122.0, 72.0)
    picture = draw_board(site_of(), prompt)
    lines = picture.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 20
    row = next(k for k, line in enumerate(lines) if "[X]" in line)
    assert row > len(lines) / 2
    assert lines[row].index("[X]") < 20
