"""What a posterior doesn't know of itself: circumstances in which readings turned out wrong more often than they said.

Counted on the bench's tuning scenes (4,300 events, of which 1.2 % of the accepted were wrong, three in four of those in
these circumstances). The bench's reporting scenes, which nothing was counted on, say whether it holds: the reliability
diagram of `make bench`.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.fusion.links import Story
from edge.fusion.movement import Movement
from edge.fusion.plateau import Plateau

THREE_AT_ONCE = 0.25  # of three movements told apart in one activity, so many weren't so
LINGERED_S, LINGERED = 2.6, 0.12  # handling went on for long after it, by others or with pauses
LATE_PUT_S, LATE_PUT = 3.2, 0.25  # something lands when hands come, so not long after they came
MANY, OF_MANY = 6, 0.09  # movements without a settled rest between them


def trust(story: Story, chain: Sequence[Plateau], movement: Movement) -> float:
    """Factor on the confidence of a movement."""
    edge = movement.step.edge
    before, after = chain[edge.i], chain[edge.j]
    factor = 1.0
    if len(movement.step.rows) > 2:
        factor *= 1.0 - THREE_AT_ONCE
    alone = len(story) == 1 and edge.j == edge.i + 1
    if not alone and after.begin_ns - movement.time_ns > LINGERED_S * 1e9:
        factor *= 1.0 - LINGERED
    if movement.move[0] > 0 and movement.time_ns - before.end_ns > LATE_PUT_S * 1e9:
        factor *= 1.0 - LATE_PUT
    if len(story) >= MANY:
        factor *= 1.0 - OF_MANY
    return factor
