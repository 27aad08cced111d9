"""Is `who` right, and does it know when it isn't? People before shelves, on load cells and under a ceiling camera.

python -m hil.who [--tune] [--scenes 40] [--seconds 240] [--rendered 8] [--only FAMILY ...]: for each family of scenes
the share of events whose likeliest track is the right one, with people 60 cm and more apart and nearer, the mean
probability that was stated, and the expected calibration error (15 bins of equal width) beside what chance alone makes
of it with so few events. Most scenes' tracks have a tracker's errors put on (`hil.who_sight`); in the last ones
pictures are painted and the real tracker follows (`hil.who_rendered`). Exit code 1 if a target is missed.

Counted are events that are right in what moved, where and when. Reporting scenes have other people, cameras, boards and
shelves than those of tuning (--tune), drawn anew for each scene.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from hil.reliability import reliability
from hil.run_family import run_jobs
from hil.who_people import Crowd
from hil.who_scene import WhoFact, facts_of, make_scene

FAMILIES = {
    "each their own": Crowd(crosses=0.0),
    "crossing arms": Crowd((2, 3), (600.0, 1200.0), at_once=0.5),
    "close together": Crowd((2, 3), (200.0, 600.0), at_once=0.6),
    "put back": Crowd((2, 2), (300.0, 900.0), put_share=0.6, same=4.0),
}
CLOCKS_S = {"clock 50 ms late": 0.05, "clock 200 ms late": 0.2}  # each their own, the camera on another node
RENDERED = {"painted, each their own": "each their own", "painted, close": "close together"}
RENDERED_S = 90.0
APART_MM, ALONE_MM = 600.0, 3000.0
LEAST_RIGHT, MOST_ERROR = 0.99, 0.02


@dataclass(frozen=True, slots=True)
class WhoJob:
    """One scene to play."""

    family: str
    split: str
    index: int
    seconds: float


@dataclass(frozen=True, slots=True)
class WhoFigures:
    """Of some events: how often the likeliest track was right, what was stated, and how far apart these are.

    Attributes:
        error: expected calibration error. chance: what it would be by chance alone, were the stated ones true.
    """

    events: int
    right: float
    stated: float
    error: float
    chance: float


def play(job: WhoJob) -> list[WhoFact]:
    """Play one scene; facts of the events that are right in what moved."""
    crowd = FAMILIES["each their own"] if job.family in CLOCKS_S else FAMILIES[RENDERED.get(job.family, job.family)]
    if job.family in RENDERED:
        from hil.who_rendered import rendered_scene

        scene = rendered_scene(crowd, job.split, job.index, RENDERED_S)
    else:
        scene = make_scene(crowd, job.split, job.index, job.seconds, CLOCKS_S.get(job.family, 0.0))
    return [fact for fact in facts_of(scene, scene.events()) if fact.exact]


def figures(facts: Iterable[WhoFact]) -> WhoFigures | None:
    """None of no events."""
    kept = list(facts)
    if not kept:
        return None
    stated = np.array([fact.best[1] for fact in kept])
    right = np.array([fact.best[0] in fact.right for fact in kept])
    rng = np.random.default_rng(1)
    told = stated.tolist()
    by_chance = [reliability(told, (rng.random(len(kept)) < stated).tolist()).equal_width_error for _ in range(20)]
    error = reliability(told, right.tolist()).equal_width_error
    return WhoFigures(len(kept), float(right.mean()), float(stated.mean()), error, float(np.mean(by_chance)))


def _row(name: str, found: WhoFigures | None) -> str:
    if found is None:
        return f"  {name:<30}{0:>7}\n"
    chance = f"{found.error:.4f} ({found.chance:.4f})"
    return f"  {name:<30}{found.events:>7}{found.right:>9.4f}{found.stated:>9.4f}{chance:>18}\n"


def _tell(name: str, facts: Sequence[WhoFact]) -> None:
    write = sys.stdout.write
    write(f"{name}\n")
    apart = [fact for fact in facts if APART_MM <= fact.apart_mm < ALONE_MM]
    nearer = [fact for fact in facts if fact.apart_mm < APART_MM]
    parts = {
        "60 cm and more apart": apart,
        "... and followed": [fact for fact in apart if "" not in fact.right],
        "nearer": nearer,
        "... reaching at once": [fact for fact in nearer if fact.at_once],
        "... put by its holder": [fact for fact in nearer if fact.by_holder],
        "alone": [fact for fact in facts if fact.apart_mm >= ALONE_MM],
    }
    for part, kept in parts.items():
        if kept:
            write(_row(part, figures(kept)))


def main() -> int:
    """Prints a table; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m hil.who", description="who took it, and how sure that is")
    parser.add_argument("--tune", action="store_true", help="the tuning scenes instead of the reporting scenes")
    parser.add_argument("--scenes", type=int, default=40, help="of each family")
    parser.add_argument("--seconds", type=float, default=240.0, help="of each scene")
    parser.add_argument("--rendered", type=int, default=8, help="painted scenes of each kind; 0: none")
    parser.add_argument("--only", nargs="+", metavar="FAMILY", help="these families")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    counts = dict.fromkeys((*FAMILIES, *CLOCKS_S), chosen.scenes) | dict.fromkeys(RENDERED, chosen.rendered)
    unknown = [name for name in chosen.only or [] if name not in counts]
    if unknown:
        parser.error(f"no family {unknown[0]!r}; there are {', '.join(counts)}")
    split = "tuning" if chosen.tune else "reporting"
    names = chosen.only or list(counts)
    jobs = [WhoJob(name, split, index, chosen.seconds) for name in names for index in range(counts[name])]
    done, failures = run_jobs(play, jobs, "who", Console(stderr=True), chosen.workers)
    found: dict[str, list[WhoFact]] = {}
    for job, facts in done:
        found.setdefault(job.family, []).extend(facts)
    sys.stdout.write(f"  {'':<30}{'events':>7}{'right':>9}{'stated':>9}{'error (chance)':>18}\n")
    for name, facts in found.items():
        _tell(name, facts)
    missed = [*failures, *_missed(found)]
    for line in missed:
        sys.stdout.write(f"missed: {line}\n")
    return 1 if missed else 0


def _missed(found: dict[str, list[WhoFact]]) -> list[str]:
    """The targets that are missed. An error that chance alone makes isn't one."""
    missed = []
    for name in ("each their own", *CLOCKS_S, "painted, each their own"):
        apart = figures(fact for fact in found.get(name, []) if APART_MM <= fact.apart_mm < ALONE_MM)
        if apart is not None and apart.right < LEAST_RIGHT:
            missed.append(f"{name}, 60 cm and more apart: {apart.right:.4f} right, target {LEAST_RIGHT}")
    together = ("crossing arms", "close together", "put back")
    near = figures(fact for name in together for fact in found.get(name, []) if fact.apart_mm < APART_MM)
    if near is not None:
        sys.stdout.write(_row("all of these, nearer", near))
        if near.error > max(MOST_ERROR, near.chance):
            missed.append(f"nearer than 60 cm: calibration error {near.error:.4f}, target {MOST_ERROR}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
