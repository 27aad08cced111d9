"""Whether a fitted run is trustworthy, and if not, why: thresholds with their physics, findings in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.accuracy import place_accuracy
from calibration.findings import Finding, Reason
from calibration.fit import BoardFit, PlaceFit
from calibration.more_places import ENOUGH_MM, places_sd_mm
from calibration.placements import NV_PER_COUNT

Floats = npt.NDArray[np.float64]

CORNERS_SHARE = 0.05  # facts/loadcell.md 6: beyond 5 % apart it is mechanics
UNEVEN_SHARE = 0.005
OTHER_WEIGHT_SHARE = 0.15  # mechanics hardly ever takes that much off one place alone: another weight lay there
CLEAR_SIGMAS = 6.0
WRONG_PLACE_MM = 60.0
LABEL_SHARE = 0.15
POUND_KG = 0.45359237
RETURN_SHARE = 0.005
DRIFT_SHARE_PER_MIN = 0.003
LOAD_SD_SHARE = 0.0025
NOISE_G = 2.5
NOISE_OVER_DATASHEET = 8.0
HIDES_OVER_DATASHEET = 20.0
DEAD_SHARE = 0.02
ELSEWHERE_MM = 40.0
BINDS = "the board binds: free it all around, look for a neighbour, a screw or a label that touches"


@dataclass(frozen=True, slots=True)
class Empties:
    """The empty board, each time it rested during a run.

    Attributes:
        time_s: float64[n]. counts, drift: float64[n, channels], counts, and counts per second within each rest.
    """

    time_s: Floats
    counts: Floats
    drift: Floats


def datasheet_noise_counts(rate_hz: float) -> float:
    """What an HX711 may do by itself: 50 nV rms at 10 SPS and 90 nV at 80 (facts/loadcell.md 1), ``rate ** 0.283``."""
    return float(50.0 / NV_PER_COUNT * max(rate_hz / 10.0, 1.0) ** 0.283)


def judge(fit: BoardFit, empties: Empties) -> list[Finding]:
    """Everything there is to say about a run, the gravest first; a run without a refusing one can be used."""
    found = [
        *dead_channels([place.placement.change for place in fit.places]),
        *_noise(fit),
        *_drift_or_return(fit, empties),
        *_places(fit),
        *_weights(fit),
        *_label(fit),
    ]
    return found or _told(fit)  # what else a refused run seems to say isn't worth telling


def suspect(fit: BoardFit) -> PlaceFit | None:
    """The placement that most likely went wrong: it lies far from its place, or the others would weigh it otherwise."""
    odd = [place for place in fit.places if is_odd(place)]
    return max(odd, key=lambda place: place.blame) if odd else None


def apart_share(fit: BoardFit) -> tuple[float, str]:
    """How far apart the places are: what the others say of the most suspicious one, as a share; and its name."""
    worst = suspect(fit)
    if worst is None:
        sure = [p for p in fit.places if abs(p.alone_share) > CLEAR_SIGMAS * p.doubt_share]
        worst = max(sure, key=lambda place: place.blame, default=None)
    return (worst.alone_share, worst.placement.place) if worst is not None else (0.0, "")


def is_odd(place: PlaceFit) -> bool:
    """It lies far from its place, or the others would weigh it otherwise."""
    return is_uneven(place) or _off_mm(place) > WRONG_PLACE_MM


def is_uneven(place: PlaceFit) -> bool:
    """The others would weigh it otherwise: a place that is merely wrong leaves the sums right."""
    return abs(place.alone_share) > max(2 * UNEVEN_SHARE, CLEAR_SIGMAS * place.doubt_share)


def _is_uneven_there(fit: BoardFit, name: str) -> bool:
    return any(is_uneven(place) for place in fit.places if place.placement.place == name)


def _off_mm(place: PlaceFit) -> float:
    return 0.0 if np.isnan(place.off_alone_mm) else place.off_alone_mm


def dead_channels(answers: Sequence[Floats]) -> list[Finding]:
    """Channels that never answered: float64[channels] of counts for each time that something lay on the board."""
    if len(answers) < 2:
        return []
    most = np.abs(np.array(answers)).max(axis=0)
    found = []
    for k in np.flatnonzero(most < DEAD_SHARE * most.max()):
        evidence = f"it moved by {most[k]:.0f} counts at most, wherever the weight lay; the others by {most.max():.0f}"
        remedy = "check that the board rests on this cell, and its plug; a broken gauge needs a new cell"
        found.append(Finding(Reason.DEAD_CELL, f"channel {k}", evidence, remedy))
    return found


def board_not_empty(left_g: float) -> Finding:
    """Something stays on the board when the weight is off; less than nothing: it binds, the empty board did rest."""
    if left_g < 0:
        evidence = f"after the weight was taken off, the board stands {-left_g:.0f} g lower than before"
        return Finding(Reason.NO_RETURN, "", evidence, f"{BINDS}, and repeat")
    evidence = f"after the weight was taken off, about {left_g:.0f} g lay on the board still"
    return Finding(Reason.NOT_EMPTY, "", evidence, f"clear the board and begin again; if nothing lies there, {BINDS}")


def noise_in_counts(channel: int, sample_counts: float, rate_hz: float) -> Finding | None:
    """Judge a channel's noise while nobody knows its gain: only far more than any chip makes is too much."""
    allowed = datasheet_noise_counts(rate_hz)
    if sample_counts < HIDES_OVER_DATASHEET * allowed:
        return None
    evidence = f"{sample_counts * NV_PER_COUNT:.0f} nV per sample; its chip may do {allowed * NV_PER_COUNT:.0f} nV"
    return Finding(Reason.NOISY, f"channel {channel}", evidence, "tie E- to ground, twist and shorten the cable")


def _noise(fit: BoardFit) -> list[Finding]:
    found = []
    allowed = datasheet_noise_counts(fit.site.rate_hz)
    for cell in fit.cells:
        if cell.noise_g > NOISE_G and cell.noise_counts > NOISE_OVER_DATASHEET * allowed:
            evidence = (
                f"{cell.noise_g:.1f} g rms ({cell.noise_nv:.0f} nV) per sample with nothing on the board; its chip may "
                f"do {allowed * NV_PER_COUNT:.0f} nV"
            )
            remedy = "tie E- to ground at the board, twist and shorten the cable, and try again with nobody near it"
            found.append(Finding(Reason.NOISY, cell.name, evidence, remedy))
    if not found and fit.load_relative_sd / fit.misfit > LOAD_SD_SHARE:
        weight = max(p.placement.weight_g for p in fit.places)
        evidence = f"with {weight:g} g the board is known to {100 * fit.load_relative_sd / fit.misfit:.2f} % only"
        found.append(Finding(Reason.NOISY, "", evidence, "take a heavier weight, or keep the rack still meanwhile"))
    return found


def _drift_or_return(fit: BoardFit, empties: Empties) -> list[Finding]:
    """Does the empty board wander with time, or stay off after a load? One straight line in time is drift."""
    weight = max(place.placement.weight_g for place in fit.places)
    grams = empties.counts @ fit.grams_per_count
    since = empties.time_s - empties.time_s.mean()
    spread = float(since @ since)
    if grams.size >= 3 and spread > 0:
        rate = float(since @ grams) / spread
        left = grams - grams.mean() - rate * since
        explained = 1.0 - float(left @ left) / max(float(((grams - grams.mean()) ** 2).sum()), 1e-12)
        within = float(
            np.nanmedian(empties.drift @ fit.grams_per_count)
        )  # a load that leaves something does it between
        same = abs(within) > 0.3 * abs(rate) and within * rate > 0
        if abs(rate) * 60.0 > DRIFT_SHARE_PER_MIN * weight and explained > 0.8 and same:
            evidence = f"the empty board drifts by {rate * 60:+.1f} g a minute"
            return [
                Finding(Reason.DRIFTING, "", evidence, "leave it switched on for a quarter of an hour, then repeat")
            ]
    if abs(fit.zero_return_g) > max(RETURN_SHARE * weight, 6.0 * fit.load_relative_sd / fit.misfit * weight):
        share = 100 * abs(fit.zero_return_g) / weight
        evidence = f"after the weight was taken off, {fit.zero_return_g:+.1f} g stayed ({share:.1f} % of it)"
        return [Finding(Reason.NO_RETURN, "", evidence, f"{BINDS}, and repeat")]
    return []


def _places(fit: BoardFit) -> list[Finding]:
    worst = suspect(fit)
    if worst is None or is_uneven(worst):
        return []
    evidence = f"the weight lay about {_off_mm(worst):.0f} mm from where it should"
    return [Finding(Reason.WRONG_PLACE, worst.placement.place, evidence, "put it where the picture shows, and repeat")]


def _weights(fit: BoardFit) -> list[Finding]:
    share, place = apart_share(fit)
    if abs(share) > OTHER_WEIGHT_SHARE:
        evidence = f"there the weight was {100 * (1 + share):.0f} % of what it was at the other places"
        remedy = "use the same weight at every place; if it was the same, the board binds there"
        return [Finding(Reason.WRONG_WEIGHT, place, evidence, remedy)]
    contradicts = place and _is_uneven_there(fit, place) and any(_off_mm(p) > WRONG_PLACE_MM for p in fit.places)
    if abs(share) > CORNERS_SHARE or contradicts:
        evidence = f"the same weight weighs {100 * share:+.1f} % there against the other places, with the best gains"
        if contradicts:
            evidence += f", and those put weights {max(_off_mm(p) for p in fit.places):.0f} mm from where they were"
        remedy = (
            "this is mechanics, which no software mends: free the board all around, level the cells and tighten them, "
            "and repeat"
        )
        return [Finding(Reason.CORNERS_APART, place, evidence, remedy)]
    return []


def _label(fit: BoardFit) -> list[Finding]:
    off = [cell for cell in fit.cells if cell.off_label is not None]
    beyond = [c for c in off if abs(c.off_label or 0.0) > LABEL_SHARE + 2.0 * c.gain_relative_sd]
    shares = np.array([1.0 + (cell.off_label or 0.0) for cell in off])
    if len(off) > 1 and len(beyond) == len(off) and float(np.ptp(shares)) < 2.2 * LABEL_SHARE * float(shares.mean()):
        output = float(np.mean([cell.mv_per_v or 0.0 for cell in off]))
        share = 100 * float(shares.mean())
        evidence = f"each cell gives about {output:.3f} mV/V at its capacity, all alike {share:.0f} % of the label"
        remedy = "is the weight what you said, and are the cells what the node file says?"
        for said, ratio in ("pounds taken for kilograms", POUND_KG), ("kilograms taken for pounds", 1.0 / POUND_KG):
            if abs(float(shares.mean()) / ratio - 1.0) < LABEL_SHARE:
                remedy = f"{said}, perhaps: {remedy}"
        return [Finding(Reason.OFF_LABEL, "", evidence, remedy)]
    found = []
    for cell in beyond:
        label = fit.site.cells[fit.cells.index(cell)].rated_mv_per_v
        off_label = f"{100 * (cell.off_label or 0):+.0f} % off its label ({label:g} mV/V)"
        evidence = f"{cell.mv_per_v:.3f} mV/V at its capacity, {off_label}"
        remedy = "compare the label with the node file's capacity; if they agree, the cell or its mounting is bad"
        found.append(Finding(Reason.OFF_LABEL, cell.name, evidence, remedy))
    return found


def _told(fit: BoardFit) -> list[Finding]:
    found = []
    if fit.wiring_differs:
        pairs = ", ".join(f"channel {k} carries {fit.cells[c].name}" for k, c in enumerate(fit.cell_of) if k != c)
        remedy = "the calibration allows for it; was the weight at the corners that the picture showed?"
        found.append(Finding(Reason.WIRING_DIFFERS, "", f"the wiring isn't the node file's: {pairs}", remedy))
    if fit.wiring_doubtful:
        cells = " and ".join(fit.cells[c].name for c in fit.wiring_doubtful)
        evidence = f"this run can't tell the channels of {cells} apart: another wiring fits nearly as well"
        remedy = "press on each of them and watch which bar moves (shelfedge monitor)"
        found.append(Finding(Reason.WIRING_UNSURE, cells, evidence, remedy))
    for cell in fit.cells:
        if cell.reversed:
            evidence = "its counts fall under load"
            found.append(Finding(Reason.REVERSED_CELL, cell.name, evidence, "the calibration allows for it"))
        off = np.hypot(cell.x_mm - fit.site.cells[fit.cells.index(cell)].x_mm,
                       cell.y_mm - fit.site.cells[fit.cells.index(cell)].y_mm)  # fmt: skip
        if off > max(ELSEWHERE_MM, 3 * cell.site_sd_mm):
            evidence = f"it seems to carry the board {off:.0f} mm from where the node file has it"
            found.append(Finding(Reason.CELL_ELSEWHERE, cell.name, evidence, "measure where it stands"))
    share, place = apart_share(fit)
    if UNEVEN_SHARE < abs(share) <= CORNERS_SHARE:
        evidence = f"the weight weighs {100 * share:+.1f} % there against the other places"
        found.append(Finding(Reason.UNEVEN, place, evidence, "see that the board moves freely there"))
    weight = max(p.placement.weight_g for p in fit.places)
    worst = max(place_accuracy(fit, weight), key=lambda each: each.gains_mm, default=None)
    if worst is not None and places_sd_mm(fit) > 1.05 * ENOUGH_MM:
        evidence = (
            f"the plate is stiff: places are known to {worst.gains_mm:.1f} mm (standard deviation, {worst.place})"
        )
        remedy = "slots of some cm are told apart all the same; it gets better with the weight put down by a ruler"
        found.append(Finding(Reason.PLACE_UNSURE, "", evidence, remedy))
    found += [Finding(Reason.UNTOLD, "", sentence, "") for sentence in fit.untold]
    return found
