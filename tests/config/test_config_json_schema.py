"""The JSON Schema for editors comes out of the same definitions, and agrees with `config check`."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
import yaml
from config_texts import NODE, PLANOGRAM

from edge.config.demo import demo_node_path
from edge.config.json_schema import SchemaName, json_schema


def errors(name: SchemaName, data: Any) -> list[str]:
    schema = json.loads(json.dumps(json_schema(name)))
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)]


def test_demo_files_and_our_examples_fit() -> None:
    demo = demo_node_path()
    assert errors("node", yaml.safe_load(demo.read_text())) == []
    assert errors("planogram", yaml.safe_load(demo.with_name("planogram.yaml").read_text())) == []
    assert errors("node", yaml.safe_load(NODE)) == []
    assert errors("planogram", yaml.safe_load(PLANOGRAM)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("stor",), "x"),
        (("node",), "a b"),
        (("boards", "shelf-1", "width"), 900),
        (("boards", "shelf-1", "width"), "900"),
        (("boards", "shelf-1", "width_mm"), "900 mm"),
        (("boards", "shelf-1", "driver"), "simulatd"),
        (("boards", "shelf-1", "driver"), {"port": "x"}),
        (("boards", "shelf-1", "cells"), {}),
        (("boards", "shelf-1", "cells", "a/b"), {"x": "1 mm", "y": "1 mm"}),
        (("boards", "shelf-1", "cells", "fl", "z"), "1 mm"),
        (("boards", "shelf 2"), {}),
        (("fusion",), {"review_below": 1}),
    ],
)
def test_node_schema_rejects(path: tuple[str, ...], value: object) -> None:
    assert errors("node", with_value(yaml.safe_load(NODE), path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("slots", "A1", "cuont"), 1),
        (("slots", "A1", "count"), -1),
        (("slots", "A1", "x"), ["1 mm"]),
        (("skus", "cola-033", "weight"), 352),
        (("skus", "cola 033"), {"name": "x", "weight": "1 g"}),
    ],
)
def test_planogram_schema_rejects(path: tuple[str, ...], value: object) -> None:
    assert errors("planogram", with_value(yaml.safe_load(PLANOGRAM), path, value))


def test_schema_takes_a_drivers_own_options_and_unknown_spread() -> None:
    driver = {"type": "bridge", "port": "/dev/ttyUSB0", "baud": 250_000}
    assert errors("node", with_value(yaml.safe_load(NODE), ("boards", "shelf-1", "driver"), driver)) == []
    assert errors("planogram", with_value(yaml.safe_load(PLANOGRAM), ("skus", "cola-033", "spread"), None)) == []


def test_every_field_has_a_title_and_a_description() -> None:
    for name in ("node", "planogram"):
        schema = json_schema(name)  # type: ignore[arg-type]
        for part in (schema, *schema["$defs"].values()):
            for key, field in part.get("properties", {}).items():
                assert "description" in field, key
                assert "title" in field or "$ref" in field or "anyOf" in field, key


def with_value(tree: Any, path: tuple[str, ...], value: object) -> Any:
    changed = copy.deepcopy(tree)
    here = changed
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return changed
