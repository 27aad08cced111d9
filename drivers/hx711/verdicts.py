"""What the judgement of readings is called, and the notices that tell of it."""

from __future__ import annotations

from drivers.notices import Notice
from drivers.samples import SampleFlag

CAUSES: dict[int, str] = {
    int(SampleFlag.SATURATED): "saturated",
    int(SampleFlag.CORRUPT_CODE): "corrupt code",
    int(SampleFlag.SPIKE): "spike",
    int(SampleFlag.SETTLING): "settling",
    int(SampleFlag.STUCK): "stuck",
    int(SampleFlag.DESYNC): "desync",
    int(SampleFlag.LONG_PULSE): "long pulse",
    int(SampleFlag.LATE_READ): "late read",
    int(SampleFlag.RESET): "chip restart",
    int(SampleFlag.NOT_READY): "not ready",
    int(SampleFlag.OFF_RATE): "off rate",
    int(SampleFlag.CUT_SHORT): "cut short",
    int(SampleFlag.GAIN_SLIP): "gain slip",
}
"""Name of each flag that a reading may have. Besides these, 'lost conversion' and 'out of order' are counted."""
RATE_FROM, RATE_TO = 0.9, 1.25  # measured / nominal; chips were measured at 0.97 to 1.17


def restart_notice(board: str, cell: str, before_ns: int, edge_ns: int, lost: int) -> Notice:
    """A chip began afresh, as the pause between two of its ready edges shows."""
    text = (
        f"{_of(board, cell)}: the chip restarted ({(edge_ns - before_ns) / 1e6:.0f} ms without a conversion); "
        "its next readings settle and aren't used. If it comes again: supply, ground, SCK held high by a busy host"
    )
    return Notice(board, cell, "chip restart", before_ns, edge_ns, lost, text)


def lost_notice(board: str, cell: str, before_ns: int, edge_ns: int, lost: int) -> Notice:
    """Conversions were ready and nobody read them."""
    what = "1 conversion wasn't read" if lost == 1 else f"{lost} conversions weren't read"
    text = (
        f"{_of(board, cell)}: {what} in {(edge_ns - before_ns) / 1e6:.0f} ms; if it comes often the reader is too busy"
    )
    return Notice(board, cell, "lost conversion", before_ns, edge_ns, lost, text)


def stuck_notice(board: str, cell: str, edge_ns: int, code: int) -> Notice:
    """A cell says one thing only, or hardly moves."""
    text = (
        f"{_of(board, cell)}: code {code} repeats, or changes by less than any HX711's noise: the cell isn't measured. "
        "Check E+ and E- (excitation), A+ and A- (short), then the board of the chip"
    )
    return Notice(board, cell, "stuck", edge_ns, edge_ns, 0, text)


def rate_notice(board: str, cell: str, edge_ns: int, rate_hz: float, nominal_hz: float) -> Notice | None:
    """A chip runs at another rate than the config says; None if it is as near as chips are."""
    if RATE_FROM <= rate_hz / nominal_hz <= RATE_TO:
        return None
    text = (
        f"{_of(board, cell)}: {rate_hz:.1f} samples per second, but the config says {nominal_hz:g}; "
        "change rate in the node file, or the RATE strap (pin 15) of the chip"
    )
    return Notice(board, cell, "rate", edge_ns, edge_ns, 0, text)


def _of(board: str, cell: str) -> str:
    return f"{board} cell {cell}" if board else f"cell {cell}"
