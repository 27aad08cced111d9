"""How long to wait before the next try: longer each time, never for ever, and not all nodes at the same moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """The uplink's times in seconds. Tests shorten them; nodes keep the defaults.

    Attributes:
        retry_first_s, retry_most_s: from the first failed connection on, the wait doubles between these.
        stable_s: a connection that lasted this long makes the next wait the first again.
        connect_s: the most for TCP and TLS, each. connack_s: the most until the broker answers CONNECT.
        late_s: an entry sent later than this after it was decided is marked historical.
        stop_s: the most that a clean stop waits for the broker.
        silence_s: messages are in flight, but the broker acknowledges none for so long: connect anew.
        ack_first_s, ack_most_s: without an acknowledgement of the consumer for so long, everything it hasn't
            acknowledged is sent again; doubles between these.
    """

    retry_first_s: float = 1.0
    retry_most_s: float = 60.0
    stable_s: float = 5.0
    connect_s: float = 10.0
    connack_s: float = 10.0
    late_s: float = 10.0
    stop_s: float = 5.0
    silence_s: float = 120.0
    ack_first_s: float = 60.0
    ack_most_s: float = 3600.0


class BackOff:
    """Waits that double from `first_s` to `most_s`, each shortened by up to half at random: after a power cut all nodes
    of a store come back at once, and must not knock at the broker together."""

    def __init__(self, first_s: float, most_s: float, random_share: Callable[[], float] = random.random) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s
        self._random_share = random_share

    def wait_s(self) -> float:
        """The wait before the next try."""
        wait_s = self._next_s * (1.0 - self._random_share() / 2.0)
        self._next_s = min(self._next_s * 2.0, self._most_s)
        return wait_s

    def reset(self) -> None:
        """It went well: the next wait is the first again."""
        self._next_s = self._first_s
