"""Model files of a few operators, made here, whose outputs can be worked out by hand; and where the trained one is."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flatbuffers_made import Numbers, Scalar, flatbuffer

from edge.vision.inference.flatbuffer import root_table

PEOPLE = Path(__file__).parent / "models" / "people.tflite"  # made by hil.train_people
FLOAT32, INT32, UINT8, INT16, INT8 = 0, 2, 3, 7, 9
MEAN, SOFTMAX, LOG_SOFTMAX, LOGISTIC, CUSTOM = 40, 25, 50, 14, 32
OPTIONS = {MEAN: (27, {0: Scalar("<b", 0)}), SOFTMAX: (9, {0: Scalar("<f", 1.0)}), LOG_SOFTMAX: (36, {})}
DETECTION = "TFLite_Detection_PostProcess"


@dataclass(frozen=True, slots=True)
class Tensor:
    """``content``: of a constant."""

    name: str
    shape: tuple[int, ...]
    kind: int = FLOAT32
    scale: float = 0.0
    zero_point: int = 0
    content: bytes = b""
    signature: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One operator; tensors by number."""

    builtin: int
    took: tuple[int, ...]
    made: tuple[int, ...]
    custom: str = ""
    custom_options: bytes = b""


def model_file(
    tensors: list[Tensor], inputs: list[int], outputs: list[int], steps: list[Step], metadata: bytes = b""
) -> bytes:
    """A .tflite file."""
    buffers: list[dict[int, Any]] = [{}] + [{0: tensor.content} if tensor.content else {} for tensor in tensors]
    model: dict[int, Any] = {
        0: Scalar("<I", 3),
        1: [_code(step) for step in steps],
        2: [
            {
                0: [_tensor(tensor, k + 1) for k, tensor in enumerate(tensors)],
                1: Numbers("<i", inputs),
                2: Numbers("<i", outputs),
                3: [_operator(step, k) for k, step in enumerate(steps)],
            }
        ],
        4: buffers,
    }
    if metadata:
        buffers.append({0: metadata})
        model[6] = [{0: "TFLITE_METADATA", 1: Scalar("<I", len(buffers) - 1)}]
    return flatbuffer(model, b"TFL3")


def _code(step: Step) -> dict[int, Any]:
    code: dict[int, Any] = {0: Scalar("<b", step.builtin), 2: Scalar("<i", 1), 3: Scalar("<i", step.builtin)}
    return code | ({1: step.custom} if step.custom else {})


def _tensor(tensor: Tensor, buffer: int) -> dict[int, Any]:
    fields: dict[int, Any] = {
        0: Numbers("<i", tensor.shape),
        1: Scalar("<b", tensor.kind),
        2: Scalar("<I", buffer),
        3: tensor.name,
    }
    if tensor.scale:
        fields[4] = {2: Numbers("<f", [tensor.scale]), 3: Numbers("<q", [tensor.zero_point])}
    if tensor.signature:
        fields[7] = Numbers("<i", tensor.signature)
    return fields


def _operator(step: Step, code: int) -> dict[int, Any]:
    fields: dict[int, Any] = {0: Scalar("<I", code), 1: Numbers("<i", step.took), 2: Numbers("<i", step.made)}
    if step.builtin in OPTIONS:
        which, options = OPTIONS[step.builtin]
        fields |= {3: Scalar("<B", which), 4: options}
    return fields | ({5: step.custom_options} if step.custom_options else {})


def mean_colour(
    last: int = 0,
    kind: int = FLOAT32,
    scale: float = 0.0,
    zero_point: int = 0,
    side: int = 8,
    channels: int = 3,
    metadata: bytes = b"",
    shape: tuple[int, ...] = (),
    signature: tuple[int, ...] = (),
) -> bytes:
    """A "classifier" of the channels: their mean over the picture, then ``last`` (an operator, or none)."""
    shape = shape or (1, side, side, channels)
    tensors = [
        Tensor("picture", shape, kind, scale, zero_point, signature=signature),
        Tensor("axes", (2,), INT32, content=struct.pack("<2i", 1, 2)),
        Tensor("mean", (1, shape[-1]), kind, scale, zero_point),
    ]
    steps = [Step(MEAN, (0, 1), (2,))]
    if last:
        whole = (1.0 / 256, -128 if kind == INT8 else 0) if kind != FLOAT32 else (0.0, 0)
        tensors.append(Tensor("classes", (1, shape[-1]), kind, *whole))
        steps.append(Step(last, (2,), (3,)))
    return model_file(tensors, [0], [len(tensors) - 1], steps, metadata)


def fixed_detections(order: tuple[int, ...], names: tuple[str, ...], builtin: bool = True) -> bytes:
    """A "detector" that finds the same two people in every picture, one of them twice as sure.

    Boxes (top, left, bottom, right): 0.2, 0.1, 0.6, 0.3 with score 0.8; 0.5, 0.6, 0.9, 0.8 with score 0.4.
    ``order``: of the outputs, of boxes, classes, scores, count; ``names``: of those, in the operator's order.
    Without ``builtin`` the four are constants, and no operator says which is which.
    """
    anchors = [(0.4, 0.2, 0.4, 0.2), (0.7, 0.7, 0.4, 0.2)]  # middle y, x, height, width
    if not builtin:
        return _constant_detections(order, names)
    flat = [number for anchor in anchors for number in anchor]
    tensors = [
        Tensor("picture", (1, 32, 32, 3), UINT8, 1.0 / 255),
        Tensor("encodings", (1, 2, 4), content=bytes(32)),
        Tensor("class_predictions", (1, 2, 2), content=struct.pack("<4f", 0.2, 0.8, 0.6, 0.4)),
        Tensor("anchors", (2, 4), content=struct.pack("<8f", *flat)),
        *(Tensor(name, shape) for name, shape in zip(names, ((1, 10, 4), (1, 10), (1, 10), (1,)), strict=True)),
    ]
    step = Step(CUSTOM, (1, 2, 3), (4, 5, 6, 7), DETECTION, _detection_options())
    return model_file(tensors, [0], [4 + which for which in order], [step])


def _constant_detections(order: tuple[int, ...], names: tuple[str, ...]) -> bytes:
    contents = (
        struct.pack("<8f", 0.2, 0.1, 0.6, 0.3, 0.5, 0.6, 0.9, 0.8),
        struct.pack("<2f", 0.0, 0.0),
        struct.pack("<2f", 0.8, 0.4),
        struct.pack("<f", 2.0),
    )
    shapes = ((1, 2, 4), (1, 2), (1, 2), (1,))
    tensors = [
        Tensor("picture", (1, 32, 32, 3), UINT8, 1.0 / 255),
        Tensor("axes", (2,), INT32, content=struct.pack("<2i", 1, 2)),
        Tensor("mean", (1, 3), UINT8, 1.0 / 255),
        *(Tensor(name, shape, content=raw) for name, shape, raw in zip(names, shapes, contents, strict=True)),
    ]
    return model_file(tensors, [0], [3 + which for which in order], [Step(MEAN, (0, 1), (2,))])


def _detection_options() -> bytes:
    """The settings of the post-processing, as TensorFlow's exporter wrote them for the trained detector."""
    graph = root_table(PEOPLE.read_bytes(), b"TFL3").tables(2)[0]
    return next(operator.raw(5) for operator in graph.tables(3) if operator.raw(5))
