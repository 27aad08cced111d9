"""A setup in a few lines, for the person who just checked it."""

from __future__ import annotations

from edge.config.setup import Setup


def summary(setup: Setup) -> str:
    """``ok:`` and what is there; then a line per board."""
    node = setup.node
    cells = sum(len(board.cells) for board in node.boards.values())
    counted: tuple[str, ...] = (
        _count(len(node.boards), "board"),
        _count(cells, "cell"),
        _count(len(setup.planogram.slots), "slot"),
        _count(len(setup.planogram.skus), "SKU"),
    )
    if node.cameras:
        counted += (_count(len(node.cameras), "camera"),)
    lines = [f"ok: node {node.node}: {', '.join(counted)}"]
    for name, board in node.boards.items():
        parts: tuple[str, ...] = (
            f"{board.width_mm:g} x {board.depth_mm:g} mm",
            f"{_count(len(board.cells), 'cell')} at {board.rate_hz:g} Hz",
            f"driver {board.driver.type}",
            _count(len(setup.slots_on(name)), "slot"),
            "calibrated" if name in setup.calibration else "not calibrated",
        )
        if board.place is not None:
            x_mm, y_mm = board.place.x_mm, board.place.y_mm
            parts += (f"at {x_mm:g}, {y_mm:g} mm facing {board.place.facing_deg:g} deg",)
        lines.append(f"  {name}: {', '.join(parts)}")
    for name, camera in node.cameras.items():
        parts = (f"driver {camera.driver.type}", f"looks at {camera.board or 'the floor'}")
        if name in setup.cameras or camera.driver.type != "simulated":  # a simulated one knows where it looks
            parts += ("calibrated" if name in setup.cameras else "not calibrated",)
        parts += (f"model {camera.model}",) if camera.model is not None else ()
        lines.append(f"  {name}: {', '.join(parts)}")
    seen = any(camera.floor for camera in node.cameras.values()) or node.tracks.nodes
    nowhere = [name for name, board in node.boards.items() if board.place is None]
    if seen and nowhere:
        lines.append(
            f"  note: {', '.join(nowhere)}: no place on the floor, so nobody is named for what is taken there; add "
            "place: {x: ..., y: ..., facing: ...} to the board"
        )
    return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
