"""What a .tflite file says of itself, read without a runtime: which output is what, and what its pixels stand for.

Field numbers: schema.fbs of LiteRT (Model, SubGraph, Operator, OperatorCode, Metadata) and metadata_schema.fbs of
TFLite Support (ModelMetadata, TensorMetadata, NormalizationOptions).
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.vision.inference.flatbuffer import FlatbufferError, Table, root_table

DETECTION = "TFLite_Detection_PostProcess"
MAKES = {25: "probabilities", 50: "log probabilities", 14: "sigmoids"}  # SOFTMAX, LOG_SOFTMAX, LOGISTIC
PASSES_ON = (6, 22, 114)  # DEQUANTIZE, RESHAPE, QUANTIZE: what may come after the operator that decides
NORMALISATION = 1  # kind of a process unit
MODEL_METADATA = "TFLITE_METADATA"


@dataclass(frozen=True, slots=True)
class Structure:
    """What is known of a model before it runs.

    Attributes:
        detection: tensor numbers of boxes, classes, scores and count; None if it isn't a detector with the standard
            post-processing, or passes them on through other operators.
        class_columns: how many class scores there are for each box before that post-processing, usually one more than
            classes (for the background); None if unknown.
        makes: "probabilities", "log probabilities", "sigmoids" or "logits": what the operator before the first output
            gives.
        mean, sd: of a pixel, 0 to 255, one for all channels or one each: a floating-point model wants
            (pixel - mean) / sd. None if the file doesn't say.
    """

    detection: tuple[int, int, int, int] | None
    class_columns: int | None
    makes: str
    mean: tuple[float, ...] | None
    sd: tuple[float, ...] | None


def read_structure(data: bytes | memoryview) -> Structure:
    """Raises FlatbufferError if it isn't a model file, or is damaged where this looks."""
    model = root_table(data, b"TFL3")
    graphs = model.tables(2)
    if not graphs:
        raise FlatbufferError("there is no graph in it")
    graph = graphs[0]
    codes = [(max(code.number(0, "<b", 0), code.number(3, "<i", 0)), code.text(1)) for code in model.tables(1)]
    steps = []
    for operator in graph.tables(3):
        which = operator.number(0, "<I", 0)
        if which >= len(codes):
            raise FlatbufferError(f"an operator of an unknown kind ({which})")
        steps.append((codes[which], _tensors(operator, 1), _tensors(operator, 2)))
    outputs = _tensors(graph, 2)
    detection, columns, tensors = None, None, graph.tables(0)
    for (_, custom), took, made in steps:
        if custom == DETECTION and len(made) == 4 and set(made) <= set(outputs):
            detection = (made[0], made[1], made[2], made[3])
            if len(took) > 1 and 0 <= took[1] < len(tensors):
                shape = tensors[took[1]].numbers(0, "<i")
                columns = int(shape[-1]) if shape else None
    mean, sd = _normalisation(model)
    return Structure(detection, columns, _what_is_made(steps, outputs), mean, sd)


def _tensors(table: Table, field: int) -> list[int]:
    return [int(number) for number in table.numbers(field, "<i")]


def _what_is_made(steps: list[tuple[tuple[int, str], list[int], list[int]]], outputs: list[int]) -> str:
    """Back from the output to the operator that decides."""
    wanted = outputs[0] if outputs else -1
    for (builtin, _), took, made in reversed(steps):
        if wanted not in made:
            continue
        if builtin in PASSES_ON and took:
            wanted = took[0]
            continue
        return MAKES.get(builtin, "logits")
    return "logits"


def _normalisation(model: Table) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    buffers = model.tables(4)
    for entry in model.tables(6):
        which = entry.number(1, "<I", 0)
        if entry.text(0) != MODEL_METADATA or which >= len(buffers):
            continue
        try:
            return _normalisation_in(buffers[which].raw(0))
        except FlatbufferError:
            return None, None  # the model runs without what was told about it
    return None, None


def _normalisation_in(metadata: bytes) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    for graph in root_table(metadata, b"M001").tables(3)[:1]:
        for tensor in graph.tables(2)[:1]:
            for unit in tensor.tables(4):
                options = unit.table(1)
                if unit.number(0, "<B", 0) == NORMALISATION and options is not None:
                    mean, sd = tuple(options.numbers(0, "<f")), tuple(options.numbers(1, "<f"))
                    if mean and len(mean) == len(sd) and all(value > 0.0 for value in sd):
                        return mean, sd
    return None, None
