"""The last screen of a calibration: its figures and what to do next, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibration.check import CheckResult
from calibration.findings import Finding
from calibration.outcome import Outcome


def accepted_screen(board: str, outcome: Outcome) -> RenderableType:
    """Gain error, residuals, smallest weight, places, remarks."""
    fit = outcome.fit
    assert fit is not None
    weight_g = max(place.placement.weight_g for place in fit.places)
    places = outcome.places(weight_g)
    figures = Table.grid(padding=(0, 2))
    figures.add_row("gain known to", _percent(fit.load_relative_sd), "(the reference weight itself: "
                    f"{_percent(fit.common_relative_sd)})")  # fmt: skip
    figures.add_row("smallest weight", f"{outcome.smallest_weight_g:.1f} g", "seen for sure within half a second")
    if places:
        worst = max(places, key=lambda each: each.mm)
        figures.add_row("places known to", f"{worst.mm:.1f} mm", f"with {weight_g:g} g, worst at {worst.place}")
    else:
        figures.add_row("places", "none", "these cells tell weight alone")
    figures.add_row("zero return", _signed_g(fit.zero_return_g), "what stayed after the weight was taken off")
    if fit.hysteresis_g is not None:
        figures.add_row("hysteresis", _signed_g(fit.hysteresis_g), "down less up")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("place", "weight", "off by", "lay off its place"):
        table.add_column(name, justify="left" if name == "place" else "right")
    for place in fit.places:
        off = (place.off_x_mm**2 + place.off_y_mm**2) ** 0.5
        table.add_row(
            place.placement.place,
            f"{place.placement.weight_g:g} g",
            _signed_g(place.residual_g),
            "" if off != off else f"{off:.0f} mm",
        )
    told = [Text(f"· {finding}", "yellow") for finding in outcome.findings]
    return Group(verdict_banner(f"{board}: CALIBRATED", "bold black on green"), Text(), figures, Text(), table, *told)


def refused_screen(board: str, findings: Sequence[Finding], verdict: str = "NOT CALIBRATED") -> RenderableType:
    """Each reason with its evidence and its remedy."""
    banner = verdict_banner(f"{board}: {verdict}, nothing was changed", "bold white on red")
    return Group(banner, Text(), *findings_lines(findings))


def findings_lines(findings: Sequence[Finding]) -> list[RenderableType]:
    """Each with its evidence and its remedy."""
    lines: list[RenderableType] = []
    for finding in findings:
        about = f" ({finding.subject})" if finding.subject else ""
        lines.append(Text(f"{finding.reason}{about}".upper(), "bold red" if finding.refuses else "yellow"))
        lines.append(Text(f"  {finding.evidence}"))
        if finding.remedy:
            lines.append(Text(f"  → {finding.remedy}", "bold"))
    return lines


def check_screen(board: str, weight_g: float, result: CheckResult) -> RenderableType:
    """Whether the calibration still holds, and by how much."""
    banner = verdict_banner(f"{board}: THE CALIBRATION HOLDS", "bold black on green")
    if not result.holds:
        banner = verdict_banner(f"{board}: CALIBRATE AGAIN", "bold white on red")
    lines: list[RenderableType] = [banner, Text()]
    if result.grams == result.grams:
        off = 100 * (result.grams / weight_g - 1.0)
        lines.append(Text(f"{weight_g:g} g weigh {result.grams:.1f} g ({off:+.2f} %)"))
    if result.x_mm == result.x_mm:
        lines.append(Text(f"it lay {result.x_mm:.0f} mm from the left, {result.y_mm:.0f} mm from the front"))
    if result.zero_g == result.zero_g:
        lines.append(Text(f"the empty board weighs {_signed_g(result.zero_g)} by its record; the node follows that"))
    return Group(*lines, *findings_lines(result.findings), Text("take the weight off again", "bold"))


def console_for(to_stderr: bool = False) -> Console:
    """Lines are broken at words on a terminal, and not at all in a file."""
    console = Console(stderr=to_stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=to_stderr, highlight=False, soft_wrap=True, width=240)


def verdict_banner(text: str, style: str) -> Text:
    """The first line of a result."""
    return Text(f"  {text}  ", style, no_wrap=True)


def _signed_g(grams: float) -> str:
    """With its sign, and none for what rounds to nothing."""
    return f"{round(grams, 1) or 0.0:{'+' if round(grams, 1) else ''}.1f} g"


def _percent(share: float) -> str:
    return f"± {100 * share:.2g} %"
