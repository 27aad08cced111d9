"""The base of every part of a config file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown keys are errors; in YAML by the short key, from Python by the attribute's name."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
