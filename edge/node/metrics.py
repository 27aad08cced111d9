"""The page that Prometheus reads (`/metrics`), and the same as JSON (`/health`): a small HTTP server that nobody can
exhaust."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from edge.config.live_schema import MetricsOptions

MOST_CLIENTS = 8
PATIENCE_S = 5.0  # for a whole request and its answer
RETRY_S = 30.0
_POLL_S = 0.2
_log = logging.getLogger("shelfedge.metrics")


class MetricsServer:
    """Serves from `start` to `stop`, in threads of its own; may be started again.

    An address that can't be had is told once, and tried again.

    Args:
        options: address and port of the page.
        source: gives the health report; called in the client's thread.
    Attributes:
        port: in use; None as long as there is none.
    """

    def __init__(self, options: MetricsOptions, source: Callable[[], dict[str, Any]], retry_s: float = RETRY_S) -> None:
        self.port: int | None = None
        self._options = options
        self._source = source
        self._retry_s = retry_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether it serves, or tries to."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to listen, now or when the address becomes free."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stopping,), name="metrics", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Close the page. Calling it twice does no harm."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, stopping: threading.Event) -> None:
        address, port = self._options.address, self._options.port
        refused = False
        while not stopping.is_set():
            try:
                server = _Server(address, port, self._source)
            except OSError as error:
                if not refused:
                    _log.warning(
                        "no metrics at %s port %d: %s; give another port under metrics in the node file, or stop the "
                        "program that has it; trying on", address, port, error.strerror or error,
                    )  # fmt: skip
                refused = True
                stopping.wait(self._retry_s)
                continue
            with server:
                self.port = int(server.server_address[1])
                _log.info("metrics at http://%s:%d/metrics", f"[{address}]" if ":" in address else address, self.port)
                while not stopping.is_set():
                    server.timeout = _POLL_S
                    server.handle_request()
                    server.hang_up_on_the_slow()
                self.port = None
            return


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True  # what a stopped node leaves in TIME_WAIT doesn't keep the next one out
    request_queue_size = MOST_CLIENTS

    def __init__(self, address: str, port: int, source: Callable[[], dict[str, Any]]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.source = source
        self._since_s: dict[Any, float] = {}
        self._lock = threading.Lock()
        super().__init__((address, port), _Page)

    def get_request(self) -> Any:
        """The next client. Without file descriptors to be had, the loop waits a little instead of spinning."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_POLL_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Beyond `MOST_CLIENTS` at once, clients are turned away."""
        with self._lock:
            full = len(self._since_s) >= MOST_CLIENTS
            if not full:
                self._since_s[request] = time.monotonic()
        if full:
            with contextlib.suppress(OSError):
                request.settimeout(0)
                request.send(b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n")
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """The last thing done with a connection, whatever became of it."""
        with self._lock:
            self._since_s.pop(request, None)
        super().shutdown_request(request)

    def hang_up_on_the_slow(self) -> None:
        """A client that sends a byte now and then never runs into a socket's own time limit."""
        now_s = time.monotonic()
        with self._lock:
            for request, since_s in self._since_s.items():
                if now_s - since_s > PATIENCE_S:
                    with contextlib.suppress(OSError):
                        request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes in the middle is nothing to tell; a bug of ours is."""
        _log.debug("metrics: a client was lost", exc_info=True)


class _Page(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_S
    server_version = "shelfedge"
    sys_version = ""

    def do_GET(self) -> None:
        """`/metrics`, `/health`, and nothing else."""
        path = self.path.partition("?")[0]
        if path not in ("/metrics", "/health"):
            self._answer(404, "text/plain; charset=utf-8", b"here are only /metrics and /health\n")
            return
        try:
            kind, body = _metrics(self.server.source()) if path == "/metrics" else _health(self.server.source())
        except Exception:  # noqa: BLE001 - a bug in the page costs the page, nothing else
            _log.exception("metrics: the page can't be made")
            self._answer(500, "text/plain; charset=utf-8", b"the page can't be made; the node's log says why\n")
            return
        self._answer(200, kind, body)

    do_HEAD = do_GET  # noqa: N815 - the base looks for this name

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Being read isn't worth a line in the log."""


def _metrics(report: dict[str, Any]) -> tuple[str, bytes]:
    from edge.node.metrics_text import CONTENT_TYPE, metrics_text

    return CONTENT_TYPE, metrics_text(report)


def _health(report: dict[str, Any]) -> tuple[str, bytes]:
    return "application/json", json.dumps(report, default=str).encode() + b"\n"
