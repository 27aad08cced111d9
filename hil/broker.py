"""A real mosquitto on a free port of this machine, for tests and benches: started, stopped, killed at will."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from firmware_bridge.errors import ShelfedgeError

_START_S = 20.0
_STOP_S = 20.0
_TRIES = 5


class BrokerError(ShelfedgeError, RuntimeError):
    """mosquitto isn't there, or didn't start; the text has its last words."""


@dataclass(frozen=True, slots=True)
class BrokerTls:
    """The broker's certificate and key (PEM). With `client_authority`, only clients that show a certificate of that
    authority are let in, and their common name is their username."""

    certificate: Path
    key: Path
    client_authority: Path | None = None


def find_mosquitto() -> str | None:
    """The broker's program; None where it isn't installed (Debian: `apt-get install mosquitto`)."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """One broker with its own folder. It runs from entering the context to leaving it; the port stays the same.

    Args:
        folder: for its config, password file, log and (with `persistence`) its database; made if need be.
        users: passwords by username; None: everybody is let in.
        acl: text of an ACL file; None: whoever is let in may read and write everything.
        tls: None for plain TCP.
        persistence: keep retained messages and queues over a clean stop (`kill` loses what wasn't autosaved).
        extra: further lines for the config, for example ``max_queued_messages 10``.
        port: None for a free one.

    Raises BrokerError where mosquitto isn't installed or doesn't start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        tls: BrokerTls | None = None,
        persistence: bool = False,
        extra: Sequence[str] = (),
        port: int | None = None,
    ) -> None:
        self.host = "localhost" if tls else "127.0.0.1"
        self.port = port or free_port()
        self.folder = folder
        self.tls = tls
        self.log_file = folder / "mosquitto.log"
        self._chosen = port is not None
        self._persistence = persistence
        self._extra = tuple(extra)
        self._child: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._users = users is not None
        self._acl = acl is not None
        if users is not None:
            self._write_users(users)
        if acl is not None:
            self._write("acl", acl)

    @property
    def url(self) -> str:
        """The address as a node file has it."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the program runs."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it, or start it again; returns when it takes connections. Does nothing while it runs."""
        if self.running:
            return
        program = find_mosquitto()
        if program is None:
            raise BrokerError("mosquitto isn't installed; expected it in PATH or /usr/sbin (apt-get install mosquitto)")
        for left in reversed(range(_TRIES)):
            config = self._write("mosquitto.conf", self._config())
            with self.log_file.open("ab") as log:
                self._child = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=subprocess.STDOUT)
            atexit.register(self.kill)
            if self._listens():
                return
            self.kill()
            if not self._chosen and left:  # somebody else took the port in the meantime
                self.port = free_port()
            elif not left:
                break
            else:
                time.sleep(0.05)  # the port of a killed broker may need a moment
        raise BrokerError(f"mosquitto didn't start on port {self.port}; it said:\n{self.log()[-2000:]}")

    def stop(self) -> None:
        """End it cleanly: with `persistence` it saves what it holds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop the process in its tracks: connections stay open, nobody answers. `resume` goes on."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal(signal.SIGCONT)

    def reload(self) -> None:
        """Make it read passwords, ACL and certificates again. Who is connected stays so."""
        self._signal(signal.SIGHUP)

    def set_users(self, users: Mapping[str, str]) -> None:
        """Other passwords, in force for the next connection (only where the broker was made with `users`)."""
        self._write_users(users)
        if self.running:
            self.reload()

    def set_acl(self, acl: str) -> None:
        """Another ACL, in force at once (only where the broker was made with `acl`)."""
        self._write("acl", acl)
        if self.running:
            self.reload()

    def log(self) -> str:
        """Everything it has written so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _config(self) -> str:
        lines = [f"listener {self.port} {self.host}", "log_timestamp true"]
        lines += [f"log_type {kind}" for kind in ("error", "warning", "notice", "information")]
        if os.geteuid() == 0:
            lines.insert(0, "user root")  # it would become user mosquitto otherwise, who can't read the folder
        if self.tls:
            lines += [f"certfile {self.tls.certificate}", f"keyfile {self.tls.key}", "tls_version tlsv1.2"]
            if self.tls.client_authority:
                lines += [f"cafile {self.tls.client_authority}", "require_certificate true"]
                lines += ["use_identity_as_username true"]
        if self._users:
            lines += ["allow_anonymous false", f"password_file {self.folder / 'passwords'}"]
        else:
            by_certificate = self.tls is not None and self.tls.client_authority is not None
            lines.append(f"allow_anonymous {'false' if by_certificate else 'true'}")
        if self._acl:
            lines.append(f"acl_file {self.folder / 'acl'}")
        if self._persistence:
            lines += ["persistence true", f"persistence_location {self.folder}/"]
        return "\n".join([*lines, *self._extra]) + "\n"

    def _listens(self) -> bool:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self.running:
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1.0):
                return self.running
            time.sleep(0.005)
        return False

    def _end(self, how: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        atexit.unregister(self.kill)
        if child.poll() is None:
            child.send_signal(how)
            child.send_signal(signal.SIGCONT)  # a paused one couldn't end
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _signal(self, which: signal.Signals) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(which)

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def _write_users(self, users: Mapping[str, str]) -> None:
        path = self._write("passwords.new", "".join(f"{name}:{password}\n" for name, password in users.items()))
        tool = shutil.which("mosquitto_passwd")
        if tool is None:
            raise BrokerError("mosquitto_passwd isn't installed; expected it beside mosquitto")
        if users:
            subprocess.run([tool, "-U", str(path)], check=True, capture_output=True)
        path.replace(self.folder / "passwords")
