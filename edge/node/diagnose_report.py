"""A diagnosis as one HTML page that needs nothing else: the verdicts on top, then each cell's pictures, as SVG."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from calibration.diagnosis.cell import CellLook
from calibration.diagnosis.diagnose import BoardLook
from calibration.diagnosis.verdicts import Diagnosis, Finding, PartVerdict, Verdict
from edge.node.diagnose_plots import histogram_svg, spectrum_svg, time_svg
from edge.node.diagnose_text import measured
from edge.trace.whole_file import writable_target

_STYLE = """
:root{color-scheme:light dark;--pass:#1a7f37;--warn:#9a6700;--fail:#cf222e;--line:#8884;--ink:#1f2328;--paper:#fff;
--trace:#0969da;--soft:#57606a}
@media(prefers-color-scheme:dark){:root{--pass:#3fb950;--warn:#d29922;--fail:#f85149;--ink:#e6edf3;--paper:#0d1117;
--trace:#58a6ff;--soft:#9198a1}}
*{box-sizing:border-box}body{font:16px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;
padding:1rem;max-width:70rem}h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.15rem;margin:2rem 0 .4rem;
border-top:1px solid var(--line);padding-top:.8rem}p{margin:.3rem 0}.soft{color:var(--soft)}
.PASS{color:var(--pass)}.WARN{color:var(--warn)}.FAIL{color:var(--fail)}.badge{font-weight:700}
.part{border-top:1px solid var(--line);padding:.45rem 0;display:grid;grid-template-columns:4rem 12rem 1fr;
gap:.2rem .6rem}
.part .body{grid-column:3}.finding{margin:.15rem 0}.remedy::before{content:"\\2192\\00a0"}
.plots{display:grid;grid-template-columns:repeat(3,1fr);gap:.6rem}figure{margin:0}figcaption{font-size:.8rem;
color:var(--soft)}svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
@media(max-width:48rem){.part{grid-template-columns:4rem 1fr}.part .body{grid-column:1/-1}
.plots{grid-template-columns:1fr}}
"""


def write_report(path: Path, found: Diagnosis, looks: Sequence[BoardLook], now: datetime) -> None:
    """Write the page. Raises TraceFileError for a place that can't be written to, OSError when the disk refuses."""
    writable_target(path)
    path.write_text(report_html(found, looks, now), encoding="utf-8")


def report_html(found: Diagnosis, looks: Sequence[BoardLook], now: datetime) -> str:
    """The page. ``looks`` are the boards' measurements, in any order."""
    counts = [sum(part.verdict is verdict for part in found.parts) for verdict in Verdict]
    body = [
        f'<h1>Diagnosis: <span class="{found.verdict.name}">{found.verdict.name}</span></h1>',
        f"<p>{counts[2]} failed, {counts[1]} with warnings, {counts[0]} passed</p>",
        f'<p class="soft">{_text(found.source)} ({found.seconds:.0f} s), {now:%Y-%m-%d %H:%M} UTC</p>',
        *(_part(part) for part in found.parts),
        *_unseen(found),
    ]
    for look in looks:
        body.append(f"<h2>{_text(look.board.board)}</h2>")
        for cell in look.cells:
            body += _cell(look, cell)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Diagnosis {found.verdict.name}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
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
        f'<div class="finding"><b class="{name}">{_text(finding.fault)}</b>: {_text(finding.evidence)}'
        f'<div class="remedy">{_text(finding.remedy)}</div></div>'
    )


def _unseen(found: Diagnosis) -> Iterator[str]:
    lines = [f"<li>{_text(part.name)}: {_text(text)}</li>" for part in found.parts for text in part.unseen]
    if lines:
        yield f"<h2>Not seen</h2><ul>{''.join(lines)}</ul>"


def _cell(look: BoardLook, cell: CellLook) -> Iterator[str]:
    name = _text(cell.samples.cell.name)
    pictures = [
        (time_svg(cell), "every sample: grams if calibrated, else mV/V or counts; left out ones in red"),
        (histogram_svg(cell, look.board.supply_v), "noise while calm, nV; the line: what the datasheet allows"),
        (
            spectrum_svg(cell, look.board.supply_v),
            "spectrum, nV/sqrt(Hz); marks: where 50 and 60 Hz and harmonics fold",
        ),
    ]
    figures = "".join(f"<figure>{svg}<figcaption>{text}</figcaption></figure>" for svg, text in pictures if svg)
    yield f"<h3>{name}</h3>"
    yield f'<div class="plots">{figures}</div>' if figures else '<p class="soft">no samples to show</p>'


def _text(text: object) -> str:
    return html.escape(str(text))
