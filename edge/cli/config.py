"""`shelfedge config check` and `shelfedge config schema`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Check a node file, or print the JSON Schema for your editor.")


class SchemaChoice(StrEnum):
    """Which file the schema is for."""

    NODE = "node"
    PLANOGRAM = "planogram"


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="The node file; its planogram and calibration are checked too.")],
) -> None:
    """Check a node file with its planogram and calibration; report every problem at once."""
    from edge.config.setup import load_setup
    from edge.config.summary import summary

    typer.echo(summary(load_setup(path, camera_files=True)))


@app.command()
def schema(
    name: Annotated[SchemaChoice, typer.Argument(help="Which file the schema is for.")] = SchemaChoice.NODE,
) -> None:
    """Print the JSON Schema of the node file or the planogram, for editors that complete and check YAML."""
    from edge.config.json_schema import json_schema_text

    typer.echo(json_schema_text(name.value))
