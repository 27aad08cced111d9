"""`shelfedge run` as a process of its own, with a service manager that listens."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from edge.config.demo import demo_node_path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


def demo_node(folder: Path, more: str = "") -> Path:
    """The demo's node file in a folder of its own, its state beside it; ``more`` is added to it."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(demo_node_path().with_name("planogram.yaml"), folder)
    path = folder / "node.yaml"
    path.write_text(demo_node_path().read_text() + f"\nstate: state\n{more}\n")
    return path


def wait_for(what: Callable[[], object], patience_s: float = PATIENCE_S) -> object:
    """What ``what`` gives, once that is true."""
    deadline_s = time.monotonic() + patience_s
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"waited for {patience_s:g} s"
        time.sleep(0.02)


class NodeProcess:
    """Started by entering the context; what it still does when that is left is ended.

    Attributes:
        told: what systemd would have heard so far; see `hear`.
        log: the file that its stderr goes to.
    """

    def __init__(
        self,
        node: Path,
        *arguments: str,
        environ: dict[str, str] | None = None,
        watchdog_s: float | None = None,
        program: tuple[str, ...] = ("-m", "edge.cli.main"),
        log: Path | None = None,
    ) -> None:
        self.node = node
        self.log = log or node.with_name(f"log-{time.monotonic_ns()}.txt")
        self.told: list[str] = []
        self._arguments = [*program, "run", str(node), *arguments]
        self._environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **(environ or {})}
        if watchdog_s is not None:
            self._environ["WATCHDOG_USEC"] = str(round(watchdog_s * 1e6))
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"shelfedge-test-{os.getpid()}-{time.monotonic_ns()}"
        self._end.bind("\0" + name)
        self._end.setblocking(False)
        self._environ["NOTIFY_SOCKET"] = "@" + name

    def __enter__(self) -> NodeProcess:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self._arguments], env=self._environ, stdout=log, stderr=log, cwd=ROOT
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._end.close()
        if kind is not None:
            print(self.log_text()[-6000:])  # noqa: T201  # pytest shows it with the failure

    @property
    def state(self) -> Path:
        """Its state folder."""
        return self.node.parent / "state" / "bay-12"

    def log_text(self) -> str:
        """What it has logged."""
        return self.log.read_text()

    def hear(self) -> list[str]:
        """Everything that it has told the service manager by now."""
        while True:
            try:
                self.told.append(self._end.recv(4096).decode())
            except BlockingIOError:
                return self.told

    def wait_ready(self) -> None:
        """Until it says so. Fails when it ends before."""

        def ready() -> bool:
            assert self.process.poll() is None, self.log_text()
            return any("READY=1" in line for line in self.hear())

        wait_for(ready)

    def wait_log(self, text: str) -> None:
        """Until it has logged this."""
        wait_for(lambda: text in self.log_text())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self.hear()
        return code
