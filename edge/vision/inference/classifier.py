"""A part of a picture in, a log probability for every label out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from drivers.frames import Frame
from edge.vision.inference.errors import ModelError
from edge.vision.inference.model import Model
from edge.vision.inference.pictures import Box, picture_of

U8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

SUM_OFF = 0.1  # probabilities may add up to one so badly (8 bits each)
LEAST_STEP = 1e-6  # half a step of the output, at least: a probability of 0 only says "less than that"


class Classifier:
    """Says what is in a box of a frame.

    Args:
        model: one output, of one value per label: probabilities (of a softmax, or each by itself), their logarithms, or
            logits.
        labels: their names, in the model's order.

    Raises ModelError if they don't fit together.
    """

    def __init__(self, model: Model, labels: tuple[str, ...]) -> None:
        if len(model.outputs) != 1:
            raise ModelError(
                f"{model.path}: it has {len(model.outputs)} outputs; a classifier has one, with a value for each label"
            )
        output = model.outputs[0]
        sides = [side for side in output.shape if side != 1]
        if len(sides) != 1:
            raise ModelError(
                f"{model.path}: its output is {list(output.shape)}; a classifier's is [1, labels], at least 2 labels"
            )
        if len(labels) != sides[0]:
            raise ModelError(
                f"{model.path}: it knows {sides[0]} classes, and there are {len(labels)} labels; expected a line in "
                "the labels file for each class, in the model's order"
            )
        doubled = sorted({label for label in labels if labels.count(label) > 1 and label})
        if doubled:
            raise ModelError(f"{model.path}: the label {doubled[0]} is there twice; each class has its own name")
        self.model, self.labels = model, labels
        self._least = max(0.5 * output.scale, LEAST_STEP)
        grey = np.full((model.height, model.width, model.channels), 128, np.uint8)
        total = float(model.infer(grey)[0].sum())
        if model.structure.makes == "probabilities" and abs(total - 1.0) > SUM_OFF:
            raise ModelError(f"{model.path}: its probabilities add up to {total:.2f} instead of 1; convert it again")

    def look(self, frame: Frame, box: Box) -> Floats:
        """Log probabilities, float64[labels], of what is in that box of the frame (stretched to the model's size)."""
        return self.judge(picture_of(frame, box, self.model.height, self.model.width, self.model.channels))

    def judge(self, picture: U8) -> Floats:
        """Log probabilities, float64[labels]; exp of them adds up to 1. ``picture``: as the model wants it."""
        values = self.model.infer(picture)[0].reshape(-1)
        if not np.isfinite(values).all():
            raise ModelError(f"{self.model.path}: its output isn't a number; is the model trained, and whole?")
        if self.model.structure.makes == "probabilities":
            values = np.log(np.maximum(values, self._least))
        elif self.model.structure.makes == "sigmoids":  # each label by itself: of its odds
            values = np.clip(values, self._least, 1.0 - self._least)
            values = np.log(values) - np.log1p(-values)
        values = values - values.max()
        return np.asarray(values - np.log(np.exp(values).sum()))
