"""The simulator as a child process: one command line in, one answer out."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from hil.rig.errors import RigError

_END_S = 5.0


class Process:
    """A running simulator. `ask` is safe from several threads; leaving the context ends it.

    Args:
        program: from `hil.rig.build.build`.
        arguments: as in the simulator's main.c.
    """

    def __init__(self, program: Path, arguments: Sequence[str]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`, with the child
        self._lock = threading.Lock()
        self._child = subprocess.Popen(
            [str(program), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said
        )

    def ask(self, command: str, data: bytes = b"") -> bytes:
        """What the simulator answers. Raises RigError when it refuses, or is gone."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with self._lock:
            try:
                self._child.stdin.write(command.encode() + b"\n" + data)
                self._child.stdin.flush()
                head = self._child.stdout.readline()
                if head.startswith(b"ok "):
                    answer = self._child.stdout.read(int(head[3:]))
                    if len(answer) == int(head[3:]):
                        return answer
            except (OSError, ValueError) as error:
                raise RigError(f"The rig has ended: {error}. {self.said()}") from error
        if head.startswith(b"no "):
            raise RigError(f"The rig refuses {command!r}: {head[3:].decode().strip()}")
        raise RigError(f"The rig ended at {command!r}. {self.said()}")

    def said(self) -> str:
        """What it wrote on its error output so far."""
        if self._said.closed:
            return ""
        self._said.seek(0, os.SEEK_SET)
        return self._said.read().decode(errors="replace").strip()

    def close(self) -> None:
        """End it. Calling it twice does no harm."""
        if self._child.stdin is not None and not self._child.stdin.closed:
            with contextlib.suppress(OSError):  # it had gone by itself
                self._child.stdin.close()
        try:
            self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._said.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
