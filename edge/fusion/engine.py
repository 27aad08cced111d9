"""All boards of a node: takes blocks of samples, gives events in order of time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from calibration.record import BoardCalibration, CalibrationError
from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.fusion.board import BoardFusion
from edge.fusion.memory import Hands
from edge.fusion.model import board_model, sku_table
from edge.fusion.senses import Mark
from edge.fusion.sightings import Sightings
from edge.fusion.who import Namer
from edge.fusion.who_place import front_of
from edge.trace.event import Event
from edge.trace.sighting import Sighting


class Fusion:
    """Samples to events for one node.

    How the stream is cut into blocks doesn't change a bit of the events: boards share what is out in shoppers' hands,
    so marks of all boards wait until every board has been heard up to their time, and are decided in order.

    Args:
        first_event_number: of each board's events. A node that takes another planogram goes on counting.
    Attributes:
        blind_boards: boards of the node file that can't be weighed with, and why.
        sightings: what cameras have told.
    """

    def __init__(self, setup: Setup, first_event_number: int = 1) -> None:
        skus = sku_table(setup)
        hands = Hands()
        self.sightings = Sightings()
        self.blind_boards: dict[str, str] = {}
        self.boards: dict[str, BoardFusion] = {}
        for name, board in setup.node.boards.items():
            record = setup.calibration.get(name)
            missing = _missing(record, list(board.cells))
            if record is None or missing:
                self.blind_boards[name] = missing
                continue
            model = board_model(setup, name, board, record, skus)
            front = front_of(board)
            namer = None if front is None else Namer(model, skus, front, hands, self.sightings)
            review_below = setup.node.fusion.review_below
            self.boards[name] = BoardFusion(model, skus, hands, review_below, first_event_number, namer, self.sightings)
        self._order = {name: i for i, name in enumerate(self.boards)}
        self._waiting: list[tuple[int, int, int, Mark]] = []
        self._count = 0
        self._heard_ns: dict[str, int] = {}

    @property
    def next_event_number(self) -> int:
        """A number that no event of any board has had."""
        return max((board.next_event_number for board in self.boards.values()), default=1)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is open on any board."""
        return all(board.at_rest for board in self.boards.values())

    def push(
        self, blocks: Sequence[SampleBlock], until_ns: int | None = None, sightings: Sequence[Sighting] = ()
    ) -> list[Event]:
        """Take samples, each board's in order of time, and return what they decide.

        ``until_ns``: all samples of all boards before this time have been given (now or earlier). Without it, that is
        taken to be the oldest of the boards' newest samples. Blocks of boards that can't be weighed with are ignored.
        ``sightings``: in any order; those that are `Sightings.give`'s too late ones are passed over.
        """
        if sightings:
            self.sightings.give(sightings)
        for block in blocks:
            board = self.boards.get(block.board)
            if board is None or len(block) == 0:
                continue
            self._heard_ns[block.board] = int(block.time_ns[-1])
            for mark in board.sense(block):
                heapq.heappush(self._waiting, (mark.decided_ns, self._order[block.board], self._count, mark))
                self._count += 1
        if until_ns is None:
            heard_all = len(self._heard_ns) == len(self.boards) and self.boards
            until_ns = min(self._heard_ns.values()) if heard_all else None
        return [] if until_ns is None else self._decide(until_ns)

    def finish(self) -> list[Event]:
        """The stream is over: decide everything that is still open, board by board."""
        events = self._decide(None)
        now_ns = max(self._heard_ns.values(), default=0)
        self.sightings.look_from(now_ns)
        for board in self.boards.values():
            events += board.finish(now_ns)
        return events

    def _decide(self, until_ns: int | None) -> list[Event]:
        events: list[Event] = []
        names = list(self.boards)
        while self._waiting and (until_ns is None or self._waiting[0][0] < until_ns):
            _, order, _, mark = heapq.heappop(self._waiting)
            self.sightings.look_from(mark.decided_ns)
            events += self.boards[names[order]].decide(mark)
        if until_ns is not None:
            for board in self.boards.values():
                board.senses.forget(until_ns)
            self.sightings.decided(until_ns)
        return events


def _missing(record: BoardCalibration | None, cells: list[str]) -> str:
    if record is None:
        return "it has no calibration record"
    absent = [cell for cell in cells if cell not in record.cells]
    if absent:
        return f"its calibration record lacks cells {', '.join(absent)}"
    try:
        record.carried(cells)
    except CalibrationError as error:
        return str(error)
    return ""
