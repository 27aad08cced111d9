"""Quantities carry their unit: `80 Hz`, `900 mm`, `0.9 m`, `352g`. A bare number is an error that names the unit.

Each type below is a plain float in the base unit once it is read, and in JSON Schema a string with a pattern.
From Python, a number is taken as it is: there the unit stands in the attribute's name (`width_mm=900`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_BARE_NUMBER = re.compile(rf"[+-]?({_NUMBER})(?:[eE][+-]?[0-9]+)?")
_LONGEST_TEXT = 40


@dataclass(frozen=True)
class Quantity:
    """A kind of quantity with the range that makes sense for it.

    Attributes:
        what: its name in error texts, for example ``a length``.
        units: factor to the base unit by unit; the first one is the base unit.
        lowest, highest: the range in the base unit, both ends allowed.
        above_zero: zero itself is refused.
        signed: a minus sign may stand before it.
    """

    what: str
    units: tuple[tuple[str, int], ...]
    example: str
    lowest: float = 0.0
    highest: float = math.inf
    above_zero: bool = False
    signed: bool = False

    @property
    def base_unit(self) -> str:
        return self.units[0][0]

    @property
    def pattern(self) -> str:
        """The regular expression that a text must match as a whole; it means the same to Python and to JavaScript."""
        names = "|".join(name for name, _ in self.units)
        sign = "-?" if self.signed else ""
        return rf"^({sign}{_NUMBER}) *({names})$"

    def parse(self, value: Any) -> float:
        """A text with a unit (out of a file), or a number in the base unit (out of Python), in the base unit.

        Raises ValueError saying what is expected.
        """
        if isinstance(value, str):
            return self._checked(self._from_text(value.strip()))
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._checked(float(value))
        raise ValueError(f"expected {self.hint()}")

    def hint(self) -> str:
        """What to write, for an error text."""
        others = ", ".join(name for name, _ in self.units)
        return f"{self.what} with its unit, for example '{self.example}' (units: {others})"

    def text(self, value: float) -> str:
        """A value in the base unit as a person would write it: ``900 mm``."""
        return f"{value:.6g} {self.base_unit}" if 1e-4 <= abs(value) < 1e6 else f"{value:.0f} {self.base_unit}"

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": self.pattern,
            "description": self.hint()[0].upper() + self.hint()[1:],
            "examples": [self.example],
        }

    def _from_text(self, text: str) -> float:
        if len(text) > _LONGEST_TEXT:
            raise ValueError(f"expected {self.hint()}")
        if match := re.fullmatch(self.pattern, text):
            return float(Decimal(match[1]) * dict(self.units)[match[2]])
        if bare := _BARE_NUMBER.fullmatch(text):
            example = f"{text} {self.base_unit}" if bare[1] == text else self.example
            raise ValueError(f"a number without a unit; expected {self.what} such as '{example}'")
        if text.startswith("-") and not self.signed:
            raise ValueError(f"must not be negative; expected {self.hint()}")
        if re.match(r"[0-9]+,[0-9]", text):
            raise ValueError(f"the decimal sign is a point, not a comma; expected {self.hint()}")
        raise ValueError(f"expected {self.hint()}")

    def _checked(self, value: float) -> float:
        if not math.isfinite(value):
            raise ValueError(f"expected {self.hint()}")
        if value < self.lowest or value > self.highest or (self.above_zero and value <= 0):
            raise ValueError(f"expected {self.what} {self._range()}")
        return value

    def _range(self) -> str:
        low = "above 0" if self.above_zero else f"from {self.text(self.lowest)}"
        return low if math.isinf(self.highest) else f"{low} to {self.text(self.highest)}"


_LENGTH_UNITS = (("mm", 1), ("cm", 10), ("m", 1000))
_WEIGHT_UNITS = (("g", 1), ("kg", 1000))

POSITION = Quantity("a length", _LENGTH_UNITS, "30 mm", highest=10_000)
LENGTH = Quantity("a length", _LENGTH_UNITS, "900 mm", highest=10_000, above_zero=True)
FLOOR = Quantity("a length", _LENGTH_UNITS, "1200 mm", lowest=-1e6, highest=1e6, signed=True)
HEIGHT = Quantity("a height", _LENGTH_UNITS, "1.1 m", highest=10_000)
ANGLE = Quantity("an angle", (("deg", 1), ("°", 1)), "90 deg", lowest=-360, highest=360, signed=True)
SPREAD = Quantity("a weight", _WEIGHT_UNITS, "2 g", highest=500_000)
WEIGHT = Quantity("a weight", _WEIGHT_UNITS, "352 g", highest=500_000, above_zero=True)
CAPACITY = Quantity("a weight", _WEIGHT_UNITS, "10 kg", highest=2_000_000, above_zero=True)
SUPPLY = Quantity("a supply", (("V", 1),), "5 V", lowest=2.6, highest=5.5)  # of an HX711, by its datasheet
SENSITIVITY = Quantity("a sensitivity", (("mV/V", 1),), "1 mV/V", lowest=0.01, highest=100)
RATE = Quantity("a sampling rate", (("Hz", 1), ("kHz", 1000)), "80 Hz", lowest=1, highest=1000)
FRAME_RATE = Quantity("a rate", (("Hz", 1),), "5 Hz", lowest=0.1, highest=120)
DURATION = Quantity("a time", (("ms", 1), ("s", 1000), ("min", 60_000)), "400 ms", highest=86_400_000)
INTERVAL = Quantity("a time", (("s", 1), ("min", 60), ("h", 3600)), "60 s", lowest=1, highest=86_400)
AGE = Quantity("a time", (("s", 1), ("min", 60), ("h", 3600), ("d", 86_400)), "30 d", lowest=1, highest=3650 * 86_400)
SIZE = Quantity("a size", (("B", 1), ("kB", 10**3), ("MB", 10**6), ("GB", 10**9)), "256 MB", highest=1e13)

PositionMillimetres = Annotated[float, BeforeValidator(POSITION.parse), WithJsonSchema(POSITION.json_schema())]
Millimetres = Annotated[float, BeforeValidator(LENGTH.parse), WithJsonSchema(LENGTH.json_schema())]
FloorMillimetres = Annotated[float, BeforeValidator(FLOOR.parse), WithJsonSchema(FLOOR.json_schema())]
HeightMillimetres = Annotated[float, BeforeValidator(HEIGHT.parse), WithJsonSchema(HEIGHT.json_schema())]
Degrees = Annotated[float, BeforeValidator(ANGLE.parse), WithJsonSchema(ANGLE.json_schema())]
SpreadGrams = Annotated[
    float, BeforeValidator(SPREAD.parse), WithJsonSchema(SPREAD.json_schema() | {"type": ["string", "null"]})
]
Grams = Annotated[float, BeforeValidator(WEIGHT.parse), WithJsonSchema(WEIGHT.json_schema())]
CapacityGrams = Annotated[float, BeforeValidator(CAPACITY.parse), WithJsonSchema(CAPACITY.json_schema())]
MillivoltsPerVolt = Annotated[float, BeforeValidator(SENSITIVITY.parse), WithJsonSchema(SENSITIVITY.json_schema())]
Seconds = Annotated[float, BeforeValidator(INTERVAL.parse), WithJsonSchema(INTERVAL.json_schema())]
Age = Annotated[float, BeforeValidator(AGE.parse), WithJsonSchema(AGE.json_schema())]
Bytes = Annotated[float, BeforeValidator(SIZE.parse), WithJsonSchema(SIZE.json_schema())]
Hertz = Annotated[float, BeforeValidator(RATE.parse), WithJsonSchema(RATE.json_schema())]
FrameHertz = Annotated[float, BeforeValidator(FRAME_RATE.parse), WithJsonSchema(FRAME_RATE.json_schema())]
