"""Entries for a person to look at: out of a node's outbox, beside the node or without one, and from the broker."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from edge.config.live_schema import UplinkOptions
from edge.stream.broker_choice import describe_nothing
from edge.stream.broker_reader import BrokerReader
from edge.stream.consumer_delivery import Received
from edge.stream.consumer_items import items_of
from edge.stream.entry import Entry
from edge.stream.outbox.errors import OutboxUnavailableError
from edge.stream.outbox.reader import OutboxReader
from edge.stream.outbox.records import Row
from edge.stream.uplink.topics import Names
from edge.stream.wire import WireError, decode_items
from firmware_bridge.errors import DataLostError

_LOOK_S = 0.2
_STATUS_S = 5.0
_MOST_REMEMBERED = 20_000


class OutboxLossError(DataLostError, ValueError):
    """Entries of an outbox are damaged or missing; the others were given. Example: the card had a bad block."""


class OutboxEvents:
    """What a node has kept, in the order in which it was committed. Use as a context.

    Attributes:
        problems: a sentence for everything that couldn't be given.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise OutboxUnavailableError(
                f"{path}: there is no outbox; expected one once the node has run (`shelfedge run`). Where it runs "
                "under another user or on another machine, look there; else check `state` in the node file"
            )
        self._reader = OutboxReader(path)
        self._path = path
        self.problems = self._reader.problems  # one list for both

    def all(self) -> Iterator[Entry]:
        """Everything up to now; a hole within a boot is a problem too."""
        boot, last = 0, 0
        for row in self._reader.rows():
            if row.boot == boot and row.seq != last + 1:
                missing = f"entry {last + 1} is" if row.seq == last + 2 else f"entries {last + 1} to {row.seq - 1} are"
                self.problems.append(f"{self._path}: {missing} missing in boot {boot}")
            boot, last = row.boot, row.seq
            yield from self._decoded(row)

    def last(self, count: int) -> list[Entry]:
        """The last so many; `new` goes on from there."""
        rows = deque(self._reader.rows(), maxlen=count)
        return [entry for row in rows for entry in self._decoded(row)]

    def new(self) -> list[Entry]:
        """What has come since."""
        return [entry for row in self._reader.next_rows() for entry in self._decoded(row)]

    def follow(self, sleep: Callable[[float], None] = time.sleep) -> Iterator[Entry]:
        """What comes from now on, without end."""
        while True:
            entries = self.new()
            yield from entries
            if not entries:
                sleep(_LOOK_S)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def __enter__(self) -> OutboxEvents:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decoded(self, row: Row) -> list[Entry]:
        try:
            return decode_items(row.payload)
        except WireError as error:  # of a newer version
            self.problems.append(f"{self._path}: entry {row.seq} of boot {row.boot} can't be read: {error}")
            return []


def raise_losses(problems: list[str]) -> None:
    """Raises OutboxLossError where there were problems."""
    if problems:
        raise OutboxLossError("\n".join([*problems, "all that is intact was given"]))


def follow_broker(
    options: UplinkOptions,
    names: Names,
    on_open: Callable[[list[str]], None],
    on_problem: Callable[[str], None],
    status_s: float = _STATUS_S,
) -> Iterator[Entry]:
    """What a node publishes from now on, each entry once, in the order in which it comes.

    A guest at the broker: under a name that the broker makes up, without a session, and nothing is acknowledged.

    Args:
        on_open: called with warnings when it listens. on_problem: with a sentence for what can't be read, and where
            nothing at all has come, not even the retained status, after `status_s`.
    Raises UplinkError and CredentialError, also when the connection is lost.
    """
    reader = BrokerReader(options, "", [names.status, names.event])
    seen: OrderedDict[tuple[int, int], None] = OrderedDict()
    try:
        on_open(reader.open())
        silent_at_s: float | None = time.monotonic() + status_s
        while True:
            messages = reader.receive(_LOOK_S)
            if messages:
                silent_at_s = None
            elif silent_at_s is not None and time.monotonic() > silent_at_s:
                silent_at_s = None
                on_problem(describe_nothing(options, names))
            for message in messages:
                if message.topic != names.event:
                    continue
                for got in items_of(names.node, message.payload):
                    if not isinstance(got, Received):
                        on_problem(got)
                    elif (got.boot, got.seq) not in seen:
                        seen[got.boot, got.seq] = None
                        if len(seen) > _MOST_REMEMBERED:
                            seen.popitem(last=False)
                        if got.entry is None:
                            on_problem(f"entry {got.seq} of boot {got.boot} can't be read: {got.problem}")
                        else:
                            yield got.entry
    finally:
        reader.close()
