"""`shelfedge events`: a node's events for people, from its outbox and from its broker."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.cli.progress_line import ProgressLine
from edge.config.demo import demo_node_path
from edge.config.live_schema import UplinkOptions
from edge.stream.broker_reader import BrokerReader
from edge.stream.entry import EventEntry, Note, Stamp, TimeQuality
from edge.stream.entry_text import entry_to_text
from edge.stream.event_file import EventFileError, read_event_file
from edge.stream.outbox.records import Body, OutboxLimits
from edge.stream.outbox.store import OutboxStore
from edge.stream.wire import encode, for_wire
from edge.trace.event import Event, Kind, Status
from hil.broker import Broker, find_mosquitto

ROOT = Path(__file__).parents[2]
NOW_NS = 1_795_284_000_000_000_000  # 2026-11-21T18:00:00Z
DEADLINE_S = 30.0
Command = Callable[..., "subprocess.CompletedProcess[str]"]
needs_broker = pytest.mark.skipif(find_mosquitto() is None, reason="needs mosquitto (apt-get install mosquitto)")


def pick(boot: int, seq: int, status: Status = Status.FINAL, at_ns: int = NOW_NS) -> EventEntry:
    """A can that was taken."""
    event = Event(
        f"shelf-1-{seq:06d}", 1, status, Kind.PICK, "shelf-1", "A1", "cola-033", 1, -352.0, 55.0, 80.0,
        seq * 10**9, seq * 10**9 + 4 * 10**8, 0.99996, seq == 2,
    )  # fmt: skip
    return EventEntry(boot, seq, event, Stamp(at_ns, TimeQuality.SYNCED))


def body(make: Callable[[int, int], Any]) -> Body:
    return Body(lambda boot, seq: encode(make(boot, seq)), NOW_NS)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The demo's node file, with a state folder beside it."""
    for path in demo_node_path().parent.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    path = tmp_path / "node.yaml"
    path.write_text(path.read_text().replace("\nplanogram:", "\nstate: state\nplanogram:"))
    (tmp_path / "state" / "bay-12").mkdir(parents=True)
    return path


@pytest.fixture
def outbox(node: Path) -> Iterator[OutboxStore]:
    """The outbox of a node that runs, with a note, two picks and a provisional one."""
    store = OutboxStore.open(node.parent / "state" / "bay-12" / "outbox.db", OutboxLimits(), NOW_NS)
    stamp = Stamp(NOW_NS, TimeQuality.SYNCED)
    store.append([body(lambda boot, seq: Note(boot, seq, "started", stamp, None, {"version": "0.1.0"}))])
    hour_ns = 3600 * 10**9
    store.append([body(lambda boot, seq: pick(boot, seq, at_ns=NOW_NS + hour_ns))])
    store.append([body(lambda boot, seq: pick(boot, seq, at_ns=NOW_NS + 2 * hour_ns))])
    store.append([body(lambda boot, seq: pick(boot, seq, Status.PROVISIONAL, NOW_NS + 3 * hour_ns))])
    yield store
    store.close()


def seqs(done: subprocess.CompletedProcess[str]) -> list[int]:
    return [json.loads(line)["seq"] for line in done.stdout.splitlines()]


def test_export_writes_what_is_kept_beside_the_running_node(
    shelfedge: Command, node: Path, outbox: OutboxStore
) -> None:
    done = shelfedge("events", "export", node)
    assert (done.returncode, seqs(done)) == (0, [1, 2, 3, 4]), done.stderr
    assert done.stderr.endswith("outbox.db: 4 entries\n")
    first, second = (json.loads(line) for line in done.stdout.splitlines()[:2])
    assert (first["node"], first["store"], first["note"]) == ("bay-12", "demo-store", "started")
    assert first["details"] == {"version": "0.1.0"}
    assert {"boot": outbox.boot, "wall_time": "2026-11-21T19:00:00.000Z", "sku": "cola-033"}.items() <= second.items()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--final"], [1, 2, 3]),
        (["--final", "--no-notes"], [2, 3]),
        (["--no-notes"], [2, 3, 4]),
        (["--since", "2026-11-21T19:30:00Z"], [3, 4]),
        (["--since", "2026-11-21T19:00:00Z", "--until", "2026-11-21T21:00:00+00:00"], [2, 3]),
        (["--since", "3650d"], [1, 2, 3, 4]),
        (["--boot", "0"], []),
    ],
)
def test_export_of_a_part(
    shelfedge: Command, node: Path, outbox: OutboxStore, options: list[str], expected: list[int]
) -> None:
    done = shelfedge("events", "export", node, *options)
    assert (done.returncode, seqs(done)) == (0, expected), done.stderr


def test_export_to_a_file_that_score_and_plot_read(
    shelfedge: Command, node: Path, outbox: OutboxStore, tmp_path: Path
) -> None:
    target = tmp_path / "events.jsonl"
    done = shelfedge("events", "export", node, "-o", target)
    assert (done.returncode, done.stdout) == (0, "")
    found = read_event_file(target)
    assert [event.event_id for event in found.events] == ["shelf-1-000002", "shelf-1-000003", "shelf-1-000004"]
    assert found.bad_count == 0, "notes are no bad lines"
    assert shelfedge("events", "export", node, "-o", node).returncode == 1, "the node file isn't overwritten"
    path = node.parent / "state" / "bay-12" / "outbox.db"
    assert shelfedge("events", "export", node, "-o", path).returncode == 1, "nor the outbox"


def test_events_of_two_starts_are_no_one_trace(tmp_path: Path, shelfedge: Command, node: Path) -> None:
    path = node.parent / "state" / "bay-12" / "outbox.db"
    for _ in range(2):
        store = OutboxStore.open(path, OutboxLimits(), NOW_NS)
        store.append([body(pick)])
        boot = store.boot
        store.close()
    target = tmp_path / "events.jsonl"
    assert shelfedge("events", "export", node, "-o", target).returncode == 0
    with pytest.raises(EventFileError, match=r"2 starts of a node.*--boot N"):
        read_event_file(target)
    assert shelfedge("events", "export", node, "-o", target, "--boot", str(boot)).returncode == 0
    assert len(read_event_file(target).events) == 1


def test_only_notes_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"note": "started", "boot": 3}\n')
    assert read_event_file(tmp_path / "events.jsonl").events == []


@pytest.mark.parametrize("command", ["export", "tail"])
def test_without_an_outbox_it_says_where_it_looked(shelfedge: Command, node: Path, command: str) -> None:
    done = shelfedge("events", command, node)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {node.parent}/state/bay-12/outbox.db: there is no outbox; expected")
    assert len(done.stderr.splitlines()) == 1


def test_a_time_nobody_understands_is_named(shelfedge: Command, node: Path) -> None:
    done = shelfedge("events", "export", node, "--since", "yesterday")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--since yesterday: expected" in done.stderr


def test_damage_is_told_and_the_rest_is_given(shelfedge: Command, node: Path) -> None:
    """P5."""
    path = node.parent / "state" / "bay-12" / "outbox.db"
    store = OutboxStore.open(path, OutboxLimits(), NOW_NS)
    store.append([body(pick) for _ in range(5)])
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE entry SET payload = x'00' WHERE seq = 3")
    done = shelfedge("events", "export", node)
    assert (done.returncode, seqs(done)) == (3, [1, 2, 4, 5])
    assert "isn't what was written" in done.stderr
    assert "entry 3 is missing in boot" in done.stderr
    assert "Traceback" not in done.stderr


class Tail:
    """`shelfedge events tail` as it runs, on a terminal or a pipe."""

    def __init__(self, *arguments: str | Path, terminal: bool = False) -> None:
        command = [sys.executable, "-m", "edge.cli.main", "events", "tail", *map(str, arguments)]
        self._read, write = pty.openpty() if terminal else os.pipe()
        self._text = b""
        self.process = subprocess.Popen(
            command, stdout=write, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC"}
        )
        os.close(write)

    def lines(self, count: int) -> list[str]:
        """The first so many lines; waits for them."""
        ends_s = time.monotonic() + DEADLINE_S
        while self._text.count(b"\n") < count:
            assert time.monotonic() < ends_s, f"only {self._text!r}"
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            if select.select([self._read], [], [], 0.1)[0]:
                self._text += os.read(self._read, 65536)
        return self._text.decode().splitlines()

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C: the exit code and what was said on stderr."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, said.decode()

    def __enter__(self) -> Tail:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._read)


def test_tail_shows_the_last_and_then_the_new_ones(node: Path, outbox: OutboxStore) -> None:
    with Tail(node, "--last", "2") as tail:
        assert [json.loads(line)["seq"] for line in tail.lines(2)] == [3, 4]
        outbox.append([body(pick)])
        assert [json.loads(line)["seq"] for line in tail.lines(3)] == [3, 4, 5]
        assert tail.interrupt() == (130, "")


def test_tail_on_a_terminal_is_for_people(node: Path, outbox: OutboxStore) -> None:
    with Tail(node, terminal=True) as tail:
        lines = tail.lines(4)
        assert lines[0] == "2026-11-21 18:00:00.0  note started: version 0.1.0"
        assert lines[1].split("  ")[0:2] == ["2026-11-21 19:00:00.0", "pick 1 x cola-033"]
        assert lines[1].endswith("REVIEW")
        assert lines[3].endswith("provisional")
        assert tail.interrupt()[0] == 130
    with Tail(node, "--json", terminal=True) as tail:
        assert json.loads(tail.lines(1)[0])["seq"] == 1


def test_lines_for_people() -> None:
    from dataclasses import replace
    from datetime import UTC

    entry = pick(7, 1)
    line = entry_to_text(entry, UTC)
    assert line == "2026-11-21 18:00:00.0  pick 1 x cola-033          shelf-1 A1        -352 g   99.99 %"
    foreign = replace(
        entry,
        historical=True,
        time=Stamp(NOW_NS, TimeQuality.WRONG),
        event=replace(entry.event, sku=None, slot=None, grams=float("nan"), confidence=float("nan"), board="a\x1b[2J"),
    )
    line = entry_to_text(foreign, UTC)
    assert "unknown object" in line
    assert line.endswith("historical  clock wrong")
    assert "\x1b" not in line, "nobody moves the cursor of who reads it"
    damaged = Note(7, 9, "damaged", Stamp(NOW_NS, TimeQuality.FREE), None, {"file": "x", "missing": [[7, 1, 2]]})
    assert entry_to_text(damaged, UTC).split("  ", 1)[1] == (
        "note damaged: file x, missing [[7, 1, 2]]  clock not synchronised"
    )


@needs_broker
def test_tail_from_the_broker_disturbs_nobody(node: Path, tmp_path: Path) -> None:
    """A guest: no session of the back end is touched and nothing is acknowledged. Doubled messages are shown once."""
    for name, password in (("secret", "letmein"), ("node-secret", "secret")):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(password)
    users = {"guest": "letmein", "node": "secret"}
    acl = "user guest\ntopic read shelfedge/1/demo-store/bay-12/event\nuser node\ntopic readwrite shelfedge/#\n"
    with (
        Broker(tmp_path / "broker", users=users, acl=acl, extra=["log_type subscribe"]) as broker,
        Tail(node, "--url", broker.url, "--username", "guest", "--password-file", tmp_path / "secret") as tail,
    ):
        until_subscribed(broker, "1 shelfedge/1/demo-store/bay-12/event")
        options = UplinkOptions(broker=broker.url, username="node", password_file=str(tmp_path / "node-secret"))
        publisher = BrokerReader(options, "a-node", ["shelfedge/1/demo-store/bay-12/ack"])
        assert publisher.open() == []
        sent = for_wire(encode(pick(7, 1)), evidence=False, historical=False)
        for payload in (sent, b"\xff", sent, for_wire(encode(pick(7, 2)), evidence=False, historical=True)):
            publisher.publish("shelfedge/1/demo-store/bay-12/event", payload)
        lines = [json.loads(line) for line in tail.lines(2)]
        assert [line["seq"] for line in lines] == [1, 2]
        assert lines[1]["historical"] is True
        code, said = tail.interrupt()
        assert code == 130
        assert "listening to bay-12" in said
        assert "warning: not the stream's CBOR" in said
        assert publisher.receive(0.2) == [], "nothing was acknowledged"
        publisher.close()


@needs_broker
def test_who_may_not_read_at_the_broker_hears_it(shelfedge: Command, node: Path, tmp_path: Path) -> None:
    """With the ACL that we give, a node may write its stream and not read it; silence would say that all is well."""
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("secret")
    users = {"bay-12": "secret", "backend": "secret"}
    acl = (ROOT / "edge/stream/mosquitto.acl").read_text()
    login = ("--password-file", tmp_path / "secret", "--username")
    with (
        Broker(tmp_path / "broker", users=users, acl=acl, extra=["log_type subscribe"]) as broker,
        Tail(node, "--url", broker.url, *login, "bay-12") as silent,
    ):
        until_subscribed(broker, "1 shelfedge/1/demo-store/bay-12/event")
        done = shelfedge("events", "export", node, "--url", broker.url, *login, "bay-12")
        assert (done.returncode, done.stdout) == (1, "")
        warned = "nothing comes of node bay-12, not even its status, to us who logged in as bay-12: either the node was"
        assert warned in done.stderr
        assert "ACL doesn't let us read shelfedge/1/demo-store/bay-12/#" in done.stderr
        assert "--username backend --password-file FILE" in done.stderr
        assert "Traceback" not in done.stderr
        assert silent.process.stderr is not None
        said = b""
        while warned.encode() not in said:
            said += silent.process.stderr.readline()
        assert silent.process.poll() is None, "it goes on listening"


def until_subscribed(broker: Broker, what: str) -> None:
    ends_s = time.monotonic() + DEADLINE_S
    while what not in broker.log():
        assert time.monotonic() < ends_s, broker.log()
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--broker"], "node bay-12 names no broker; give one with --url"),
        (["--url", "http://x"], "--url http://x: expected the broker's address"),
        (["--url", "mqtt://broker.example"], "expected mqtts:// for another machine"),
        (["--url", "mqtt://127.0.0.1:1", "--password-file", "x"], "--password needs --username beside it"),
        (["--url", "mqtt://127.0.0.1:1", "--certificate", "x"], "--certificate needs --key beside it"),
        (["--url", "mqtt://127.0.0.1:1"], "nothing listens on that port"),
        (["--url", "mqtt://127.0.0.1:1", "--username", "a", "--password-file", "nowhere"], "the password file isn't"),
    ],
)
def test_a_broker_that_cant_be_asked_is_a_sentence(
    shelfedge: Command, node: Path, options: list[str], words: str
) -> None:
    """P11: nothing is sent in the clear by accident."""
    done = shelfedge("events", "tail", node, *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_credentials_without_a_broker_mean_nothing(shelfedge: Command, node: Path) -> None:
    for command in ("tail", "export"):
        done = shelfedge("events", command, node, "--username", "a")
        assert (done.returncode, "add --broker or --url" in done.stderr) == (1, True)


@pytest.mark.parametrize("terminal", [True, False])
def test_how_far_an_export_is_shows_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    said = io.StringIO()
    monkeypatch.setattr(said, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stderr", said)
    line = ProgressLine()
    for _ in range(100):
        line.show("bay-12: start 3 of 31, 1204 entries" * 20)
    line.clear()
    line.clear()
    assert ("bay-12: start 3 of 31" in said.getvalue(), said.getvalue().endswith("\r\x1b[K")) == (terminal, terminal)
    assert "\n" not in said.getvalue()
    assert len(said.getvalue()) < 1000
