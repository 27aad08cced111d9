"""The page for Prometheus: its format to the letter, and a server that clients can't exhaust."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from health_setup import block_of, in_small_blocks, small_setup
from metrics_format import read_metrics

from drivers.notices import Notice
from edge.config.live_schema import MetricsOptions
from edge.node import metrics
from edge.node.health import HealthCollector
from edge.node.metrics import MOST_CLIENTS, MetricsServer
from edge.node.metrics_text import metrics_text


def _report(extra: dict[str, Any] | None = None) -> dict[str, Any]:
    now_ns = [0]
    health = HealthCollector(small_setup(), lambda: {"temperatures_c": {"cpu": 50.5}}, clock=lambda: now_ns[0])
    for block in in_small_blocks(block_of(20.0)):
        now_ns[0] = int(block.time_ns[-1])
        health.saw([block], 0)
        health.looped(2_000_000)
    now_ns[0] += 1_000_000_000
    health.too_late("b1", 4)
    health.noticed([Notice("b1", "l", 'a "cause" with \\ and\nnew line', 0, 0, 3, "text")])
    return health.report(extra)


def _of(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return (f"shelfedge_{name}", frozenset(labels.items()))


def _until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    serving = MetricsServer(MetricsOptions(port=0), _report)
    serving.start()
    _until(lambda: serving.port is not None)
    yield serving
    serving.stop()


def _get(server: MetricsServer, path: str) -> http.client.HTTPResponse:
    response = urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=20)
    assert isinstance(response, http.client.HTTPResponse)
    return response


def test_the_page_keeps_the_format_and_names_its_units() -> None:
    extra = {
        "outbox": {"pending": 3, "bytes": 4096, "oldest_pending_s": 1.5, "dropped_total": 2},
        "uplink": {"state": "connected"},
        "ring": {"bytes": 100},
        "clock": {"quality": "free", "jumps": 1},
        "parts": {"uplink": {"restarts": 2}},
    }
    samples, types = read_metrics(metrics_text(_report(extra)))
    assert samples[_of("cell_rate_hertz", board="b1", cell="l")] == pytest.approx(80.0, rel=1e-3)
    assert samples[_of("samples_total", board="b1", cell="r")] == 1600
    assert types["shelfedge_samples_total"] == "counter"
    assert samples[_of("lost_samples_total", board="b1", cell="l", cause='a "cause" with \\ and\nnew line')] == 3
    assert samples[_of("loop_late_seconds", statistic="max")] == pytest.approx(0.002)
    assert samples[_of("temperature_celsius", zone="cpu")] == 50.5
    assert samples[_of("outbox_pending_entries")] == 3
    assert samples[_of("outbox_dropped_entries_total")] == 2
    assert samples[_of("uplink_connected")] == 1
    assert samples[_of("clock_synced")] == 0
    assert samples[_of("part_restarts_total", part="uplink")] == 2
    assert samples[_of("refused_samples_total", board="b1")] == 4
    assert all(type_ == "gauge" or name.endswith("_total") for name, type_ in types.items())


def test_what_isnt_known_has_no_line_instead_of_a_false_number() -> None:
    empty = HealthCollector(small_setup(), clock=lambda: 0).report({"outbox": None, "uplink": {"state": None}})
    samples, _ = read_metrics(metrics_text(empty))
    names = {name for name, _ in samples}
    assert "shelfedge_cell_rate_hertz" not in names
    assert "shelfedge_uplink_connected" not in names
    assert samples[_of("samples_total", board="b1", cell="l")] == 0


def test_a_real_client_gets_page_and_health(server: MetricsServer) -> None:
    with _get(server, "/metrics") as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        samples, _ = read_metrics(response.read())
    assert samples[_of("board_up", board="b1")] == 1
    with _get(server, "/health?pretty") as response:
        assert response.headers["Content-Type"] == "application/json"
        assert json.loads(response.read())["node"] == "n1"


@pytest.mark.parametrize("path", ["/", "/metricsx", "/../etc/passwd", "/metrics/"])
def test_there_is_nothing_else(server: MetricsServer, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _get(server, path)


def test_nobody_can_change_anything(server: MetricsServer) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(request, timeout=20)


def test_head_gives_the_size_alone(server: MetricsServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port or 0, timeout=20)
    connection.request("HEAD", "/metrics")
    response = connection.getresponse()
    assert int(response.headers["Content-Length"]) > 1000
    assert response.read() == b""
    connection.close()


def test_a_page_that_cant_be_made_is_an_error_page_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> dict[str, Any]:
        raise ZeroDivisionError

    serving = MetricsServer(MetricsOptions(port=0), broken)
    serving.start()
    _until(lambda: serving.port is not None)
    with pytest.raises(urllib.error.HTTPError, match="500"):
        _get(serving, "/metrics")
    assert "the page can't be made" in caplog.text
    serving.stop()


def test_clients_that_drip_are_hung_up_on_and_others_are_served_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """P4: everything is bounded; P11's neighbour: nobody at the page can hold up the node."""
    monkeypatch.setattr(metrics, "PATIENCE_S", 1.0)
    serving = MetricsServer(MetricsOptions(port=0), _report)
    serving.start()
    _until(lambda: serving.port is not None)
    slow = [socket.create_connection(("127.0.0.1", serving.port or 0), timeout=20) for _ in range(MOST_CLIENTS - 1)]
    for connection in slow:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
    with _get(serving, "/metrics") as response:
        assert response.status == 200
    gone = threading.Event()

    def drip() -> None:
        while slow:
            try:
                for connection in slow[:]:
                    connection.sendall(b"x")
            except OSError:
                break
            time.sleep(0.02)
        gone.set()

    threading.Thread(target=drip, daemon=True).start()
    assert gone.wait(20.0), "a client that drips is never hung up on"
    for connection in slow:
        connection.close()
    serving.stop()


def test_too_many_at_once_are_turned_away(server: MetricsServer) -> None:
    waiting = []
    try:
        for _ in range(MOST_CLIENTS):
            waiting.append(socket.create_connection(("127.0.0.1", server.port or 0), timeout=20))
        more = socket.create_connection(("127.0.0.1", server.port or 0), timeout=20)
        waiting.append(more)
        assert more.recv(1000).startswith(b"HTTP/1.0 503 ")
    finally:
        for connection in waiting:
            connection.close()
    _until(lambda: _is_served(server))


def _is_served(server: MetricsServer) -> bool:
    try:
        with _get(server, "/metrics") as response:
            return response.status == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize(
    "request_text",
    [b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET /metrics\r\n\r\n",
     b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
     b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n", b"GET /metrics HTTP/9.9\r\n\r\n"],
)  # fmt: skip
def test_garbage_ends_that_connection_alone(server: MetricsServer, request_text: bytes) -> None:
    with (
        contextlib.suppress(OSError),  # the server may hang up while the rest of a long request is still on its way
        socket.create_connection(("127.0.0.1", server.port or 0), timeout=20) as connection,
    ):
        connection.sendall(request_text)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert _is_served(server)


def test_a_port_in_use_is_told_once_and_taken_when_it_becomes_free(caplog: pytest.LogCaptureFixture) -> None:
    """P5: it always starts."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        serving = MetricsServer(MetricsOptions(port=port), _report, retry_s=0.02)
        serving.start()
        _until(lambda: "give another port" in caplog.text)
        assert serving.alive
    _until(lambda: serving.port == port)
    assert caplog.text.count("give another port") == 1
    serving.stop()
    assert serving.port is None


def test_an_address_that_isnt_this_machines_is_told(caplog: pytest.LogCaptureFixture) -> None:
    serving = MetricsServer(MetricsOptions(port=0, address="203.0.113.7"), _report, retry_s=30)
    serving.start()
    _until(lambda: "no metrics at 203.0.113.7" in caplog.text)
    serving.stop()
    assert not serving.alive


def test_it_can_be_started_again_after_it_was_stopped() -> None:
    serving = MetricsServer(MetricsOptions(port=0), _report)
    for _ in range(3):
        serving.start()
        _until(lambda: serving.port is not None)
        assert _is_served(serving)
        serving.stop()
        assert not serving.alive
