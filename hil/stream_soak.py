"""Nothing lost, nothing doubled: `python -m hil.stream_soak --kills 200 --seed 1` takes some ten minutes.

Real nodes (`shelfedge run`), a real mosquitto, a back end with the reference consumer. The boards are simulated, and
recorded beforehand, so that events begin with the samples. While they flow the nodes are killed with -9 at random, the
broker is stopped, killed with -9, halted and started at random, and so is the back end. At the end the back end's
database is held against the outboxes (P1, P2): `stream_soak_check`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drivers.simulated.shopper import RandomShopper
from edge.node.simulate import simulate_trace
from edge.node.warm_up import warm_up
from edge.stream.outbox.reader import OutboxReader
from firmware_bridge.errors import ShelfedgeError
from hil.broker import Broker, free_port
from hil.layouts import corner_boards
from hil.stream_soak_check import Committed, Verdict, judge, stored_entries

KILLS = 200
NODES = 3
LEAST_EVENTS_PER_KILL = 1.0
NODES_KILLED = "nodes killed -9"
_ROOT = Path(__file__).parents[1]
_STORE = "soak"
_BOARDS = 4
_VISITS_S = (0.2, 0.3)
_RECORDINGS = 3  # per node, in turns
_CALM_S = 60.0  # what a busy machine may need at the end
_START_S = 120.0  # what starting may take on a busy machine
_ROUNDS = 5


class SoakError(ShelfedgeError, RuntimeError):
    """A process of the soak ended by itself; the text has its last words."""


@dataclass(frozen=True, slots=True)
class Times:
    """Ranges in seconds, drawn from at random.

    Attributes:
        early: lives of a node that end while it starts, `early_share` of them. life: the others, from when it runs.
        pause: until it is started again. broker, back_end: between what happens to those. down: how long they are gone.
    """

    early_share: float = 0.25
    early: tuple[float, float] = (0.2, 3.0)
    life: tuple[float, float] = (1.5, 8.0)
    pause: tuple[float, float] = (0.0, 0.5)
    broker: tuple[float, float] = (1.0, 8.0)
    back_end: tuple[float, float] = (8.0, 25.0)
    down: tuple[float, float] = (0.1, 3.0)


@dataclass(slots=True)
class SoakResult:
    """What was done, and what came of it.

    Attributes:
        done: how often what was done. verdicts: by node. counts: the consumer's, over all its lives.
    """

    seed: int
    took_s: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    verdicts: list[Verdict] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def problems(self) -> list[str]:
        """Every broken promise."""
        return [problem for verdict in self.verdicts for problem in verdict.problems]

    @property
    def events(self) -> int:
        """How many were committed."""
        return sum(verdict.events for verdict in self.verdicts)

    def _across_boots(self, acknowledged: bool) -> int:
        return sum(v.across_boots for n, v in enumerate(self.verdicts, 1) if _is_acknowledged(n) == acknowledged)

    def table(self) -> str:
        """The result for a person."""
        delays_s = sorted(delay for verdict in self.verdicts for delay in verdict.delays_s) or [0.0]
        lines: list[tuple[str, object]] = [
            ("seed", self.seed),
            ("took", f"{self.took_s:.0f} s"),
            *((word, self.done[word]) for word in sorted(self.done)),
            ("starts of nodes that committed anything", sum(verdict.boots for verdict in self.verdicts)),
            ("events committed", self.events),
            ("notes committed", sum(verdict.notes for verdict in self.verdicts)),
            ("delivered more than once, dropped", self.counts["duplicates"]),
            ("gaps noticed", self.counts["gaps"]),
            ("resends asked for", self.counts["resends"]),
            ("delivered after a later start's", self._across_boots(acknowledged=True)),
            ("the same, nodes without acknowledgements", self._across_boots(acknowledged=False)),
            ("delay decision to back end, median", f"{statistics.median(delays_s):.3f} s"),
            ("delay, largest", f"{delays_s[-1]:.1f} s"),
            ("problems", len(self.problems)),
        ]
        width = max(len(word) for word, _ in lines)
        return "\n".join(f"{word:<{width}}  {value}" for word, value in lines)


def _is_acknowledged(number: int) -> bool:
    """Every second node takes the broker's word, which is worth nothing after kill -9: there the back end must ask."""
    return number % 2 == 1


class _Process:
    """A program that is started and killed again and again; what it says goes to one log."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None
        self._log_begin = 0  # where in the log its present life begins

    def has_said(self, words: str) -> bool:
        """Whether it has since it was started last."""
        with self._log.open("rb") as log:
            log.seek(self._log_begin)
            return words.encode() in log.read()

    @property
    def running(self) -> bool:
        return self._child is not None

    def start(self) -> None:
        """Start it. Does nothing while it runs."""
        if self._child is None:
            with self._log.open("ab") as log:
                self._log_begin = log.tell()
                self._child = subprocess.Popen(
                    self._command, stdout=log, stderr=log, cwd=_ROOT, env={**os.environ, "PYTHONPATH": str(_ROOT)}
                )

    def check(self) -> None:
        """Raises SoakError where it has ended by itself."""
        if self._child is not None and self._child.poll() is not None:
            code, self._child = self._child.returncode, None
            raise SoakError(f"{self.name} ended by itself ({code}); it said:\n{self._log.read_text()[-2000:]}")

    def kill(self) -> Iterator[float]:
        """kill -9; waits until it is gone: what hangs in an fsync on a slow disk ends later."""
        self.check()
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            while child.poll() is None:
                yield 0.01

    def end(self) -> None:
        """End it by SIGTERM; returns when it is gone."""
        self.check()
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(_CALM_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise SoakError(f"{self.name} didn't end within {_CALM_S:.0f} s of SIGTERM") from None


class _Soak:
    """The folder, the processes, and what happens to them when."""

    def __init__(self, folder: Path, seed: int, nodes: int, times: Times) -> None:
        self.result = SoakResult(seed)
        self._folder = folder
        self._times = times
        self._random = random.Random(seed)
        self._database = folder / "back-end.db"
        self._counts = folder / "counts"
        self._counts.mkdir()
        # A port of its own: nodes and back end must find the broker again wherever it was killed.
        self.broker = Broker(folder / "broker", persistence=True, port=free_port(), extra=["max_queued_messages 0"])
        module = [sys.executable, "-m"]
        arguments = ["hil.stream_soak_consumer", self.broker.url, str(self._database), str(self._counts)]
        self.back_end = _Process("the back end", [*module, *arguments], folder / "back-end.log")
        self.nodes = [self._node(number, seed) for number in range(1, nodes + 1)]

    def _node(self, number: int, seed: int) -> _Process:
        folder = self._folder / f"node-{number}"
        folder.mkdir()
        setup = corner_boards(seed + number, boards=_BOARDS)
        length_s = self._times.life[1] + self._times.early[1]
        for recording in range(_RECORDINGS):
            shopper_seed = seed + 1000 * number + recording
            shopper = RandomShopper(shopper_seed, first_s=1.0, gap_s=_VISITS_S)
            simulate_trace(setup, folder / f"{recording}.mcap", shopper_seed, length_s, shopper)
        acknowledged = str(_is_acknowledged(number)).lower()
        uplink = f"uplink:\n  broker: {self.broker.url}\n  acknowledged: {acknowledged}\n"
        text = setup.node_text.replace("\nplanogram:", f"\nstore: {_STORE}\nstate: state\nplanogram:")
        text = text.replace(f"node: {setup.node.node}", f"node: node-{number}").replace("boards:", f"{uplink}boards:")
        text = text.replace("driver: simulated", "driver: {type: trace, file: now.mcap}")
        (folder / "node.yaml").write_text(text)
        (folder / "planogram.yaml").write_text(setup.planogram_text)
        command = [sys.executable, "-m", "edge.cli.main", "run", str(folder / "node.yaml"), "--log-form", "text"]
        return _Process(f"node-{number}", command, folder / "node.log")

    def _start(self, node: _Process) -> None:
        """With the next recording in front of its boards."""
        folder = self._folder / node.name
        (folder / "now.mcap").unlink(missing_ok=True)
        (folder / "now.mcap").symlink_to(f"{self.result.done['nodes started'] % _RECORDINGS}.mcap")
        self.result.done["nodes started"] += 1
        node.start()

    def run(self, kills: int, report: Callable[[str], None]) -> None:
        """So many kills of nodes, and all else meanwhile."""
        self.broker.start()
        self.back_end.start()
        agendas = [self._broker_life(), self._back_end_life(), *(self._node_life(node) for node in self.nodes)]
        due_s = [(time.monotonic() + next(agenda), agenda) for agenda in agendas]
        while self.result.done[NODES_KILLED] < kills:
            at_s, agenda = min(due_s, key=lambda each: each[0])
            time.sleep(max(0.0, min(at_s - time.monotonic(), 0.1)))
            for process in (self.back_end, *self.nodes):
                process.check()
            if time.monotonic() >= at_s:
                due_s.remove((at_s, agenda))
                due_s.append((time.monotonic() + next(agenda), agenda))
                report(f"{self.result.done[NODES_KILLED]} of {kills} kills")

    def finish(self) -> None:
        """All run again until everything has arrived; then the verdict."""
        self.broker.resume()
        self.broker.start()
        self.back_end.start()
        for round_number in range(_ROUNDS):
            for node in self.nodes:
                if not node.running:
                    self._start(node)
            for node in self.nodes:
                for wait_s in self._until_it_runs(node):
                    node.check()
                    time.sleep(wait_s)
            time.sleep(self._times.early[1])
            for node in self.nodes:
                node.end()
            if self._everything_arrived(_CALM_S / _ROUNDS * (round_number + 1)):
                break
        self.back_end.end()
        self.result.verdicts = self._judged()
        for verdict in self.result.verdicts:
            if verdict.missing:
                verdict.problems.append(f"{verdict.node}: {verdict.missing} committed entries never arrived")
        for path in self._counts.glob("*.json"):
            self.result.counts.update(json.loads(path.read_text()))

    def close(self) -> None:
        """Nothing is left running."""
        for process in (*self.nodes, self.back_end):
            with contextlib.suppress(SoakError):
                for wait_s in process.kill():
                    time.sleep(wait_s)
        self.broker.kill()

    def _node_life(self, node: _Process) -> Iterator[float]:
        """Seconds until the next step, each time."""
        times = self._times
        yield self._random.uniform(0.0, times.life[0])
        while True:
            self._start(node)
            if self._random.random() < times.early_share:
                yield self._random.uniform(*times.early)
            else:
                yield from self._until_it_runs(node)
                yield self._random.uniform(*times.life)
            yield from node.kill()
            self.result.done[NODES_KILLED] += 1
            yield self._random.uniform(*times.pause)

    def _until_it_runs(self, node: _Process) -> Iterator[float]:
        """However busy this machine is: a life counts from the first samples."""
        ends_s = time.monotonic() + _START_S
        while not node.has_said(" runs\n") and time.monotonic() < ends_s:
            yield 0.05

    def _broker_life(self) -> Iterator[float]:
        ways = {"killed -9": self.broker.kill, "stopped": self.broker.stop, "halted for a while": self.broker.pause}
        while True:
            yield self._random.uniform(*self._times.broker)
            way = self._random.choice(list(ways))
            ways[way]()
            self.result.done[f"broker {way}"] += 1
            yield self._random.uniform(*self._times.down)
            self.broker.resume()
            self.broker.start()

    def _back_end_life(self) -> Iterator[float]:
        while True:
            yield self._random.uniform(*self._times.back_end)
            yield from self.back_end.kill()
            self.result.done["back end killed -9"] += 1
            yield self._random.uniform(*self._times.down)
            self.back_end.start()

    def _everything_arrived(self, patience_s: float) -> bool:
        """False when nothing more has come for so long: on a slow machine, what still comes is waited for."""
        ends_s, least = time.monotonic() + patience_s, sys.maxsize
        while missing := sum(verdict.missing for verdict in self._judged()):
            if missing < least:
                ends_s, least = time.monotonic() + patience_s, missing
            if time.monotonic() > ends_s:
                return False
            self.back_end.check()
            time.sleep(0.5)
        return True

    def _judged(self) -> list[Verdict]:
        return [self._judge(node.name) for node in self.nodes]

    def _judge(self, node: str) -> Verdict:
        outbox = self._folder / node / "state" / node / "outbox.db"
        with OutboxReader(outbox) as reader:
            committed = [Committed(row.boot, row.seq, row.payload) for row in reader.rows()]
        return judge(node, committed, *stored_entries(self._database, f"{_STORE}/{node}"))


def soak(
    kills: int = KILLS,
    seed: int = 1,
    nodes: int = NODES,
    times: Times = Times(),
    folder: Path | None = None,
    report: Callable[[str], None] = lambda _line: None,
) -> SoakResult:
    """The soak. ``folder`` keeps logs and databases; None: they are removed. Raises SoakError, BrokerError."""
    began_s = time.monotonic()
    warm_up()  # once, here: a node whose kernels aren't compiled yet would be killed before its first event
    kept = Path(tempfile.mkdtemp(prefix="shelfedge-soak-")) if folder is None else folder
    run = _Soak(kept, seed, nodes, times)
    try:
        run.run(kills, report)
        report("all run again, until everything has arrived")
        run.finish()
    finally:
        run.close()
    if folder is None:
        shutil.rmtree(kept)
    run.result.took_s = time.monotonic() - began_s
    return run.result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and print the table; 0 where every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=NODES, help="how many run at a time")
    parser.add_argument("--folder", type=Path, help="an empty folder that keeps logs and databases")
    chosen = parser.parse_args(arguments)
    began_s = time.monotonic()

    def report(line: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{time.monotonic() - began_s:5.0f} s  {line}\x1b[K")
            sys.stderr.flush()

    result = soak(chosen.kills, chosen.seed, chosen.nodes, folder=chosen.folder, report=report)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    sys.stdout.write(result.table() + "\n")
    problems = result.problems
    if result.events < LEAST_EVENTS_PER_KILL * chosen.kills:
        problems.append(f"only {result.events} events were committed: that proves nothing; is this machine too busy?")
    for problem in problems:
        sys.stdout.write(f"PROBLEM: {problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
