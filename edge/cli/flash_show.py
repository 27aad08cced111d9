"""How flashing goes on: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from firmware_bridge.flash.writing import Progress

_LINE_EVERY = 0.25  # of all bytes; a log file needs no more


class FlashShow:
    """The watcher of a flash, on one text stream. Use as a context: leaving it takes the bar away."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._terminal = stream.isatty()
        self._stream = stream
        self._told = ""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            console=Console(file=stream),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not self._terminal,
        )
        self._task = self._bar.add_task("", total=1.0, visible=False)

    def step(self, text: str) -> None:
        """A line for what has begun or was found."""
        if self._terminal:
            self._bar.update(self._task, visible=False)
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            self._line(text)

    def progress(self, progress: Progress) -> None:
        """The bar moves; without a terminal a line for each new thing done, and each quarter of the bytes."""
        if self._terminal:
            self._bar.update(self._task, completed=progress.share, description=progress.text, visible=True)
            return
        percent = int(progress.share / _LINE_EVERY) * round(100 * _LINE_EVERY)
        told = f"{percent} %" if percent else progress.text
        if told != self._told:
            self._told = told
            self._line(f"{told} {progress.text}" if percent else told)

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def __enter__(self) -> FlashShow:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
