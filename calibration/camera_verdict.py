"""What came of a camera's calibration: each mark's error, how well places are known, what is wrong, and who says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.camera_area import Area, board_area, floor_area
from calibration.camera_fit import LEAST_REDUNDANCY, CameraFit, Mark, fit_camera, seen_pose, without
from calibration.findings import Finding, Reason
from calibration.plane_map import PlaneMap
from calibration.record import CalibrationError

ROUGH = 2.0
"""Marks that are placed so many times worse than was said are told; more than that, and they contradict each other."""
CHI2_999_OF_TWO = 13.8
NOTABLE_TURN_RAD = math.radians(20.0)
NOTABLE_PRINT = 0.02  # "fit to page" makes 3 % and more; blur alone makes tags seem 1 % smaller
NOTABLE_RADIAL = 0.03


@dataclass(frozen=True, slots=True)
class Want:
    """How well places have to be known, as standard deviations in mm.

    Attributes:
        good_mm: wanted over nine tenths of the area. least_mm: needed over half of it.
    """

    good_mm: float
    least_mm: float


FLOOR_WANT = Want(
    60.0, 150.0
)  # two people who stand apart are 600 mm apart; where one stands is known to 60 mm at best
BOARD_WANT = Want(8.0, 25.0)  # slots are some 60 mm wide and more


@dataclass(frozen=True, slots=True)
class Site:
    """The plane that is calibrated.

    Attributes:
        what: "floor", or the board's name. board_mm: its width and depth; None for the floor.
    """

    what: str
    board_mm: tuple[float, float] | None = None

    @property
    def want(self) -> Want:
        """How well its places have to be known."""
        return FLOOR_WANT if self.board_mm is None else BOARD_WANT

    def area(self, plane: PlaneMap) -> Area | None:
        """Where a map of it matters."""
        return floor_area(plane) if self.board_mm is None else board_area(plane, *self.board_mm)


@dataclass(frozen=True, slots=True)
class SeenMark:
    """A mark, and where the map has it: ``error_mm`` from where it is said to lie."""

    mark: Mark
    seen_mm: tuple[float, float]
    error_mm: float


@dataclass(frozen=True, slots=True)
class CameraOutcome:
    """What came of it. ``area``: None where the camera sees none of its plane."""

    site: Site
    fit: CameraFit
    marks: tuple[SeenMark, ...]
    area: Area | None
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """PASS, WARN or REFUSED."""
        if any(finding.refuses for finding in self.findings):
            return "REFUSED"
        return "WARN" if any(f.reason is not Reason.LENS_BENDS for f in self.findings) else "PASS"


def judge(marks: Sequence[Mark], size: tuple[int, int], site: Site) -> CameraOutcome:
    """Fit the marks and say what it is worth. Raises CalibrationError for marks that make no map at all."""
    fit = fit_camera(marks, size)
    area = site.area(fit.plane)
    findings = [*_mirrored(fit.plane), *_disagreement(fit, marks, size), *_knowledge(area, site, marks), *_remarks(fit)]
    return CameraOutcome(site, fit, seen_marks(fit.plane, marks), area, tuple(findings))


def seen_marks(plane: PlaneMap, marks: Sequence[Mark]) -> tuple[SeenMark, ...]:
    """Where a map has the marks."""
    seen = []
    for mark in marks:
        x, y = seen_pose(plane, mark)[0].tolist()
        seen.append(SeenMark(mark, (x, y), math.hypot(x - mark.at_mm[0], y - mark.at_mm[1])))
    return tuple(seen)


def check_map(plane: PlaneMap, marks: Sequence[Mark], site: Site) -> list[Finding]:
    """Whether a map that is in use still holds: each of these marks is where it is said to lie, as well as that and the
    map are known (or half as well as is wanted), and no farther off than places may be at all."""
    findings = []
    for mark in marks:
        place, covariance, turn = seen_pose(plane, mark)
        off = place - mark.at_mm
        far = float(np.hypot(*off))
        spread = covariance + np.eye(2) * mark.place_sd_mm**2
        likely = off @ np.linalg.solve(spread, off) <= CHI2_999_OF_TWO or far <= 0.5 * site.want.good_mm
        if not np.isfinite(off).all():
            evidence = f"its pixel doesn't show the {_plane_word(site)} by the record"
        elif likely and far <= 2.0 * site.want.good_mm and abs(turn) < NOTABLE_TURN_RAD:
            continue
        else:
            evidence = f"by the record it lies at {place[0]:.0f}, {place[1]:.0f} mm: {far:.0f} mm off"
        remedy = "if it was measured and seen right, the camera was moved: calibrate it again"
        findings.append(Finding(Reason.MAP_OFF, mark.name, evidence, remedy))
    return findings


def _mirrored(plane: PlaneMap) -> list[Finding]:
    """Of a camera that sees its plane from below, or of places whose x and y were taken for each other."""
    here = plane.to_pixels[:2, 2]
    slopes = plane.to_pixels[:2, :2] - np.outer(here, plane.to_pixels[2, :2])
    if np.linalg.det(slopes) < 0.0:  # x to the right and y away from the viewer; a picture's y goes down
        return []
    evidence = "seen from above, y lies 90° clockwise of x by these marks; it has to lie counter-clockwise"
    remedy = "x and y may have changed places, or one of them is counted the wrong way round"
    return [Finding(Reason.MARKS_MIRRORED, "", evidence, remedy)]


def _disagreement(fit: CameraFit, marks: Sequence[Mark], size: tuple[int, int]) -> list[Finding]:
    """Of marks with each other: which one is elsewhere, where that can be told."""
    if fit.redundancy < LEAST_REDUNDANCY or len(marks) == 1:
        words = "one sheet always fits" if len(marks) == 1 else f"{len(marks)} of them always fit"
        evidence = f"{words}: a wrong place wouldn't be noticed"
        return [Finding(Reason.MARKS_UNCHECKED, "", evidence, "add another one, somewhere else")]
    if fit.fits:
        return []
    culprits = []
    for k in range(len(marks)):
        try:
            others = fit_camera(without(marks, k), size)
        except CalibrationError:
            continue
        if others.fits and others.redundancy > LEAST_REDUNDANCY:
            culprits.append((others.chi2 / max(others.redundancy, 1.0), k, others))
    if len(culprits) == 1 or (len(culprits) > 1 and _stands_out(culprits)):
        _, k, others = min(culprits, key=lambda each: each[0])
        return [_elsewhere(marks[k], others, len(marks))]
    if fit.place_factor <= ROUGH and fit.pixel_factor <= 2.0 * ROUGH:
        told = f"they agree with each other {max(fit.place_factor, fit.pixel_factor):.1f} times worse than was said"
        return [Finding(Reason.MARKS_ROUGH, "", told, "that is in the errors stated here; measure again to be surer")]
    worst = max(seen_marks(fit.plane, marks), key=lambda each: each.error_mm)
    evidence = f"{fit.place_factor:.0f} times farther off than was said, {worst.mark.name} by {worst.error_mm:.0f} mm"
    remedy = "check each mark's place, direction and pixel"
    if culprits:
        names = " or ".join(marks[k].name for _, k, _ in culprits[:4])
        evidence = f"{evidence}; without {names} the others agree"
    if len(marks) < 6:
        remedy += "; with a mark or two more it can be told which one is wrong"
    return [Finding(Reason.MARKS_DISAGREE, "", evidence, remedy + "; places that are known worse: --tape '30 mm'")]


def _stands_out(culprits: Sequence[tuple[float, int, CameraFit]]) -> bool:
    """The others agree far better without one than without any other."""
    first, second = sorted(each[0] for each in culprits)[:2]
    return second > 4.0 * max(first, 0.5)


def _elsewhere(mark: Mark, others: CameraFit, count: int) -> Finding:
    place, _, turn = seen_pose(others.plane, mark)
    if not np.isfinite(place).all():
        evidence = "by the others its pixel doesn't show the plane at all"
        return Finding(Reason.MARK_ELSEWHERE, mark.name, evidence, "check its pixel, or leave it out")
    far = float(np.hypot(*(place - mark.at_mm)))
    evidence = (
        f"said to lie at {mark.at_mm[0]:.0f}, {mark.at_mm[1]:.0f} mm; by the other {count - 1} it lies at "
        f"{place[0]:.0f}, {place[1]:.0f} mm, {far:.0f} mm away"
    )
    if abs(turn) > NOTABLE_TURN_RAD:
        evidence += f", and points to {math.degrees(mark.direction_rad + turn) % 360.0:.0f}°"
        evidence += f" instead of {math.degrees(mark.direction_rad) % 360.0:.0f}°"
    return Finding(Reason.MARK_ELSEWHERE, mark.name, evidence, "measure it again, or leave it out; the others agree")


def _knowledge(area: Area | None, site: Site, marks: Sequence[Mark]) -> list[Finding]:
    word = _plane_word(site)
    if area is None:
        evidence = f"by this map the camera sees no {word} that it could tell places on"
        return [Finding(Reason.PLANE_UNKNOWN, "", evidence, "check the marks' pixels, and that x and y aren't swapped")]
    want = site.want
    if area.share_within(want.good_mm) >= 0.9:
        return []
    x, y = area.worst_place_mm
    another = "sheet" if any(len(mark.local_mm) > 1 for mark in marks) else "point"
    remedy = (
        f"put another {another} near {_rounded(x, site)}, {_rounded(y, site)} mm, as far from the others as people go"
    )
    if site.board_mm is not None:
        remedy = f"put another {another} near {_rounded(x, site)}, {_rounded(y, site)} mm"
    evidence = (
        f"known to ± {2 * area.median_mm:.0f} mm in the median, ± {2 * area.worst_mm:.0f} mm where it is worst (95 %); "
        f"wanted ± {2 * want.good_mm:.0f} mm on nine tenths of the {word} in the picture"
    )
    enough = area.share_within(want.least_mm) >= 0.5
    return [Finding(Reason.PLANE_UNSURE if enough else Reason.PLANE_UNKNOWN, "", evidence, remedy)]


def _remarks(fit: CameraFit) -> list[Finding]:
    found = []
    if abs(fit.print_scale - 1.0) > NOTABLE_PRINT:
        evidence = f"by the sheets' places they are printed at {100 * fit.print_scale:.1f} %"
        remedy = "measure the bar: print at 100 %, or say how long it is: --bar '146 mm'"
        found.append(Finding(Reason.PRINT_SCALED, "", evidence, remedy))
    sd = math.sqrt(fit.plane.covariance[8, 8])
    if abs(fit.plane.radial) > max(NOTABLE_RADIAL, 3.0 * sd):
        evidence = f"by {-100 * fit.plane.radial:.0f} % in the corners; that is in the map"
        found.append(Finding(Reason.LENS_BENDS, "", evidence, ""))
    return found


def _plane_word(site: Site) -> str:
    return "floor" if site.board_mm is None else "board"


def _rounded(mm: float, site: Site) -> int:
    step = 100 if site.board_mm is None else 10
    return round(mm / step) * step
