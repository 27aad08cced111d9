"""What a run comes to: the fit with everything that was found, what to look at again, and the record to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.accuracy import PlaceAccuracy, place_accuracy, smallest_weight_g
from calibration.findings import Finding, Reason
from calibration.fit import BoardFit, BoardNoise, PlaceFit, fit_board
from calibration.more_places import places_to_weigh
from calibration.placements import BoardSite, Placement
from calibration.plan import GuidedPlace, PlanStep
from calibration.record import BoardCalibration, CalibrationRun, CellCalibration, PlaceResidual
from calibration.verdict import Empties, is_odd, is_uneven, judge, suspect

Floats = npt.NDArray[np.float64]

ALIKE_SHARE = 0.1  # a placement that was repeated and came out so alike was no mistake: both are kept
AS_LIKELY_CHI2 = 30.0  # two placements that leave the others so equally well may both be the one that went wrong


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run.

    Attributes:
        fit: None where there was nothing to fit.
        findings: refusing ones and those that are only told.
    """

    fit: BoardFit | None
    findings: tuple[Finding, ...]

    @property
    def refusals(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.refuses]

    @property
    def accepted(self) -> bool:
        """There is a calibration, and nothing speaks against it."""
        return self.fit is not None and not self.refusals

    @property
    def smallest_weight_g(self) -> float:
        """Four sigma over half a second; nan without a fit."""
        return smallest_weight_g(self.fit) if self.fit is not None else math.nan

    def places(self, weight_g: float) -> list[PlaceAccuracy]:
        """How well a weight is placed at the run's places; empty without a fit."""
        return place_accuracy(self.fit, weight_g) if self.fit is not None else []


@dataclass(frozen=True, slots=True)
class Review:
    """A run that could end here, looked at.

    Attributes:
        place_sd_mm: how far from its places the weight was taken to lie, along each axis.
    """

    fit: BoardFit
    findings: list[Finding]
    placements: list[Placement]
    place_sd_mm: float

    @property
    def is_suspicious(self) -> bool:
        """A placement doesn't agree with the others."""
        return suspect(self.fit) is not None

    def again(self, repeated: Sequence[str], most: int) -> list[PlanStep]:
        """The placement to ask for again, if one looks wrong and wasn't asked for again before."""
        worst = suspect(self.fit)
        if worst is None or len(repeated) >= most:
            return []
        doubtful = sorted(self.fit.places, key=lambda place: -place.blame)
        for place in [worst, *doubtful]:
            as_likely = place.left_chi2 < 4.0 * worst.left_chi2 + AS_LIKELY_CHI2
            if place.placement.place not in repeated and place.blame > 0.25 * worst.blame and as_likely:
                return [_once_more(place.placement)]
        return []

    def extra(self, most: int, for_places: bool = True) -> list[PlanStep]:
        """Up to ``most`` placements more, where it isn't clear yet which channel carries which cell, or how well the
        board tells places (that with ``for_places`` alone); none while something is wrong anyway."""
        if self.is_suspicious or any(finding.refuses for finding in self.findings):
            return []
        doubtful = [self._nearest(cell) for cell in self.fit.wiring_doubtful]
        chosen = doubtful or (places_to_weigh(self.fit, most, self.place_sd_mm) if for_places else [])
        return [_once_more(place.placement) for place in chosen[: max(most, 0)]]

    def _nearest(self, cell: int) -> PlaceFit:
        """The placement nearest to a cell."""
        site = self.fit.site.cells[cell]
        return min(
            self.fit.places,
            key=lambda place: math.dist((place.placement.x_mm, place.placement.y_mm), (site.x_mm, site.y_mm)),
        )


def _once_more(placement: Placement) -> PlanStep:
    place = GuidedPlace(placement.place, placement.x_mm, placement.y_mm)
    return PlanStep(place, placement.weight_g, again=True)


def review(
    site: BoardSite,
    placements: Sequence[Placement],
    empties: Sequence[tuple[float, Floats, Floats]],
    window_cov: Floats,
    sample_noise: Floats,
    window_s: float,
    tolerance_share: float,
    place_sd_mm: float,
) -> Review:
    """Fit what there is and judge it, without placements that went wrong and were made good by others.

    Args:
        empties: for each rest of the empty board its time in s, float64[channels] of counts, and the same of counts per
            second.
    """
    counts = np.array([each for _, each, _ in empties])
    zero = counts[-1]
    strayed = counts.std(axis=0, ddof=1) if len(counts) > 2 else np.zeros_like(zero)
    noise = BoardNoise(zero, np.hypot(strayed, np.sqrt(np.diag(window_cov))), sample_noise, window_cov, window_s)
    kept = list(placements)
    fit = fit_board(site, kept, noise, tolerance_share, place_sd_mm)
    while (mistake := _outvoted(fit)) is not None:
        kept = [each for each in kept if each is not mistake]
        fit = fit_board(site, kept, noise, tolerance_share, place_sd_mm)
    at, drift = np.array([time for time, _, _ in empties]), np.array([each for _, _, each in empties])
    return Review(fit, judge(fit, Empties(at, counts, drift)), kept, place_sd_mm)


def newest_believed(placements: Sequence[Placement]) -> list[Placement]:
    """The last placement was asked for since its place looked wrong: without those there that disagree with it."""
    newest = placements[-1]
    most = ALIKE_SHARE * float(np.abs(newest.change).sum())
    return [
        each
        for each in placements
        if (each.place, each.weight_g, each.leg) != (newest.place, newest.weight_g, newest.leg)
        or float(np.abs(newest.change - each.change).sum()) <= most
    ]


def _outvoted(fit: BoardFit) -> Placement | None:
    """A placement that went wrong, where others at its place didn't: a newer one, or two that agree with the rest.

    A weight that weighs otherwise there must have been put right since; one that merely lay elsewhere is outvoted.
    """
    odd = [each for each in fit.places if is_odd(each)]
    for worst in sorted(odd, key=lambda place: -place.blame):
        own = worst.placement
        good = [
            each.placement
            for each in fit.places
            if not is_odd(each)
            and (each.placement.place, each.placement.weight_g, each.placement.leg)
            == (own.place, own.weight_g, own.leg)
        ]
        if any(other.begin_ns > own.begin_ns for other in good) or (len(good) > 1 and not is_uneven(worst)):
            return own
    return None


def record_of(
    outcome: Outcome,
    when: str,
    who: str = "",
    weights: Sequence[str] = (),
    firmware: str = "",
    temperature_c: float | None = None,
    procedure: str = "shelfedge calibrate",
) -> BoardCalibration:
    """The record to keep. Raises ValueError for an outcome that was refused.

    Its cells are the channels by the node file's names; where the wiring differs, `CellCalibration.carries` says so.

    A cell's ``gain_relative_sd`` in it is what makes the sum's doubt come out right with independent cells; a stiff
    plate's cells err together, and each by itself is less sure than that (`CellFit.gain_relative_sd`).
    """
    fit = outcome.fit
    if fit is None or not outcome.accepted:
        raise ValueError("this run was refused: there is nothing to keep of it")
    together = fit.load_relative_sd * math.sqrt(len(fit.cells))
    cells = {}
    for own, index in zip(fit.site.cells, fit.cell_of, strict=True):
        cell = fit.cells[index]
        cells[own.name] = CellCalibration(
            zero_counts=round(cell.zero_counts, 2),
            counts_per_gram=cell.counts_per_gram,
            zero_sd_counts=round(cell.zero_sd_counts, 2),
            gain_relative_sd=min(cell.gain_relative_sd, together),
            carries=cell.name if cell.name != own.name else None,
        )
    weight_g = max(place.placement.weight_g for place in fit.places)
    run = CalibrationRun(
        when=when,
        who=who,
        weights=tuple(weights),
        firmware=firmware,
        temperature_c=temperature_c,
        procedure=procedure,
        places=tuple(
            PlaceResidual(
                place=each.placement.place,
                x_mm=each.placement.x_mm,
                y_mm=each.placement.y_mm,
                weight_g=each.placement.weight_g,
                residual_g=each.residual_g,
                off_x_mm=_known(each.off_x_mm),
                off_y_mm=_known(each.off_y_mm),
            )
            for each in fit.places
        ),
        hysteresis_g=fit.hysteresis_g,
        repeatability_g=fit.repeatability_g,
        zero_return_g=fit.zero_return_g,
        smallest_weight_g=outcome.smallest_weight_g,
        place_sd_mm=max((each.mm for each in outcome.places(weight_g)), default=None),
        noise_nv={cell.name: cell.noise_nv for cell in fit.cells},
        cautions=tuple(str(finding) for finding in outcome.findings if finding.reason is not Reason.UNTOLD),
    )
    return BoardCalibration(
        version=2,
        board=fit.site.board,
        made=f"{when} {procedure}".strip(),
        gain_common_relative_sd=fit.common_relative_sd,
        cells=cells,
        run=run,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
