"""`shelfedge trace ...`: what is said, exit codes, and nothing that takes long to start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_trace import noise, write_trace
from typer.testing import CliRunner, Result

from calibration.record import calibration_from_json
from drivers.samples import SampleBlock
from edge.cli.trace import app
from edge.config.setup import Setup
from edge.trace.csv_import import import_csv
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter
from firmware_bridge.errors import ShelfedgeError

RECORDING = Path(__file__).parents[3] / "shared" / "data" / "aim3s" / "aim3s_shelf_weights_60hz.csv"


def run(*words: object) -> tuple[int, str, str]:
    """Exit code, stdout, and stderr with the text of the error that the command line would print."""
    result: Result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is None or isinstance(result.exception, SystemExit):
        return result.exit_code, result.stdout, result.stderr
    assert isinstance(result.exception, ShelfedgeError), result.exception
    return result.exception.exit_code, result.stdout, result.stderr + str(result.exception)


def test_info_says_what_is_in_it(tmp_path: Path, setup: Setup) -> None:
    """Boards, cells, samples, measured rate, gaps, flags, labels, size."""
    write_trace(tmp_path / "a.mcap", setup, -7, 60)
    code, out, err = run("info", tmp_path / "a.mcap")
    assert (code, err) == (0, "")
    assert "node      bay-1" in out
    assert "duration  66." in out
    assert "samples   6056 of 2 boards, 3 cells" in out
    assert "labels    2" in out
    assert "weighed   top" in out
    assert " spike" in out
    assert "bytes per sample" in out
    rows = {tuple(line.split()[:2]): line.split() for line in out.splitlines() if line.startswith(("top", "low.er"))}
    assert set(rows) == {("top", "fl"), ("top", "fr"), ("low.er", "one")}
    assert rows["low.er", "one"][2] == "670"


def test_info_of_a_damaged_trace(tmp_path: Path, setup: Setup) -> None:
    """The table of what is intact, the damage, exit code 3."""
    write_trace(tmp_path / "a.mcap", setup, 0, 60)
    raw = (tmp_path / "a.mcap").read_bytes()
    (tmp_path / "a.mcap").write_bytes(raw[: len(raw) * 2 // 3])
    code, out, err = run("info", tmp_path / "a.mcap")
    assert code == 3
    assert "DAMAGED   1 place," in out
    assert "top" in out
    assert "nothing readable follows" in err


@pytest.mark.parametrize("command", ["info", "export", "recover", "cut"])
def test_files_that_arent_there(tmp_path: Path, command: str) -> None:
    """Exit code 1 and a sentence."""
    more = {"info": [], "export": ["-o", "x.csv"], "recover": ["-o", "x.mcap"], "cut": ["-o", "x.mcap", "--from", "1"]}
    code, _, err = run(command, tmp_path / "no.mcap", *more[command])
    assert code == 1
    assert "no.mcap: can't read it: No such file" in err


def test_import_to_export(tmp_path: Path, node_path: Path) -> None:
    """A CSV with a bad row: its line on stderr, exit code 3, the rest in the trace; labels and calibration go along."""
    cells = {name: {"zero_counts": 0, "counts_per_gram": 100} for name in ("fl", "fr")}
    (tmp_path / "top.json").write_text(json.dumps({"board": "top", "cells": cells}))
    label = {"kind": "pick", "board": "attic", "start_s": 1, "end_s": 2}
    (tmp_path / "labels.json").write_text(json.dumps([label]))
    (tmp_path / "a.csv").write_text("time_s,top.fl,top.fr\n0,100,200\nx,1,2\n0.5,150,200\n")
    words = ["import", tmp_path / "a.csv", "-o", tmp_path / "a.mcap", "--config", node_path]
    code, out, err = run(*words, "--labels", tmp_path / "labels.json", "--calibration", tmp_path / "top.json")
    assert (code, out) == (3, "")
    assert "a.csv:3: column 'time_s': 'x' isn't a number" in err
    assert "1 row wasn't used; the other 2 are in" in err
    assert "board 'attic' isn't in the config" in err
    with TraceReader(tmp_path / "a.mcap") as reader:
        assert reader.labels[0].board == "attic"
        assert reader.require_setup().calibration["top"].cells["fl"].counts_per_gram == 100
    code, _, err = run("export", tmp_path / "a.mcap", "-o", tmp_path / "b.csv")
    assert code == 0
    assert (tmp_path / "b.csv").read_text() == (
        "time_s,top.fl,top.fr,low.er.one\n0.000000,100,200,\n0.500000,150,200,\n"
    )


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"board": "top", "cells": {"fl": {"zero_counts": 0, "counts_per_gram": 1}}},
            "no calibration of cell fr",
        ),
        ({"board": "x", "cells": {"a": {"zero_counts": 0, "counts_per_gram": 1}}}, "records of x; expected boards of"),
        ({"board": "top", "cells": {"fl": {"zero_counts": 0, "counts_per_gram": 0}}}, "must not be zero"),
    ],
)
def test_calibration_that_doesnt_fit(tmp_path: Path, node_path: Path, record: object, expected: str) -> None:
    """Named with file, board and cell; nothing is written."""
    (tmp_path / "c.json").write_text(json.dumps(record))
    (tmp_path / "a.csv").write_text("time_s,top.fl\n0,100\n")
    words = ["import", tmp_path / "a.csv", "-o", tmp_path / "a.mcap", "--config", node_path]
    code, _, err = run(*words, "--calibration", tmp_path / "c.json")
    assert code == 1
    assert "c.json: " in err
    assert expected in err
    assert not (tmp_path / "a.mcap").exists()


def test_an_empty_list_of_labels_is_attached(tmp_path: Path, setup: Setup, node_path: Path) -> None:
    """It says that nothing happened, which no list doesn't; copies and `info` keep the two apart."""
    (tmp_path / "none.json").write_text("[]")
    (tmp_path / "a.csv").write_text("time_s,top.fl\n0,100\n1,101\n")
    for name, words in (("bare", []), ("calm", ["--labels", tmp_path / "none.json"])):
        path, piece = tmp_path / f"{name}.mcap", tmp_path / f"{name}-cut.mcap"
        code, _, _ = run("import", tmp_path / "a.csv", "-o", path, "--config", node_path, *words)
        assert code == 0
        assert run("cut", path, "-o", piece, "--from", 0)[0] == 0
        for file in (path, piece):
            with TraceReader(file) as reader:
                assert (reader.has_labels, reader.labels) == (bool(words), ())
    assert "labels    none attached" in run("info", tmp_path / "bare.mcap")[1]
    assert "labels    0 (an empty list is attached: nothing happened)" in run("info", tmp_path / "calm.mcap")[1]
    with TraceWriter(tmp_path / "bad.mcap", setup, attachments={"labels.json": b"{"}) as writer:
        writer.write(noise("top", 2, 40, 0, 1))
    with TraceReader(tmp_path / "bad.mcap") as reader:
        assert not reader.has_labels, "what can't be read says nothing"


def test_info_names_stuck_cells(tmp_path: Path, setup: Setup) -> None:
    """The longest run of one code, also over the ends of epochs; not of grams, and not the usual repetition."""
    block = noise("top", 2, 40, 0, 20)
    counts = block.counts.copy()
    counts[(block.cell == 1) & (block.time_ns >= 5e9) & (block.time_ns < 12e9)] = 4711
    counts[(block.cell == 0) & (block.time_ns >= 5e9) & (block.time_ns < 5.5e9)] = 4711
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.write(SampleBlock("top", block.time_ns, block.cell, counts, block.flags))
    code, out, _ = run("info", tmp_path / "a.mcap")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("stuck")]
    length = int(((block.cell == 1) & (block.time_ns >= 5e9) & (block.time_ns < 12e9)).sum())
    assert line.startswith(f"stuck     top cell fr: code 4711 for {length} samples in a row, from 5.0")
    assert " to 11.9" in line
    (tmp_path / "g.csv").write_text("time_s,top.fl\n" + "".join(f"{k / 40},352.0\n" for k in range(200)))
    import_csv(tmp_path / "g.csv", tmp_path / "g.mcap", setup, grams=True)
    assert "\nstuck" not in run("info", tmp_path / "g.mcap")[1]


def test_help_of_import_says_what_the_files_hold(node_path: Path) -> None:
    """Labels and their clock, and a calibration record that can be copied and is one."""
    out = " ".join(run("import", "--help")[1].split())
    for words in ("start_s, end_s", "foreign", "unix seconds with unix_time", "nothing happened"):
        assert words in out
    record = out[out.index('{"board"') : out.index(", ...}}")] + "}}"
    assert calibration_from_json(record, "help")["shelf-1"].cells["fl"].counts_per_gram == 420.5


def test_recover_and_cut(tmp_path: Path, setup: Setup) -> None:
    """Exit code 0 for a whole trace, 3 for a damaged one; a cut around a moment."""
    write_trace(tmp_path / "a.mcap", setup, 0, 60)
    assert run("recover", tmp_path / "a.mcap", "-o", tmp_path / "b.mcap")[0] == 0
    raw = (tmp_path / "a.mcap").read_bytes()
    (tmp_path / "c.mcap").write_bytes(raw[:-5])
    code, _, err = run("recover", tmp_path / "c.mcap", "-o", tmp_path / "d.mcap")
    assert code == 3
    assert "d.mcap: holds all that is intact" in err
    assert run("cut", tmp_path / "a.mcap", "-o", tmp_path / "e.mcap", "--around", 30, "--margin", 2)[0] == 0
    with TraceReader(tmp_path / "e.mcap") as reader:
        assert reader.begin_ns is not None
        assert reader.end_ns is not None
        assert 3.5e9 < reader.end_ns - reader.begin_ns < 4e9
    for words in ([], ["--around", 3, "--from", 2], ["--from", "nan"], ["--from", 5, "--to", 5]):
        assert run("cut", tmp_path / "a.mcap", "-o", tmp_path / "f.mcap", *words)[0] == 1
    assert run("export", tmp_path / "a.mcap", "-o", tmp_path / "a.xlsx")[0] == 1
    assert run("export", tmp_path / "a.mcap", "-o", tmp_path / "no" / "a.csv")[0] == 1


def test_import_of_the_module_is_cheap() -> None:
    """`shelfedge --help` imports this module: nothing heavy comes with it."""
    heavy = "numpy numba pydantic rich yaml mcap"
    code = f"import sys, edge.cli.trace; print([name for name in '{heavy}'.split() if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(json.loads(result.stdout.replace("'", '"')))
    assert found <= {"rich"}, "typer itself may bring rich"


def test_info_doesnt_import_numba(tmp_path: Path, setup: Setup) -> None:
    """Compiling kernels to count samples would take longer than counting them."""
    write_trace(tmp_path / "a.mcap", setup, 0, 5)
    code = "import sys; from edge.cli.trace import app; app(sys.argv[1:], standalone_mode=False); "
    code += "assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, "info", str(tmp_path / "a.mcap")], capture_output=True, check=True)


@pytest.mark.skipif(not RECORDING.exists(), reason="the real recordings aren't in ../shared/data")
def test_recording_of_a_real_shelf(tmp_path: Path) -> None:
    """AIM3S (BuildSys 2019): 5 shelves in grams at 60 Hz, times from -7 s: all of it, in under 3.5 bytes per sample."""
    boards = "".join(
        f"  shelf{n}: {{width: 1219 mm, depth: 400 mm, rate: 60 Hz, driver: trace, "
        "cells: {all: {x: 600 mm, y: 200 mm}}}\n"
        for n in range(1, 6)
    )
    (tmp_path / "node.yaml").write_text("node: aim3s\nplanogram: p.yaml\nboards:\n" + boards)
    (tmp_path / "p.yaml").write_text(
        "skus: {a: {name: A, weight: 300 g}}\nslots: {A1: {board: shelf1, sku: a, x: [0 mm, 9 mm], count: 1}}\n"
    )
    text = RECORDING.read_text().splitlines()
    text[0] = "time_s," + ",".join(f"{name.removesuffix('_g')}.all" for name in text[0].split(",")[1:])
    (tmp_path / "a.csv").write_text("\n".join(text))
    words = ["import", tmp_path / "a.csv", "-o", tmp_path / "a.mcap", "--config", tmp_path / "node.yaml", "--unit", "g"]
    code, _, err = run(*words)
    assert (code, "warning" in err) == (0, False)
    with TraceReader(tmp_path / "a.mcap") as reader:
        assert reader.begin_ns == -7 * 10**9
        assert reader.sample_count == 5 * (len(text) - 1)
        assert reader.file_bytes < 3.5 * reader.sample_count
