"""A whole picture in, the people in it out: models with the standard SSD post-processing.

Four outputs, whatever the detector in front of them: boxes [1, n, 4] (top, left, bottom, right, 0 to 1), classes
[1, n], scores [1, n] and count [1]. TensorFlow 1 and 2 export them in different orders and with names that say nothing,
so they are found by the post-processing operator in the graph, else by names that do say something.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.frames import Frame
from edge.vision.inference.errors import ModelError
from edge.vision.inference.model import Model, Output
from edge.vision.inference.pictures import Box, whole_picture

PERSON = "person"
NO_CLASS = ("???", "background")  # a first line of label files that stands for no class
LEAST_SCORE = 0.3
LEAST_SIDE = 1e-3  # of the picture
POSITIONAL = ("", ":1", ":2", ":3")  # TensorFlow 1: boxes, classes, scores, count


@dataclass(frozen=True, slots=True)
class Detection:
    """Somebody. ``box`` in the frame's pixels, within the frame; ``score`` 0 to 1, as the model says it."""

    box: Box
    score: float


class Detector:
    """Finds people in a frame.

    Args:
        model: with the outputs above.
        labels: names of its classes; () where there are none: then ``person`` is a class number.
        person: the class to find, by name or number.
        keep_shape: pictures keep their shape, between grey borders; else they are stretched, as SSDs are trained.
        least_score: less than that is nobody.

    Raises ModelError if the model isn't such a detector, or has no such class.
    """

    def __init__(
        self,
        model: Model,
        labels: tuple[str, ...] = (),
        person: str | int = PERSON,
        keep_shape: bool = False,
        least_score: float = LEAST_SCORE,
    ) -> None:
        self.model = model
        self._keep_shape, self._least_score = keep_shape, least_score
        self._boxes, self._classes, self._scores, self._count = _find_outputs(model)
        self._person = _class_number(model, labels, person)

    def look(self, frame: Frame) -> list[Detection]:
        """The people in this frame, the surest first. Raises ModelError if the runtime gives up."""
        model = self.model
        picture, fitted = whole_picture(frame, model.height, model.width, model.channels, self._keep_shape)
        outputs = model.infer(picture)
        boxes, classes = outputs[self._boxes].reshape(-1, 4).tolist(), outputs[self._classes].reshape(-1).tolist()
        scores = outputs[self._scores].reshape(-1).tolist()
        count = float(outputs[self._count].reshape(-1)[0])
        high, wide = frame.y.shape
        found = []
        for k in range(min(len(scores), int(count) if math.isfinite(count) and count > 0 else 0)):
            if not scores[k] >= self._least_score or not abs(classes[k] - self._person) < 0.5:
                continue
            if not all(math.isfinite(side) for side in boxes[k]):
                continue
            top, bottom = (_inside((boxes[k][i] - fitted.top) / fitted.height) for i in (0, 2))
            left, right = (_inside((boxes[k][i] - fitted.left) / fitted.width) for i in (1, 3))
            if bottom - top > LEAST_SIDE and right - left > LEAST_SIDE:
                box = Box(left * wide, top * high, (right - left) * wide, (bottom - top) * high)
                found.append(Detection(box, min(scores[k], 1.0)))
        return sorted(found, key=lambda detection: (-detection.score, detection.box))


def _inside(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _find_outputs(model: Model) -> tuple[int, int, int, int]:
    """Positions among the outputs of boxes, classes, scores and count."""
    outputs = model.outputs
    tensors = [output.tensor for output in outputs]
    order = model.structure.detection
    if order is None:
        order = _by_name(outputs)
    if order is None or not set(order) <= set(tensors):
        told = ", ".join(f"{output.name} {list(output.shape)}" for output in outputs)
        raise ModelError(
            f"{model.path}: not a detector with the standard SSD post-processing; expected four outputs, boxes "
            f"[1, n, 4], classes [1, n], scores [1, n], count [1]; its outputs are {told}"
        )
    boxes, classes, scores, count = (tensors.index(tensor) for tensor in order)
    return boxes, classes, scores, count


def _by_name(outputs: tuple[Output, ...]) -> tuple[int, int, int, int] | None:
    if len(outputs) != 4:
        return None
    boxes = [output for output in outputs if len(output.shape) == 3 and output.shape[2] == 4]
    lists = [output for output in outputs if len(output.shape) == 2]
    counts = [output for output in outputs if len(output.shape) <= 1]
    if (len(boxes), len(lists), len(counts)) != (1, 2, 1) or lists[0].shape != lists[1].shape:
        return None
    classes = [output for output in lists if "class" in output.name.lower()]
    scores = [output for output in lists if "score" in output.name.lower()]
    if len(classes) != 1 or len(scores) != 1 or classes == scores:
        classes = [output for output in lists if output.name.endswith(POSITIONAL[1])]
        scores = [output for output in lists if output.name.endswith(POSITIONAL[2])]
        if len(classes) != 1 or len(scores) != 1 or boxes[0].name.endswith(POSITIONAL[1:]):
            return None
    return boxes[0].tensor, classes[0].tensor, scores[0].tensor, counts[0].tensor


def _class_number(model: Model, labels: tuple[str, ...], person: str | int) -> int:
    if labels and labels[0].lower() in NO_CLASS:
        labels = labels[1:]
    columns = model.structure.class_columns
    if labels and columns is not None and len(labels) not in (columns, columns - 1):
        raise ModelError(
            f"{model.path}: it knows {columns - 1} classes, and there are {len(labels)} labels; expected a line in the "
            "labels file for each class, in the model's order"
        )
    if isinstance(person, int):
        if person < 0 or (columns is not None and person >= columns):
            raise ModelError(f"{model.path}: there is no class {person} in it")
        return person
    if not labels:
        return 0  # as in COCO, and in every model of people alone
    names = [label.lower() for label in labels]
    if person.lower() not in names:
        some = ", ".join(labels[:5])
        raise ModelError(f'{model.path}: none of its {len(labels)} labels is "{person}" (they begin {some})')
    return names.index(person.lower())
