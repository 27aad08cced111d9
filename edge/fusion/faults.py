"""What keeps boards from being weighed with, in sentences that a technician can act on."""

from __future__ import annotations

from collections.abc import Sequence

from edge.fusion.clean import FAULT_NAMES
from edge.fusion.engine import Fusion
from edge.fusion.senses import Health

SILENCE_NS = 1_000_000_000  # a cell or board that was silent for less at the end just hadn't come round again


def blind_sentences(fusion: Fusion) -> list[str]:
    """A sentence for each board that can't be weighed with: why, and what to do."""
    return [
        f"board {board} can't be weighed with: {why}; give its record with `shelfedge trace import --calibration FILE` "
        "or a node file that has one with --config NODE.yaml"
        for board, why in fusion.blind_boards.items()
    ]


def fault_sentences(fusion: Fusion, end_ns: int | None = None) -> list[str]:
    """One line for each cell with faults, one for a board that fell silent as a whole; none where all is fine.

    ``end_ns``: when the trace ended; by default, with the newest sample of any board that is weighed with. Times are
    seconds on the trace's clock.
    """
    healths = {name: board.senses.health for name, board in fusion.boards.items()}
    newest = [health.newest_ns for health in healths.values() if health.newest_ns is not None]
    if end_ns is None:
        end_ns = max(newest, default=0)
    found = []
    for name, board in fusion.boards.items():
        health = healths[name]
        if health.newest_ns is None:
            found.append(f"{name}: no data at all")
            continue
        silent = end_ns - health.newest_ns > max(SILENCE_NS, int(health.patience_ns.max()))
        if silent:
            found.append(f"{name}: {_silence('data', health.newest_ns, end_ns)}")
        found += _cells(name, board.model.cell_ids, health, health.newest_ns)
    return found


def _cells(board: str, cells: Sequence[str], health: Health, newest_ns: int) -> list[str]:
    lines = []
    for index, cell in enumerate(cells):
        counts = health.faults[index].tolist()
        faults = [f"{name} {_samples(count)}" for name, count in zip(FAULT_NAMES, counts, strict=True) if count]
        last_ns, heard = int(health.last_ns[index]), bool(health.heard[index])
        if newest_ns - last_ns > max(SILENCE_NS, int(health.patience_ns[index])):
            what = "usable data" if faults else "data"
            if heard:
                faults.append(_silence(what, last_ns, newest_ns))
            elif last_ns == health.begin_ns:
                faults.append(f"no {what} at all")
            else:  # it was lost before or in a long silence of the whole board, and didn't come back
                faults.append(f"no {what} since {round(last_ns / 1e9, 1) + 0.0:.1f} s or earlier")
        if faults:
            lines.append(f"{board} cell {cell}: {', '.join(faults)}")
    return lines


def _silence(what: str, last_ns: int, end_ns: int) -> str:
    return f"no {what} since {round(last_ns / 1e9, 1) + 0.0:.1f} s, for the last {(end_ns - last_ns) / 1e9:.1f} s"


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count} samples"
