"""One board from samples to events: reads the chain of plateaus at each mark, decides, announces and remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from edge.fusion.announce import Announcer
from edge.fusion.chain import Chain
from edge.fusion.lattice import Reading, Step, read_chain
from edge.fusion.links import QUICKEST_NS, Links, Move, Story
from edge.fusion.memory import GUESSES_MOST, LEAST_SHARE, Contents, Guess, Hands, HandUnit, Stray
from edge.fusion.model import BoardModel, SkuTable
from edge.fusion.movement import Movement, movements_of
from edge.fusion.moves import FOREIGN, CandidateMoves
from edge.fusion.plateau import END, Plateau
from edge.fusion.report import Reporter
from edge.fusion.seen import PastMove
from edge.fusion.senses import Mark, Senses
from edge.fusion.sightings import Sightings
from edge.fusion.watched import Watched
from edge.fusion.who import Namer
from edge.trace.event import Event, Kind

CHAIN_MOST = 7  # plateaus read together: three visits without a rest, with a hand's plateau in each
SETTLED_S = 1.0  # quiet for this long, and sure: final
PARTIAL_FROM_S = 1.0  # with a cell missing for this long, go on with the others
PATIENCE_S = 4.5  # quiet for this long: final, sure or not
HELD_MOST_S = 29.0  # no hand holds still for longer: final, whatever it looks like
UNDECIDED_MOST = 0.05  # chance that the newest plateau is a hand's, with which a story may still be settled as sure
PROVISIONAL_FROM = 0.6  # probability from which a movement is announced before it is final


@dataclass(frozen=True, slots=True)
class _Known:
    """A reading with the events that its best story comes to."""

    reading: Reading
    story: Story
    events: list[Event]
    movements: list[Movement]
    sure: bool  # enough to be settled as soon as the shelf has been quiet for long enough


class BoardFusion:
    """The state of one board. `sense` may run ahead; `decide` must be called in order of time over all boards."""

    def __init__(
        self,
        model: BoardModel,
        skus: SkuTable,
        hands: Hands,
        review_below: float,
        first_event_number: int = 1,
        namer: Namer | None = None,
        sightings: Sightings | None = None,
    ) -> None:
        self.model = model
        self._hands = hands
        self._skus = skus
        self._review_below = review_below
        self.senses = Senses(model)
        self.sense = self.senses.marks
        self._reporter = Reporter(model, skus, review_below, self.senses.between)
        self._links = Links(model, self.senses.between)
        self._announcer = Announcer(model.board, first_event_number)
        self._namer = namer
        self._watched = None if sightings is None else Watched(model, skus, sightings)
        self._chain = Chain(model.tolerance_g)
        self._moving = False
        self._known: _Known | None = None  # what the last reading came to, while it isn't settled
        self._every_cell = (1 << len(model.cell_ids)) - 1
        count = np.zeros((len(skus.ids), len(model.slot_ids)), np.int64)
        for slot, (sku, there) in enumerate(zip(model.slot_sku, model.slot_count, strict=True)):
            count[sku, slot] = there
        self.contents = Contents(count)
        self._candidates = CandidateMoves(model, skus)
        self._faults_now = self._faults_settled = np.zeros((len(model.cell_ids), 1), np.int64)

    @property
    def next_event_number(self) -> int:
        """What the next new event is numbered."""
        return self._announcer.next_number

    @property
    def at_rest(self) -> bool:
        """Whether nothing is open: nobody moves anything, no movement isn't explained, no event isn't final."""
        return not self._moving and not self._announcer.waiting and len(self._chain) < 2

    @property
    def camera_doubts(self) -> dict[str, float]:
        """By shelf camera that has told anything: the chance that what it says of a visit is noise."""
        return {} if self._watched is None else {name: each.wrong for name, each in self._watched.credits.items()}

    def decide(self, mark: Mark) -> list[Event]:
        """What one mark makes known. Marks of all boards of a node come here in order of time."""
        self._faults_now = mark.faults
        if self._watched is not None:
            self._watched.take_in(mark.decided_ns)
        self._moving = mark.kind == END
        self.senses.look_from(mark.decided_ns)
        plateau = mark.plateau
        if plateau.mask != self._every_cell and plateau.seconds < PARTIAL_FROM_S:
            return []  # a cell's chip restarts: what it says afterwards is worth more than what the others say now
        if len(self._chain) == 0:
            self._chain.begin(plateau)
            self._faults_settled = mark.faults
            return []
        if self._chain.knows(plateau):
            self._chain.look_again(plateau)
            if self._known is not None and self._known.sure and self._known.events and plateau.seconds < SETTLED_S:
                return []  # a slightly better level changes nothing that is sure; it is read once more to be settled
        elif mark.kind != END:
            self._chain.open(plateau)
        if len(self._chain) == 1 or mark.kind == END:
            return []
        return self._read(plateau.seconds, mark.decided_ns, last_chance=False)

    def finish(self, now_ns: int) -> list[Event]:
        """The trace is over: settle what is open with what is known."""
        if len(self._chain) < 2:
            return []
        if self._watched is not None:
            self._watched.take_in(now_ns)
        return self._read(self._chain.plateaus[-1].seconds, now_ns, last_chance=True)

    def _read(self, quiet_s: float, decided_ns: int, last_chance: bool) -> list[Event]:
        chain = self._chain.plateaus
        moves = self._candidates.at(self.contents, self._hands, chain[-1].begin_ns)
        activity = self._links.renew(chain, moves)
        sight = self._watched.over(chain, decided_ns) if self._watched is not None else None
        reading = read_chain(chain, moves, self._links, activity, *(sight or ()))
        if reading is None or not reading.stories:
            # Too few cells to weigh with. What was known until then stands; the rest begins anew from here.
            known = self._known
            events = [replace(event, decided_ns=decided_ns) for event in known.events] if known else []
            sent = self._announcer.settle(events, [], decided_ns)
            if known is not None:
                for event, movement in zip(known.events, known.movements, strict=True):
                    self._remember(known, movement, event)
            self._settle(len(chain) - 1)
            return sent
        patient = last_chance or (quiet_s >= PATIENCE_S and reading.undecided < 0.5) or quiet_s >= HELD_MOST_S
        best = reading.best(complete=patient and not last_chance)
        movements = movements_of(self.model, chain, moves, best.steps, activity)
        new_faults = self._faults_now - self._faults_settled
        events = [
            self._reporter.event(
                reading,
                best.story,
                chain,
                movement,
                new_faults,
                decided_ns,
                sum(earlier.move == movement.move for earlier in movements[: k + 1]),
            )
            for k, movement in enumerate(movements)
        ]
        events = _together(events, movements)
        if self._namer is not None:
            events = self._namer.named(events, movements, decided_ns)
        surest = min([event.confidence for event in events], default=best.probability)
        sure = best.complete and surest >= self._review_below and reading.undecided < UNDECIDED_MOST
        # An arm at rest, or a thing half lifted, looks like something unknown, or like another thing in the wrong
        # slot, until it goes.
        sure = sure and all(event.sku is not None and not self._astray(event) for event in events)
        told = _Known(reading, best.story, events, movements, sure)
        if patient or (sure and quiet_s >= (SETTLED_S if events else 0.5 * SETTLED_S)):
            return self._settle_up_to(told, len(chain) - 1, decided_ns)
        node = self._settled_node(reading, best.steps, quiet_s)
        if node:
            return self._settle_up_to(told, node, decided_ns)
        self._known = told
        return self._announcer.announce(_likely(events), decided_ns)

    def _astray(self, event: Event) -> bool:
        """Put where another product belongs."""
        if event.kind is not Kind.PUT or event.slot is None or event.sku is None:
            return False
        home = self._skus.ids[self.model.slot_sku[self.model.slot_ids.index(event.slot)]]
        return bool(home != event.sku)

    def _settled_node(self, reading: Reading, steps: tuple[Step, ...], quiet_s: float) -> int:
        """The latest plateau before the newest about which nothing more will be learned, 0 if there is none.

        That is one of the best story's, at rest for a good while, once the next visit is over too. On a board that
        doesn't come to rest it is the story's first, whatever it was.
        """
        chain = self._chain.plateaus
        inner = [step.edge.j for step in steps if step.edge.j < len(chain) - 1]
        if quiet_s >= 0.5 * SETTLED_S and reading.undecided < 0.2:
            rested = [node for node in inner if chain[node].seconds >= SETTLED_S]
            if rested:
                return rested[-1]
        if len(chain) <= CHAIN_MOST:
            return 0
        shortest = min(range(1, len(chain) - 1), key=lambda node: chain[node].seconds)
        if chain[shortest].seconds < 0.5 * SETTLED_S:
            del chain[shortest]  # too short to be anybody's rest
            return 0
        return inner[0] if inner else shortest

    def _settle_up_to(self, told: _Known, node: int, decided_ns: int) -> list[Event]:
        """Settle what happened before plateau ``node`` of the best story and go on from there."""
        pairs = list(zip(told.events, told.movements, strict=True))
        settled = [(event, movement) for event, movement in pairs if movement.step.edge.j <= node]
        later = [event for event, movement in pairs if movement.step.edge.j > node]
        sent = self._announcer.settle([event for event, _ in settled], _likely(later), decided_ns)
        for event, movement in settled:
            self._remember(told, movement, event)
        if self._watched is not None:
            chain = self._chain.plateaus
            self._watched.settled([_past(told, movement, chain) for _, movement in settled])
        self._settle(node, nothing_happened=not told.events)
        return sent

    def _settle(self, node: int, nothing_happened: bool = False) -> None:
        if nothing_happened:
            self._chain.go_on()
        else:
            self._chain.settle(node)
        self._faults_settled = self._faults_now
        self._known = None

    def _remember(self, known: _Known, movement: Movement, event: Event) -> None:
        """Remember what a settled movement did to the board and to the hands, with its doubts."""
        sign, sku, slot, quantity = movement.move
        guesses = _guesses(known, movement.move)
        if self._namer is not None:
            self._namer.remember(movement, event)
        grams, var = abs(movement.grams), movement.grams_var
        if sign > 0:
            certain = slot >= 0 and self.model.slot_sku[slot] == sku and event.confidence >= self._review_below
            if certain:
                self.contents.change(sku, slot, quantity)
            else:
                self.contents.put_stray(Stray(guesses, grams, var, movement.x_mm, movement.y_mm))
            for _ in range(quantity):
                returned = self._namer.returned(movement, event) if self._namer is not None else {}
                self._hands.give_back(sku, grams / quantity, returned)
            return
        if not self.contents.take_stray(sku, slot, grams) and sku != FOREIGN:
            self.contents.change(sku, slot, -quantity)
        units = tuple(guess for guess in guesses if guess.quantity == quantity)
        # Of several only the sum was weighed: each is their mean, give or take how units differ.
        apart_var = (1.0 - 1.0 / quantity) * float(self._skus.spread_var[sku]) if sku != FOREIGN else 0.0
        for _ in range(quantity):
            each_var = var / quantity**2 + apart_var
            board, who = self.model.board, event.who
            self._hands.take(HandUnit(units, grams / quantity, each_var, board, movement.time_ns, who))


def _guesses(known: _Known, move: Move) -> tuple[Guess, ...]:
    """What a movement may have been of, by the posterior."""
    found = [
        Guess(other[1], other[2], other[3], share)
        for other, share in known.reading.in_place_of(move, known.story)
        if other is not None and other[0] == move[0] and share >= LEAST_SHARE
    ]
    return tuple(found[:GUESSES_MOST])


def _past(told: _Known, movement: Movement, chain: Sequence[Plateau]) -> PastMove:
    edge, move = movement.step.edge, movement.move
    by_scale = tuple(told.reading.in_place_of(move, told.story, plain=True))
    return PastMove(chain[edge.i].end_ns, chain[edge.j].begin_ns, move, by_scale)


def _together(events: list[Event], movements: list[Movement]) -> list[Event]:
    """What was taken and put back within one activity left no weight behind that could tell: it is believed as a whole,
    the surer half no more than the other, and not at all where no hand could have done it in that time."""
    doubtful = set()
    for a, b in combinations(range(len(events)), 2):
        one, other = movements[a], movements[b]
        if one.step is not other.step or one.move[1:] != other.move[1:] or one.move[0] == other.move[0]:
            continue
        at_once = abs(one.time_ns - other.time_ns) < QUICKEST_NS
        if at_once or events[a].needs_review or events[b].needs_review:
            doubtful |= {a, b}
    return [replace(event, needs_review=True) if k in doubtful else event for k, event in enumerate(events)]


def _likely(events: list[Event]) -> list[Event]:
    """What is worth announcing before it is final."""
    return [event for event in events if event.sku is not None and event.confidence >= PROVISIONAL_FROM]
