"""Bad input to `calibrate` and `teach`: a clear sentence, the documented exit code, nothing changed (P9)."""

from __future__ import annotations

import fcntl
import json
import os

import pytest
from installer_node import FAST, files_of, installer_node

from edge.config.setup import load_setup
from edge.node.simulate import calibration_for, physics_for

CHIPS = "{fl: 0, fr: 1, bl: 2, br: 3}"


@pytest.fixture
def node(tmp_path):
    return installer_node(tmp_path, calibration=True)


@pytest.fixture
def calibrated(node):
    """With a record of each board."""
    setup = load_setup(node, calibrated=False)
    for board, record in calibration_for(setup, physics_for(setup, 1), 1).items():
        (node.parent / "calibration" / f"{board}.json").write_text(record.model_dump_json(exclude_none=True))
    return node


def on_port(node, port):
    """The node file with its first board on a shelf MCU."""
    driver = f"driver: {{type: bridge, port: {port}, chips: {CHIPS}}}"
    node.write_text(node.read_text().replace("driver: simulated", driver, 1))
    return node


def refused(shelfedge, node, arguments, code, *said):
    """It says that, in a sentence, with that code, and leaves everything as it was."""
    before = files_of(node.parent)
    done = shelfedge(*arguments)
    text = " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == code, text
    for each in said:
        assert each in text
    assert "Traceback" not in text
    assert files_of(node.parent) == before
    return text


TWICE = ["--weight", "2 kg", "--extra", "5 kg", "--extra", "5 kg"]


@pytest.mark.parametrize("more", [(), ("--check",)], ids=["run", "check"])
@pytest.mark.parametrize(
    ("weights", "code", "said"),
    [
        (["--weight", "0 g"], 2, "above 0"),
        (["--weight=-2 kg"], 2, "must not be negative"),
        (["--weight", "nan"], 2, "a weight with its unit"),
        (["--weight", "nan kg"], 2, "a weight with its unit"),
        (["--weight", "inf kg"], 2, "a weight with its unit"),
        (["--weight", "1 t"], 2, "(units: g, kg)"),
        (["--weight", "1000 kg"], 2, "above 0"),
        (["--weight", "400 kg"], 1, "nearly overloads a cell of 10000 g on shelf-1; expected at most 9000 g"),
        (["--weight", "2 bananas"], 2, "a weight with its unit, for example '352 g'"),
        (["--weight", "2"], 2, "a number without a unit"),
        (["--weight", ""], 2, "a weight with its unit"),
        (["--weight", "2 kg", "--weight", "3 kg"], 2, "given more than once, with '2 kg' and '3 kg'"),
        (["--weight", "2 kg", "--tolerance", "nan g"], 2, "a weight with its unit"),
    ],
)
def test_weights_that_cant_be(calibrated, shelfedge, weights, code, said, more):
    refused(shelfedge, calibrated, ["calibrate", "shelf-1", calibrated, *weights, *more, *FAST], code, said)


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [((), 1, "5000 g is given twice as an extra load"), (("--check",), 2, "leave --extra out")],
)
def test_extra_loads_that_cant_be(calibrated, shelfedge, more, code, said):
    refused(shelfedge, calibrated, ["calibrate", "shelf-1", calibrated, *TWICE, *more, *FAST], code, said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--who", "ada\nbob"], "'--who': expected words on one line"),
        (["--who", "\x1b[31mada"], "'--who': expected words on one line"),
        (["--who", "a" * 81], "'--who': expected at most 80 characters, got 81"),
        (["--weight-name", "2 kg\x07"], "'--weight-name': expected words on one line"),
        (["--weight-name", "w" * 201], "'--weight-name': expected at most 200 characters, got 201"),
    ],
    ids=["line", "escape", "long", "bell", "long name"],
)
def test_words_for_the_record_that_would_upset_it(calibrated, shelfedge, words, said):
    command = ["calibrate", "shelf-1", calibrated, "--weight", "2 kg", *words, *FAST]
    refused(shelfedge, calibrated, command, 2, said)


def test_a_damaged_record_is_said_with_the_way_back(calibrated, shelfedge):
    path = calibrated.parent / "calibration" / "shelf-1.json"
    whole = path.read_text()
    gainless = json.loads(whole)
    gainless["cells"]["fl"]["counts_per_gram"] = 0
    check = ["calibrate", "shelf-1", calibrated, "--weight", "2 kg", "--check", *FAST]
    commands = [check, ["calibrate", "export", "shelf-1", calibrated], ["config", "check", calibrated],
                ["teach", "cola-033", calibrated, *FAST]]  # fmt: skip
    for damaged, tried in ((whole[:40], commands[2:3]), (json.dumps(gainless), commands)):
        path.write_text(damaged)
        for command in tried:
            text = refused(shelfedge, calibrated, command, 1, "none before it is kept", "shelfedge calibrate shelf-1")
            assert "Value error" not in text
    history = calibrated.parent / "calibration" / "history" / "shelf-1"
    history.mkdir(parents=True)
    (history / "000001.json").write_text(whole)
    for command in commands[1:3]:
        refused(shelfedge, calibrated, command, 1, "`shelfedge calibrate history shelf-1`",
                "`shelfedge calibrate restore shelf-1 NUMBER`")  # fmt: skip
    stranger = calibrated.parent / "calibration" / "notes.json"
    stranger.write_text("mine")
    assert "shelfedge calibrate notes" not in shelfedge("config", "check", calibrated).stderr
    stranger.unlink()
    assert shelfedge("calibrate", "restore", "shelf-1", "1", calibrated).returncode == 0
    assert shelfedge("config", "check", calibrated).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["calibrate", "freezer", "NODE", "--weight", "2 kg"],
        ["calibrate", "freezer", "NODE", "--weight", "2 kg", "--check"],
        ["calibrate", "history", "freezer", "NODE"],
        ["calibrate", "export", "freezer", "NODE"],
        ["calibrate", "restore", "freezer", "1", "NODE"],
        ["calibrate", "import", "freezer", "NODE", "NODE"],
        ["teach", "cola-033", "NODE", "--board", "freezer"],
    ],
)
def test_a_board_that_isnt_there_is_named_with_those_that_are(calibrated, shelfedge, arguments):
    arguments = [str(calibrated) if each == "NODE" else each for each in arguments]
    refused(shelfedge, calibrated, arguments, 2, "'freezer'; it has shelf-1, shelf-2")


COMMANDS = {
    "run": ["calibrate", "shelf-1", "NODE", "--weight", "2 kg"],
    "check": ["calibrate", "shelf-1", "NODE", "--weight", "2 kg", "--check"],
    "history": ["calibrate", "history", "shelf-1", "NODE"],
    "export": ["calibrate", "export", "shelf-1", "NODE"],
    "restore": ["calibrate", "restore", "shelf-1", "1", "NODE"],
    "import": ["calibrate", "import", "shelf-1", "FILE", "NODE"],
    "teach": ["teach", "cola-033", "NODE"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_node_file_that_is_missing_or_broken_is_named_with_its_line(calibrated, shelfedge, command):
    node = calibrated.parent / "other.yaml"
    arguments = [str(node) if each in ("NODE", "FILE") else each for each in COMMANDS[command]]
    refused(shelfedge, calibrated, arguments, 1, "other.yaml", "no such file")
    node.write_text("node: bay-12\nboards: {shelf-1: {width: wide}}\n")
    refused(shelfedge, calibrated, arguments, 1, "other.yaml:2")


@pytest.mark.parametrize("command", ["run", "check", "teach"])
def test_a_port_that_another_program_holds(calibrated, shelfedge, command):
    """A pty stands for the serial port; the lock is the one that every well-behaved program takes."""
    handle, own = os.openpty()
    fcntl.flock(own, fcntl.LOCK_EX)
    node = on_port(calibrated, os.ttyname(own))
    try:
        arguments = [str(node) if each == "NODE" else each for each in COMMANDS[command]]
        refused(shelfedge, node, arguments, 1, os.ttyname(own), "is in use by another program: stop it")
    finally:
        os.close(own)
        os.close(handle)


@pytest.mark.parametrize("command", ["run", "check", "teach"])
def test_a_port_that_isnt_there(calibrated, shelfedge, command):
    node = on_port(calibrated, "/dev/ttyUSB77")
    arguments = [str(node) if each == "NODE" else each for each in COMMANDS[command]]
    refused(shelfedge, node, arguments, 1, "/dev/ttyUSB77", "plug the shelf MCU in")


@pytest.mark.parametrize("command", ["check", "teach"])
def test_a_record_of_other_cells_is_named_and_calibrating_again_is_not_kept_from(calibrated, shelfedge, command):
    path = calibrated.parent / "calibration" / "shelf-1.json"
    path.write_text(path.read_text().replace('"fl"', '"front-left"'))
    arguments = [str(calibrated) if each == "NODE" else each for each in COMMANDS[command]]
    if command == "teach":
        calibrated = on_port(calibrated, "/dev/ttyUSB77")
    refused(shelfedge, calibrated, [*arguments, *FAST], 1, "fl")


@pytest.mark.parametrize("command", ["run", "check", "history", "export", "restore"])
def test_records_that_lie_where_no_folder_can_be(node, shelfedge, command):
    (node.parent / "calibration").rmdir()
    (node.parent / "calibration").write_text("not a folder")
    arguments = [str(node) if each == "NODE" else each for each in COMMANDS[command]]
    refused(shelfedge, node, arguments, 1, "names a file", "expected a folder")


@pytest.mark.parametrize("number", ["0", "-1", "one"])
def test_record_numbers_that_cant_be(calibrated, shelfedge, number):
    before = files_of(calibrated.parent)
    for arguments in (["restore", "shelf-1", number, calibrated], ["export", "shelf-1", calibrated, "-n", number]):
        done = shelfedge("calibrate", *arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert files_of(calibrated.parent) == before


def test_without_a_terminal_and_without_a_weight_nothing_is_waited_for(node, shelfedge):
    """stdin is at its end: nobody could answer."""
    for more in ([], ["--check"]):
        refused(shelfedge, node, ["calibrate", "shelf-1", node, *more], 2, "say how heavy the reference weight is")


def test_what_was_exported_can_be_imported_and_what_is_no_record_of_this_board_cant(calibrated, shelfedge, tmp_path):
    kept = tmp_path / "kept.json"
    before = json.loads((calibrated.parent / "calibration" / "shelf-1.json").read_text())
    assert shelfedge("calibrate", "export", "shelf-1", calibrated, "-o", kept).returncode == 0
    unchanged = files_of(calibrated.parent)
    again = shelfedge("calibrate", "import", "shelf-1", kept, calibrated)
    assert again.returncode == 0
    assert "is in use already; nothing was changed" in again.stdout
    assert files_of(calibrated.parent) == unchanged
    kept.write_text(json.dumps({**before, "made": "on another node"}))
    done = shelfedge("calibrate", "import", "shelf-1", kept, calibrated, "--who", "ada")
    assert done.returncode == 0, done.stderr
    assert "is in use, as number 2" in done.stdout
    assert "in use already" in shelfedge("calibrate", "import", "shelf-1", kept, calibrated).stdout
    lines = shelfedge("calibrate", "history", "shelf-1", calibrated, "--json").stdout.splitlines()
    first, second = (json.loads(line)["record"] for line in lines)
    assert first["cells"] == second["cells"]
    assert "imported" in second["made"]
    assert "by ada" in second["made"]

    def wrong(text, *said):
        kept.write_text(text)
        refused(shelfedge, calibrated, ["calibrate", "import", "shelf-1", kept, calibrated], 1, *said)

    whole = json.dumps(first)
    wrong(whole.replace("shelf-1", "shelf-2"), "a record of shelf-2; expected one of shelf-1")
    wrong(whole.replace('"fl"', '"front-left"'), "differ in their cells (fl)")
    wrong(whole[: len(whole) // 2], "not JSON")
    wrong("[]", "expected a calibration record")
    wrong("", "not JSON")
    refused(shelfedge, calibrated, ["calibrate", "import", "shelf-1", tmp_path / "none.json", calibrated], 1,
            "none.json: no such file")  # fmt: skip
    refused(shelfedge, calibrated, ["calibrate", "import", "shelf-1", tmp_path, calibrated], 1, "is a folder")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--count", "0"], 2, "'--count'"),
        (["--count", "many"], 2, "'--count'"),
        (["--at-a-time", "0"], 2, "'--at-a-time'"),
        (["--slot", "A1", "--board", "shelf-2"], 1, "slot A1 lies on shelf-1, not on shelf-2"),
        (["--trace", "NODE"], 1, "node.yaml"),
    ],
)
def test_teaching_what_cant_be_taught(calibrated, shelfedge, arguments, code, said):
    arguments = [str(calibrated) if each == "NODE" else each for each in arguments]
    refused(shelfedge, calibrated, ["teach", "cola-033", calibrated, *arguments, *FAST], code, said)


def test_a_planogram_that_was_removed_is_named(calibrated, shelfedge):
    (calibrated.parent / "planogram.yaml").unlink()
    refused(shelfedge, calibrated, ["teach", "cola-033", calibrated, *FAST], 1, "planogram.yaml")
