"""Review share against accepted error, as the one config value `fusion.review_below` moves, and the picture of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hil.case_facts import CaseFacts, EventFact

DOUBTS = np.logspace(0, -8, 97)  # 1 - review_below: from everything accepted to nearly everything reviewed

MOST_REVIEW = 0.5  # beyond that few are accepted, and the share of wrong ones among them says little
LEAST_ERROR = 1e-5  # of the picture's axis; no error at all is drawn there
COLORS = ("#1f4e79", "#d1702b")


@dataclass(frozen=True, slots=True)
class Point:
    """What one value of `review_below` gives, in units."""

    review_below: float
    review_share: float
    accepted_error: float
    accepted_wrong: int
    accepted_units: int


def trade_off(cases: Iterable[CaseFacts], doubts: Sequence[float] | None = None) -> list[Point]:
    """The curve, from each final event's own confidence; ``doubts`` are values of 1 - review_below, falling.

    An event goes to review when its confidence is below the value, or for another reason at any confidence. The
    scenes aren't run again: a value of `review_below` also moves when fusion settles, which this leaves out.
    """
    events = [event for case in cases for event in case.events]
    return [point_at(events, 1.0 - float(doubt)) for doubt in (DOUBTS if doubts is None else doubts)]


def point_at(events: Sequence[EventFact], review_below: float) -> Point:
    """Review share and accepted error of these events with one value of `review_below`."""
    accepted = [event for event in events if not event.other_doubt and event.confidence >= review_below]
    units, everything = sum(event.units for event in accepted), sum(event.units for event in events)
    wrong = units - sum(event.right_units for event in accepted)
    return Point(
        review_below,
        1.0 - units / everything if everything else float("nan"),
        wrong / units if units else 0.0,
        wrong,
        units,
    )


def draw_trade_off(
    curves: Mapping[str, Sequence[Point]], defaults: Mapping[str, Point], peers: Mapping[str, float], path: Path
) -> None:
    """The curves as PNG, by name; ``defaults`` marks each curve's point at the default; ``peers`` review nothing."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullLocator

    figure = Figure(figsize=(7.6, 5.4), dpi=130, layout="constrained")
    axes = figure.subplots()
    for (name, curve), color in zip(curves.items(), COLORS, strict=False):
        shown = [point for point in curve if point.review_share <= MOST_REVIEW]
        axes.plot(
            [100 * p.review_share for p in shown],
            [100 * max(p.accepted_error, LEAST_ERROR) for p in shown],
            color=color,
            linewidth=1.8,
            label=name,
        )
        mark = defaults[name]
        share = 100 * mark.review_share
        axes.plot(
            [share],
            [100 * max(mark.accepted_error, LEAST_ERROR)],
            "o",
            color=color,
            markersize=8,
            clip_on=False,
            label=f"at {mark.review_below:g}: {share:.2f} % reviewed, "
            f"{mark.accepted_wrong} of {mark.accepted_units} wrong",
        )
    ranked = sorted(peers.items(), key=lambda item: -item[1])
    for rank, (name, error) in enumerate(ranked):
        axes.plot([0.0], [100 * error], marker="D", color="0.35", markersize=5, clip_on=False, zorder=3)
        axes.annotate(
            f"{name}: {100 * error:.0f} % wrong, none reviewed",
            (0.0, 100 * error),
            xytext=(0.14, 0.975 - 0.045 * rank),
            textcoords="axes fraction",
            fontsize=8,
            va="center",
            color="0.25",
            arrowprops={"arrowstyle": "-", "color": "0.7", "linewidth": 0.7, "relpos": (0.0, 0.5)},
        )
    axes.axhline(0.1, color="0.5", linewidth=0.9, linestyle=":")
    axes.annotate("target 0.1 %", (0.01, 0.1), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
    axes.set_xscale("symlog", linthresh=1.0, linscale=0.7)
    axes.set_yscale("log")
    axes.set(xlim=(0, 100 * MOST_REVIEW), ylim=(100 * LEAST_ERROR * 0.8, 150))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xticks([0, 0.5, 1, 2, 5, 10, 20, 50])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="sent to review, % of units", ylabel="wrong among the accepted, % of units")
    axes.set_title("What moving `fusion.review_below` buys: fewer mistakes for more review", fontsize=10.5)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=8.5, frameon=False, loc="outside lower center", ncols=2)
    figure.savefig(path)
