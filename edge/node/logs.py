"""Where log lines go and what they look like: for journald, for machines (JSON), or for a person at a terminal.

Everything a program logs by `logging` goes to stderr, one line per message whatever is in it, with no password or key
in it. A message that repeats itself is let through a few times and then counted. What ends a thread is logged too.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, TextIO

Form = Literal["auto", "journal", "json", "text"]
LEVELS = ("debug", "info", "warning", "error")
BURST = 3  # of the same message
QUIET_S = 60.0
MOST_REMEMBERED = 256
LONGEST_LINE = 8000
_SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRET_NAMES = r"(?:password|passwd|secret|token|signature|private[_ ]key)"
_SECRET = re.compile(
    rf"(?P<before>{_SECRET_NAMES}[\"']?\s*=\s*|[\"']{_SECRET_NAMES}[\"']\s*:\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;}}]+)"
    r"|(?<!\w)(?P<scheme>\w{1,20}://[^\s/:@]{0,200}:)[^\s/@]{1,500}(?=@)",
    re.IGNORECASE,
)  # not "password: refused", which is a sentence


def set_up_logs(level: str = "info", form: Form = "auto", stream: TextIO | None = None) -> None:
    """Send every log message to stderr from now on, and what ends a thread as well.

    Args:
        level: the least that is told, one of `LEVELS`. Raises ValueError for another word.
        form: auto is journal where stderr goes to journald, else text. Fields given by ``extra={...}`` stand behind
            the message as key=value, in JSON as keys of their own.
    """
    if level not in LEVELS:
        raise ValueError(f"expected a log level, one of {', '.join(LEVELS)}; got {level!r}")
    out = stream or sys.stderr
    if form == "auto":
        form = "journal" if goes_to_journal(out) else "text"
    handler = _LineHandler(out)
    handler.setFormatter({"journal": JournalLines, "json": JsonLines, "text": TextLines}[form]())
    handler.addFilter(Repeats())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # a stderr that has gone is nothing to end a node for
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_end
    sys.excepthook = _log_end


def goes_to_journal(stream: TextIO) -> bool:
    """Whether it is journald's socket: systemd says its device and inode in JOURNAL_STREAM."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (str(facts.st_dev), str(facts.st_ino)) == (device, inode)


def without_secrets(text: str) -> str:
    """The text with the values of passwords, keys and tokens left out."""
    return _SECRET.sub(lambda found: f"{found['before'] or found['scheme']}***", text)


class Repeats(logging.Filter):
    """Lets the same message through `BURST` times, then at most once in `QUIET_S` with the count of those left out.

    The same is: the same logger, level and text.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._told: OrderedDict[tuple[str, int, str], list[float]] = OrderedDict()  # [since_s, told, left out]
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is told; it is given the count of those that weren't."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a wrong format string mustn't end what logged it
            text = f"{record.msg} (with other values than it has places for)"
            record.msg, record.args = text, ()
        key = (record.name, record.levelno, text[:500])
        now_s = self._clock_s()
        with self._lock:
            seen = self._told.setdefault(key, [now_s, 0, 0])
            self._told.move_to_end(key)
            while len(self._told) > MOST_REMEMBERED:
                self._told.popitem(last=False)
            if now_s - seen[0] >= QUIET_S:
                left_out = int(seen[2])
                seen[:] = [now_s, BURST if left_out else 1, 0]
                if left_out:
                    record.repeated = left_out
                return True
            if seen[1] < BURST:
                seen[1] += 1
                return True
            seen[2] += 1
            return False


class TextLines(logging.Formatter):
    """``2026-11-21 18:00:00.123 WARNING uplink: text key=value``, for people."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        return f"{stamp}.{int(record.msecs):03d} {record.levelname:<7} {_name(record)}: {_told(record)}"


class JournalLines(logging.Formatter):
    """``<4>uplink: text key=value``: journald takes the level from ``<4>`` and has the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return f"<{_SYSLOG.get(record.levelno, 6)}>{_name(record)}: {_told(record)}"


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, part, text, and the fields given by ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "part": _name(record),
            "text": without_secrets(_shortened(record.getMessage())),
        }
        for key, value in _fields(record).items():
            said.setdefault(key, value if isinstance(value, int | float | bool | None) else without_secrets(str(value)))
        if record.exc_info:
            said["exception"] = without_secrets(_shortened(self.formatException(record.exc_info)))
        return json.dumps(said, ensure_ascii=False, default=str)


class _LineHandler(logging.StreamHandler[TextIO]):
    """A line is written in one piece, so that threads' lines don't mix; a stderr that is full or gone costs a line."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            self.stream.write(self.format(record) + "\n")
            self.stream.flush()


def _told(record: logging.LogRecord) -> str:
    text = record.getMessage()
    fields = _fields(record)
    if fields:
        text += " " + " ".join(f"{key}={_quoted(value)}" for key, value in fields.items())
    if record.exc_info:
        text += " | " + logging.Formatter().formatException(record.exc_info).replace("\n", " | ")
    return _one_line(without_secrets(_shortened(text)))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD and not key.startswith("_")}


def _name(record: logging.LogRecord) -> str:
    return record.name.removeprefix("shelfedge.")


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or re.search(r"[\s=\"]", text) else text


def _one_line(text: str) -> str:
    """Control characters made visible: a line in the log is one message, whatever a name or a broker's text holds."""
    return "".join(c if c.isprintable() else {"\n": " | ", "\t": " "}.get(c, f"\\x{ord(c):02x}") for c in text)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"


def _log_thread_end(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is SystemExit:
        return
    name = ended.thread.name if ended.thread is not None else "a thread"
    error = ended.exc_value or ended.exc_type()
    logging.getLogger("shelfedge").critical(
        "thread %s ended by %s: %s",
        name,
        ended.exc_type.__name__,
        error,
        exc_info=(ended.exc_type, error, ended.exc_traceback),
    )


def _log_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("shelfedge").critical("ended by %s: %s", kind.__name__, error, exc_info=(kind, error, trace))
