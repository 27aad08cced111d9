"""`shelfedge` in a process of its own for each command, without a second of imports for each.

One process, started once, has imported what commands need and loaded the compiled kernels; for each command it forks
a child that has its own arguments, environment, folder and pipes, and ends as any program does. That a command starts
from nothing, and what it imports for that, is tested elsewhere (test_cli_start.py and whatever starts `edge.cli.main`).

Run as a program, this module is that process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
LOADED = (  # what takes long to import, most of all numba
    "cv2",
    "edge.cli.calibrate_camera",
    "edge.cli.calibrate_screen",
    "edge.cli.teach_run",
    "edge.node.calibrate",
    "edge.node.diagnose_report",
    "edge.node.diagnose_sources",
    "edge.node.playback",
    "edge.node.run",
    "edge.node.simulate",
    "edge.node.teach",
    "edge.trace.plot",
)
LONGEST_REQUEST = 1 << 18


class ForkedCli:
    """`run` is for one thread at a time; the first one waits until that process is ready."""

    def __init__(self) -> None:
        self._own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def close(self) -> None:
        """End it."""
        self._own.close()
        self._process.wait()

    def run(self, arguments: list[str], cwd: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` does it, with text. Raises subprocess.TimeoutExpired."""
        pipes = [os.pipe(), os.pipe()]
        request = json.dumps({"arguments": arguments, "cwd": str(cwd), "environ": environ}).encode()
        socket.send_fds(self._own, [request], [write for _, write in pipes])
        said: list[str] = ["", ""]
        readers = [threading.Thread(target=_read, args=(said, k, read)) for k, (read, _) in enumerate(pipes)]
        for (_, write), reader in zip(pipes, readers, strict=True):
            os.close(write)
            reader.start()
        pid = self._told(None)  # the first time it may have to compile the kernels before
        try:
            code = self._told(PATIENCE_S)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._told(None)
            raise subprocess.TimeoutExpired(arguments, PATIENCE_S, said[0], said[1]) from None
        finally:
            for reader in readers:
                reader.join()
        return subprocess.CompletedProcess(arguments, code, *said)

    def _told(self, patience_s: float | None) -> int:
        self._own.settimeout(patience_s)
        told = self._own.recv(64)
        assert told, f"the process that forks has ended with {self._process.wait()}; see what it said"
        return int(told)


def _read(said: list[str], k: int, descriptor: int) -> None:
    with open(descriptor, encoding="utf-8") as pipe:  # a number, no path
        said[k] = pipe.read()


def _serve(connection: socket.socket) -> bool:
    """Fork for every request. False in the end; True in a child, which has what was asked for and is to do it."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 2)
        if not request:
            return False
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(json.loads(request), descriptors)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(asked: dict[str, object], descriptors: list[int]) -> None:
    for number, descriptor in enumerate(descriptors, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    assert isinstance(asked["environ"], dict)
    assert isinstance(asked["arguments"], list)
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(str(asked["cwd"]))
    sys.argv = ["shelfedge", *asked["arguments"]]


def _prepare() -> None:
    for name in LOADED:
        importlib.import_module(name)
    from edge.node.warm_up import warm_up

    warm_up()
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    from edge.cli.main import main

    _prepare()
    with contextlib.suppress(KeyboardInterrupt), socket.socket(fileno=int(sys.argv[1])) as server:
        is_child = _serve(server)
    if is_child:
        main()
