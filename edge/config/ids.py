"""The names that things have in a node file and a planogram."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ID_HINT = "a name of letters, digits, '.', '_' and '-' that begins with a letter or digit (at most 64 characters)"

Id = Annotated[str, Field(pattern=ID_PATTERN)]
"""A name that may become part of an MQTT topic or of a file's name."""
Reference = Annotated[str, WithJsonSchema({"type": ["string", "integer"], "pattern": ID_PATTERN})]
"""An `Id` as a value. A barcode may stand there without quotes: the file's text counts, digit for digit."""
Text = Annotated[str, Field(min_length=1, max_length=200)]
