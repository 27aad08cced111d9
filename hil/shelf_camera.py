"""What a shelf camera is worth where weight alone doesn't tell, and what it costs when it fails.

    python -m hil.shelf_camera                      # reporting scenes, rendered; about ten minutes
    python -m hil.shelf_camera --split tuning --scenes 2 --faults good

Every scene is decided by the scale alone and with the looks of a rendered camera (160 x 120 pixels, 10 a second,
through the node's own watcher), good or with a fault. Nothing is sampled from a model of the camera. *At the same
error*: review share with the camera at the value of `review_below` where no more of the accepted are wrong than by the
scale alone.
Differences are per scene, camera less scale alone, with a 95 % interval (bootstrap over scenes, Efron 1979).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from drivers.camera.scenes.shelf_stage import StageView
from hil.case_facts import CaseFacts, facts_of
from hil.figures import pooled
from hil.shelf_camera_cases import KINDS, ShelfScene, shelf_scene, why_no_scene
from hil.shelf_camera_sight import FAULTS, RENDERED_ANEW, decide, looks_of, rendered
from hil.trade_off import trade_off

FAULTY_KINDS = ("pairs", "one-cell")
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of scene with one camera: shares of units, and per scene differences with their intervals."""

    kind: str
    camera: str
    scenes: int
    units: int
    review: float
    accepted: int
    wrong: int
    recall: float
    final_p95_s: float
    review_at_same_error: float | None = None
    review_off: tuple[float, float, float] | None = None  # mean, from, to
    wrong_off: tuple[float, float, float] | None = None  # accepted wrong units per 100 units


def row_of(kind: str, camera: str, found: Sequence[CaseFacts], alone: Sequence[CaseFacts] | None) -> Row:
    """The figures of some scenes; ``alone``: of the same ones by the scale."""
    figures = pooled(found)
    same = review_off = wrong_off = None
    if alone is not None:
        error = pooled(alone).accepted_error
        points = [point for point in trade_off(found) if point.accepted_error <= error]
        same = min((point.review_share for point in points), default=1.0)
        review_off = _interval([_review(b) - _review(a) for a, b in zip(alone, found, strict=True)])
        wrong_off = _interval([_wrong(b) - _wrong(a) for a, b in zip(alone, found, strict=True)])
    return Row(
        kind,
        camera,
        figures.scenes,
        figures.event_units,
        figures.review_share,
        figures.accepted_units,
        figures.accepted_wrong,
        figures.recall,
        figures.final_s.p95,
        same,
        review_off,
        wrong_off,
    )


def run(kinds: Sequence[str], faults: Sequence[str], split: str, scenes: int, minutes: float) -> list[Row]:
    """All rows; good cameras for all kinds, faults for `FAULTY_KINDS`."""
    rows: list[Row] = []
    for kind in kinds:
        why = why_no_scene(kind)
        if why is not None:
            _say(f"{kind}: skipped, {why}")
            continue
        cameras = [fault for fault in faults if fault == "good" or kind in FAULTY_KINDS]
        found: dict[str, list[CaseFacts]] = {camera: [] for camera in ("none", *cameras)}
        for index in range(scenes):
            scene = shelf_scene(kind, split, index, minutes)
            for camera, facts in facts_with(scene, index, cameras).items():
                found[camera].append(facts)
        rows += [
            row_of(kind, camera, facts, None if camera == "none" else found["none"]) for camera, facts in found.items()
        ]
        for row in rows[-len(found) :]:
            _say(sentence(row))
    return rows


def facts_with(scene: ShelfScene, index: int, cameras: Sequence[str]) -> dict[str, CaseFacts]:
    """One scene by the scale alone ("none") and with each camera."""
    found = {"none": facts_of(scene.case, index, decide(scene, ()))}
    made = rendered(scene, StageView()) if any(camera not in RENDERED_ANEW for camera in cameras) else None
    for camera in cameras:
        found[camera] = facts_of(scene.case, index, decide(scene, looks_of(scene, camera, made=made)))
    return found


def sentence(row: Row) -> str:
    """One line of the table."""
    text = (
        f"{row.kind:9s} {row.camera:8s} {row.units:5d} units, review {row.review:6.1%}, "
        f"wrong {row.wrong} of {row.accepted}, recall {row.recall:.1%}, final p95 {row.final_p95_s:.2f} s"
    )
    if row.review_at_same_error is not None and row.review_off is not None and row.wrong_off is not None:
        text += (
            f"; at the same error {row.review_at_same_error:.1%}; per scene review {_words(row.review_off, 100.0)} "
            f"points, wrong {_words(row.wrong_off, 1.0)} per 100 units"
        )
    return text


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _words(of: tuple[float, float, float], scale: float) -> str:
    return f"{scale * of[0]:+.2f} ({scale * of[1]:+.2f} to {scale * of[2]:+.2f})"


def _review(facts: CaseFacts) -> float:
    return pooled([facts]).review_share


def _wrong(facts: CaseFacts) -> float:
    figures = pooled([facts])
    return 100.0 * figures.accepted_wrong / max(figures.event_units, 1)


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval."""
    rng = np.random.default_rng(7)
    sample = np.asarray(values, np.float64)
    means = sample[rng.integers(len(sample), size=(DRAWS, len(sample)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return float(sample.mean()), low, high


def main() -> None:
    """Run and print; ``--json`` also writes the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--split", default="reporting", choices=("tuning", "reporting"))
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--json", type=Path, default=None)
    asked = parser.parse_args()
    for names, known in ((asked.kinds, KINDS), (asked.faults, FAULTS)):
        for name in names.split(","):
            if name not in known:
                parser.error(f"{name!r} isn't one of {', '.join(known)}")
    begun = time.process_time()
    rows = run(asked.kinds.split(","), asked.faults.split(","), asked.split, asked.scenes, asked.minutes)
    _say(f"{time.process_time() - begun:.0f} s of processor time")
    if asked.json is not None:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
