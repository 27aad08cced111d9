"""All peers by name. The libraries that some of them need are imported only when one is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.trace.event import Event
from hil.peers import aim3s, autocheckout, steps
from hil.peers.recording import Recording, recording_of

if TYPE_CHECKING:
    from hil.families import Case


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's way from samples to events. Call it with a case.

    Attributes:
        title: what it is, in one line. source: who published it.
        rule: from a recording to final events, none of them for review.
    """

    name: str
    title: str
    source: str
    rule: Callable[[Recording], list[Event]]

    def __call__(self, case: Case) -> list[Event]:
        """Events of a scene, in order of time. Raises ValueError if it hasn't a single good sample."""
        return self.rule(recording_of(case.setup, case.layout, case.blocks))


def _page_hinkley(recording: Recording) -> list[Event]:
    from hil.peers import page_hinkley

    return steps.detect("page-hinkley", page_hinkley.moments, recording)


def _adwin(recording: Recording) -> list[Event]:
    from hil.peers import adwin

    return steps.detect("adwin", adwin.moments, recording)


def _pelt(recording: Recording) -> list[Event]:
    from hil.peers import pelt

    return steps.detect("pelt", pelt.moments, recording)


def _step_filter(recording: Recording) -> list[Event]:
    from hil.peers import step_filter

    return steps.detect("step-filter", step_filter.moments, recording)


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            "aim3s",
            "moving variance, then weight x place, without cameras",
            "AIM3S, Ruiz et al., BuildSys 2019",
            aim3s.detect,
        ),
        Peer(
            "autocheckout",
            "moving deviation, then 0.8 place + 0.2 weight, with a basket, without cameras",
            "the CMU team, winner of AutoCheckout, CPS-IoT Week 2020",
            autocheckout.detect,
        ),
        Peer("page-hinkley", "Page-Hinkley test, then the nearest weight", "river", _page_hinkley),
        Peer("adwin", "ADWIN, then the nearest weight", "river", _adwin),
        Peer("pelt", "PELT, then the nearest weight", "ruptures", _pelt),
        Peer("step-filter", "peaks of a step filter, then the nearest weight", "scipy", _step_filter),
    )
}
