"""The bar on stderr while a trace is read; nothing where stderr isn't a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.samples import SampleBlock
    from edge.trace.reader import TraceReader

_LEAST_PAUSE_S = 0.1


class ReadingBar:
    """How far a reader has come, in its file. Used as a context manager and as a watcher of a `Playback`."""

    def __init__(self, reader: TraceReader, what: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._reader = reader
        self._shown_s = 0.0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,  # stdout is for data, and may be a file
            redirect_stderr=False,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task(what, total=max(reader.file_bytes, 1))

    def __call__(self, blocks: list[SampleBlock]) -> None:
        now_s = time.monotonic()
        if now_s - self._shown_s >= _LEAST_PAUSE_S:
            self._shown_s = now_s
            self._bar.update(self._task, completed=self._reader.bytes_read)

    def __enter__(self) -> ReadingBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the bar off the terminal while something is written there."""
        both = not self._bar.disable and sys.stdout.isatty()
        if both:
            self._bar.stop()
        yield
        if both:
            self._bar.start()
