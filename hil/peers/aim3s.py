"""AIM3S (Ruiz et al., BuildSys 2019) without its cameras, from its published rule and constants (facts/field.md 1.1).

Events, per shelf at 60 samples/s: moving mean of 60 samples, moving variance of that mean over 60 samples; active where
it exceeds 500 g²; more than 30 active samples, ended by more than 30 quiet ones; the window is widened by 30 samples on
either side, and kept if the shelf's mean changed by more than 10 g. A step of D grams alone gives a variance of D² /
12, so what weighs less than about 77 g is seen only if the hand pushes hard enough: that is the rule's own limit.

Names: the likelihood of a weight is the overlap of Normal(mean, std) of the product's weighed units (std at least 1 g)
with Normal(|dW|, 1 g), for a single unit; the likelihood of a place is the absolute change per plate times the
planogram's membership, normalised, below 1 % cut to 0. The product of both, normalised; its maximum is the answer,
however small (no rejection). With its cameras the original reached 93 %, without them 92 %, given the true event times.

What had to be carried over: boards on several cells have no plates, see `Shelf.shares`. Product and slot are named
together. Where every product is zero (two units at once weigh like nothing on the shelf; the original then takes
whatever comes first) the likelier place decides, then the nearest weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.trace.event import Event
from hil.peers.gaussians import overlap_area
from hil.peers.recording import Floats, Frames, Recording, frames_of
from hil.peers.shelf import SENSOR_SD_G, Shelf, shelves_of
from hil.peers.verdicts import Verdict, events_of
from hil.peers.windows import active_runs, moving_mean, moving_variance

RATE_HZ = 60.0
WINDOW = 60
ACTIVE_VAR_G2 = 500.0
RUN = 30
MIN_SHELF_G = 10.0
MIN_PLATE_G = 5.0
LEAST_PLACE = 0.01


@dataclass(frozen=True, slots=True)
class Change:
    """A change of weight between two quiet times.

    Attributes:
        cells_g: float64[cells], difference of moving means.
        begin, end: frames between which the board was active. known: the frame by which all this can be known.
    """

    cells_g: Floats
    begin: int
    end: int
    known: int


def detect(recording: Recording) -> list[Event]:
    """The rule on every shelf of the recording."""
    verdicts = []
    for shelf in shelves_of(recording):
        frames = frames_of(recording, shelf.boards, RATE_HZ)
        if shelf.spots:
            verdicts += [_named(shelf, frames, change) for change in changes(frames)]
    return events_of("aim3s", verdicts)


def changes(frames: Frames) -> list[Change]:
    """Weight events of one shelf. Known: two centred windows and the quiet run after the last active sample."""
    means = moving_mean(frames.grams, WINDOW)
    variance = moving_variance(means.sum(axis=0), WINDOW)
    found = []
    for begin, end in active_runs(variance > ACTIVE_VAR_G2, RUN, RUN):
        before, after = max(begin - RUN, 0), min(end + RUN, means.shape[1] - 1)
        cells_g = means[:, after] - means[:, before]
        if abs(float(cells_g.sum())) > MIN_SHELF_G:
            found.append(Change(cells_g, begin, end, end + RUN + WINDOW))
    return found


def likelihoods(shelf: Shelf, cells_g: Floats) -> tuple[Floats, Floats]:
    """Of each spot's weight and place given a change of the cells; float64[spots] each."""
    total_g = abs(float(cells_g.sum()))
    weight = np.array([overlap_area(s.weight_g, max(s.spread_g, 1.0), total_g, SENSOR_SD_G) for s in shelf.spots])
    if shelf.lanes:
        cells_g = np.where(np.abs(cells_g) > MIN_PLATE_G, cells_g, 0.0)
    shares = shelf.shares(cells_g)
    place = shares / shares.sum() if shares.sum() > 0.0 else np.full(shares.size, 1.0 / shares.size)
    place[place < LEAST_PLACE] = 0.0
    return weight, place


def _named(shelf: Shelf, frames: Frames, change: Change) -> Verdict:
    weight, place = likelihoods(shelf, change.cells_g)
    both = weight * place
    total_g = float(change.cells_g.sum())
    if both.sum() > 0.0:
        best = int(np.argmax(both))
        confidence = float(both[best] / both.sum())
    else:
        far_g = [abs(abs(total_g) - spot.weight_g) for spot in shelf.spots]
        best, confidence = min(range(len(far_g)), key=lambda spot: (-place[spot], far_g[spot])), 0.0
    spot = shelf.spots[best]
    return Verdict(
        spot=spot,
        sku=spot.sku,
        quantity=1,
        grams=total_g,
        place_mm=shelf.place(change.cells_g),
        time_ns=frames.time_ns((change.begin + change.end) / 2),
        decided_ns=frames.time_ns(change.known),
        confidence=confidence,
    )
