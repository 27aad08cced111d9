"""Faults of a node, made in a real one: its own process, disks, broker, certificates, files; and a machine made up."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from unittest import mock

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import PartKind, PartVerdict
from edge.config.demo import demo_node_path
from edge.node.control import NodeNotRunningError, ask
from edge.node.diagnose_sources import diagnosed, gathered_from
from edge.stream.outbox.errors import OutboxFullError
from edge.stream.outbox.records import Body, OutboxLimits
from edge.stream.outbox.store import OutboxStore
from firmware_bridge.errors import ShelfedgeError
from hil.broker import Broker, BrokerTls, free_port
from hil.certificates import Authority
from hil.node_fault_cases import CannotMakeError, Mode, machine_tree

SECONDS = 8.0
READY_S = 60.0
_ROOT = Path(__file__).parents[1]
_MB = 1_000_000
_ENTRY = bytes(range(200))


def node_file(folder: Path, more: str = "") -> Path:
    """The demo's node in a folder of its own, its state beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(demo_node_path().with_name("planogram.yaml"), folder)
    path = folder / "node.yaml"
    path.write_text(f"{demo_node_path().read_text()}\nstate: state\n{more}\n")
    return path


def state_of(path: Path) -> Path:
    """The state folder of `node_file`'s node."""
    return path.parent / "state" / "bay-12"


@contextlib.contextmanager
def running(path: Path, seed: int, *options: str, healthy: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The node, until it has samples; killed at the end. ``healthy``: another tree than that of a sound machine."""
    tree = healthy or machine_tree(path.parent / "machine")
    command = [sys.executable, "-m", "hil.faulty_node", str(path), "--root", str(tree), "--seed", str(seed), *options]
    environ = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with (path.parent / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ, cwd=_ROOT)
    try:
        _wait_until_it_runs(path, process)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_until_it_runs(path: Path, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < until_s:
        with contextlib.suppress(NodeNotRunningError, ShelfedgeError):
            if ask(state_of(path), {"do": "health"}, 5.0)["running_s"] > 0.0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the node doesn't run: {(path.parent / 'log.txt').read_text()[-2000:]}")


def look(path: Path, seconds: float = SECONDS) -> Sequence[PartVerdict]:
    """What `shelfedge diagnose` says, on a machine whose clock is kept."""
    with mock.patch("edge.stream.wall_clock.kernel_says_synced", return_value=True):
        source = gathered_from(path, None, seconds, (), lambda text: None)
        return diagnosed(source, (), datetime.now(UTC))[0].parts


def sound(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """Nothing goes wrong."""
    path = node_file(folder)
    with running(path, seed):
        return look(path, 12.0)


def _on_machine(seed: int, folder: Path, options: Sequence[str] = (), **facts: float) -> Sequence[PartVerdict]:
    path = node_file(folder)
    with running(path, seed, *options, healthy=machine_tree(folder / "machine", **facts)):  # type: ignore[arg-type]
        return look(path)


def _supply(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """Once since the start, now, now and slowed down by it."""
    return _on_machine(seed, folder, throttled=(0x10000, 0x10001, 0x50005)[severity])


def _throttled(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """By its soft temperature limit, by its firmware, by both."""
    return _on_machine(seed, folder, throttled=(0x80008, 0x40004, 0xC000C)[severity])


def _hot(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    return _on_machine(seed, folder, celsius=(80.5, 84.0, 96.0)[severity])


def _memory(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    return _on_machine(seed, folder, memory_share=(0.045, 0.02, 0.005)[severity])


def _clock(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """Nothing keeps it; two years behind; in 1970."""
    off_s = (0.0, -2.5 * 365.25 * 86_400, -time.time() + 1000.0)[severity]
    return _on_machine(seed, folder, ("--synced", "no", f"--wall-off={off_s:.0f}"))


def _late(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    return _on_machine(seed, folder, ("--late", ("0.4", "0.8", "2.0")[severity]))


@contextlib.contextmanager
def _disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own. Raises CannotMakeError where this user can't mount one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        raise CannotMakeError("needs the right to mount a disk (root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def _full(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """25 of 64 MB left, 2 MB, none."""
    with _disk(folder / "disk", 64) as disk:
        path = node_file(disk)
        with running(path, seed):
            filler = disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                left = (25, 2, 0)[severity] * _MB
                while True:
                    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
                    if free <= left:
                        break
                    file.write(bytes(min(65_536, free - left)))
            return look(path)


def _sick(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """Read-only: while no node runs, under one that starts, under one that runs."""
    with _disk(folder / "disk", 64) as disk:
        path = node_file(disk)
        state_of(path).mkdir(parents=True)
        if severity == 2:
            with running(path, seed):
                time.sleep(SECONDS)
                _mounted("--bind", str(disk), str(disk))
                _mounted("-o", "remount,ro,bind", str(disk))
                try:
                    return look(path)
                finally:
                    subprocess.run(["umount", "-l", str(disk)], check=False)
        _mounted("-o", "remount,ro", str(disk))
        return look(path)


def _mounted(*words: str) -> None:
    if subprocess.run(["mount", *words], capture_output=True, check=False).returncode:
        raise CannotMakeError(f"mount {' '.join(words)} isn't allowed here")


def _slow(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """fsync takes 1.5 s, 4 s, or doesn't come back for 15 s."""
    path, takes_s, sync = node_file(folder), (1.5, 4.0, 15.0)[severity], os.fsync

    def slow(file: int) -> None:
        time.sleep(takes_s)
        sync(file)

    with running(path, seed), mock.patch("os.fsync", slow):
        return look(path)


def _outbox(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """Damaged in the middle; full, so that the oldest give way; full, so that new events give way."""
    policy: Literal["refuse", "drop-oldest"] = "refuse" if severity == 2 else "drop-oldest"
    path = node_file(folder, f"outbox: {{size: 1 MB, when_full: {policy}}}\n" + _uplink("mqtt://127.0.0.1:9"))
    state, file = state_of(path), state_of(path) / "outbox.db"
    state.mkdir(parents=True)
    store = OutboxStore.open(file, OutboxLimits(size_bytes=1e6, when_full=policy), time.time_ns())
    with contextlib.suppress(OutboxFullError):
        for _ in range(30 if severity == 0 else 80):
            store.append([Body(lambda boot, seq: _ENTRY, time.time_ns()) for _ in range(100)])
    store.close()
    if severity == 0:
        data = bytearray(file.read_bytes())
        for at in range(len(data) // 3, len(data) // 2, 700):
            data[at] ^= 0x5A
        file.write_bytes(data)
    with running(path, seed):
        time.sleep(4.0)
        return look(path)


def _uplink(broker: str, *more: str) -> str:
    return "\n  ".join([f"uplink:\n  broker: {broker}", *more])


def _broker(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """It was killed; it refuses the password; it is stopped in its tracks and answers nobody."""
    secret = folder / "password"
    with Broker(folder / "broker", users={"bay-12": "right"}) as broker:
        path = node_file(folder, _uplink(broker.url, "username: bay-12", "password_file: password"))
        secret.touch(mode=0o600)
        secret.write_text("wrong\n" if severity == 1 else "right\n")
        if severity == 2:
            broker.pause()
        with running(path, seed):
            if severity == 0:
                broker.kill()
            time.sleep(15.0 if severity == 2 else 4.0)
            return look(path)


def _certificate(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """The node's or the broker's: it holds for 20 days, for one, no longer."""
    authority, days = Authority(folder / "authority"), (20.0, 1.5, -1.0)[severity]
    whose = ("node", "broker")[seed % 2]
    own = authority.issue("bay-12", (), to_days=days if whose == "node" else 300.0)
    theirs = authority.issue("broker", to_days=days if whose == "broker" else 300.0)
    tls = BrokerTls(theirs.certificate, theirs.key, authority.file)
    with Broker(folder / "broker", tls=tls) as broker:
        files = (f"ca_file: {authority.file}", f"certificate_file: {own.certificate}", f"key_file: {own.key}")
        path = node_file(folder, _uplink(broker.url, *files))
        with running(path, seed):
            time.sleep(2.0)
            return look(path)


def _secrets(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """Everybody can read the password; the key that signs commands; both, and write them."""
    with Broker(folder / "broker", users={"bay-12": "right"}) as broker:
        lines = ("username: bay-12", "password_file: password", "commands: {report: key, key_file: command.key}")
        path = node_file(folder, _uplink(broker.url, *lines))
        for name, text, open_to_all in (
            ("password", "right\n", severity != 1),
            ("command.key", "0123456789abcdef" * 4, severity != 0),
        ):
            (folder / name).write_text(text)
            (folder / name).chmod((0o666 if severity == 2 else 0o644) if open_to_all else 0o600)
        with running(path, seed):
            return look(path)


def _part_failed(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """Metrics, the uplink, what is done each second: it fails whenever it is started."""
    part = ("metrics", "uplink", "ticks")[severity]
    path = node_file(folder, "metrics: {port: 0}\n" + _uplink(f"mqtt://127.0.0.1:{free_port()}"))
    with running(path, seed, "--break", part):
        until_s = time.monotonic() + 90.0
        while time.monotonic() < until_s and not ask(state_of(path), {"do": "health"})["parts"][part]["given_up"]:
            time.sleep(1.0)
        return look(path)


def _recording(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """A file in the place of its folder; the folder is taken away for a file while it runs; a disk that is full."""
    if severity == 2:
        with _disk(folder / "disk", 3) as disk:
            path = node_file(disk)
            with running(path, seed):
                with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))
                time.sleep(15.0)
                return look(path)
    path = node_file(folder)
    ring = state_of(path) / "ring"
    if severity == 0:
        state_of(path).mkdir(parents=True)
        ring.write_text("")
    with running(path, seed):
        if severity == 1:
            time.sleep(3.0)
            shutil.rmtree(ring, ignore_errors=True)
            ring.write_text("")
        time.sleep(12.0)
        return look(path)


def _config(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """A key nobody knows; a planogram that isn't there; no YAML at all."""
    path = node_file(folder)
    if severity == 0:
        path.write_text(path.read_text() + "colour: blue\n")
    elif severity == 1:
        (folder / "planogram.yaml").unlink()
    else:
        path.write_text("node: [bay\n\tshelf: {")
    return look(path)


def _not_running(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """It never ran; it was stopped; it was killed."""
    path = node_file(folder)
    if severity:
        with running(path, seed) as process:
            process.send_signal(signal.SIGTERM if severity == 1 else signal.SIGKILL)
            process.wait(READY_S)
    return look(path)


def _not_answering(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """Stopped just now; stopped half a minute ago; stopped, and its socket has gone."""
    path = node_file(folder)
    with running(path, seed) as process:
        time.sleep(SECONDS)
        process.send_signal(signal.SIGSTOP)
        if severity == 1:
            time.sleep(30.0)
        elif severity == 2:
            (state_of(path) / "control.sock").unlink()
        return look(path)


def _older_files(severity: int, seed: int, folder: Path) -> Sequence[PartVerdict]:
    """A board has another name in the node file by now; one was left out; one came."""
    path = node_file(folder)
    with running(path, seed):
        for name in ("node.yaml", "planogram.yaml"):
            file = folder / name
            file.write_text(file.read_text().replace("shelf-2", ("shelf-5", "attic", "shelf-1b")[severity]))
        return look(path)


NODE = PartKind.NODE
MODES = (
    Mode("under-voltage", (Fault.UNDER_VOLTAGE,), NODE, _supply, (Fault.THROTTLED,)),
    Mode("throttled", (Fault.THROTTLED,), NODE, _throttled),
    Mode("too hot", (Fault.HOT,), NODE, _hot),
    Mode("clock", (Fault.CLOCK,), NODE, _clock),
    Mode("memory short", (Fault.MEMORY,), NODE, _memory),
    Mode("disk full", (Fault.DISK_FULL,), NODE, _full, (Fault.RECORDING, Fault.OUTBOX)),
    Mode("disk read-only", (Fault.DISK_SICK,), NODE, _sick, (Fault.NOT_RUNNING, Fault.RECORDING, Fault.OUTBOX)),
    Mode("disk slow", (Fault.DISK_SLOW,), NODE, _slow),
    Mode("outbox", (Fault.OUTBOX,), NODE, _outbox, (Fault.BROKER,)),
    Mode("broker", (Fault.BROKER,), NODE, _broker),
    Mode("certificate", (Fault.CERTIFICATE,), NODE, _certificate),
    Mode("secrets", (Fault.SECRETS,), NODE, _secrets),
    Mode("loop late", (Fault.LATE_LOOP,), NODE, _late),
    Mode("part given up", (Fault.PART_FAILED,), NODE, _part_failed, (Fault.BROKER,)),
    Mode("recording", (Fault.RECORDING,), NODE, _recording, (Fault.DISK_FULL, Fault.OUTBOX)),
    Mode("config refused", (Fault.CONFIG,), NODE, _config),
    Mode("not running", (Fault.NOT_RUNNING,), NODE, _not_running),
    Mode("doesn't answer", (Fault.NOT_ANSWERING,), NODE, _not_answering),
    Mode("older files", (Fault.RESTART_NEEDED,), NODE, _older_files),
)
