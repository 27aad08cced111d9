"""What views of slots before and after a hand say of the moves in between, as log likelihood ratios.

A *thing* is one difference that a camera has seen, in one slot or another, each with its ratio ``exp(v)`` against
nothing. One move may show as it; where several units move in one slot they may show as one, or not at all. Against a
camera that tells nothing, whose differences lie anywhere, a thing weighs ``1/2 + mean of exp(v) / 2`` over all slots,
and a slot that looks as before ``1/2 + exp(v) / 2``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edge.fusion.links import Move
from edge.fusion.looks import Span

HOLE_NS = 300_000_000  # in so short a time nobody comes, takes something and leaves
UNSEEN_LOG = 0.0  # of a move in a slot while nobody saw it
HIDDEN_LOG = -2.0  # of one that doesn't show: it stood behind something
BACK_SAME = 0.7  # taken and put back between two views, it looks as before


def log_views(
    moves: Sequence[Move],
    spans: Mapping[int, Sequence[Span]],
    all_spans: Sequence[Sequence[Span]],
    begin_ns: int,
    end_ns: int,
) -> float:
    """Log ratio of the views if these moves happened.

    Args:
        spans: by slot, those to be weighed, something having been before the slot.
        all_spans: by slot, everything that was seen, to know whether a move could have been missed.
        begin_ns, end_ns: when the moves happened.
    """
    things, plain = _things(spans)
    log = -sum(math.log(0.5 + 0.5 * math.exp(max(span.gone, span.come))) for each in plain.values() for span in each)
    left = list(moves)
    shown: set[tuple[int, int]] = set()  # slot and sign of what a thing is
    for thing in things:
        log -= math.log(0.5 + 0.5 * _mean(thing, len(all_spans)))
        best, of = HIDDEN_LOG, None
        for move in left:
            value = _as_thing(move, thing)
            if value > best:
                best, of = value, move
        if of is not None:
            log += best
            left.remove(of)
            shown.add((of[2], of[0]))
    while left:
        move = left.pop(0)
        sign, sku, slot, _ = move
        if (slot, sign) in shown:
            continue
        back = next((other for other in left if other[2] == slot and other[0] != sign), None)
        if back is not None:
            left.remove(back)
            log += math.log(BACK_SAME)
        elif (slot, -sign) in shown:
            log += math.log(1.0 - BACK_SAME)
        else:
            options = [span.moved(sign, sku) for span in plain.get(slot, ())]
            options += [HIDDEN_LOG for thing in things if slot in thing]
            otherwise = log_unhandled(all_spans[slot], begin_ns, end_ns) if slot >= 0 else HIDDEN_LOG
            options += [otherwise] if otherwise is not None else []
            log += max(options, default=UNSEEN_LOG)
    return log


def _things(spans: Mapping[int, Sequence[Span]]) -> tuple[list[dict[int, Span]], dict[int, list[Span]]]:
    """Differences, each by slot, the surest first; and the spans of each slot in which nothing is different."""
    things: dict[tuple[int, int], dict[int, Span]] = {}
    plain: dict[int, list[Span]] = {}
    for slot, each in spans.items():
        for span in each:
            if span.thing:
                things.setdefault((span.end_ns, span.thing), {})[slot] = span
            else:
                plain.setdefault(slot, []).append(span)
    surest = sorted(things.items(), key=lambda item: (-max(span.gone for span in item[1].values()), item[0]))
    return [thing for _, thing in surest], plain


def _as_thing(move: Move, thing: Mapping[int, Span]) -> float:
    """Log ratio of a thing if it is this move; something unknown may be in any slot."""
    sign, sku, slot, _ = move
    if slot < 0:
        return max(span.moved(sign, sku) for span in thing.values())
    return thing[slot].moved(sign, sku) if slot in thing else -math.inf


def _mean(thing: Mapping[int, Span], slots: int) -> float:
    shown = sum(math.exp(max(span.gone, span.come)) for span in thing.values())
    return (shown + (slots - len(thing)) * math.exp(HIDDEN_LOG)) / max(slots, 1)


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
