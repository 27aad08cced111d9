"""A setup in a few lines, for the person who just checked it."""

from __future__ import annotations

from edge.config.setup import Setup


def summary(setup: Setup) -> str:
    """``ok:`` and what is there; then a line per board."""
    node = setup.node
    cells = sum(len(board.cells) for board in node.boards.values())
    counted = (
        _count(len(node.boards), "board"),
        _count(cells, "cell"),
        _count(len(setup.planogram.slots), "slot"),
        _count(len(setup.planogram.skus), "SKU"),
    )
    lines = [f"ok: node {node.node}: {', '.join(counted)}"]
    for name, board in node.boards.items():
        parts = (
            f"{board.width_mm:g} x {board.depth_mm:g} mm",
            f"{_count(len(board.cells), 'cell')} at {board.rate_hz:g} Hz",
            f"driver {board.driver.type}",
            _count(len(setup.slots_on(name)), "slot"),
            "calibrated" if name in setup.calibration else "not calibrated",
        )
        lines.append(f"  {name}: {', '.join(parts)}")
    return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
