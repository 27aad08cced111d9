"""How good the classifier that comes with shelfedge is, on rendered crops that neither its weights nor its temperature
have seen, and what it costs.

python -m hil.products [--each 40] [--model FILE --labels FILE]: for each family of crops (`hil.product_crops`) the
share that is right, how sure it is when it is right and wrong, the expected calibration error, and the mean log
likelihood of the truth; then ms a look, one thread, with the runtime that is installed. Exit code 1 if a target is
missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.vision.inference.classifier import Classifier
from edge.vision.inference.errors import ModelError
from edge.vision.inference.open import open_classifier
from hil.product_crops import FAMILIES, LABELS, REPORTING, Conditions, crops

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BINS = 10
LOOKS = 300
LEAST_RIGHT = {"as installed": 0.97, "all of it": 0.9}
MOST_ECE = 0.03


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """One family.

    Attributes:
        right: share of the crops whose likeliest label is the truth.
        sure, sure_wrong: mean probability of the likeliest label, and where that is wrong.
        ece: expected calibration error, ten bins of the likeliest label's probability (Guo et al. 2017).
        log_likelihood: mean natural logarithm of the truth's probability.
    """

    right: float
    sure: float
    sure_wrong: float
    ece: float
    log_likelihood: float


def judged(classifier: Classifier, conditions: Conditions, seed: int, each: int) -> tuple[Floats, Ints]:
    """Log probabilities float64[n, labels] and the truth int64[n]."""
    logs, truth = [], []
    for crop in crops(conditions, seed, each):
        logs.append(classifier.look(crop.frame, crop.box))
        truth.append(crop.label)
    return np.array(logs), np.array(truth, np.int64)


def score(logs: Floats, truth: Ints) -> Score:
    """What those are worth."""
    best, rows = logs.argmax(axis=1), np.arange(len(truth))
    sure, right = np.exp(logs[rows, best]), best == truth
    which = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    ece = sum(
        abs(float(sure[which == k].mean()) - float(right[which == k].mean())) * float((which == k).mean())
        for k in np.unique(which)
    )
    wrong = float(sure[~right].mean()) if not right.all() else float("nan")
    return Score(float(right.mean()), float(sure.mean()), wrong, float(ece), float(logs[rows, truth].mean()))


def look_ms(classifier: Classifier) -> tuple[float, float]:
    """Median ms of the inference alone, and of a look with cropping and resizing."""
    crop = next(crops(Conditions(small=60), REPORTING, 1))
    size = classifier.model.height, classifier.model.width, classifier.model.channels
    picture = np.random.default_rng(REPORTING).integers(0, 256, size, np.uint8)
    inferring, looking = [], []
    for _ in range(LOOKS):
        began = time.perf_counter()
        classifier.model.infer(picture)
        between = time.perf_counter()
        classifier.look(crop.frame, crop.box)
        inferring.append(between - began)
        looking.append(time.perf_counter() - between)
    return float(np.median(inferring)) * 1e3, float(np.median(looking)) * 1e3


def main() -> int:
    """Prints a row per family."""
    parser = argparse.ArgumentParser(prog="python -m hil.products", description="score the item classifier")
    parser.add_argument("--each", type=int, default=40, help="crops of every label in every family")
    parser.add_argument("--model", type=Path, default=None, help="another model, of the same labels")
    parser.add_argument("--labels", type=Path, default=None)
    chosen = parser.parse_args()
    write = sys.stdout.write
    try:
        classifier = open_classifier(chosen.model, chosen.labels)
    except ModelError as error:
        write(f"error: {error}\n")
        return 1
    if classifier.labels != LABELS:
        write(f"error: the model's labels aren't those of the rendered products: {', '.join(LABELS)}\n")
        return 1
    missed = []
    write(f"{'':<18}{'right':>8}{'sure':>8}{'if wrong':>10}{'ECE':>8}{'ln p(truth)':>13}\n")
    for number, (name, conditions) in enumerate(FAMILIES.items()):
        made = score(*judged(classifier, conditions, REPORTING + number, chosen.each))
        write(f"{name:<18}{made.right:>8.3f}{made.sure:>8.3f}{made.sure_wrong:>10.2f}{made.ece:>8.3f}")
        write(f"{made.log_likelihood:>13.3f}\n")
        if made.right < LEAST_RIGHT.get(name, 0.0):
            missed.append(f"{name}: {made.right:.3f} right, target {LEAST_RIGHT[name]}")
        if name in LEAST_RIGHT and made.ece > MOST_ECE:
            missed.append(f"{name}: ECE {made.ece:.3f}, target {MOST_ECE}")
    inferring, looking = look_ms(classifier)
    runtime, model = classifier.model.runtime, classifier.model
    write(f"{model.path.name}, {model.path.stat().st_size / 1000:.0f} kB, {model.width} x {model.height}: ")
    write(f"{inferring:.3f} ms a picture, {looking:.3f} ms with cropping; {runtime.name} {runtime.version}, 1 thread\n")
    for line in missed:
        write(f"missed: {line}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
