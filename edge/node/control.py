"""The node's own door: a Unix socket in its state folder, one JSON request per line, one JSON answer or many.

Who may write in the state folder may use it (mode 0660). Requests are `{"do": NAME, ...}`; an answer with `error` says
why a request was refused. Clients can't hold up the node or each other: each has a thread, a time limit and a bound.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from firmware_bridge.errors import ShelfedgeError

Handler = Callable[[dict[str, Any]], "dict[str, Any] | Iterator[dict[str, Any]]"]

SOCKET_NAME = "control.sock"
LONGEST_LINE = 64 * 1024
LONGEST_PATH = 107  # sun_path has 108 bytes, the last one 0
MOST_CLIENTS = 16
PATIENCE_S = 10.0  # for a request to come in whole, and for an answer to be taken
_log = logging.getLogger("shelfedge.control")


class NodeNotRunningError(ShelfedgeError, ConnectionError):
    """No node answers at the state folder. Example: it was stopped, or was started with another node file."""


class NodeRunningError(ShelfedgeError, OSError):
    """Another node has this state folder already. Example: `shelfedge run` by hand while the service runs."""


class ControlError(ShelfedgeError, RuntimeError):
    """The node was asked and refused, or didn't answer in time. Example: a request that it doesn't know."""


class NodeSilentError(ControlError):
    """A node runs and doesn't answer. Examples: it was stopped by a signal, its disk holds it up, nobody is served."""


def ask(folder: Path, request: Mapping[str, Any], timeout_s: float = 5.0) -> dict[str, Any]:
    """The node's answer to one request, `{"do": NAME, ...}`.

    Raises NodeNotRunningError when none runs with this state folder, ControlError with the node's own words when it
    refuses, and when it takes longer than ``timeout_s``.
    """
    for answer in watch(folder, request, timeout_s):
        return answer
    raise ControlError(f"the node hung up without an answer to {request.get('do')!r}; ask again, or see its log")


def watch(folder: Path, request: Mapping[str, Any], timeout_s: float = 5.0) -> Iterator[dict[str, Any]]:
    """Answers to one request as they come, until the node ends them; ``timeout_s`` is for each. Raises as `ask`."""
    path = folder / SOCKET_NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        _connect(connection, path)
        try:
            connection.sendall(_line(request))
            with connection.makefile("rb") as lines:
                for line in lines:
                    answer = json.loads(line)
                    if "error" in answer:
                        raise ControlError(str(answer["error"]))
                    yield answer
        except TimeoutError:
            raise NodeSilentError(
                f"the node at {path} doesn't answer within {timeout_s:g} s; see its log, or restart it"
            ) from None
        except ValueError:
            raise ControlError(f"what answers at {path} is no shelfedge node") from None
        except (BrokenPipeError, ConnectionResetError):
            return  # it has stopped


def _connect(connection: socket.socket, path: Path) -> None:
    try:
        with reachable(path) as name:
            connection.connect(name)
    except PermissionError:
        raise ControlError(
            f"{path}: permission denied; ask as the node's user or as root (sudo), or join the group of that file"
        ) from None
    except (TimeoutError, BlockingIOError):
        raise NodeSilentError(f"the node at {path} is too busy to answer; try again, or see its log") from None
    except OSError:
        raise NodeNotRunningError(
            f"no node runs with the state folder {path.parent}: start it (shelfedge run NODE.yaml, or "
            "sudo systemctl start shelfedge), or name the node file it was started with"
        ) from None


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for a socket's path that the kernel takes, however long the path is."""
    text = str(path)
    if len(os.fsencode(text)) <= LONGEST_PATH:
        yield text
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class ControlServer:
    """Serves from `start` to `stop`, in threads of its own; may be started again.

    Args:
        folder: the state folder; made if it isn't there.
        handlers: by the request's `do`; each gets the whole request, and is called in the client's thread, so several
            may be called at once. A handler that gives an iterator has each of its dicts sent as a line, until it ends
            or the client goes; the iterator sets the pace.
    """

    def __init__(self, folder: Path, handlers: Mapping[str, Handler]) -> None:
        self.path = folder / SOCKET_NAME
        self._handlers = dict(handlers)
        self._socket: socket.socket | None = None
        self._inode = 0
        self._lock = threading.Lock()
        self._clients: set[socket.socket] = set()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. What a killed node left behind is replaced.

        Raises NodeRunningError when another node answers there, OSError when the socket can't be made.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if _answers(self.path):
            raise NodeRunningError(
                f"another node runs with the state folder {self.path.parent}: stop it (shelfedge service status), "
                "or give this one a `state` of its own in its node file"
            )
        fresh = self.path.with_name(f".{SOCKET_NAME}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with reachable(fresh) as name:
                listener.bind(name)
            fresh.chmod(0o660)  # before anybody can find it
            listener.listen(MOST_CLIENTS)
            self._inode = fresh.stat().st_ino
            fresh.replace(self.path)
        except OSError:
            listener.close()
            fresh.unlink(missing_ok=True)
            raise
        self._socket, self._stopping = listener, threading.Event()
        self._thread = threading.Thread(
            target=self._accept, args=(listener, self._stopping), name="control", daemon=True
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether somebody is at the door."""
        return self._thread is not None and self._thread.is_alive()

    def renew(self) -> None:
        """Make the socket anew where it was removed or replaced. To be called now and then. Raises as `start`."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if self.path.lstat().st_ino == self._inode:
                return
        _log.warning("%s was removed; made anew", self.path)
        self.stop()
        self.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Close the door and hang up on everybody. Calling it twice does no harm."""
        self._stopping.set()
        listener, self._socket = self._socket, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread, which close() alone doesn't
        listener.close()
        with contextlib.suppress(OSError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()
        with self._lock:
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _accept(self, listener: socket.socket, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                client, _ = listener.accept()
            except OSError as error:
                if stopping.is_set():
                    return
                _log.warning("control socket: %s", error)  # out of file descriptors, for example
                stopping.wait(1.0)
                continue
            client.settimeout(PATIENCE_S)
            with self._lock:
                full = len(self._clients) >= MOST_CLIENTS
                if not full:
                    self._clients.add(client)
            if full:
                with contextlib.suppress(OSError):
                    client.send(_line({"error": f"{MOST_CLIENTS} clients are being served; try again"}))
                client.close()
                continue
            try:
                threading.Thread(
                    target=self._serve, args=(client, stopping), name="control client", daemon=True
                ).start()
            except RuntimeError:  # no more threads to be had
                self._hang_up(client)

    def _serve(self, client: socket.socket, stopping: threading.Event) -> None:
        try:
            waiting = b""
            while not stopping.is_set():
                line, waiting = _read_line(client, waiting)
                if line is None:
                    return
                for answer in self._answers(line):
                    if stopping.is_set():
                        return
                    client.sendall(_line(answer))
        except _BadRequestError as error:
            with contextlib.suppress(OSError):
                client.send(_line({"error": str(error)}))
        except OSError:
            pass  # the client has gone, or doesn't read: that is its own affair
        finally:
            self._hang_up(client)

    def _answers(self, line: bytes) -> Iterator[dict[str, Any]]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            raise _BadRequestError('expected one JSON object per line, for example {"do": "health"}') from None
        name = request.get("do") if isinstance(request, dict) else None
        handler = self._handlers.get(name) if isinstance(name, str) else None
        if handler is None:
            yield {"error": f"expected do: one of {', '.join(sorted(self._handlers))}; this node knows no other"}
            return
        try:
            answer = handler(request)
            if isinstance(answer, Mapping):
                yield dict(answer)
            else:
                yield from answer
        except ShelfedgeError as error:
            yield {"error": str(error)}
        except OSError as error:
            yield {"error": f"{name}: {error}"}
        except Exception as error:  # noqa: BLE001 - one request's bug is no reason to close the door
            _log.exception("control: %s failed", name)
            yield {"error": f"{name} failed inside the node ({type(error).__name__}: {error}); its log says where"}

    def _hang_up(self, client: socket.socket) -> None:
        with self._lock:
            self._clients.discard(client)
        client.close()


class _BadRequestError(Exception):
    """Not a request; the client is told and hung up on."""


def _read_line(client: socket.socket, waiting: bytes) -> tuple[bytes | None, bytes]:
    """The next line and what came behind it; None when the client has gone. A line may take `PATIENCE_S`, no longer."""
    until_s = time.monotonic() + PATIENCE_S
    while b"\n" not in waiting:
        if len(waiting) > LONGEST_LINE:
            raise _BadRequestError(f"a request of more than {LONGEST_LINE} bytes")
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        client.settimeout(left_s)
        got = client.recv(65536)
        if not got:
            return None, b""
        waiting += got
    client.settimeout(PATIENCE_S)
    line, _, rest = waiting.partition(b"\n")
    return line, rest


def _line(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":"), default=str).encode() + b"\n"


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            with reachable(path) as name:
                probe.connect(name)
        except TimeoutError:
            return True  # somebody listens, and has no time
        except OSError:
            return False
        return True
