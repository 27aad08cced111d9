"""Log lines: one per message whatever is in it, told apart by level, without secrets and without floods."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.node.logs import BURST, MOST_REMEMBERED, QUIET_S, Repeats, goes_to_journal, set_up_logs, without_secrets

log = logging.getLogger("shelfedge.uplink")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, threading.excepthook, sys.excepthook, logging.raiseExceptions)
    yield
    root.handlers[:], level, threading.excepthook, sys.excepthook, logging.raiseExceptions = before
    root.setLevel(level)
    logging.captureWarnings(False)


def _lines(out: io.StringIO) -> list[str]:
    return out.getvalue().splitlines()


def test_for_journald_each_line_has_its_priority_and_its_fields_behind() -> None:
    out = io.StringIO()
    set_up_logs("debug", "journal", out)
    log.debug("a")
    log.info("connected", extra={"broker": "b.example", "took_s": 0.5})
    log.warning("b")
    log.error("c %d", 5)
    log.critical("d", extra={"why": "two words"})
    assert _lines(out) == [
        "<7>uplink: a", "<6>uplink: connected broker=b.example took_s=0.5", "<4>uplink: b", "<3>uplink: c 5",
        '<2>uplink: d why="two words"',
    ]  # fmt: skip


def test_for_people_a_line_has_its_time_and_level() -> None:
    out = io.StringIO()
    set_up_logs("info", "text", out)
    log.warning("the broker is away")
    (line,) = _lines(out)
    assert line[24:] == "WARNING uplink: the broker is away"
    assert line[4] == line[7] == "-"


def test_for_machines_each_line_is_a_json_object() -> None:
    out = io.StringIO()
    set_up_logs("info", "json", out)
    log.info('a "quoted" line\nand another', extra={"board": "s1", "n": 3, "obj": Path("x")})
    try:
        raise OSError("gone")
    except OSError:
        log.exception("oh")
    first, second = (json.loads(line) for line in _lines(out))
    assert first["text"] == 'a "quoted" line\nand another'
    assert (first["level"], first["part"], first["board"], first["n"], first["obj"]) == ("info", "uplink", "s1", 3, "x")
    assert first["time"].endswith("Z")
    assert "OSError: gone" in second["exception"]


def test_less_than_the_level_isnt_told_and_an_unknown_level_is_an_error() -> None:
    out = io.StringIO()
    set_up_logs("warning", "text", out)
    log.info("no")
    assert _lines(out) == []
    with pytest.raises(ValueError, match="one of debug, info, warning, error"):
        set_up_logs("loud")


@pytest.mark.parametrize("form", ["journal", "text"])
def test_a_message_is_one_line_whatever_is_in_it(form: str) -> None:
    """Nobody who names a board or runs a broker can forge lines, or move a terminal's cursor."""
    out = io.StringIO()
    set_up_logs("info", form, out)  # type: ignore[arg-type]
    log.info("a\n<0>kernel: forged\x1b[2J\r\0 ü", extra={"x": "\n<0>also"})
    (line,) = _lines(out)
    assert "\x1b" not in line
    assert "ü" in line
    log.info("%s", "x" * 100_000)
    assert len(_lines(out)[1]) < 10_000


def test_a_traceback_is_one_line_too() -> None:
    out = io.StringIO()
    set_up_logs("info", "journal", out)
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError:
        log.exception("it failed")
    (line,) = _lines(out)
    assert line.startswith("<3>uplink: it failed | Traceback")
    assert "ZeroDivisionError: why" in line
    assert "test_node_logs.py" in line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("password=hunter2, user=x", "password=***, user=x"),
        ('{"password": "hunter2", "id": "a"}', '{"password": ***, "id": "a"}'),
        ("mqtt://joe:hunter2@b.example:1883", "mqtt://joe:***@b.example:1883"),
        ("signature='ab cd' key_id=k1", "signature=*** key_id=k1"),
        ("the broker refused the name or the password: check password_file", None),
        ("http://b.example:9464/metrics", None),
        ("token = abc", "token = ***"),
    ],
)
def test_secrets_are_left_out_and_sentences_left_alone(text: str, told: str | None) -> None:
    """P11's neighbour: a log is read by many."""
    assert without_secrets(text) == (text if told is None else told)


@pytest.mark.parametrize("form", ["journal", "text", "json"])
def test_no_form_of_log_tells_a_secret(form: str) -> None:
    out = io.StringIO()
    set_up_logs("info", form, out)  # type: ignore[arg-type]
    log.info("options: %s", {"username": "n", "password": "hunter2"}, extra={"url": "mqtt://a:hunter2@b"})
    try:
        raise ValueError("password=hunter2")
    except ValueError:
        log.exception("no")
    assert "hunter2" not in out.getvalue()


def test_a_message_that_repeats_itself_is_counted_instead() -> None:
    """P4: everything is bounded."""
    now_s = [0.0]
    repeats = Repeats(lambda: now_s[0])

    def told(text: str) -> logging.LogRecord | None:
        record = logging.LogRecord("shelfedge.x", logging.WARNING, "", 0, "%s", (text,), None)
        return record if repeats.filter(record) else None

    assert sum(told("port gone") is not None for _ in range(1000)) == BURST
    assert told("another") is not None
    now_s[0] = QUIET_S
    record = told("port gone")
    assert record is not None
    assert vars(record)["repeated"] == 1000 - BURST
    assert told("port gone") is None
    for n in range(10 * MOST_REMEMBERED):
        told(f"text {n}")
    assert len(repeats._told) <= MOST_REMEMBERED


def test_the_count_stands_in_the_line() -> None:
    out = io.StringIO()
    set_up_logs("info", "journal", out)
    now_s = [0.0]
    (handler,) = logging.getLogger().handlers
    handler.filters[:] = [Repeats(lambda: now_s[0])]
    for _ in range(10):
        log.info("again")
    now_s[0] = QUIET_S
    log.info("again")
    assert _lines(out)[-1] == "<6>uplink: again repeated=7"


def test_a_message_with_wrong_values_is_told_and_ends_nobody() -> None:
    out = io.StringIO()
    set_up_logs("info", "text", out)
    log.info("%d of 100 %% boards", "x")
    assert "%d of 100 %% boards (with other values" in out.getvalue()


def test_a_stderr_that_has_gone_ends_nobody() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        set_up_logs("info", "text", gone)
        log.info("x")
        log.info("y")
        logging.getLogger().handlers.clear()
        with pytest.raises(BrokenPipeError):
            gone.close()
    set_up_logs("info", "text", gone)
    log.info("z")


def test_what_ends_a_thread_is_a_line_in_the_log() -> None:
    out = io.StringIO()
    set_up_logs("info", "journal", out)

    def fail() -> None:
        raise ZeroDivisionError("in a thread")

    thread = threading.Thread(target=fail, name="ring")
    thread.start()
    thread.join()
    (line,) = _lines(out)
    assert line.startswith("<2>shelfedge: thread ring ended by ZeroDivisionError: in a thread")


def test_what_ends_the_program_is_a_line_in_the_log() -> None:
    program = "from edge.node.logs import set_up_logs; set_up_logs('info', 'journal'); 1 / 0"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("<2>shelfedge: ended by ZeroDivisionError")
    assert done.stderr.count("\n") == 1


def test_warnings_of_libraries_are_lines_too() -> None:
    out = io.StringIO()
    set_up_logs("info", "journal", out)
    logging.getLogger("py.warnings").warning("old call")
    assert _lines(out) == ["<4>py.warnings: old call"]


def test_journald_is_known_by_its_socket_not_by_a_variable_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("w") as out:
        facts = os.fstat(out.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{facts.st_dev}:{facts.st_ino}")
        assert goes_to_journal(out)
        monkeypatch.setenv("JOURNAL_STREAM", f"{facts.st_dev}:{facts.st_ino + 1}")
        assert not goes_to_journal(out)
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not goes_to_journal(out)
    assert not goes_to_journal(io.StringIO())


def test_setting_up_twice_doesnt_double_the_lines() -> None:
    out = io.StringIO()
    set_up_logs("info", "journal", out)
    set_up_logs("info", "journal", out)
    log.info("once")
    assert _lines(out) == ["<6>uplink: once"]
