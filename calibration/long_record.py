"""What long runs (creep, temperature) found, as it is kept in a board's calibration record."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CreepFigures(_Part):
    """Creep of the board or of a cell, as a share of the load, in ppm."""

    ppm_per_decade: _Finite
    """For each factor of ten in time, between 10 s and 30 min."""
    ppm_per_decade_sd: _NonNegative
    load_g: _NonNegative
    """What lay on it."""


class CreepRecord(_Part):
    """A creep run."""

    when: str
    who: str = ""
    weight_g: _NonNegative
    minutes: _NonNegative
    grade: str
    board: CreepFigures
    grams_30_min: _Finite
    """What the weight seemed to grow by, from 10 s to 30 min."""
    recovered: _Finite | None = None
    """Share of the creep that was gone at the end of the recovery."""
    cells: dict[str, CreepFigures] = Field(default_factory=dict)
    """Only those that carried enough of the weight to tell."""
    temperature_c: _Finite | None = None


class CellTemperature(_Part):
    """How a cell's zero goes with temperature."""

    counts_per_degree: _Finite
    counts_per_degree_sd: _NonNegative
    lag_min: _NonNegative
    r2: Annotated[float, Field(ge=0, le=1)]
    grade: str


class TemperatureRecord(_Part):
    """A temperature run."""

    when: str
    who: str = ""
    thermometer: str
    hours: _NonNegative
    from_c: _Finite
    to_c: _Finite
    cells: dict[str, CellTemperature]
    grams_per_degree: _Finite | None = None
    """Of the board's zero, where all cells could be told."""
    grams_per_degree_sd: _NonNegative | None = None
