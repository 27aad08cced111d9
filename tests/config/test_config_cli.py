"""`shelfedge config check` and `shelfedge config schema`."""

from __future__ import annotations

import json

from config_texts import NODE, PLANOGRAM, Write
from typer.testing import CliRunner

from edge.cli.config import app
from edge.config.demo import demo_node_path
from edge.config.errors import ConfigError


def test_check_says_ok_and_what_is_there() -> None:
    result = CliRunner().invoke(app, ["check", str(demo_node_path())])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "ok: node bay-12: 2 boards, 8 cells, 16 slots, 16 SKUs",
        "  shelf-1: 900 x 400 mm, 4 cells at 80 Hz, driver simulated, 8 slots, not calibrated, "
        "at 2000, 3000 mm facing 270 deg",
        "  shelf-2: 900 x 400 mm, 4 cells at 80 Hz, driver simulated, 8 slots, not calibrated, "
        "at 2950, 3000 mm facing 270 deg",
    ]


def test_check_refuses_with_exit_code_1_and_a_line_per_problem(write: Write) -> None:
    path = write(NODE.replace("80 Hz", "80"), PLANOGRAM.replace("count: 6", "count: -6"))
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 1
    assert isinstance(result.exception, ConfigError), "`shelfedge` prints its text and exits with its code"
    assert result.exception.exit_code == 1
    first, second = str(result.exception).splitlines()
    assert (
        first == f"{path}:7: boards.shelf-1.rate: 80: a number without a unit; expected a sampling rate such as '80 Hz'"
    )
    assert second.startswith(
        f"{path.with_name('planogram.yaml')}:5: slots.A1.count: -6: expected a number of at least 0"
    )


def test_schema_prints_either_files_schema() -> None:
    for arguments, title in (([], "NodeFile"), (["node"], "NodeFile"), (["planogram"], "Planogram")):
        result = CliRunner().invoke(app, ["schema", *arguments])
        assert json.loads(result.output)["title"] == title
