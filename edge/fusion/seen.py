"""How well stories over a chain of plateaus go with what a shelf camera saw: log likelihood ratios.

Every number is a ratio against the same picture under a camera that tells nothing (its verdicts come as often as they
do whatever happens), so that 0 is silence, and a story's numbers may be added up and mixed with a camera that is wrong
(`edge.fusion.credit`). What two views of slots say is `edge.fusion.views`'s; beside it

* a slot in which something moved had hands before it then: ``0.97 exp(hand) + 0.03`` against hands 4 times in 10;
* a plateau that is a hand's had hands before the board all the while: the same with 0.9.

Two views may be of several gaps between plateaus (a hand stayed before the slot while the board rested). They are then
weighed where the last of those gaps is, with all the moves of the story in them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from edge.fusion.links import Move, Story
from edge.fusion.looks import Eye, Span
from edge.fusion.plateau import Plateau
from edge.fusion.views import log_views

if TYPE_CHECKING:
    from edge.fusion.lattice import Step

LOOKS_APART_NS = 600_000_000  # with fewer looks a hand may have been missed
BESIDE_NS = 300_000_000  # a hand comes before it touches, and leaves after
INSIDE_NS = 100_000_000  # of a plateau, from its ends
HAND_SEEN, HELD_SEEN, HAND_OFTEN = 0.97, 0.9, 0.4


@dataclass(frozen=True, slots=True)
class PastMove:
    """A settled movement; ``by_scale``: what it was instead, or None for nothing, by the scale alone, best first."""

    begin_ns: int
    end_ns: int
    move: Move
    by_scale: tuple[tuple[Move | None, float], ...]

    def meets(self, span: Span) -> bool:
        """Whether a span may be of it."""
        return span.begin_ns < self.end_ns and self.begin_ns < span.end_ns


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
        waiting = tuple(slot for slot, found in enumerate(self._open) if i in found or j in found)
        for slot in sorted({move[2] for move in story}):
            where = range(len(self._open)) if slot < 0 else (slot,)  # something unknown may be in any
            log += max((self._hand(each, i, j) for each in where), default=0.0)
        here = tuple(move for move in story if move[2] not in waiting)
        slots = tuple(slot for slot in range(len(self._open)) if slot not in waiting)
        return log + self._views(slots, i, j, here), waiting

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
        key = (slot, begin, j, moves)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._views((slot,), begin, j, moves)
        return found

    def _views(self, slots: Sequence[int], i: int, j: int, moves: Story) -> float:
        """Log ratio of all views of these slots whose last gap is one of i to j - 1, with the moves in them."""
        spans = {
            slot: [each.span for each in self._handled[slot] if i <= each.first and each.last < j] for slot in slots
        }
        earlier = [past.move for past in self._past if any(past.meets(span) for span in spans.get(past.move[2], ()))]
        begin_ns, end_ns = self._gaps[i][0], self._gaps[j - 1][1]
        return log_views((*earlier, *moves), spans, self._eye.spans, begin_ns, end_ns)

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
        found: list[_Handled] = []
        for span in reversed(spans):
            if span.end_ns <= self._gaps[0][0]:
                break
            if not span.handled:
                continue
            inside = [k for k, (begin, end) in enumerate(self._gaps) if span.begin_ns < end and begin < span.end_ns]
            if inside:
                found.append(_Handled(span, inside[0], inside[-1]))
        return found[::-1]


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
