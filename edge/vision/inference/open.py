"""Opening models by the names in a node file: everything that can be wrong is a `ModelError` here, at the start."""

from __future__ import annotations

from pathlib import Path

from edge.vision.inference.classifier import Classifier
from edge.vision.inference.detector import PERSON, Detector
from edge.vision.inference.errors import ModelError
from edge.vision.inference.labels import packed_labels, read_labels
from edge.vision.inference.model import Model
from edge.vision.inference.pixels import Range
from edge.vision.inference.shipped import PRODUCTS


def open_classifier(
    path: Path | None = None, labels: Path | None = None, threads: int = 1, pixel_range: Range | None = None
) -> Classifier:
    """A classifier of what is in a slot; ``path`` None: the one that comes with shelfedge. Raises ModelError.

    Labels: of that file, else packed into the model, else of the file beside it with the ending .txt.
    """
    path = PRODUCTS if path is None else path
    model = Model(path, threads, pixel_range)
    names = _labels(path, labels)
    if not names:
        beside = path.with_suffix(".txt").name
        raise ModelError(f"{path}: no labels in it, and no {beside} beside it; name a labels file, a name per line")
    return Classifier(model, names)


def open_detector(
    path: Path,
    labels: Path | None = None,
    threads: int = 1,
    person: str | int = PERSON,
    keep_shape: bool = False,
    pixel_range: Range | None = None,
) -> Detector:
    """A detector of people. Labels as for `open_classifier`; without any, ``person`` is class 0. Raises ModelError."""
    return Detector(Model(path, threads, pixel_range), _labels(path, labels), person, keep_shape)


def _labels(path: Path, given: Path | None) -> tuple[str, ...]:
    if given is not None:
        return read_labels(given)
    packed = packed_labels(path)
    if packed is not None:
        return packed
    beside = path.with_suffix(".txt")
    return read_labels(beside) if beside.exists() else ()
