"""A board's shelf cameras: which of them is listened to for a chain, and what each is worth by what was certain."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice, product

from edge.fusion.credit import Credit
from edge.fusion.looks import BoardLooks, Eye, Span
from edge.fusion.model import BoardModel, SkuTable
from edge.fusion.plateau import Plateau
from edge.fusion.seen import PastMove, Seen
from edge.fusion.sightings import SIGHT_DELAY_NS, Sightings
from edge.fusion.views import log_unhandled, log_views

PAST_NS = 60_000_000_000  # settled movements are kept for so long: views may be of them
CERTAIN = 0.97  # probability by the scale alone, from which a movement that a camera hasn't seen speaks against it
ALTERNATIVES, LEAST_SHARE, STORIES = 4, 0.01, 32  # of what a settled movement may have been, when a camera is judged


class Watched:
    """Evidence of shelf cameras for one board; with cameras silent, none and no cost.

    Attributes:
        credits: by camera.
    """

    def __init__(self, model: BoardModel, skus: SkuTable, sightings: Sightings) -> None:
        self.credits: dict[str, Credit] = {}
        self._looks = BoardLooks(model, skus, sightings)
        self._past: list[PastMove] = []
        self._judged_ns: dict[str, int] = {}

    def take_in(self, decided_ns: int) -> None:
        """Looks that a decision at this time may know. Call at every mark, in order."""
        self._looks.take_in(decided_ns)

    def over(self, chain: Sequence[Plateau], decided_ns: int) -> tuple[Seen, float] | None:
        """The word of the camera that is worth most, on this chain, and the doubt about it; None if none has any."""
        horizon_ns = decided_ns - SIGHT_DELAY_NS
        best: tuple[float, str, Seen] | None = None
        for camera, eye in sorted(self._looks.eyes.items()):
            self._judge(camera, eye, min(chain[0].end_ns, horizon_ns))
            seen = Seen(eye, chain, self._past, horizon_ns)
            if not seen.silent:
                wrong = self.credits[camera].wrong
                if best is None or wrong < best[0]:
                    best = wrong, camera, seen
        return None if best is None else (best[2], best[0])

    def settled(self, moves: Sequence[PastMove]) -> None:
        """What has been settled, in order of time."""
        if not self._looks.eyes:
            return
        self._past += moves
        if self._past:
            oldest_ns = self._past[-1].end_ns - PAST_NS
            self._past = [move for move in self._past if move.end_ns >= oldest_ns]

    def _judge(self, camera: str, eye: Eye, settled_ns: int) -> None:
        """Compare what a camera told of the time before ``settled_ns`` with what the scale was certain of."""
        credit = self.credits.setdefault(camera, Credit())
        since_ns = self._judged_ns.setdefault(camera, settled_ns)
        if settled_ns <= since_ns:
            return
        self._judged_ns[camera] = settled_ns
        moves = [move for move in self._past if move.end_ns > since_ns - PAST_NS]
        for visit in _visits(eye, since_ns, settled_ns):
            spans = [span for each in visit.values() for span in each]
            near = [move for move in moves if any(move.meets(span) for span in spans)]
            log = _log_by_scale(near, visit, eye, settled_ns)
            credit.learn(log if near else min(log, 0.0))  # a hand that moved nothing shows no camera's worth
        for move in moves:
            certain = move.by_scale[0][1] >= CERTAIN
            if not (certain and since_ns < move.end_ns <= settled_ns and move.move[2] >= 0):
                continue
            if not any(span.handled and move.meets(span) for each in eye.spans for span in each):
                unseen = log_unhandled(eye.spans[move.move[2]], move.begin_ns, move.end_ns)
                if unseen is not None and unseen < 0.0:
                    credit.learn(unseen)


def _log_by_scale(near: Sequence[PastMove], visit: dict[int, list[Span]], eye: Eye, settled_ns: int) -> float:
    """Log ratio of a visit's views, over all that it may have been by the scale alone."""
    begin_ns = min([move.begin_ns for move in near], default=settled_ns)
    end_ns = max([move.end_ns for move in near], default=settled_ns)
    shares = [[(move, share) for move, share in each.by_scale[:ALTERNATIVES] if share >= LEAST_SHARE] for each in near]
    total = 0.0
    for together in islice(product(*shares), STORIES):
        moves = [move for move, _ in together if move is not None]
        log = log_views(moves, visit, eye.spans, begin_ns, end_ns)
        total += math.prod(share for _, share in together) * math.exp(log)
    return math.log(max(total, 1e-30))


def _end(span: Span) -> int:
    return span.end_ns


def _visits(eye: Eye, since_ns: int, until_ns: int) -> list[dict[int, list[Span]]]:
    """Spans of all slots that ended in that time and had something before them, those that overlap together."""
    ended = [
        (span.begin_ns, span.end_ns, slot, span)
        for slot, spans in enumerate(eye.spans)
        for span in spans[bisect_right(spans, since_ns, key=_end) : bisect_right(spans, until_ns, key=_end)]
        if span.handled
    ]
    found: list[dict[int, list[Span]]] = []
    latest_ns = -(1 << 62)
    for begin_ns, end_ns, slot, span in sorted(ended, key=lambda item: item[:3]):
        if begin_ns >= latest_ns:
            found.append({})
        latest_ns = max(latest_ns, end_ns)
        found[-1].setdefault(slot, []).append(span)
    return found
