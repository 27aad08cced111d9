"""A diagnosis for people, in a terminal of 80 columns or more: what is wrong first, what is right in a few lines."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence

from calibration.diagnosis.verdicts import Diagnosis, Finding, PartKind, PartVerdict, Verdict

WIDTH, WIDEST = 80, 120
_NUMBER = re.compile(r"(?<![\w.^])[0-9]+(?:\.[0-9]+)?(?!\w)")
Paint = Callable[[str, Verdict], str]
"""Gives a word the colour of a verdict, without making it any wider on the screen."""
_KINDS = (PartKind.NODE, PartKind.LINK, PartKind.BOARD, PartKind.CELL, PartKind.CAMERA)  # what explains others first


def plain(text: str, verdict: Verdict) -> str:
    """No colour."""
    return text


def ranked(found: Diagnosis) -> list[PartVerdict]:
    """The gravest first; of one verdict, what explains others first."""
    return sorted(found.parts, key=lambda each: (-each.verdict, _KINDS.index(each.kind)))


def summary(found: Diagnosis) -> str:
    """How many of what."""
    counts = [sum(part.verdict is verdict for part in found.parts) for verdict in Verdict]
    return f"{counts[2]} failed, {counts[1]} with warnings, {counts[0]} passed"


def diagnosis_text(found: Diagnosis, width: int = WIDTH, paint: Paint = plain) -> str:
    """The verdict first, then the parts that have faults, with these and their remedies, then the others in short."""
    width = min(max(width, 40), WIDEST)
    lines = [
        f"{paint(found.verdict.name, found.verdict)}  {summary(found)}",
        *_wrapped(f"{found.source} ({found.seconds:.0f} s)", "      ", width=width),
        "",
    ]
    for alike in _alike(part for part in ranked(found) if part.verdict is not Verdict.PASS):
        lines += _faulty(alike, width, paint)
    lines += _passed(found, width, paint)
    for title, listed in (("Worth knowing", _remarks(found)), ("Not seen", _unseen(found)), ("With", _with(found))):
        texts = list(listed)
        if texts:
            lines += ["", f"{title}:"]
            for text in texts:
                lines += _wrapped(text, "  - ", width=width)
    return "\n".join(lines)


def closing(found: Diagnosis, width: int = WIDTH, paint: Paint = plain) -> str:
    """For the end of a text that is higher than the screen: what stands at its top, in a line or two."""
    named = [f"{part.kind} {part.name}: {part.faults[0].fault}" for part in ranked(found) if part.faults]
    text = f"{found.verdict.name}  {summary(found)}" + (f" ({'; '.join(named)})" if named else "")
    lines = _wrapped(text, "", "      ", min(max(width, 40), WIDEST))
    return "\n".join([paint(found.verdict.name, found.verdict) + lines[0][len(found.verdict.name) :], *lines[1:]])


def _alike(parts: Iterable[PartVerdict]) -> Iterator[list[PartVerdict]]:
    """Parts one by one, but cells of a board together that have the very same to say."""
    for _, group in itertools.groupby(
        parts,
        lambda each: (
            each.kind,
            each.name if each.kind is not PartKind.CELL else each.name.split(" ")[0],
            tuple((found.fault, found.verdict, found.evidence, found.remedy) for found in each.faults),
        ),
    ):
        yield list(group)


def _faulty(alike: Sequence[PartVerdict], width: int, paint: Paint) -> Iterator[str]:
    part, word = alike[0], paint(alike[0].verdict.name, alike[0].verdict)
    if len(alike) > 1:
        yield from _labelled(word, f"cells {_names([each.name for each in alike])}", "", width)
    else:
        yield f"{word}  {_columns(f'{part.kind} {part.name}', measured(part), width - 6)}"
    for finding in part.faults:
        yield from _finding(finding, width)


def _finding(finding: Finding, width: int) -> Iterator[str]:
    for k, line in enumerate(finding.evidence.splitlines()):
        head = f"{finding.verdict.name} {finding.fault.upper()}: " if k == 0 else ""
        yield from _wrapped(head + line, "      " if k == 0 else "        ", "        ", width)
    yield from _wrapped(f"-> {finding.remedy}", "      ", "         ", width)


def _columns(name: str, figures: str, width: int) -> str:
    """Figures beside the name where there is room; what has none is left out, never cut."""
    line = f"{name:<24} {figures}".rstrip()
    if len(line) <= width:
        return line
    shorter = figures
    while "  " in shorter and len(f"{name:<24} {shorter}") > width:
        shorter = shorter.rpartition("  ")[0]
    line = f"{name:<24} {shorter}".rstrip()
    return line if len(line) <= width else name


def _passed(found: Diagnosis, width: int, paint: Paint) -> Iterator[str]:
    """What passed: a line for the node, each link and each board, and one for a board's cells."""
    sound = [part for part in found.parts if part.verdict is Verdict.PASS]
    word = paint("PASS", Verdict.PASS)
    boards = list(dict.fromkeys(part.name.split(" ")[0] for part in found.parts if part.kind is PartKind.CELL))
    for part in sound:
        if part.kind is PartKind.NODE:
            yield f"{word}  {_columns(f'node {part.name}', measured(part), width - 6)}"
    links = [part.name for part in sound if part.kind is PartKind.LINK]
    if links:
        yield from _labelled(word, f"{'link' if len(links) == 1 else 'links'} {', '.join(links)}", "", width)
    for part in sound:
        if part.kind is PartKind.CAMERA:
            yield f"{word}  {_columns(f'camera {part.name}', measured(part), width - 6)}"
    for board in boards:
        whole = next((part for part in sound if part.kind is PartKind.BOARD and part.name == board), None)
        cells = [part for part in sound if part.kind is PartKind.CELL and part.name.split(" ")[0] == board]
        if whole is not None:
            yield f"{word}  {_columns(f'board {board}', measured(whole), width - 6)}"
        if cells:
            names = " ".join(part.name.partition(" ")[2] for part in cells)
            yield from _labelled(word, f"cells {board} {names}", _spans(cells), width)


def _labelled(word: str, name: str, figures: str, width: int) -> Iterator[str]:
    line = f"{name:<24} {figures}".rstrip()
    if len(line) <= width - 6:
        yield f"{word}  {line}"
        return
    first, *later = _wrapped(name, "", "", width - 6)
    yield f"{word}  {first}"
    for text in [*later, *([figures] if figures else [])]:
        yield from _wrapped(text, "      ", "      ", width)


def _spans(cells: Sequence[PartVerdict]) -> str:
    """From the least to the most over cells."""
    shown = []
    for key, text in (
        ("rate_sps", "{} SPS"),
        ("noise_nv", "{} nV"),
        ("noise_g", "{} g"),
        ("level_mv_per_v", "{} mV/V"),
    ):
        values = [part.figures[key] for part in cells if part.figures.get(key) is not None]
        if values and len(values) == len(cells) and any(values):
            digits = {"noise_nv": 0, "rate_sps": 1, "noise_g": 2, "level_mv_per_v": 2}[key]
            low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
            shown.append(text.format(low if low == high else f"{low}..{high}"))
    return "  ".join(shown)


def _wrapped(text: str, first: str, later: str = "", width: int = WIDTH) -> list[str]:
    later = later or " " * len(first)
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=later, break_long_words=True, break_on_hyphens=False
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
        changes = round(figures.get("load_changes", 0.0))
        return "  ".join([*shown, f"{changes} load change{'' if changes == 1 else 's'} seen"])
    if part.kind is PartKind.LINK:
        return f"{figures['lost']:.0f} samples lost" if figures.get("lost") else ""
    if part.kind is PartKind.CAMERA:
        names = {"fps": "{:.1f} pictures/s", "work_ms": "{:.1f} ms each", "people": "{:.0f} people"}
        if figures.get("people") == 1:
            names["people"] = "1 person"
        return "  ".join(text.format(figures[key]) for key, text in names.items() if key in figures)
    names = {"hottest_c": "{:.0f} °C", "disk_free_mb": "{:.0f} MB disk free", "outbox_pending": "{:.0f} pending"}
    return "  ".join(text.format(figures[key]) for key, text in names.items() if key in figures)


def _remarks(found: Diagnosis) -> Iterable[str]:
    """A line each, but one for cells of a board whose remarks differ in their figures alone."""
    alike: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for part in found.parts:
        whole = part.name.split(" ")[0] if part.kind is PartKind.CELL else f"{part.kind} {part.name}"
        for finding in part.remarks:
            short = finding.evidence.split(": ")[0]  # behind it stands what each cell has for itself
            key = (whole, finding.fault, _NUMBER.sub("0", short))
            alike.setdefault(key, []).append((part.name, finding.evidence))
    for (_, fault, _), told in alike.items():
        names, evidences = [name for name, _ in told], [evidence for _, evidence in told]
        yield f"{_names(names)}: {fault}: {evidences[0] if len(told) == 1 else _spanning(evidences)}"


def _spanning(evidences: Sequence[str]) -> str:
    """The same sentence with other figures, as one: ``1..3 of 1281..1420 codes``."""
    shorts = [evidence.split(": ")[0] for evidence in evidences]
    numbers = [_NUMBER.findall(short) for short in shorts]
    spans = [(min(column, key=float), max(column, key=float)) for column in zip(*numbers, strict=True)]
    told = iter(low if float(low) == float(high) else f"{low}..{high}" for low, high in spans)
    return _NUMBER.sub(lambda match: next(told), shorts[0])


def _unseen(found: Diagnosis) -> Iterable[str]:
    """What couldn't be looked at, the same of several parts in one line."""
    by_text: dict[str, list[str]] = {}
    for part in found.parts:
        for text in part.unseen:
            by_text.setdefault(text, []).append(part.name)
    return [f"{_names(names)}: {text}" for text, names in by_text.items()]


def _with(found: Diagnosis) -> Iterable[str]:
    """The calibrations in use; the rest of `Diagnosis.about` a person at the terminal knows."""
    by_text: dict[str, list[str]] = {}
    for label, text in found.about.items():
        what, of, board = label.partition(" of ")
        if of and what == "calibration":
            by_text.setdefault(text, []).append(board)
    return [f"calibration of {_names(boards)}: {text}" for text, boards in by_text.items()]


def _names(names: list[str]) -> str:
    """`shelf-1 fl, fr and 2 more`: a board's name isn't said again for each cell."""
    told = [names[0]]
    for before, name in itertools.pairwise(names):
        board, _, cell = name.partition(" ")
        told.append(cell if cell and before.split(" ")[0] == board else name)
    return ", ".join(told[:8]) + (f" and {len(told) - 8} more" if len(told) > 8 else "")
