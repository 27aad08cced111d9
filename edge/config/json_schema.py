"""The JSON Schema of a node file and of a planogram, for editors; out of the definitions in `edge.config.schema`."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel

from edge.config.schema import NodeFile, Planogram

SchemaName = Literal["node", "planogram"]
_MODELS: dict[SchemaName, type[BaseModel]] = {"node": NodeFile, "planogram": Planogram}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(name: SchemaName) -> dict[str, Any]:
    """The schema with YAML's key names; a key it doesn't know is an error everywhere but among a driver's options."""
    schema = _MODELS[name].model_json_schema(by_alias=True)
    for part in (schema, *schema.get("$defs", {}).values()):
        for field in part.get("properties", {}).values():
            if "patternProperties" in field:
                field["additionalProperties"] = False
    return {"$schema": _DIALECT, **schema}


def json_schema_text(name: SchemaName) -> str:
    return json.dumps(json_schema(name), indent=2)
