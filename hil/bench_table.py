"""The bench's findings as tables: Markdown for the README, the same rows for a terminal, and one JSON object."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from hil.figures import Figures
from hil.results import Results, figures_by_family
from hil.targets import NOT_MEASURED, Target, targets

PRECISE_FROM = 0.995  # F1 above that is told with four digits


@dataclass(frozen=True, slots=True)
class Sheet:
    """A titled table of text; ``note`` says how to read it."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""

    def markdown(self) -> str:
        """A heading, the note, and a GitHub table."""
        lines = [f"### {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += ["| " + " | ".join(self.head) + " |", "|---" * len(self.head) + "|"]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"


FIGURES_HEAD = (
    "family",
    "units",
    "F1",
    "right first",
    "to review",
    "wrong of accepted",
    "missed",
    "false/h",
    "provisional p50 / p95",
    "final p50 / p95",
    "grams p50 / p95",
)
FIGURES_NOTE = (
    "*right first*: units whose first hypothesis is right, reviewed or not. *missed*: units that no event speaks of. "
    "*false/h*: accepted events per hour where nothing happened. *provisional*: the first right revision after the "
    "hand's last contact; *final*: the final decision after the last thing that acted on the board before it "
    "(movement, lean, bump). *grams*: error of the weight that a right event states."
)


def sheets(found: Results, titles: Mapping[str, str]) -> list[Sheet]:
    """All tables for which there is something to say; ``titles``: each family's phrase."""
    asked = [row for row in targets(found) if not found.partial or row.measured != NOT_MEASURED]
    made = [_targets_sheet(asked)] if asked else []
    if found.scenes:
        made.append(_families_sheet(found, titles))
    if found.layouts:
        rows = [
            _figures_row(f"{layout}: {titles.get(family, family)}", figures)
            for layout, groups in found.layouts.items()
            for family, figures in figures_by_family(groups).items()
        ]
        made.append(Sheet("Other layouts of cells", FIGURES_HEAD, rows))
    if found.peers:
        made.append(_peers_sheet(found, titles))
    if found.calibration is not None and found.calibration.count:
        made.append(_calibration_sheet(found))
    if found.curves:
        made.append(_trade_off_sheet(found))
    if found.inventory:
        made.append(_inventory_sheet(found))
    if found.speeds or found.long_replay or found.start_up:
        made.append(_speed_sheet(found))
    return made


def to_markdown(found: Results, titles: Mapping[str, str]) -> str:
    """The page of all tables, with how it was measured."""
    scenes = f"{found.split} scenes, up to {found.seeds} seeds per family, four-cell boards unless said."
    head = f"# shelfedge bench\n\n{scenes}\n"
    problems = "".join(f"\n- failed: {failure}" for failure in found.failures)
    problems += "".join(f"\n- skipped: {titles.get(name, name)}: {why}" for name, why in found.skipped.items())
    return "\n".join([head + problems + ("\n" if problems else ""), *(s.markdown() for s in sheets(found, titles))])


def to_object(found: Results) -> dict[str, object]:
    """Everything as one JSON object; what has no value is null."""
    data = {
        "split": found.split,
        "seeds": found.seeds,
        "targets": [asdict(target) for target in targets(found)],
        "families": _figures_objects(figures_by_family(found.scenes)),
        "totals": _figures_objects(found.totals()),
        "layouts": {name: _figures_objects(figures_by_family(groups)) for name, groups in found.layouts.items()},
        "peers": {name: _figures_objects(figures_by_family(groups)) for name, groups in found.peers.items()},
        "fusion_on_the_peers_scenes": _figures_objects(figures_by_family(found.peer_base)),
        "calibration": asdict(found.calibration) if found.calibration else None,
        "trade_off": {name: [asdict(point) for point in curve] for name, curve in found.curves.items()},
        "inventory": [asdict(books) for books in found.inventory],
        "speed": [asdict(speed) | {"samples_per_s": speed.samples_per_s} for speed in found.speeds],
        "long_replay": asdict(found.long_replay) if found.long_replay else None,
        "live": asdict(found.live) if found.live else None,
        "start_up": asdict(found.start_up) if found.start_up else None,
        "skipped": found.skipped,
        "processor_s": {name: {"making": a, "deciding": b} for name, (a, b) in found.processor_s.items()},
        "failures": found.failures,
    }
    return {key: _finite(value) for key, value in data.items()}


def _targets_sheet(rows: Iterable[Target]) -> Sheet:
    words = {True: "met", False: "**missed**", None: "–"}
    return Sheet(
        "Targets",
        ("", "target", "measured", ""),
        [(row.name, row.wanted, row.measured, words[row.met]) for row in rows],
    )


def _families_sheet(found: Results, titles: Mapping[str, str]) -> Sheet:
    rows = [_figures_row(titles.get(name, name), figures) for name, figures in figures_by_family(found.scenes).items()]
    rows += [_figures_row(f"*{name}*", figures) for name, figures in found.totals().items()]
    return Sheet("Families of scenes, four cells per board", FIGURES_HEAD, rows, FIGURES_NOTE)


def _figures_row(name: str, f: Figures) -> tuple[str, ...]:
    return (
        name,
        f"{f.label_units}",
        _f1(f.f1),
        _percent(f.recall),
        _percent(f.review_share),
        f"{_percent(f.accepted_error, 3)} ({f.accepted_wrong}/{f.accepted_units})",
        f"{f.missed_units}",
        _number(f.false_accepted_per_hour, 2),
        _pair(1e3 * f.provisional_s.p50, 1e3 * f.provisional_s.p95, 0, "ms"),
        _pair(f.final_s.p50, f.final_s.p95, 2, "s"),
        _pair(f.grams.p50, f.grams.p95, 1, "g"),
    )


def _peers_sheet(found: Results, titles: Mapping[str, str]) -> Sheet:
    base = figures_by_family(found.peer_base)
    peers = {name: figures_by_family(groups) for name, groups in found.peers.items()}
    rows = []
    for family, ours in base.items():
        cells = [f"{_f1(ours.f1)} / {_percent(ours.accepted_error)} / {_percent(ours.review_share)}"]
        for groups in peers.values():
            theirs = groups.get(family)
            cells.append(f"{_f1(theirs.f1)} / {_percent(theirs.accepted_error, 1)}" if theirs else "–")
        rows.append((titles.get(family, family), *cells))
    return Sheet(
        "Peers on the same scenes",
        ("family", "shelfedge: F1 / error / review", *(f"{name}: F1 / error" for name in peers)),
        rows,
        "*error*: wrong among the accepted units; the peers accept everything.",
    )


def _calibration_sheet(found: Results) -> Sheet:
    got = found.calibration
    assert got is not None
    rows = []
    for width, count in zip(got.equal_width, got.equal_count, strict=False):
        rows.append(
            (
                f"{width.low:.3f}–{width.high:.3f}",
                f"{width.count}",
                _number(width.stated, 4),
                _number(width.right, 4),
                f"{count.low:.5f}–{count.high:.5f}",
                f"{count.count}",
                _number(count.stated, 4),
                _number(count.right, 4),
            )
        )
    head = ("confidence", "events", "stated", "right", "with equal counts", "events", "stated", "right")
    return Sheet("Stated confidence against being right", head, rows)


def _trade_off_sheet(found: Results) -> Sheet:
    rows = []
    for name, curve in found.curves.items():
        marks = {0.5, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 0.99999}
        for mark in sorted(marks):
            point = min(curve, key=lambda p: abs(math.log((1.0 - p.review_below + 1e-12) / (1.0 - mark))))
            rows.append(
                (
                    name,
                    f"{point.review_below:.6g}",
                    _percent(point.review_share),
                    f"{_percent(point.accepted_error, 3)} ({point.accepted_wrong}/{point.accepted_units})",
                )
            )
    return Sheet(
        "What `fusion.review_below` trades", ("scenes", "review_below", "to review", "wrong of accepted"), rows
    )


def _inventory_sheet(found: Results) -> Sheet:
    rows = [
        (
            books.family,
            f"{books.visits}",
            f"{books.slots}",
            f"{books.sure_right}",
            f"{books.doubted_right}",
            f"{books.doubted_wrong}",
            f"{books.silently_wrong}" + (f" (by {books.units_off} units)" if books.silently_wrong else ""),
        )
        for books in found.inventory
    ]
    head = ("board", "movements", "slots", "right", "right, flagged", "wrong, flagged", "silently wrong")
    note = (
        "Events are booked by their first hypothesis; a slot named by a reviewed event or its alternatives is flagged."
    )
    return Sheet("Stock per slot after at least 1,000 visits", head, rows, note)


def _speed_sheet(found: Results) -> Sheet:
    rows: list[tuple[str, ...]] = []
    for speed in found.speeds:
        what = (
            f"{speed.hours:g} h of {speed.cells} cells in memory, {speed.pace} on a board ({speed.movements} movements)"
        )
        rows.append((what, f"{speed.seconds:.2f} s", f"{speed.samples_per_s / 1e6:.2f} M cell-samples/s"))
    if found.long_replay is not None:
        long = found.long_replay
        what = (
            f"{long.hours:g} h of {long.cells} cells, file to events ({long.movements} movements, 3-5 s apart in all)"
        )
        times = long.hours * 3600 / long.wall_s
        rate = f"{long.samples / long.wall_s / 1e6:.2f} M cell-samples/s, {times:.0f} × real time"
        rows.append((what, f"{long.wall_s:.1f} s", rate))
        rows.append(("trace size", f"{long.bytes_per_sample:.2f} bytes per sample", ""))
    if found.live is not None:
        rows.append(("24 h of 16 cells, fusion alone", f"{found.live.day_processor_s:.0f} s", ""))
    if found.start_up is not None:
        took = found.start_up
        rows.append(
            ("`shelfedge --help`", f"{1e3 * took.help_best_s:.0f} ms", f"median {1e3 * took.help_median_s:.0f} ms")
        )
    return Sheet("Speed, one core", ("", "took", ""), rows)


def _figures_objects(groups: Mapping[str, Figures]) -> dict[str, object]:
    return {
        name: asdict(f)
        | {
            "f1": f.f1,
            "recall": f.recall,
            "review_share": f.review_share,
            "accepted_error": f.accepted_error,
            "accepted_error_at_most": f.accepted_error_at_most,
            "false_accepted_per_hour": f.false_accepted_per_hour,
        }
        for name, f in groups.items()
    }


def _finite(value: object) -> object:
    """NaN and infinities as null, everywhere inside."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(part) for part in value]
    return value


def _f1(value: float) -> str:
    return _number(value, 4 if value >= PRECISE_FROM else 3)


def _percent(value: float, digits: int = 2) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.{digits}f} %"


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _pair(first: float, second: float, digits: int, unit: str) -> str:
    return "–" if math.isnan(first) else f"{first:.{digits}f} / {second:.{digits}f} {unit}"
