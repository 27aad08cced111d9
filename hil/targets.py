"""The targets of the sensing benchmark, each with what was measured: met, missed, or not measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.inventory import together
from hil.results import ALL_BUT_HARD, CALM_TO_GRABS, EVERYTHING, HARD, NOTHING, ONLY_HARD, Results
from hil.speed import CELLS, DENSEST, Speed

NOT_MEASURED = "not measured"
LINEAR_WITHIN = 1.25  # seconds per sample of the longest or widest run over those of the smallest
FLAT_MB = 10.0  # memory may grow by this much between the first hour and the last


@dataclass(frozen=True, slots=True)
class Target:
    """One row; ``met`` is None where nothing was measured."""

    name: str
    wanted: str
    measured: str
    met: bool | None


def targets(found: Results) -> list[Target]:
    """All rows, in the order in which they were set."""
    return [*_quality(found), *_nothing(found), *_confidence(found), *_latency(found), *_stock(found), *_cost(found)]


def _quality(found: Results) -> list[Target]:
    totals, by_family = found.totals(), found.scenes
    rows = []
    everyone = totals.get("all families")
    name, wanted = "error among accepted units, all families together (overlapping too)", "<= 0.1 %"
    if everyone and everyone.accepted_units:
        counts = f"{everyone.accepted_wrong} of {everyone.accepted_units}"
        bound = f"{100 * everyone.accepted_error_at_most:.3f} %"
        text = f"{100 * everyone.accepted_error:.3f} % ({counts}; at most {bound} with 95 %)"
        rows.append(Target(name, wanted, text, everyone.accepted_error <= 0.001))
    else:
        rows.append(_not_measured(name, wanted))
    for name, group, limit in (
        ("sent to review, all families but two at once (and overlapping) and near-equal", ALL_BUT_HARD, 0.01),
        ("sent to review, those two (and overlapping)", ONLY_HARD, 0.05),
    ):
        wanted, total = f"<= {100 * limit:.0f} %", totals.get(group)
        if total and total.event_units and (group != ONLY_HARD or all(by_family.get(part) for part in HARD)):
            text = f"{100 * total.review_share:.2f} % ({total.review_units} of {total.event_units})"
            rows.append(Target(name, wanted, text, total.review_share <= limit))
        else:
            rows.append(_not_measured(name, wanted))
    for name, families, limit in (
        ("unit recall before review, calm to grabs (without overlapping)", CALM_TO_GRABS, 0.995),
        ("unit recall before review, everything at once", (EVERYTHING,), 0.97),
    ):
        cases = [facts for family in families for facts in by_family.get(family, [])]
        units = sum(facts.label_units for facts in cases)
        right = sum(event.right_units for facts in cases for event in facts.events)
        wanted = f">= {100 * limit:g} %"
        if units:
            rows.append(
                Target(name, wanted, f"{100 * right / units:.2f} % ({right} of {units})", right / units >= limit)
            )
        else:
            rows.append(_not_measured(name, wanted))
    return rows


def _nothing(found: Results) -> list[Target]:
    name, wanted = "false accepted events in 24 h of nothing", "0"
    cases = found.scenes.get(NOTHING, [])
    if not cases:
        return [_not_measured(name, wanted)]
    hours = sum(facts.hours for facts in cases)
    accepted = sum(not event.review for facts in cases for event in facts.events)
    reviewed = sum(event.review for facts in cases for event in facts.events)
    text = f"{accepted} in {hours:g} h ({reviewed} sent to review)"
    return [Target(name, wanted, text, accepted == 0 if hours >= 24 or accepted else None)]


def _confidence(found: Results) -> list[Target]:
    name, wanted = "calibration error of the stated confidence (15 bins)", "<= 0.01"
    got = found.calibration
    if got is None or not got.count:
        return [_not_measured(name, wanted)]
    text = f"{got.equal_width_error:.4f} (bins of equal count: {got.equal_count_error:.4f}; {got.count} events)"
    return [Target(name, wanted, text, got.equal_width_error <= 0.01)]


def _latency(found: Results) -> list[Target]:
    early, late = "provisional: after the item has settled", "final: after the last disturbance"
    early_wanted, late_wanted = "p50 <= 150 ms, p95 <= 400 ms", "p95 <= 2.5 s"
    everyone = found.totals().get("all families")
    if everyone is None or not everyone.provisional_s.count:
        return [_not_measured(early, early_wanted), _not_measured(late, late_wanted)]
    first, final = everyone.provisional_s, everyone.final_s
    return [
        Target(
            early,
            early_wanted,
            f"p50 {1e3 * first.p50:.0f} ms, p95 {1e3 * first.p95:.0f} ms",
            first.p50 <= 0.150 and first.p95 <= 0.400,
        ),
        Target(
            late,
            late_wanted,
            f"p95 {final.p95:.2f} s (after the item's own label: {everyone.final_after_label_s.p95:.2f} s)",
            final.p95 <= 2.5,
        ),
    ]


def _stock(found: Results) -> list[Target]:
    name, wanted = "net inventory after 1,000 visits on a board", "every slot right, or its doubt flagged"
    if not found.inventory:
        return [_not_measured(name, wanted)]
    books = together("", found.inventory)
    text = (
        f"{books.sure_right + books.doubted_right} of {books.slots} slots right, "
        f"{books.doubted_wrong} wrong but flagged, "
        f"{books.silently_wrong} silently wrong (flagged in all: {books.doubted_right + books.doubted_wrong})"
    )
    return [Target(name, wanted, text, books.silently_wrong == 0)]


def _cost(found: Results) -> list[Target]:
    return [*_speed(found.speeds), *_live(found), *_warm(found)]


def _speed(speeds: list[Speed]) -> list[Target]:
    name, wanted = "fusion speed, detection to events, 4-cell boards, one core", ">= 4 M cell-samples/s"
    grows, grows_wanted = "cost per sample grows", "not, with cells or time"
    one = [speed for speed in speeds if speed.cells == CELLS]
    if not one:
        return [_not_measured(name, wanted), _not_measured(grows, grows_wanted)]
    rates = {speed.pace: speed.samples_per_s / 1e6 for speed in sorted(one, key=lambda speed: -speed.hours)}
    text = "; ".join(f"{rate:.2f} M/s ({pace})" for pace, rate in rates.items())
    dense = [speed for speed in speeds if speed.pace == DENSEST]
    small = min(dense, key=lambda speed: (speed.hours, speed.cells))
    longest = max(one, key=lambda speed: (speed.pace == DENSEST, speed.hours))
    widest = max(dense, key=lambda speed: speed.cells)
    by_time, by_cells = (small.samples_per_s / other.samples_per_s for other in (longest, widest))
    compared = longest.hours > small.hours and widest.cells > small.cells
    ratios = (
        f"×{by_time:.2f} from {small.hours:g} to {longest.hours:g} h, "
        f"×{by_cells:.2f} from {small.cells} to {widest.cells} cells"
    )
    return [
        Target(name, wanted, text, min(rates.values()) >= 4.0),
        Target(grows, grows_wanted, ratios, max(by_time, by_cells) <= LINEAR_WITHIN if compared else None),
    ]


def _live(found: Results) -> list[Target]:
    rows = (
        "live cost, 16 cells × 80 samples/s",
        "time of a 50 ms block",
        "memory of the process",
        "its growth over 24 h",
    )
    wants = ("<= 3 % of one core", "p99 <= 10 ms", "RSS <= 220 MB", "none")
    live = found.live
    if live is None:
        return [_not_measured(name, wanted) for name, wanted in zip(rows, wants, strict=True)]
    by_hour = list(live.rss_mb.items())
    growth = by_hour[-1][1] - by_hour[0][1] if by_hour else math.nan
    steps = ", ".join(f"{mb:.0f} MB after {hour} h" for hour, mb in by_hour)
    measured = (
        (f"{100 * live.processor_share:.2f} % of one core", live.processor_share <= 0.03),
        (f"p50 {live.block_p50_ms:.2f} ms, p99 {live.block_p99_ms:.2f} ms", live.block_p99_ms <= 10.0),
        (f"peak {live.rss_peak_mb:.0f} MB", live.rss_peak_mb <= 220.0),
        (steps, growth <= FLAT_MB),
    )
    return [Target(name, wanted, text, met) for name, wanted, (text, met) in zip(rows, wants, measured, strict=True)]


def _warm(found: Results) -> list[Target]:
    name, wanted = "warm start to first decision", "<= 2.5 s"
    if found.start_up is None:
        return [_not_measured(name, wanted)]
    took = found.start_up
    text = f"{took.first_decision_median_s:.2f} s (best {took.first_decision_best_s:.2f} s)"
    return [Target(name, wanted, text, took.first_decision_median_s <= 2.5)]


def _not_measured(name: str, wanted: str) -> Target:
    return Target(name, wanted, NOT_MEASURED, None)
