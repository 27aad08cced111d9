"""A new planogram without a restart: the node's files are read and checked again, and what may change while it runs is
taken over. What is wrong leaves everything as it is."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from edge.config.setup import Setup, load_setup

CHANGEABLE = ("planogram", "fusion")
"""Keys of a node file that a running node takes over; so is the planogram file itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reload:
    """What a look at the files came to.

    Attributes:
        setup: to go on with; None where nothing changes.
        text: what happens, as a sentence. needs_restart: keys whose change only counts after a restart.
    """

    setup: Setup | None
    text: str
    needs_restart: tuple[str, ...] = ()


def planogram_digest(setup: Setup) -> str:
    """Which planogram a setup has: the first 16 digits of the SHA-256 of its text."""
    return hashlib.sha256(setup.planogram_text.encode()).hexdigest()[:16]


def reload(path: Path, loaded: Setup, running: Setup) -> Reload:
    """Read the files of a running node again.

    Args:
        loaded: what they said the last time. running: what the node runs with, which is that and what simulated boards
            and recordings brought along.
    Raises:
        ConfigError: with every problem; the node goes on as before.
    """
    new = load_setup(path)
    fields = type(new.node).model_fields
    changed = [name for name in fields if getattr(new.node, name) != getattr(loaded.node, name)]
    stuck = [name for name in changed if name not in CHANGEABLE]
    if new.calibration != loaded.calibration:
        stuck.append("calibration records")
    if new.cameras != loaded.cameras:
        stuck.append("camera records")
    # The recording must say what fusion runs with. Where parts of the file don't count yet, its new text would lie.
    if "boards" in stuck and _misfits(new, running):
        names = ", ".join(_misfits(new, running))
        return Reload(
            None, f"nothing was taken over: the planogram needs boards that need a restart ({names})", ("boards",)
        )
    node = running.node.model_copy(update={name: getattr(new.node, name) for name in CHANGEABLE})
    node_text = new.node_text if not stuck else running.node_text
    if stuck and new.node.fusion != running.node.fusion:
        node = node.model_copy(update={"fusion": running.node.fusion})
        stuck.append("fusion")
    again = dataclasses.replace(
        running, node=node, planogram=new.planogram, planogram_text=new.planogram_text, node_text=node_text
    )
    same = again.planogram_text == running.planogram_text and again.node.fusion == running.node.fusion
    parts = ["nothing has changed" if same and not stuck else ""]
    if not same:
        parts.append(f"planogram {planogram_digest(again)} is taken over at the next quiet moment")
    if stuck:
        parts.append(f"restart the node for what else has changed: {', '.join(stuck)}")
    return Reload(None if same else again, "; ".join(part for part in parts if part), tuple(stuck))


def _misfits(new: Setup, running: Setup) -> list[str]:
    """Boards that slots of the new planogram lie on, and that the running node doesn't have as the new file says."""
    boards = {slot.board for slot in new.planogram.slots.values()}
    return sorted(
        name
        for name in boards
        if name not in running.node.boards
        or (new.node.boards[name].width_mm, new.node.boards[name].depth_mm)
        != (running.node.boards[name].width_mm, running.node.boards[name].depth_mm)
    )
