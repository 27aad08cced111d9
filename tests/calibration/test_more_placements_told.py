"""A stiff plate needs more placements: the person is told how many and how long, once, and may do without."""

from __future__ import annotations

import pytest
from calibration_board import GAINS, physics_of, run, site_of, tidy

from calibration.findings import Reason
from calibration.prompts import Prompt, Step
from calibration.session import CalibrationSession, RunOptions
from edge.cli.calibrate_screen import calibration_words, plain_line


def _prompts(quick: bool) -> tuple[CalibrationSession, list[Prompt]]:
    site = site_of()
    physics = physics_of(site, list(GAINS.values()), flexibility=0.0)
    session = CalibrationSession(site, 2000.0, options=RunOptions(more_for_places=not quick))
    prompts = run(session, physics, tidy())
    assert session.outcome is not None
    assert session.outcome.accepted, [str(finding) for finding in session.outcome.findings]
    return session, prompts


def test_how_many_more_and_how_long_is_said_where_they_begin() -> None:
    session, prompts = _prompts(quick=False)
    told = [prompt for prompt in prompts if prompt.remark]
    first = told[0]
    more = first.of - 5
    assert (first.step, first.number) == (Step.PUT, 6)
    assert first.remark.startswith(f"this plate is stiff: {more} more placements, about ")
    assert first.remark.endswith(" min")
    assert first.mistake == ""
    assert first.remark in plain_line(first)
    assert calibration_words(first, None).remark == first.remark
    assert calibration_words(first, None).mistake == ""
    assert session.outcome is not None
    assert not any("once more" in finding.remedy for finding in session.outcome.findings)


def test_who_is_content_with_less_is_done_after_the_first_ones_and_told_what_places_are_worth() -> None:
    session, prompts = _prompts(quick=True)
    assert max(prompt.of for prompt in prompts) == 5
    assert session.outcome is not None
    assert Reason.PLACE_UNSURE in [finding.reason for finding in session.outcome.findings]
    fit = session.outcome.fit
    assert fit is not None
    for cell in fit.cells:
        assert cell.counts_per_gram == pytest.approx(GAINS[cell.name], rel=0.02)
