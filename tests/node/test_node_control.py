"""The node's control socket: who asks gets an answer or a sentence, and nobody holds up anybody."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.node import control
from edge.node.control import (
    LONGEST_LINE,
    MOST_CLIENTS,
    SOCKET_NAME,
    ControlError,
    ControlServer,
    NodeNotRunningError,
    NodeRunningError,
    ask,
    watch,
)
from firmware_bridge.errors import ShelfedgeError


class _RefusedError(ShelfedgeError, ValueError):
    """A handler's refusal."""


def _refuse(request: dict[str, Any]) -> dict[str, Any]:
    raise _RefusedError("the planogram names no board; give it one")


def _break(request: dict[str, Any]) -> dict[str, Any]:
    raise ZeroDivisionError("a bug")


def _count(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for n in range(request.get("to", 3)):
        yield {"n": n}


HANDLERS: dict[str, control.Handler] = {
    "health": lambda request: {"ok": True, "got": request},
    "refuse": _refuse,
    "break": _break,
    "count": _count,
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    server = ControlServer(tmp_path / "state", HANDLERS)
    server.start()
    yield tmp_path / "state"
    server.stop()


def _until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def _connect(folder: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(20.0)
    connection.connect(str(folder / SOCKET_NAME))
    return connection


def test_a_request_gets_its_answer(folder: Path) -> None:
    assert ask(folder, {"do": "health", "n": 5}) == {"ok": True, "got": {"do": "health", "n": 5}}


def test_several_requests_come_over_one_connection(folder: Path) -> None:
    with _connect(folder) as connection, connection.makefile("rb") as lines:
        connection.sendall(b'{"do": "health", "n": 1}\n{"do": "health", "n": 2}\n{"do": "heal')
        assert [json.loads(lines.readline())["got"]["n"] for _ in range(2)] == [1, 2]
        connection.sendall(b'th", "n": 3}\n')
        assert json.loads(lines.readline())["got"]["n"] == 3


def test_answers_may_be_a_stream_and_the_connection_goes_on_after_it(folder: Path) -> None:
    with _connect(folder) as connection, connection.makefile("rb") as lines:
        connection.sendall(b'{"do": "count", "to": 2}\n{"do": "health"}\n')
        assert [json.loads(lines.readline()) for _ in range(2)] == [{"n": 0}, {"n": 1}]
        assert json.loads(lines.readline())["ok"]


def test_a_refusal_comes_as_the_nodes_own_sentence(folder: Path) -> None:
    with pytest.raises(ControlError, match="the planogram names no board; give it one"):
        ask(folder, {"do": "refuse"})
    with pytest.raises(ControlError, match="expected do: one of break, count, health, refuse"):
        ask(folder, {"do": "fly"})


def test_a_bug_in_a_handler_is_told_and_logged_and_the_door_stays_open(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ControlError, match=r"inside the node \(ZeroDivisionError"):
        ask(folder, {"do": "break"})
    assert "break failed" in caplog.text
    assert ask(folder, {"do": "health"})["ok"]


@pytest.mark.parametrize(
    "line",
    [b"\n", b"hello\n", b"[1]\n", b'"health"\n', b'{"do": ["health"]}\n', b"\xff\xfe\n", b"[" * 5000 + b"\n", b"{}\n",
     b'{"do": null}\n', b"1" * 5000 + b"\n"],
)  # fmt: skip
def test_garbage_gets_an_error_and_the_next_one_an_answer(folder: Path, line: bytes) -> None:
    with _connect(folder) as connection, connection.makefile("rb") as lines:
        connection.sendall(line)
        assert "expected" in json.loads(lines.readline())["error"]
    assert ask(folder, {"do": "health"})["ok"]


def test_a_request_without_end_is_cut_off(folder: Path) -> None:
    """P4: everything is bounded."""
    with _connect(folder) as connection, connection.makefile("rb") as lines:
        try:
            for _ in range(1000):
                connection.sendall(b"x" * LONGEST_LINE)
        except OSError:
            pass
        else:
            pytest.fail("64 MB were taken")
        line = b""
        try:
            line = lines.readline()
        except OSError:
            return  # what was still on its way made the kernel drop the answer
        assert not line or "more than" in json.loads(line)["error"]


def test_clients_that_hang_hold_up_nobody_and_their_number_is_bounded(folder: Path) -> None:
    hanging = [_connect(folder) for _ in range(MOST_CLIENTS - 1)]
    try:
        for connection in hanging:
            connection.sendall(b'{"do": "hea')
        assert ask(folder, {"do": "health"})["ok"]
        hanging += [_connect(folder) for _ in range(3)]  # one may get the place of the request above, or not yet
        turned_away, _, _ = select.select(hanging[-3:], [], [], 20.0)
        assert "try again" in json.loads(turned_away[0].makefile("rb").readline())["error"]
    finally:
        for connection in hanging:
            connection.close()
    _until(lambda: _asks(folder))


def _asks(folder: Path) -> bool:
    try:
        return bool(ask(folder, {"do": "health"})["ok"])
    except ControlError:
        return False


def test_a_client_that_drips_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATIENCE_S", 0.2)
    server = ControlServer(tmp_path, HANDLERS)
    server.start()
    try:
        connection = _connect(tmp_path)
        connection.settimeout(0.05)
        gone = threading.Event()

        def drip() -> None:
            while not gone.is_set():
                try:
                    connection.send(b"x")
                    if connection.recv(10) == b"":
                        gone.set()
                except TimeoutError:
                    continue
                except OSError:
                    gone.set()

        threading.Thread(target=drip, daemon=True).start()
        assert gone.wait(20.0)
        connection.close()
    finally:
        server.stop()


def test_a_client_that_doesnt_read_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATIENCE_S", 0.2)
    ended = threading.Event()

    def flood(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            while True:
                yield {"x": "y" * 10_000}
        finally:
            ended.set()

    server = ControlServer(tmp_path, {"flood": flood})
    server.start()
    try:
        with _connect(tmp_path) as connection:
            connection.sendall(b'{"do": "flood"}\n')
            assert ended.wait(20.0)
    finally:
        server.stop()


def test_only_owner_and_group_may_use_it(folder: Path) -> None:
    """P11: nobody without credentials can send commands."""
    assert stat.S_IMODE((folder / SOCKET_NAME).stat().st_mode) == 0o660


def test_a_stopped_node_leaves_nothing_and_hangs_up(tmp_path: Path) -> None:
    server = ControlServer(tmp_path, HANDLERS)
    server.start()
    with _connect(tmp_path) as connection:
        connection.sendall(b'{"do": "health"}\n')
        assert connection.recv(1000)
        server.stop()
        server.stop()
        assert connection.recv(1000) == b""
    assert list(tmp_path.iterdir()) == []
    assert not server.alive
    with pytest.raises(NodeNotRunningError, match=r"shelfedge run NODE\.yaml"):
        ask(tmp_path, {"do": "health"})


def test_it_can_be_started_again_after_it_was_stopped(tmp_path: Path) -> None:
    server = ControlServer(tmp_path, HANDLERS)
    for _ in range(3):
        server.start()
        assert server.alive
        assert ask(tmp_path, {"do": "health"})["ok"]
        server.stop()


def test_what_a_killed_node_left_is_replaced(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from edge.node.control import ControlServer\n"
        "ControlServer(Path(sys.argv[1]), {}).start(); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / SOCKET_NAME).exists()
    with pytest.raises(NodeNotRunningError):
        ask(tmp_path, {"do": "health"})
    server = ControlServer(tmp_path, HANDLERS)
    server.start()
    assert ask(tmp_path, {"do": "health"})["ok"]
    server.stop()


def test_a_second_node_with_the_same_state_is_refused_and_the_first_keeps_its_door(folder: Path) -> None:
    with pytest.raises(NodeRunningError, match="another node runs with the state folder"):
        ControlServer(folder, HANDLERS).start()
    assert ask(folder, {"do": "health"})["ok"]


def test_a_file_in_the_sockets_place_is_replaced(tmp_path: Path) -> None:
    """P5: it always starts."""
    (tmp_path / SOCKET_NAME).write_text("what?")
    server = ControlServer(tmp_path, HANDLERS)
    server.start()
    assert ask(tmp_path, {"do": "health"})["ok"]
    server.stop()


def test_a_node_stopping_late_doesnt_remove_its_successors_socket(tmp_path: Path) -> None:
    first = ControlServer(tmp_path, HANDLERS)
    first.start()
    (tmp_path / SOCKET_NAME).unlink()
    second = ControlServer(tmp_path, HANDLERS)
    second.start()
    first.stop()
    assert ask(tmp_path, {"do": "health"})["ok"]
    second.stop()


def test_a_path_longer_than_the_kernel_takes_works_too(tmp_path: Path) -> None:
    folder = tmp_path / ("a store with a long name" * 5) / ("ünd" * 20)
    server = ControlServer(folder, HANDLERS)
    server.start()
    assert len(os.fsencode(folder)) > 150
    assert ask(folder, {"do": "health"})["ok"]
    server.stop()
    assert list(folder.iterdir()) == []
    with pytest.raises(NodeNotRunningError):
        ask(folder, {"do": "health"})
    with pytest.raises(NodeNotRunningError):
        ask(folder / "never made", {"do": "health"})


def test_a_node_that_doesnt_answer_is_told_so(tmp_path: Path) -> None:
    over = threading.Event()

    def hang(request: dict[str, Any]) -> dict[str, Any]:
        over.wait(30)
        return {}

    server = ControlServer(tmp_path, {"hang": hang})
    server.start()
    with pytest.raises(ControlError, match=r"doesn't answer within 0\.2 s"):
        ask(tmp_path, {"do": "hang"}, timeout_s=0.2)
    over.set()
    server.stop()


def test_something_else_behind_the_socket_is_told_so(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / SOCKET_NAME))
        listener.listen()

        def answer() -> None:
            client, _ = listener.accept()
            client.recv(100)
            client.sendall(b"220 mail ready\n")
            client.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(ControlError, match="no shelfedge node"):
            ask(tmp_path, {"do": "health"})


def test_a_socket_that_isnt_ours_is_told_so(folder: Path) -> None:
    """P11: nobody without credentials can send commands."""
    (folder / SOCKET_NAME).chmod(0)
    program = (  # as somebody else, where the test runs as root
        "import os, sys; from pathlib import Path; from edge.node.control import ask, ControlError\n"
        "os.geteuid() or os.seteuid(65534)\n"
        "try: ask(Path(sys.argv[1]), {'do': 'health'})\nexcept ControlError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "permission denied; ask as the node's user or as root" in done.stdout, done.stderr


def test_a_stream_without_end_ends_when_the_node_stops(tmp_path: Path) -> None:
    server = ControlServer(tmp_path, {"count": _count})
    server.start()
    answers = watch(tmp_path, {"do": "count", "to": 1 << 60})
    assert [next(answers)["n"] for _ in range(3)] == [0, 1, 2]
    server.stop()
    for _ in answers:
        pass
    assert not server.alive


def test_a_socket_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    """Somebody clears the state folder up under a running node: it can be asked all the same."""
    server = ControlServer(tmp_path / "state", {"who": lambda request: {"node": "n"}})
    server.start()
    server.renew()
    for _ in range(2):
        shutil.rmtree(tmp_path / "state")
        server.renew()
        assert ask(tmp_path / "state", {"do": "who"}) == {"node": "n"}
    server.stop()
    assert not server.path.exists()
