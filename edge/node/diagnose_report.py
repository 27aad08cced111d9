"""A diagnosis as one HTML page that needs nothing else: the verdicts on top, then the pictures a colleague asks for."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from calibration.diagnosis.cell import CellLook
from calibration.diagnosis.diagnose import BoardLook
from calibration.diagnosis.physics import SOUND_BOARDS
from calibration.diagnosis.verdicts import Diagnosis, Finding, PartVerdict, Verdict
from edge.node.diagnose import DiagnosisError
from edge.node.diagnose_board_plots import legend, loads_svg, place_svg
from edge.node.diagnose_page import STYLE
from edge.node.diagnose_plots import codes_svg, histogram_svg, interval_svg, spectrum_svg, time_svg
from edge.node.diagnose_text import measured, ranked, summary
from edge.trace.whole_file import WholeFile


def check_report(path: Path) -> None:
    """Raises DiagnosisError for a name or a place that a report can't have, before anybody waits for it."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise DiagnosisError(f"--report {path}: the report is a page with its plots in it; expected a name with .html")
    if not path.absolute().parent.is_dir():
        raise DiagnosisError(f"--report {path}: there is no folder {path.absolute().parent}; make it first")


def write_report(
    path: Path, found: Diagnosis, looks: Sequence[BoardLook], stills: Mapping[str, bytes] | None = None
) -> None:
    """Write the page, whole or not at all. Raises TraceFileError when the place or the disk refuses."""
    with WholeFile(path) as page:
        page.file.write(report_html(found, looks, stills or {}).encode())


def report_html(found: Diagnosis, looks: Sequence[BoardLook], stills: Mapping[str, bytes] | None = None) -> str:
    """The page. ``looks`` are the boards' measurements, in any order; ``stills``: JPEGs by camera."""
    name = found.about.get("node") or found.about.get("recording") or ""
    title = f"Diagnosis of {name}: {found.verdict.name}" if name else f"Diagnosis: {found.verdict.name}"
    about = {**found.about, "samples": f"{found.source} ({found.seconds:.0f} s)"}
    facts = "".join(f"<dt>{_text(label)}</dt><dd>{_text(text)}</dd>" for label, text in about.items())
    body = [
        f'<h1>Diagnosis of {_text(name)}: <span class="{found.verdict.name}">{found.verdict.name}</span></h1>',
        f"<p>{summary(found)}</p>",
        *(_part(part) for part in ranked(found)),
        *_unseen(found),
        f"<h2>What was diagnosed</h2><dl>{facts}</dl>",
    ]
    body += _cameras(stills or {})
    for look in looks:
        body += _board(look)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body>" + "\n".join(body) + "</body></html>\n"
    )


def _part(part: PartVerdict) -> str:
    rows = [_finding(finding) for finding in part.findings]
    shown = _text(measured(part)).replace("  ", " &middot; ")
    return (
        f'<div class="part"><span class="badge {part.verdict.name}">{part.verdict.name}</span>'
        f"<span>{part.kind} <b>{_text(part.name)}</b></span>"
        f'<div class="body"><span class="soft">{shown}</span>{"".join(rows)}</div></div>'
    )


def _finding(finding: Finding) -> str:
    name = finding.verdict.name
    if finding.verdict is Verdict.PASS:
        return f'<div class="finding soft">{_text(finding.fault)}: {_text(finding.evidence)}</div>'
    return (
        f'<div class="finding"><b class="{name}">{name} {_text(finding.fault)}</b>: '
        f"<pre>{_text(finding.evidence)}</pre>"
        f'<div class="remedy">{_text(finding.remedy)}</div></div>'
    )


def _unseen(found: Diagnosis) -> Iterator[str]:
    by_text: dict[str, list[str]] = {}
    for part in found.parts:
        for text in part.unseen:
            by_text.setdefault(text, []).append(part.name)
    lines = [f"<li>{_text(', '.join(names))}: {_text(text)}</li>" for text, names in by_text.items()]
    if lines:
        yield f"<h2>Not seen</h2><ul>{''.join(lines)}</ul>"


def _cameras(stills: Mapping[str, bytes]) -> Iterator[str]:
    if not stills:
        return
    yield "<h2>What the cameras see</h2>"
    shown = (
        f'<figure><img src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" alt="{_text(camera)}" '
        f'style="max-width:100%"><figcaption><b>{_text(camera)}.</b> It may show people: give this page only to who '
        "may see them.</figcaption></figure>"
        for camera, jpeg in stills.items()
    )
    yield f'<div class="plots">{"".join(shown)}</div>'


def _board(look: BoardLook) -> Iterator[str]:
    yield f"<h2>Board {_text(look.board.board)}</h2>"
    figures = [
        _figure(
            loads_svg(look),
            "Load of each cell, since the beginning",
            f"A step in one cell alone is no item: something catches there, or the cell has a fault.<br>{legend(look)}",
        ),
        _figure(
            place_svg(look),
            "Where the load lies",
            "From above, front edge below. Share of the load on each cell; the cross is the centre of pressure, the "
            "line where it has been. It must lie where the goods are.",
        ),
    ]
    if any(figures):
        yield f'<div class="plots">{"".join(figures)}</div>'
    else:
        yield '<p class="soft">Without a calibration of each cell there are no loads to show.</p>'
    for cell in look.cells:
        yield from _cell(look, cell)


def _cell(look: BoardLook, cell: CellLook) -> Iterator[str]:
    supply_v = look.board.supply_v
    codes, listed = codes_svg(cell)
    figures = [
        _figure(time_svg(cell), "Every sample", "Dots: not used, since flagged. Look for jumps, drift, bursts."),
        _figure(histogram_svg(cell, supply_v), "Noise while calm", _noise_caption(cell, supply_v)),
        _figure(
            spectrum_svg(cell, supply_v),
            "Spectrum",
            "Dashed: where 50 and 60 Hz and harmonics fold to at this cell's own rate. A peak on one is mains hum; a "
            "peak at the same place in all cells is the board that shakes.",
        ),
        _figure(
            interval_svg(cell),
            "Time between samples",
            "Flat is sound. Whole multiples are lost conversions, 4.45 periods a restart of the chip.",
        ),
        _figure(codes, "Raw codes around the first fault", f"Dots in red aren't used: {_text(listed)}."),
    ]
    yield f"<h3>{_text(look.board.board)} {_text(cell.samples.cell.name)}</h3>"
    shown = "".join(figures)
    yield f'<div class="plots">{shown}</div>' if shown else '<p class="soft">No samples to show.</p>'


def _noise_caption(cell: CellLook, supply_v: float | None) -> str:
    told = "Line: what the datasheet allows at this rate. "
    if cell.noise is not None and cell.noise.restless:
        told += "Shaken: not judged; the board was hardly left alone."
    else:
        told += f"Over {SOUND_BOARDS:g} times as wide: supply, shield, floating wires. Far narrower: no signal at all."
    if supply_v:
        return told
    return f'{told} For 5 V at the amplifier; <span class="whole">--supply</span> says another.'


def _figure(svg: str, title: str, caption: str) -> str:
    """``caption`` is HTML. Empty where there is no picture."""
    return f"<figure>{svg}<figcaption><b>{_text(title)}.</b> {caption}</figcaption></figure>" if svg else ""


def _text(text: object) -> str:
    return html.escape(str(text))
