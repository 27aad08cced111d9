"""One model file, open and tried: a picture of bytes in, its outputs as real numbers out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.vision.inference.errors import ModelError
from edge.vision.inference.flatbuffer import FlatbufferError
from edge.vision.inference.pixels import Range, pixel_table
from edge.vision.inference.quiet import only_real_messages
from edge.vision.inference.runtime import LITERT, MODULES, TFLITE, find_runtime
from edge.vision.inference.structure import Structure, read_structure
from edge.vision.inference.trial import first_line, try_model

U8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

MOST_BYTES = 200_000_000
LEAST_SIDE, MOST_SIDE = 8, 2048
MOST_THREADS = 16
KINDS = (np.uint8, np.int8, np.float32)
GREY = 128


@dataclass(frozen=True, slots=True)
class Output:
    """One of a model's outputs: its tensor number, name and shape, and what makes its integers real numbers."""

    tensor: int
    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class Model:
    """A model that takes one picture. Runs in whichever thread calls it, one call at a time.

    Args:
        path: the .tflite file.
        threads: how many the runtime may use for one picture.
        pixel_range: what black and white are at the input, where the file doesn't say and the guess is wrong.
        runtimes: which of them may be used, the first choice first.

    Attributes:
        path, runtime, height, width, channels, outputs, structure: what was found in the file.

    Raises ModelError if the file can't be used, for any reason, and says what to do.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        pixel_range: Range | None = None,
        runtimes: Sequence[str] = (LITERT, TFLITE),
    ) -> None:
        if not 1 <= threads <= MOST_THREADS:
            raise ModelError(f"{path}: {threads} threads; expected 1 to {MOST_THREADS}")
        self.path = path
        content = _content(path)
        self.structure: Structure = _structure(path, content)
        self.runtime = find_runtime(runtimes)
        try_model(path, content, MODULES[self.runtime.name])
        self._lock = threading.Lock()
        with only_real_messages():
            try:
                self._interpreter = self.runtime.interpreter(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
            except Exception as error:  # pybind raises whatever its C++ does
                raise ModelError(f"{path}: {self.runtime.name} can't run it: {first_line(error)}") from error
            self._input = self._picture_input(self._interpreter.get_input_details())
            self.outputs = tuple(_output(detail) for detail in self._interpreter.get_output_details())
            self._pixels = self._pixel_table(pixel_range)
            self.infer(np.full((self.height, self.width, self.channels), GREY, np.uint8))

    def _picture_input(self, details: list[dict[str, Any]]) -> dict[str, Any]:
        if len(details) != 1:
            raise ModelError(f"{self.path}: it wants {len(details)} inputs; expected one, a picture")
        shape = [int(side) for side in details[0].get("shape_signature", details[0]["shape"])]
        if -1 in shape[1:]:
            raise ModelError(
                f"{self.path}: it takes pictures of any size {shape}; convert it with a fixed size, such as 1x300x300x3"
            )
        kind = details[0]["dtype"]
        shape = [int(side) for side in details[0]["shape"]]
        good = len(shape) == 4 and shape[0] == 1 and shape[3] in (1, 3)
        if not good or not all(LEAST_SIDE <= side <= MOST_SIDE for side in shape[1:3]):
            raise ModelError(
                f"{self.path}: its input is {shape}; expected a picture [1, height, width, 3 or 1], each side "
                f"{LEAST_SIDE} to {MOST_SIDE} pixels"
            )
        if kind not in KINDS:
            raise ModelError(
                f"{self.path}: its input is {np.dtype(kind).name}; expected uint8, int8 or float32. Convert it again"
            )
        self.height, self.width, self.channels = shape[1:]
        return details[0]

    def _pixel_table(self, pixel_range: Range | None) -> npt.NDArray[Any]:
        kind, (scale, zero_point) = self._input["dtype"], self._input["quantization"]
        if kind is np.float32:
            scale = 0.0
        elif not scale > 0.0:
            raise ModelError(f"{self.path}: its {np.dtype(kind).name} input has no quantisation; convert it again")
        return pixel_table(kind, float(scale), int(zero_point), self.channels, self.structure, pixel_range)

    def infer(self, picture: U8) -> list[Floats]:
        """Its outputs, in the file's order, each float64 of its shape, for uint8[height, width, channels].

        Raises ModelError if the runtime gives up, ValueError for a picture of another shape.
        """
        if picture.shape != (self.height, self.width, self.channels) or picture.dtype != np.uint8:
            expected = f"uint8{[self.height, self.width, self.channels]}"
            raise ValueError(f"{self.path}: a picture is {picture.dtype}{list(picture.shape)}; expected {expected}")
        if self._pixels.shape[1] == 1:
            values = self._pixels[:, 0][picture]
        else:
            values = np.stack([self._pixels[:, c][picture[..., c]] for c in range(self.channels)], axis=-1)
        with self._lock:
            try:
                self._interpreter.set_tensor(self._input["index"], values[None])
                self._interpreter.invoke()
                raw = [self._interpreter.get_tensor(output.tensor) for output in self.outputs]
            except Exception as error:  # pybind raises whatever its C++ does
                raise ModelError(f"{self.path}: {self.runtime.name} gave up: {first_line(error)}") from error
        return [_real(values, output) for values, output in zip(raw, self.outputs, strict=True)]


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ModelError(f"{path}: a folder; expected a .tflite file")
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path}: more than {MOST_BYTES // 1_000_000} MB; a node's model is a few MB")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file; copy the model there, or correct the path") from error
    except OSError as error:
        raise ModelError(f"{path}: can't be read: {error.strerror or error}") from error


def _structure(path: Path, content: bytes) -> Structure:
    try:
        return read_structure(content)
    except FlatbufferError as error:
        raise ModelError(f"{path}: not a TFLite model, or a damaged one: {error}. Copy it again") from error


def _output(detail: dict[str, Any]) -> Output:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(side) for side in detail["shape"])
    return Output(int(detail["index"]), str(detail["name"]), shape, float(scale), int(zero_point))


def _real(values: npt.NDArray[Any], output: Output) -> Floats:
    """As real numbers; a floating-point output has scale 0."""
    with np.errstate(invalid="ignore"):  # beyond its count, a detector's boxes are whatever was in the memory
        real: Floats = np.asarray(values, np.float64)
    return real if output.scale == 0.0 else (real - output.zero_point) * output.scale
