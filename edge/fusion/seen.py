"""How well stories over a chain of plateaus go with what a shelf camera saw: log likelihood ratios.

Every number is a ratio against the same picture under a camera that tells nothing (its verdicts come as often as they
do whatever happens), so that 0 is silence, and a story's numbers may be added up and mixed with a camera that is wrong
(`edge.fusion.credit`):

* a slot between two clear views, ``exp(moved) / (1/2 + (exp(gone) + exp(come)) / 4)`` where something was before it:
  the moves of the story in that slot and time against what the views say; without moves the numerator is 1;
* a slot in which something moved, hands before it then: ``0.97 exp(hand) + 0.03`` against hands 4 times in 10;
* a plateau that is a hand's, hands before the board all the while: the same with 0.9.

What two views say may be of several gaps between plateaus (a hand stayed before the slot while the board rested). It is
then weighed where the last of those gaps is, with all the moves of the story in them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from edge.fusion.links import Move, Story
from edge.fusion.looks import Eye, Span
from edge.fusion.moves import FOREIGN
from edge.fusion.plateau import Plateau

if TYPE_CHECKING:
    from edge.fusion.lattice import Step

HOLE_NS = 300_000_000  # in so short a time nobody comes, takes something and leaves
LOOKS_APART_NS = 600_000_000  # with fewer looks a hand may have been missed
BESIDE_NS = 300_000_000  # a hand comes before it touches, and leaves after
INSIDE_NS = 100_000_000  # of a plateau, from its ends
HAND_SEEN, HELD_SEEN, HAND_OFTEN = 0.97, 0.9, 0.4
UNSEEN_LOG = 0.0  # of a move in a slot while nobody saw it
BACK_SAME = 0.7  # taken and put back between two views, it looks as before


@dataclass(frozen=True, slots=True)
class PastMove:
    """A settled movement; ``certain`` by the scale alone."""

    begin_ns: int
    end_ns: int
    move: Move
    certain: bool


@dataclass(frozen=True, slots=True)
class _Handled:
    """A span with the gaps it has a part in; gap k lies between plateaus k and k + 1."""

    span: Span
    first: int
    last: int


class Seen:
    """One camera's word on one chain.

    Args:
        past: movements settled before the chain, which views may still be of.
        horizon_ns: nothing later is known.
    """

    def __init__(self, eye: Eye, chain: Sequence[Plateau], past: Sequence[PastMove], horizon_ns: int) -> None:
        self._eye = eye
        self._chain = chain
        self._gaps = [(a.end_ns, b.begin_ns) for a, b in pairwise(chain)]
        self._horizon_ns = horizon_ns
        self._past = past
        self._handled = [self._in_gaps(spans) for spans in eye.spans]
        # plateaus that a view spans without a break, by slot: what it says waits for the next one
        self._open = [{k for each in found for k in range(each.first + 1, each.last + 1)} for found in self._handled]
        self._known: dict[tuple[int, int, Story], tuple[float, tuple[int, ...]]] = {}
        self._found: dict[tuple[int, int, int, Story], float] = {}
        self._hands: dict[tuple[int, int, int], float] = {}
        self._holds = [self._hold(plateau) for plateau in chain]

    @property
    def silent(self) -> bool:
        """Whether the camera has nothing to say of this chain."""
        inside = self._eye.looks(self._chain[0].end_ns, self._horizon_ns)
        return bool(inside.start == inside.stop)

    def step(self, steps: Sequence[Step], i: int, j: int, story: Story) -> float:
        """Log ratio that the moves ``story`` between plateaus i and j add to the path ``steps`` that ends at i."""
        key = (i, j, story)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._alone(i, j, story)
        log, waiting = known
        for slot in waiting:
            log += self._joined(slot, steps, i, j, story)
        return log

    def pending(self, i: int) -> float:
        """Log ratio of hands being on the board ever since plateau i, the newest one included."""
        return sum(self._holds[i + 1 :])

    def _alone(self, i: int, j: int, story: Story) -> tuple[float, tuple[int, ...]]:
        """What doesn't depend on the steps before; and the slots that do."""
        log = sum(self._holds[i + 1 : j])
        waiting: list[int] = []
        for slot in range(len(self._handled)):
            moves = tuple(move for move in story if move[2] == slot)
            if moves:
                log += self._hand(slot, i, j)
            if i in self._open[slot] or j in self._open[slot]:
                waiting.append(slot)
            else:
                log += self._slot(slot, i, j, moves)
        foreign = [move for move in story if move[2] < 0]
        if foreign:
            log += self._anywhere(foreign[0], i, j)
        return log, tuple(waiting)

    def _joined(self, slot: int, steps: Sequence[Step], i: int, j: int, story: Story) -> float:
        if j in self._open[slot]:
            return 0.0
        moves = tuple(move for move in story if move[2] == slot)
        begin = i
        for step in reversed(steps):
            if begin not in self._open[slot]:
                break
            moves = (*(move for move in step.moves if move[2] == slot), *moves)
            begin = step.edge.i
        return self._slot(slot, begin, j, moves)

    def _slot(self, slot: int, i: int, j: int, moves: Story) -> float:
        """Log ratio of all views of a slot whose last gap is one of i to j - 1, with the moves in it."""
        key = (slot, i, j, moves)
        found = self._found.get(key)
        if found is None:
            spans = [each.span for each in self._handled[slot] if i <= each.first and each.last < j]
            earlier = [
                past.move
                for past in self._past
                if past.move[2] == slot
                and any(span.begin_ns < past.end_ns and past.begin_ns < span.end_ns for span in spans)
            ]
            found = self._found[key] = log_moved((*earlier, *moves), spans, self._else(slot, i, j)) - log_usual(spans)
        return found

    def _else(self, slot: int, i: int, j: int) -> float | None:
        """Log ratio of a move in a slot while nothing was before it, or while nobody looked; None if neither was so."""
        begin_ns, end_ns = self._gaps[i][0], self._gaps[j - 1][1]
        return log_unhandled(self._eye.spans[slot], begin_ns, end_ns)

    def _anywhere(self, move: Move, i: int, j: int) -> float:
        """Something unknown in some slot or other."""
        total = 0.0
        for slot in range(len(self._handled)):
            if i in self._open[slot] or j in self._open[slot]:
                total += 1.0
            else:
                total += math.exp(self._slot(slot, i, j, ((move[0], FOREIGN, slot, 1),)) - self._slot(slot, i, j, ()))
        return math.log(total / len(self._handled)) if self._handled else 0.0

    def _hand(self, slot: int, i: int, j: int) -> float:
        """Log ratio of the looks at a slot between plateaus if something moved there."""
        key = (slot, i, j)
        found = self._hands.get(key)
        if found is None:
            begin_ns, end_ns = self._gaps[i][0] - BESIDE_NS, self._gaps[j - 1][1] + BESIDE_NS
            found = self._hands[key] = log_hand_seen(self._eye, slot, begin_ns, min(end_ns, self._horizon_ns))
            if end_ns > self._horizon_ns + LOOKS_APART_NS:
                found = self._hands[key] = max(found, 0.0)
        return found

    def _hold(self, plateau: Plateau) -> float:
        """Log ratio of a hand's having been on the board all through a plateau."""
        inside = self._eye.looks(plateau.begin_ns + INSIDE_NS, min(plateau.end_ns - INSIDE_NS, self._horizon_ns))
        least = math.inf
        for hands in self._eye.hands[inside]:
            least = min(least, max((hand for hand in hands if hand == hand), default=math.inf))
        return _log_against(least, HELD_SEEN) if least < math.inf else 0.0

    def _in_gaps(self, spans: Sequence[Span]) -> list[_Handled]:
        found = []
        for span in spans:
            if not span.handled or span.end_ns <= self._gaps[0][0]:
                continue
            inside = [k for k, (begin, end) in enumerate(self._gaps) if span.begin_ns < end and begin < span.end_ns]
            if inside:
                found.append(_Handled(span, inside[0], inside[-1]))
        return found


def log_moved(moves: Sequence[Move], spans: Sequence[Span], otherwise: float | None) -> float:
    """Log ratio of views if these moves happened in their slot, against nothing there, spans assigned at their best.

    ``otherwise``: of a move that none of the spans is of; None where that can't be.
    """
    if not moves:
        return 0.0
    signs = {move[0] for move in moves}
    each = [[span.moved(move[0], move[1]) for span in spans] for move in moves]
    rest = [otherwise] if otherwise is not None else []
    if len(signs) == 1:
        best = sorted((max([*logs, *rest], default=0.0) for logs in each), reverse=True)
        # one view shows them all at once; several may show one each
        more = sorted((log for log in each[0]), reverse=True)[1 : len(moves)]
        return best[0] + sum(max(log, 0.0) for log in more)
    first, other = next((a, b) for a, m in enumerate(moves) for b, n in enumerate(moves) if b > a and m[0] != n[0])
    shown = max([*each[first], *each[other], 0.0])
    together = math.log(BACK_SAME + (1.0 - BACK_SAME) * math.exp(shown))
    apart = [a + b for k, a in enumerate(each[first]) for m, b in enumerate(each[other]) if k != m]
    return max([together, *apart])


def log_usual(spans: Sequence[Span]) -> float:
    """Log of how often views come out so, whatever happens: every other hand leaves a slot as it was."""
    return sum(math.log(0.5 + 0.25 * (math.exp(span.gone) + math.exp(span.come))) for span in spans)


def log_unhandled(spans: Sequence[Span], begin_ns: int, end_ns: int) -> float | None:
    """Log ratio of a move with nothing before its slot or nobody looking, in that time; None if neither was so."""
    best: float | None = None
    seen_ns = begin_ns
    for span in spans:
        if span.end_ns <= begin_ns or span.begin_ns >= end_ns:
            continue
        if span.begin_ns - seen_ns > HOLE_NS:
            return UNSEEN_LOG
        seen_ns = max(seen_ns, span.end_ns)
        if not span.handled:
            log = max(span.gone, span.come)
            best = log if best is None else max(best, log)
    return UNSEEN_LOG if end_ns - seen_ns > HOLE_NS else best


def log_hand_seen(eye: Eye, slot: int, begin_ns: int, end_ns: int) -> float:
    """Log ratio of the looks at a slot in that time if a hand reached into it."""
    inside = eye.looks(begin_ns, end_ns)
    best, before_ns, widest_ns = -math.inf, begin_ns, 0
    for time_ns, hands in zip(eye.times_ns[inside], eye.hands[inside], strict=True):
        if hands[slot] == hands[slot]:
            best = max(best, hands[slot])
            widest_ns, before_ns = max(widest_ns, time_ns - before_ns), time_ns
    if best == -math.inf:
        return 0.0
    log = _log_against(best, HAND_SEEN)
    return max(log, 0.0) if max(widest_ns, end_ns - before_ns) > LOOKS_APART_NS else log


def _log_against(hand: float, seen: float) -> float:
    """A hand for certain, seen so often, against hands now and then."""
    ratio = math.exp(hand)
    return math.log(seen * ratio + 1.0 - seen) - math.log(HAND_OFTEN * ratio + 1.0 - HAND_OFTEN)
