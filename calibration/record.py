"""The calibration record of a board: what turns its counts into grams, and how sure each number is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from calibration.long_record import CreepRecord, TemperatureRecord
from firmware_bridge.errors import ShelfedgeError

FORMAT_VERSION = 3
"""The newest that is read. 1: gains and zeros alone; 2: the run is told, and what a channel carries by its wiring;
3: what creep and temperature runs found. A record says the oldest that has all that is in it."""
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CalibrationError(ShelfedgeError, ValueError):
    """A calibration record can't be used. Examples: not JSON, a cell missing, a gain of zero."""


class CellCalibration(BaseModel):
    """One cell: ``grams = (counts - zero_counts) / counts_per_gram``; a reversed cell has a negative gain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zero_counts: _Finite
    counts_per_gram: _Finite
    zero_sd_counts: _NonNegative = 0.0
    gain_relative_sd: _NonNegative = 0.005
    adc_bits: Annotated[int, Field(ge=0, le=32)] = 24
    """Word length of the converter: its end stops and corrupted codes are known from it. 0: values that never were
    converter codes (recordings imported in grams), where no code can be judged."""
    carries: str | None = None
    """The cell at whose place this channel really stands, where the run found that the wiring isn't the node file's.
    Zero and gain are the channel's own, so sums are right for whoever doesn't look at this; places aren't."""

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_known(self, inner: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _known(inner(self))

    @field_validator("counts_per_gram")
    @classmethod
    def _gain_isnt_zero(cls, value: float) -> float:
        if abs(value) < 1e-9:
            raise ValueError("must not be zero: a cell without gain can't weigh")
        return value


class PlaceResidual(BaseModel):
    """One placement of the run: how far the fit is from what was put there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: str
    x_mm: _Finite
    y_mm: _Finite
    weight_g: _Finite
    residual_g: _Finite
    off_x_mm: _Finite | None = None
    """How far from the guided place the weight lay, by the fit; None where the cells can't tell."""
    off_y_mm: _Finite | None = None


class CalibrationRun(BaseModel):
    """The procedure that a record came from: for people and for `history`; nothing weighs with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: str = ""
    """ISO time, with its offset from UTC."""
    who: str = ""
    weights: tuple[str, ...] = ()
    """The reference weights, as the installer named them ("2 kg M1, no. 17"), or their grams."""
    firmware: str = ""
    temperature_c: _Finite | None = None
    procedure: str = ""
    places: tuple[PlaceResidual, ...] = ()
    hysteresis_g: _Finite | None = None
    repeatability_g: _NonNegative | None = None
    zero_return_g: _Finite | None = None
    smallest_weight_g: _NonNegative | None = None
    place_sd_mm: _NonNegative | None = None
    noise_nv: dict[str, _NonNegative] = Field(default_factory=dict)
    """Noise per sample of each cell at the converter's input, nV rms, if it is fed with 5 V."""
    cautions: tuple[str, ...] = ()


class BoardCalibration(BaseModel):
    """One board: its cells by id, in the node file's names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1)] = 1
    board: str
    made: str = ""
    """When and how, for people: an ISO time and the procedure, or the name of the recording it came with."""
    gain_common_relative_sd: _NonNegative = 0.0
    """How far the whole board may be off together (a wrong reference weight, plates calibrated elsewhere)."""
    cells: dict[str, CellCalibration]
    run: CalibrationRun | None = None
    """How it was made; None for records that no run made."""
    creep: CreepRecord | None = None
    """What a creep run found, for people and for `diagnose`; nothing weighs with it."""
    temperature: TemperatureRecord | None = None
    """What a temperature run found, likewise."""

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_known(self, inner: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _known(inner(self))

    def carried(self, names: Sequence[str]) -> list[int]:
        """For each of the board's channels (``names``: cells in the node file's order) the index of the cell at whose
        place it stands. Raises CalibrationError where record and node file differ in their cells, or two are at one.
        """
        for name in names:
            if name not in self.cells or (self.cells[name].carries or name) not in names:
                raise CalibrationError(
                    f"{self.board}: its calibration and the node file differ in their cells ({name}); calibrate again"
                )
        carried = [names.index(self.cells[name].carries or name) for name in names]
        if len(set(carried)) < len(carried):
            raise CalibrationError(f"{self.board}: its calibration has two cells at one place; calibrate again")
        return carried


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the keys that hold None: a record of version 1 is written as it always was."""
    return {key: value for key, value in fields.items() if value is not None}


def nominal_grams_calibration(
    board: str, cells: list[str], counts_per_gram: float, gain_common_relative_sd: float, made: str
) -> BoardCalibration:
    """The record for values that were already grams and are stored as ``grams x counts_per_gram`` counts."""
    cell = CellCalibration(zero_counts=0.0, counts_per_gram=counts_per_gram, gain_relative_sd=0.0, adc_bits=0)
    return BoardCalibration(
        board=board, made=made, gain_common_relative_sd=gain_common_relative_sd, cells=dict.fromkeys(cells, cell)
    )


def calibration_from_json(text: str, where: str) -> dict[str, BoardCalibration]:
    """Records by board out of JSON: one record, or an object of several by board id.

    Raises CalibrationError naming ``where``, the key and what is expected.
    """
    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise CalibrationError(
            f"{where}:{error.lineno}: not JSON ({error.msg}); expected a calibration record"
        ) from None
    if not isinstance(data, Mapping):
        raise CalibrationError(f"{where}: expected a calibration record (a JSON object), got {type(data).__name__}")
    records = [data] if "cells" in data else list(data.values())
    found: dict[str, BoardCalibration] = {}
    for record in records:
        try:
            board = BoardCalibration.model_validate(record)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            expected = first["msg"].removeprefix("Value error, ")
            raise CalibrationError(f"{where}: {key}: {expected} (got {first.get('input')!r})") from None
        if board.version > FORMAT_VERSION:
            raise CalibrationError(
                f"{where}: {board.board}: record version {board.version} is newer than this shelfedge knows "
                f"({FORMAT_VERSION}); update shelfedge"
            )
        found[board.board] = board
    return found


def calibration_to_json(records: Mapping[str, BoardCalibration]) -> str:
    """Records by board as JSON, keys in a fixed order."""
    return json.dumps({name: record.model_dump(mode="json") for name, record in sorted(records.items())}, indent=1)
