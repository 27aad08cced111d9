"""A file that appears under its name only when it is whole: until then it is ``<name>.<random>.part``."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType

from edge.trace.errors import TraceError, TraceFileError


class WholeFile:
    """Write to ``file``, then `finish` or `discard`. As a context manager: finishes, or discards on an exception.

    A former file of that name stays until `finish` replaces it; of a symbolic link, what it leads to is replaced.
    ``private``: only its owner may read it, whatever the former one allowed: it shows people.
    Raises TraceFileError when the disk refuses.
    """

    def __init__(self, path: Path, private: bool = False) -> None:
        self.path = path
        self._target = writable_target(path)
        # A name of its own, opened only if it is new: whatever lies beside the target isn't ours to overwrite.
        self._part = self._target.with_name(f"{self._target.name}.{secrets.token_hex(4)}.part")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self.file = os.fdopen(os.open(self._part, flags, 0o600 if private else 0o666), "wb")
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
            self._part.replace(self._target)
            folder = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            self.discard()
            raise TraceFileError(f"{self.path}: writing failed: {error.strerror}") from None
        except BaseException:  # Ctrl-C while the disk is waited for
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            self._part.unlink()


def writable_target(path: Path) -> Path:
    """Where a file of this name really goes: symbolic links are followed.

    Raises TraceFileError for what must not be replaced by a file: a folder, a device, a FIFO, a socket.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise TraceFileError(f"{path}: is a folder; expected the name of a file to write")
        if not stat.S_ISREG(mode):
            raise TraceFileError(f"{path}: is a device or a pipe, not a file; expected the name of a file to write")
        return path.resolve()
    except (FileNotFoundError, NotADirectoryError):
        return path.resolve()  # nothing there yet, or a link to something that isn't there yet
    except TraceFileError:
        raise
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its symbolic links go round in a circle"
        raise TraceFileError(f"{path}: can't write here: {reason}") from None


def refuse_same_file(source: Path, target: Path) -> None:
    """Raises TraceError when writing ``target`` would destroy ``source``."""
    with contextlib.suppress(OSError):
        if source.samefile(target):
            raise TraceError(f"{target}: is the file that is read; give the output another name")
