"""A score as figures with their names and meanings, for people and for scripts."""

from __future__ import annotations

from edge.fusion.score import Latency, Score


def score_to_object(score: Score) -> dict[str, object]:
    """The JSON object of `shelfedge score --json`; a ratio without a denominator is null, times are in seconds."""
    return {
        "f1": _rounded(score.f1),
        "precision": _rounded(score.precision),
        "recall": _rounded(score.recall),
        "review_share": _rounded(score.review_share),
        "accepted_error": _rounded(score.accepted_error),
        "first_latency_median_s": _rounded(score.first_latency.median_s, 3),
        "first_latency_p95_s": _rounded(score.first_latency.p95_s, 3),
        "final_latency_median_s": _rounded(score.final_latency.median_s, 3),
        "final_latency_p95_s": _rounded(score.final_latency.p95_s, 3),
        "false_per_hour": _rounded(score.false_per_hour, 3),
        "label_units": score.label_units,
        "event_units": score.event_units,
        "right_units": score.right_units,
        "wrong_units": score.wrong_units,
        "false_units": score.false_units,
        "missed_units": score.missed_units,
        "accepted_units": score.accepted_units,
        "accepted_wrong_units": score.accepted_wrong_units,
        "review_units": score.review_units,
        "duration_s": round(score.duration_s, 3),
    }


def score_rows(score: Score) -> list[tuple[str, str, str]]:
    """Rows of name, figure and what it means."""
    return [
        ("F1", _plain(score.f1), f"{score.right_units} right of {score.label_units} units that moved"),
        ("precision", _plain(score.precision), f"of {score.event_units} units in final events"),
        (
            "recall",
            _plain(score.recall),
            f"{score.missed_units} missed, {score.wrong_units} wrong SKU or slot",
        ),
        ("for review", _percent(score.review_share), f"{score.review_units} units sent to a person"),
        ("error among accepted", _percent(score.accepted_error), _of_accepted(score)),
        ("first right answer", _seconds(score.first_latency), "after the label's end: median, 95 %"),
        ("final answer", _seconds(score.final_latency), "after the label's end: median, 95 %"),
        ("false per hour", _hourly(score), f"{score.false_units} units where nothing happened"),
    ]


def _of_accepted(score: Score) -> str:
    return f"{score.accepted_wrong_units} of {score.accepted_units} units accepted"


def _rounded(value: float | None, digits: int = 6) -> float | None:
    return None if value is None else round(value, digits)


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"


def _seconds(latency: Latency) -> str:
    if latency.median_s is None or latency.p95_s is None:
        return "–"
    return f"{latency.median_s:.2f} s, {latency.p95_s:.2f} s"


def _hourly(score: Score) -> str:
    return "–" if score.false_per_hour is None else f"{score.false_per_hour:.2f}"
