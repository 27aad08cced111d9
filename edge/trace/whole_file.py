"""A file that appears under its name only when it is whole: until then it is ``<name>.part``."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType

from edge.trace.errors import TraceError, TraceFileError


class WholeFile:
    """Write to ``file``, then `finish` or `discard`. As a context manager: finishes, or discards on an exception.

    A former file of that name stays until `finish` replaces it. Raises TraceFileError when the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        if path.is_dir():
            raise TraceFileError(f"{path}: is a folder; expected the name of a file to write")
        try:
            self.file = self._part.open("wb")
        except OSError as error:
            advice = "; make the folder first" if isinstance(error, FileNotFoundError) else ""
            raise TraceFileError(f"{path}: can't write here: {error.strerror}{advice}") from None

    def __enter__(self) -> WholeFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
            return
        self.discard()
        if isinstance(error, OSError) and not isinstance(error, TraceFileError):
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None

    def finish(self) -> None:
        """Bring the bytes to the disk and give the file its name."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self._part.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            self.discard()
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            self._part.unlink()


def refuse_same_file(source: Path, target: Path) -> None:
    """Raises TraceError when writing ``target`` would destroy ``source``."""
    with contextlib.suppress(OSError):
        if source.samefile(target):
            raise TraceError(f"{target}: is the file that is read; give another name with -o")
