"""What systemd hears of a node."""

from __future__ import annotations

import os
import socket
import uuid

import pytest
from node_benches import S, ToldClock

from edge.node.notify import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager_end(request, tmp_path):
    """The service manager's socket, and what it puts into NOTIFY_SOCKET."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    end.setblocking(False)
    if request.param == "path":
        path = str(tmp_path / "notify")
        end.bind(path)
        yield end, path
    else:
        name = f"shelfedge-test-{uuid.uuid4()}"
        end.bind("\0" + name)
        yield end, "@" + name
    end.close()


def heard(end: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(end.recv(4096).decode())
        except BlockingIOError:
            return found


def test_ready_status_and_stopping(manager_end):
    end, address = manager_end
    manager = ServiceManager({"NOTIFY_SOCKET": address}, ToldClock())
    manager.ready("2 of 2 boards")
    manager.status("a line\nand no more")
    manager.reloading()
    manager.stopping()
    assert heard(end) == [
        "READY=1\nSTATUS=2 of 2 boards",
        "STATUS=a line and no more",
        f"RELOADING=1\nMONOTONIC_USEC={1000 * 1_000_000}",
        "STOPPING=1\nSTATUS=stopping",
    ]
    manager.close()


def test_pings_come_every_third_of_the_watchdog_and_only_when_called(manager_end):
    end, address = manager_end
    clock = ToldClock()
    manager = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"}, clock)
    assert manager.watched
    for _ in range(1000):
        manager.alive()
        clock.ns += 20_000_000
    assert heard(end) == ["WATCHDOG=1"] * 2
    clock.ns += 100 * S
    assert heard(end) == []


def test_a_watchdog_for_another_process_isnt_ours(manager_end):
    end, address = manager_end
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}
    manager = ServiceManager(environ, ToldClock())
    manager.alive()
    assert not manager.watched
    assert heard(end) == []


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "unix"}, {"WATCHDOG_USEC": "x"}])
def test_without_systemd_nothing_is_said(environ):
    manager = ServiceManager(environ, ToldClock())
    manager.ready("")
    manager.alive()
    manager.stopping()
    manager.close()
    assert not manager.watched


def test_a_manager_that_doesnt_listen_holds_up_nobody(manager_end):
    """Its queue is full: what doesn't fit is left out, and the next ping is tried again."""
    end, address = manager_end
    clock = ToldClock()
    manager = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000"}, clock)
    for _ in range(3000):
        clock.ns += S
        manager.alive()
    assert len(heard(end)) < 3000
    manager.alive()
    assert heard(end) == ["WATCHDOG=1"]


def test_a_manager_that_is_gone_holds_up_nobody(tmp_path):
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}, ToldClock())
    manager.ready("")
    manager.close()
    manager.close()
