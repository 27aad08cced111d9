"""Interruptions of `calibrate` and `teach` at each step, and disks that refuse at the end: a sentence, the documented
exit code, nothing changed, and no run lost (P9). In this process, with real signals; terminals are in
tests/cli/test_cli_calibrate.py and tests/hil/test_rig_terminal.py.
"""

from __future__ import annotations

import errno
import json
import signal

import pytest
import typer
from installer_node import files_of, installer_node

from calibration import durable, store
from calibration.prompts import Prompt
from edge.cli import calibrate_run, procedure_show, teach_run
from edge.config.edited_file import EditError
from edge.config.quantity import WEIGHT
from edge.config.setup import load_setup
from edge.node.calibrate import CalibrationRunner, Weights, follow, site_of
from edge.node.calibrate_records import import_record
from edge.node.simulated_installer import Installer, SimulatedClock, SimulatedSource
from edge.node.teach import where_is
from hil.terminal import Terminal

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
WEIGHT_G = 2000.0


@pytest.fixture
def node(tmp_path):
    return installer_node(tmp_path, calibration=True)


def asked(node, asks=True, as_json=False):
    return calibrate_run.Asked(
        "shelf-1",
        node,
        load_setup(node, calibrated=False),
        Weights(WEIGHT_G),
        "",
        "ada",
        asks,
        as_json,
        True,
        None,
        1e9,
    )


@pytest.fixture(scope="module")
def accepted(tmp_path_factory):
    """The outcome of a run that went well, once for all."""
    node = installer_node(tmp_path_factory.mktemp("node"), calibration=True)
    setup = load_setup(node, calibrated=False)
    board = setup.node.boards["shelf-1"]
    runner = CalibrationRunner(site_of("shelf-1", board), Weights(WEIGHT_G))
    person = Installer("shelf-1", (board.width_mm / 2, board.depth_mm / 2), 1)
    source = SimulatedSource(setup, "shelf-1", 1, SimulatedClock(1e9), person)
    follow(runner, source, lambda said: None)
    assert runner.outcome.accepted
    return runner.outcome


@pytest.fixture
def measured(accepted, monkeypatch):
    """Everything up to the result is over at once."""
    monkeypatch.setattr(calibrate_run, "show", lambda *arguments: None)
    monkeypatch.setattr(calibrate_run.CalibrationRunner, "outcome", accepted)


def ended(run):
    """The exit code of what ends a command."""
    try:
        return run()
    except typer.Exit as end:
        return end.exit_code


class SignalAt:
    """A source that raises a signal when the person is told the n-th thing, or a while after that."""

    def __init__(self, source, number, at, later):
        self._source, self._number, self._at, self._later = source, number, at, later
        self._told = 0
        self._reads = 0
        self.closed = False

    def __getattr__(self, name):
        return getattr(self._source, name)

    def hear(self, prompt: Prompt, now_ns: int) -> None:
        self._source.hear(prompt, now_ns)
        self._told += 1
        if self._told == self._at and not self._later:
            signal.raise_signal(self._number)

    def read(self, now_ns):
        if self._told >= self._at:
            self._reads += 1
            if self._later and self._reads == 20:  # a second into the step
                signal.raise_signal(self._number)
        return self._source.read(now_ns)

    def close(self):
        self.closed = True
        self._source.close()


@pytest.mark.parametrize("later", [False, True], ids=["at", "after"])
@pytest.mark.parametrize(("number", "at"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGINT, 3),
                                            (signal.SIGINT, 6), (signal.SIGTERM, 1), (signal.SIGTERM, 5),
                                            (signal.SIGHUP, 2), (signal.SIGHUP, 3)])  # fmt: skip
def test_a_signal_at_any_step_ends_the_run_and_changes_nothing(node, monkeypatch, capsys, number, at, later):
    """1: the empty board, 2: the first placement, 3: its taking off, and so on."""
    before = files_of(node.parent)
    opened = []
    real = calibrate_run.open_source

    def open_source(*arguments):
        opened.append(SignalAt(real(*arguments), number, at, later))
        return opened[0]

    monkeypatch.setattr(calibrate_run, "open_source", open_source)
    handlers = [signal.getsignal(each) for each in CODES]
    assert ended(lambda: calibrate_run.calibrate(asked(node))) == CODES[number]
    assert "stopped: nothing was changed" in capsys.readouterr().err
    assert opened[0].closed
    assert files_of(node.parent) == before
    assert [signal.getsignal(each) for each in CODES] == handlers


@pytest.mark.parametrize("number", CODES)
def test_a_signal_during_a_check_or_a_lesson(node, monkeypatch, capsys, number):
    assert ended(lambda: calibrate_run.calibrate(asked(node, asks=False))) == 0
    before = files_of(node.parent)
    for module in (calibrate_run, teach_run):
        real = module.open_source

        def open_source(*arguments, real=real, module=module):
            found = real(*arguments)
            if module is teach_run:
                return found[0], SignalAt(found[1], number, 2, False)
            return SignalAt(found, number, 2, False)

        monkeypatch.setattr(module, "open_source", open_source)
    assert ended(lambda: calibrate_run.check_calibration(asked(node))) == CODES[number]
    assert ended(lambda: teach_run.teach_sku(lesson_of(node))) == CODES[number]
    assert capsys.readouterr().err.count("stopped") == 2
    assert files_of(node.parent) == before


@pytest.mark.parametrize("end", [*CODES, "end of input", "no"])
def test_the_question_whether_to_save_may_be_left_in_any_way(node, measured, monkeypatch, capsys, end):
    before = files_of(node.parent)

    def confirm(text, default):
        if end == "no":
            return False
        if end == "end of input":
            raise typer.Abort
        return signal.raise_signal(end)

    monkeypatch.setattr(calibrate_run.typer, "confirm", confirm)
    code = ended(lambda: calibrate_run.calibrate(asked(node)))
    said = capsys.readouterr()
    assert code == (1 if end == "no" else CODES.get(end, 130))
    assert "nothing was changed" in said.out + said.err
    assert files_of(node.parent) == before


def test_a_signal_while_it_is_saved_comes_too_late_and_is_not_told_as_if_nothing_had_been(
    node, measured, monkeypatch, capsys
):
    replace = store.replace_durably

    def interrupted(path, data):
        for number in CODES:
            signal.raise_signal(number)
        replace(path, data)

    monkeypatch.setattr(store, "replace_durably", interrupted)
    monkeypatch.setattr(store.CalibrationStore, "check_writable", lambda self, board: None)
    assert ended(lambda: calibrate_run.calibrate(asked(node, asks=False))) == 0
    said = capsys.readouterr()
    assert "saved as" in said.out
    assert "nothing was changed" not in said.out + said.err
    assert "shelf-1" in load_setup(node).calibration


class Disk:
    """A disk that refuses the next so many times that something is put into the calibration's folder."""

    def __init__(self, monkeypatch, folder, number, times):
        self._folder, self._number, self.times = folder, number, times
        self._replace = durable.replace_durably
        monkeypatch.setattr(store, "replace_durably", self._put)

    def _put(self, path, data):
        if self._folder in path.parents and self.times > 0:
            self.times -= 1
            raise OSError(self._number, "no", str(path))
        self._replace(path, data)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_disk_that_cant_be_written_to_is_told_before_anybody_lifts_a_weight(node, monkeypatch, number):
    before = files_of(node.parent)
    Disk(monkeypatch, node.parent, number, 1)
    monkeypatch.setattr(calibrate_run, "open_source", lambda *arguments: pytest.fail("the board was opened"))
    with pytest.raises(store.StoreError, match=r"can't be saved here.*nothing was changed"):
        calibrate_run.calibrate(asked(node))
    assert files_of(node.parent) == before


def test_a_disk_that_fills_up_during_the_run_is_tried_again(node, measured, monkeypatch, capsys):
    questions = []

    def confirm(text, default):
        questions.append(text.strip())
        if text.strip() == "Save it?":
            Disk(monkeypatch, node.parent, errno.ENOSPC, 2)
        return True

    monkeypatch.setattr(calibrate_run.typer, "confirm", confirm)
    assert calibrate_run.calibrate(asked(node)) == 0
    assert questions == ["Save it?", "Try again?", "Try again?"]
    assert capsys.readouterr().err.count("the disk is full; make room and repeat") == 2
    assert "shelf-1" in load_setup(node).calibration


@pytest.mark.parametrize("answer", ["no", *CODES, "nobody"])
def test_a_run_that_cant_be_saved_is_kept_aside_and_can_be_imported(
    node, measured, monkeypatch, capsys, tmp_path_factory, answer
):
    aside = tmp_path_factory.mktemp("aside")
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    before = files_of(node.parent)

    def confirm(text, default):
        if answer in CODES:
            signal.raise_signal(answer)
        return False

    monkeypatch.setattr(procedure_show.typer, "confirm", confirm)
    monkeypatch.setattr(store.CalibrationStore, "check_writable", lambda self, board: None)
    disk = Disk(monkeypatch, node.parent, errno.ENOSPC, 1000)
    request = asked(node, asks=False) if answer == "nobody" else _asks_only_again(asked(node), monkeypatch, confirm)
    assert ended(lambda: calibrate_run.calibrate(request)) == 1
    said = capsys.readouterr().err
    (file,) = aside.iterdir()
    assert "the run isn't lost" in said
    assert f"shelfedge calibrate import shelf-1 {file} {node}" in said
    assert files_of(node.parent) == before
    disk.times = 0
    _, number = import_record("shelf-1", node, file, "now")
    assert number == 1
    assert load_setup(node).calibration["shelf-1"].run.who == "ada"


def _asks_only_again(request, monkeypatch, confirm):
    """Yes to the first question, then as told."""
    answers = iter([True])
    monkeypatch.setattr(
        calibrate_run.typer, "confirm", lambda text, default: next(answers, None) or confirm(text, default)
    )
    return request


def test_a_run_that_can_be_saved_nowhere_is_printed(node, measured, monkeypatch, capsys):
    def refuse(path, data):
        raise OSError(errno.ENOSPC, "no", str(path))

    monkeypatch.setattr(store.CalibrationStore, "check_writable", lambda self, board: None)
    monkeypatch.setattr(store, "replace_durably", refuse)
    monkeypatch.setattr("edge.node.calibrate_records.replace_durably", refuse)
    assert calibrate_run.calibrate(asked(node, asks=False, as_json=True)) == 1
    said = capsys.readouterr()
    data = json.loads(said.out)
    assert data["saved"] is None
    assert data["record"]["board"] == "shelf-1"
    assert calibrate_run.calibrate(asked(node, asks=False)) == 1
    said = capsys.readouterr()
    record = json.loads(said.out[said.out.index('{\n "version"') :])
    assert record == data["record"] | {
        "made": record["made"],
        "run": data["record"]["run"] | {"when": record["run"]["when"]},
    }
    assert "put this text into a file, and import that" in said.err


def lesson_of(node, asks=True):
    setup = load_setup(node)
    where = where_is(setup, node, "cola-033", None, None)
    return teach_run.Asked("cola-033", where, node, setup, 3, 1, False, None, False, asks, False, True, None, 1e9)


def test_a_planogram_that_cant_be_written_is_told_before_anybody_lifts_a_unit(node, monkeypatch):
    before = files_of(node.parent)
    monkeypatch.setattr("edge.config.edited_file.os.access", lambda path, mode: False)
    monkeypatch.setattr(teach_run, "open_source", lambda *arguments: pytest.fail("the board was opened"))
    with pytest.raises(EditError, match=r"planogram.yaml: can't be changed"):
        teach_run.teach_sku(lesson_of(node))
    assert files_of(node.parent) == before


def test_a_disk_that_fills_up_during_a_lesson_leaves_the_planogram_and_the_figures_on_the_screen(
    node, monkeypatch, capsys
):
    before = files_of(node.parent)

    def refuse(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("edge.config.edited_file.replace_durably", refuse)
    with pytest.raises(EditError, match=r"No space left on device.*as it was.*or change it by hand"):
        teach_run.teach_sku(lesson_of(node, asks=False))
    assert "into the planogram" in capsys.readouterr().out
    assert files_of(node.parent) == before


def test_a_signal_while_the_planogram_is_written_comes_too_late(node, monkeypatch, capsys):
    replace = durable.replace_durably

    def interrupted(path, data):
        for number in CODES:
            signal.raise_signal(number)
        replace(path, data)

    monkeypatch.setattr("edge.config.edited_file.replace_durably", interrupted)
    assert ended(lambda: teach_run.teach_sku(lesson_of(node, asks=False))) == 0
    said = capsys.readouterr()
    assert "written into" in said.out
    assert "nothing was changed" not in said.out + said.err


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_a_terminal_is_left_as_it_was(node, how):
    """Out of the whole screen, with the sentence on what is left."""
    before = files_of(node.parent)
    with Terminal(["calibrate", "shelf-1", str(node), "--weight", "2 kg", "--speed", "5"]) as terminal:
        while terminal.look() and "MIDDLE" not in terminal.screen.text:
            pass
        assert terminal.screen.full
        if how == "Ctrl-C":
            terminal.press("\x03")
        else:
            terminal.signal(signal.SIGTERM)
        assert terminal.end() == (130 if how == "Ctrl-C" else 143)
    assert not terminal.screen.full
    assert any("stopped: nothing was changed" in row for row in terminal.screen.rows)
    assert files_of(node.parent) == before


def test_a_weight_that_is_none_is_asked_for_again(monkeypatch, capsys):
    answers = iter(["", "2", "2 bananas", "nan kg", "2 kg"])
    monkeypatch.setattr(calibrate_run.typer, "prompt", lambda text: next(answers))
    assert WEIGHT.parse(calibrate_run.asked_weight()) == 2000.0
    said = capsys.readouterr().out
    assert "a number without a unit" in said
    assert "got '2 bananas'" in said
