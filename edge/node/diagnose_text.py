"""A diagnosis for people, in a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from calibration.diagnosis.verdicts import Diagnosis, Finding, PartKind, PartVerdict, Verdict

WIDTH = 80


def diagnosis_text(found: Diagnosis) -> str:
    """The verdict first, then each part in a line with what was measured, faults and remedies below it."""
    counts = [sum(part.verdict is verdict for part in found.parts) for verdict in Verdict]
    lines = [
        f"{found.verdict.name}  {counts[2]} failed, {counts[1]} with warnings, {counts[0]} passed",
        *textwrap.wrap(f"{found.source} ({found.seconds:.0f} s)", WIDTH - 6, initial_indent="      ",
                       subsequent_indent="      ", break_on_hyphens=False),
        "",
    ]  # fmt: skip
    for part in found.parts:
        lines += _part(part)
    unseen = _unseen(found)
    if unseen:
        lines += ["", "Not seen:"]
        for text in unseen:
            lines += _wrapped(text, "  - ")
    return "\n".join(lines)


def _part(part: PartVerdict) -> Iterator[str]:
    name = f"{part.kind} {part.name}"
    yield f"{part.verdict.name:<5} {name:<24} {measured(part)}".rstrip()[:WIDTH]
    for finding in part.faults:
        yield from _finding(finding)
    for finding in part.remarks:
        yield from _wrapped(f"({finding.fault}: {finding.evidence})", "      ")


def _finding(finding: Finding) -> Iterator[str]:
    yield from _wrapped(f"{finding.verdict.name} {finding.fault.upper()}: {finding.evidence}", "      ", "        ")
    yield from _wrapped(f"-> {finding.remedy}", "      ", "         ")


def _wrapped(text: str, first: str, later: str = "") -> list[str]:
    later = later or " " * len(first)
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )


def measured(part: PartVerdict) -> str:
    """The few figures that tell a part at a glance, with their units."""
    figures = part.figures
    if part.kind is PartKind.CELL:
        shown = []
        if figures.get("rate_sps"):
            shown.append(f"{figures['rate_sps']:.2f} SPS")
        if "noise_nv" in figures:
            shown.append(f"{figures['noise_nv']:.0f} nV")
        if "noise_g" in figures:
            shown.append(f"{figures['noise_g']:.2f} g")
        if "level_mv_per_v" in figures:
            shown.append(f"{figures['level_mv_per_v']:+.3f} mV/V")
        return "  ".join(shown)
    if part.kind is PartKind.BOARD:
        shown = [f"{figures['weight_g'] / 1000:.3f} kg"] if "weight_g" in figures else []
        return "  ".join([*shown, f"{figures.get('load_changes', 0):.0f} load changes seen"])
    if part.kind is PartKind.NODE:
        names = {"hottest_c": "{:.0f} °C", "disk_free_mb": "{:.0f} MB disk free", "outbox_pending": "{:.0f} pending"}
        return "  ".join(text.format(figures[key]) for key, text in names.items() if key in figures)
    return ""


def _unseen(found: Diagnosis) -> list[str]:
    """What couldn't be looked at, the same of several parts in one line."""
    by_text: dict[str, list[str]] = {}
    for part in found.parts:
        for text in part.unseen:
            by_text.setdefault(text, []).append(part.name)
    return [f"{_names(names)}: {text}" for text, names in by_text.items()]


def _names(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
