"""The tables of `hil.installations`, and the targets that they are held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hil.installations import Found
from hil.targets import Target

STIFF = 0.1  # plates less flexible than this share a load in three ways only
LOAD_SHARE, PLACE_MM, WIRING_SHARE, REFUSED_SHARE = 0.001, 3.0, 0.99, 0.95


def by_layout(found: Sequence[Found]) -> dict[str, list[Found]]:
    """All, then boards by their number of cells and the stiffness of their plate."""
    groups: dict[str, list[Found]] = {"all": list(found)}
    for cells in sorted({len(each.installation.site.cells) for each in found}):
        same = [each for each in found if len(each.installation.site.cells) == cells]
        if cells < 4:
            groups[f"{cells} cell{'s' * (cells > 1)}"] = same
            continue
        for name, stiff in (("stiff", True), ("soft", False)):
            groups[f"{cells} cells, {name}"] = [f for f in same if (_flexibility(f) < STIFF) == stiff]
    return {name: group for name, group in groups.items() if group}


def healthy_rows(found: Sequence[Found]) -> list[str]:
    """A row for all, and for each kind of board: how good, how sure, how long.

    The last columns are the share of errors within two of the stated standard deviations (95 % is honest): of gains
    one by one, and of places, where two along each axis make a circle of 2.45.
    """
    rows = [
        f"{'healthy':16}{'n':>5}{'accepted':>10}{'gain error % p50/p95/max':>27}{'place mm p50/p95/max':>23}"
        f"{'wiring':>9}{'silent':>8}{'signs':>9}{'placements':>12}{'min p50/max':>13}{'gains in':>10}{'places in':>10}"
    ]
    for name, group in by_layout(found).items():
        good = [each for each in group if each.outcome.accepted]
        load = [100 * abs(error) for each in good for error in each.load_errors]
        place = [error for each in good for error in each.place_errors_mm]
        sigmas = [abs(sigma) <= 2.0 for each in good for sigma in each.gain_sigmas]
        within = [e <= 2.45 * max(each.stated_mm, 0.05) for each in good for e in each.place_errors_mm]
        minutes = [each.seconds / 60 for each in group]
        rows.append(
            f"{name:16}{len(group):5}{share(len(good), len(group)):>10}{_three(load, 3):>27}{_three(place, 1):>23}"
            f"{share(sum(f.wiring_right for f in good), len(good)):>9}{sum(_guessed(f) for f in good):>8}"
            f"{share(sum(f.signs_right for f in good), len(good)):>9}"
            f"{np.median([f.placements for f in group]):9.0f}/{max(f.placements for f in group):<2}"
            f"{np.median(minutes):9.1f}/{max(minutes):.1f}"
            f"{share(sum(sigmas), len(sigmas)):>10}{share(sum(within), len(within)):>10}"
        )
    return rows + [f"refused: {n} x {text}" for text, n in _refusals(found).items()]


def five_rows(found: Sequence[Found]) -> list[str]:
    """The same boards after the first round alone: the middle, then once over each cell."""
    rows = [f"{'first round only':16}{'n':>5}{'gain error % p50/p95/max':>37}{'place mm p50/p95/max':>23}"]
    for name, group in by_layout([each for each in found if each.outcome.accepted]).items():
        load = [100 * abs(error) for each in group for error in each.first_load_errors]
        place = [error for each in group for error in each.first_place_errors_mm]
        rows.append(f"{name:16}{len(group):5}{_three(load, 3):>37}{_three(place, 1):>23}")
    return rows


def unhealthy_rows(found: Sequence[Found]) -> list[str]:
    """For each kind, how often it was refused for that reason, and what was said first else."""
    rows = [f"{'unhealthy':24}{'n':>5}{'refused':>10}{'right reason':>14}   other first reasons"]
    for kind in dict.fromkeys(each.installation.kind for each in found):
        group = [each for each in found if each.installation.kind == kind]
        refused = [each for each in group if not each.outcome.accepted]
        others = Counter(
            str(f.outcome.refusals[0].reason) if f.outcome.refusals else "accepted" for f in group if not f.right
        )
        said = ", ".join(f"{name} {n}" for name, n in others.most_common())
        shares = f"{share(len(refused), len(group)):>10}{share(sum(f.right for f in group), len(group)):>14}"
        rows.append(f"{kind:24}{len(group):5}{shares}   {said}".rstrip())
    return rows


def targets(healthy: Sequence[Found], sick: Sequence[Found]) -> list[Target]:
    """What issue E asks for; the place error for each kind of board by itself."""
    found = []
    groups = by_layout([each for each in healthy if each.outcome.accepted])
    if healthy:
        accepted = sum(each.outcome.accepted for each in healthy) / len(healthy)
        found.append(Target("healthy accepted", ">= 99 %", f"{100 * accepted:.1f} %", accepted >= 0.99))
    if "all" in groups:
        first = [abs(error) for each in groups["all"] for error in each.first_load_errors]
        at = float(np.quantile(first, 0.95))
        wanted = f"<= {100 * LOAD_SHARE:.1f} %"
        found.append(Target("gain error p95 after the first round", wanted, f"{100 * at:.3f} %", at <= LOAD_SHARE))
        places = [error for each in groups["all"] for error in each.first_place_errors_mm]
        at = float(np.quantile(places, 0.95))
        found.append(
            Target("place error p95 after the first round, all boards", "<= 3 mm", f"{at:.1f} mm", at <= PLACE_MM)
        )
    for name, group in groups.items():
        errors = [error for each in group for error in each.place_errors_mm]
        if errors:
            at = float(np.quantile(errors, 0.95))
            found.append(Target(f"place error p95, {name}", "<= 3 mm", f"{at:.1f} mm", at <= PLACE_MM))
        right = sum(each.wiring_right for each in group) / len(group)
        found.append(Target(f"wiring right, {name}", ">= 99 %", f"{100 * right:.1f} %", right >= WIRING_SHARE))
    if groups:
        guessed = sum(_guessed(each) for each in groups["all"])
        found.append(Target("wrong wirings that weren't said to be unsure", "0", str(guessed), guessed == 0))
    for kind in dict.fromkeys(each.installation.kind for each in sick):
        group = [each for each in sick if each.installation.kind == kind]
        right = sum(each.right for each in group) / len(group)
        text = f"{100 * right:.1f} %"
        found.append(Target(f"{kind}: refused for its reason", ">= 95 %", text, right >= REFUSED_SHARE))
    return found


def target_rows(found: Sequence[Target]) -> list[str]:
    """How many are met, and which aren't."""
    missed = [each for each in found if not each.met]
    rows = [f"{len(found) - len(missed)} of {len(found)} targets met"]
    return rows + [f"MISSED  {each.name}: {each.measured}, wanted {each.wanted}" for each in missed]


def share(part: int, whole: int) -> str:
    """In per cent."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _guessed(found: Found) -> bool:
    """A wrong wiring in a record that doesn't say that it is unsure."""
    fit = found.outcome.fit
    return fit is not None and not found.wiring_right and fit.wiring_sure


def _refusals(found: Sequence[Found]) -> Counter[str]:
    return Counter(str(each.outcome.refusals[0]) for each in found if each.outcome.refusals)


def _flexibility(found: Found) -> float:
    return found.installation.physics.plate.flexibility


def _three(values: list[float], digits: int) -> str:
    if not values:
        return "-"
    return " / ".join(f"{value:.{digits}f}" for value in np.quantile(values, [0.5, 0.95, 1.0]))
