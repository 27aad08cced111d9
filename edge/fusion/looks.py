"""What shelf cameras have told of one board, in the order a decision may know it: hands by time, slots by span.

A *span* is the time between two views of a slot with nothing before it, and says what is different after it. Spans of a
slot follow each other; where nothing was before the slot meanwhile and nothing is different, they are one. The camera's
numbers are clipped: whatever it says, it may be wrong.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edge.fusion.model import BoardModel, SkuTable
from edge.fusion.sightings import KEPT_NS, Sightings
from edge.trace.sighting import ShelfLook, SlotLook

MOST_LOG = 6.0  # of any single number of a camera
CLASS_MOST_LOG, CLASS_MOST_GAIN = 5.0, 1.0
SEEN_HAND = 0.0  # log ratio above which something was before a slot


@dataclass(frozen=True, slots=True)
class Span:
    """Two views of one slot and what is different between them, as log ratios against nothing.

    Attributes:
        handled: something was before the slot in between.
        left, came: by SKU index, of what has left or come.
        thing: number of the difference within the look that ends the span; the same in several slots is one.
    """

    begin_ns: int
    end_ns: int
    gone: float
    come: float
    handled: bool
    left: Mapping[int, float] = field(default_factory=dict)
    came: Mapping[int, float] = field(default_factory=dict)
    thing: int = 0

    def moved(self, sign: int, sku: int) -> float:
        """Log ratio of this view if one thing of that SKU moved, against nothing."""
        if sign < 0:
            return self.gone + self.left.get(sku, 0.0)
        return self.come + self.came.get(sku, 0.0)


class Eye:
    """One camera's looks at a board.

    Attributes:
        times_ns: of its looks, in order. hands: for each, by slot, the log ratio of a hand; NaN where it didn't say.
        spans: by slot, in order.
    """

    def __init__(self, slots: int) -> None:
        self.times_ns: list[int] = []
        self.hands: list[list[float]] = []
        self.spans: list[list[Span]] = [[] for _ in range(slots)]
        self._touched_ns = [-(1 << 62)] * slots  # when something was last before the slot

    def take(self, look: ShelfLook, slot_index: Mapping[str, int], sku_index: Mapping[str, int]) -> None:
        """A look that follows those before."""
        if self.times_ns and look.time_ns <= self.times_ns[-1]:
            return
        hands = [math.nan] * len(self.spans)
        for seen in look.slots:
            slot = slot_index.get(seen.slot)
            if slot is None:
                continue
            hands[slot] = clipped(seen.hand, MOST_LOG)
            if hands[slot] > SEEN_HAND or seen.since_ns >= look.time_ns:
                self._touched_ns[slot] = look.time_ns
            if seen.since_ns < look.time_ns:
                self._add_span(slot, look.time_ns, seen, sku_index)
        self.times_ns.append(look.time_ns)
        self.hands.append(hands)

    def _add_span(self, slot: int, now_ns: int, seen: SlotLook, sku_index: Mapping[str, int]) -> None:
        spans = self.spans[slot]
        begin_ns = max(seen.since_ns, spans[-1].end_ns) if spans else seen.since_ns
        if begin_ns >= now_ns:
            return
        handled = self._touched_ns[slot] > begin_ns
        span = Span(
            begin_ns,
            now_ns,
            clipped(seen.gone, MOST_LOG),
            clipped(seen.come, MOST_LOG),
            handled,
            _by_sku(seen.left, sku_index),
            _by_sku(seen.came, sku_index),
            seen.thing,
        )
        before = spans[-1] if spans else None
        if before is not None and before.end_ns == begin_ns and _quiet(before) and _quiet(span):
            gone, come = max(before.gone, span.gone), max(before.come, span.come)
            spans[-1] = replace(before, end_ns=now_ns, gone=gone, come=come)
        else:
            spans.append(span)

    def forget(self, oldest_ns: int) -> None:
        """Let go of what ended before."""
        gone = bisect_left(self.times_ns, oldest_ns)
        if gone > len(self.times_ns) // 2:
            del self.times_ns[:gone], self.hands[:gone]
        for spans in self.spans:
            while spans and spans[0].end_ns < oldest_ns:
                spans.pop(0)

    def looks(self, begin_ns: int, end_ns: int) -> slice:
        """Which looks are from that time, both ends included."""
        return slice(bisect_left(self.times_ns, begin_ns), bisect_right(self.times_ns, end_ns))


class BoardLooks:
    """A board's looks by camera, taken in as decisions go on.

    Attributes:
        eyes: by camera.
    """

    def __init__(self, model: BoardModel, skus: SkuTable, sightings: Sightings) -> None:
        self.eyes: dict[str, Eye] = {}
        self._board = model.board
        self._slots = {slot: index for index, slot in enumerate(model.slot_ids)}
        self._skus = {sku: index for index, sku in enumerate(skus.ids)}
        self._sightings = sightings
        self._next_ns = -(1 << 62)

    def take_in(self, decided_ns: int) -> None:
        """What a decision at this time may know (`Sightings.look_from` has been told the same time)."""
        looks: Sequence[ShelfLook] = self._sightings.looks(self._board, self._next_ns, decided_ns)
        for look in looks:
            eye = self.eyes.get(look.camera)
            if eye is None:
                eye = self.eyes[look.camera] = Eye(len(self._slots))
            eye.take(look, self._slots, self._skus)
        if looks:
            self._next_ns = looks[-1].time_ns  # another camera's look of that very time may have been there too
        for eye in self.eyes.values():
            eye.forget(decided_ns - KEPT_NS)


def clipped(value: float, most: float) -> float:
    """Within +-``most``; what isn't a number says nothing."""
    return min(max(value, -most), most) if value == value else 0.0


def _by_sku(ratios: Sequence[tuple[str, float]], sku_index: Mapping[str, int]) -> dict[int, float]:
    """Ratios by SKU index. However well one fits, something unknown may look so too; what lies between them stays."""
    known = {sku_index[sku]: clipped(ratio, 2.0 * CLASS_MOST_LOG) for sku, ratio in ratios if sku in sku_index}
    over = max(max(known.values(), default=0.0) - CLASS_MOST_GAIN, 0.0)
    return {sku: max(ratio - over, -CLASS_MOST_LOG) for sku, ratio in known.items()}


def _quiet(span: Span) -> bool:
    return not span.handled and span.gone < 0.0 and span.come < 0.0
