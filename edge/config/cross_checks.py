"""What no field can tell alone: references that lead nowhere, and things outside the board they should be on.

The checks work on whatever could be read. Where one side of a comparison is broken (and reported), they say nothing.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Collection
from itertools import islice

from drivers.kind_options import misfits
from edge.config.live_schema import LEAST_OUTBOX_BYTES, LEAST_RECORDING_BYTES, LOOPBACK_HOSTS, broker_address
from edge.config.node_file import BoardPieces, NodePieces
from edge.config.piece import Piece
from edge.config.planogram_file import PlanogramPieces
from edge.config.quantity import LENGTH, POSITION, WEIGHT
from edge.config.wording import close_match, problem_at

_SAME_PLACE_MM = 1.0
_MOST_LISTED = 12


def check_node(pieces: NodePieces) -> None:
    """Every cell lies under its board, and no two cells at the same place."""
    for board in (pieces.boards or {}).values():
        for cell in (board.cells or {}).values():
            for attribute, size_mm, edge in _sides(board, "width", "depth"):
                at_mm = cell.values.get(attribute)
                if at_mm is not None and at_mm > size_mm:
                    cell.add(attribute, f"expected a place under the board, whose {edge} is {LENGTH.text(size_mm)}")
        _check_places(board)


def check_drivers(pieces: NodePieces) -> None:
    """Every board's driver gets options that it knows and that fit the board; no hardware is asked.

    A board that only names `trace` is recorded or imported elsewhere: nothing is played, so no file is wanted.
    """
    for board in (pieces.boards or {}).values():
        driver = board.board.values.get("driver")
        if driver is None or (driver.type == "trace" and not driver.options):
            continue
        cells = list(board.cells) if board.cells else None
        told = set()
        for misfit in misfits(driver.type, driver.options, cells, board.board.values.get("rate_hz")):
            if misfit.where and misfit.where in told:
                continue  # each variant of a field has a complaint of its own about the same value
            told.add(misfit.where)
            keys = ("driver", *misfit.where)
            piece = board.board
            piece.problems.append(problem_at(piece.file, piece.path, piece.node, keys, misfit.text))


def check_live(pieces: NodePieces) -> None:
    """The outbox and the recording have room for something, and the metrics page an address that may be the machine's.

    A trace may bring a node file that says otherwise: nothing is run by it.
    """
    outbox, recording, metrics = (pieces.sections.get(name) for name in ("outbox", "recording", "metrics"))
    if outbox is not None and outbox.values.get("size_bytes", math.inf) < LEAST_OUTBOX_BYTES:
        outbox.add("size_bytes", "expected a size from 512 KiB (525 kB) to 10 TB, for example '256 MB'")
    if recording is not None and 0 < recording.values.get("size_bytes", 0) < LEAST_RECORDING_BYTES:
        recording.add(
            "size_bytes",
            f"expected 0 MB for no recording, or a size from {LEAST_RECORDING_BYTES / 1e6:.0f} MB to 10 TB",
        )
    if metrics is not None and not _is_ip_address(metrics.values.get("address", "127.0.0.1")):
        metrics.add(
            "address", "expected an IP address of this machine: 127.0.0.1 for itself, 0.0.0.0 for all its networks"
        )


def check_uplink(pieces: NodePieces) -> None:
    """Nothing is told in the clear by accident, and credentials come in pairs."""
    piece = pieces.sections.get("uplink")
    if piece is None or "broker" not in piece.values:
        return
    values = piece.values
    scheme, host, _ = broker_address(values["broker"])
    if scheme == "mqtt":
        if host not in LOOPBACK_HOSTS and not values.get("plaintext"):
            piece.add(
                "broker",
                "expected mqtts:// for a broker that is another machine: without TLS anybody between can read and "
                "command; add plaintext: true if the network is safe",
            )
        for attribute in ("ca_file", "certificate_file", "key_file"):
            if values.get(attribute):
                piece.add(attribute, "expected a broker at mqtts://; mqtt:// uses no certificates")
    for one, other in (
        ("password_file", "username"),
        ("certificate_file", "key_file"),
        ("key_file", "certificate_file"),
    ):
        if values.get(one) and not values.get(other):
            piece.add(one, f"expected {other} beside it")
    commands = values.get("commands")
    if commands is not None and commands.key_file is None:
        for name in ("resend", "rebirth", "report"):
            if getattr(commands, name) == "key":
                piece.add("commands", f"expected key_file beside '{name}: key'")


def check_skus(planogram: PlanogramPieces) -> None:
    """No SKU's units differ by more than they weigh: that is a wrong unit, not a spread."""
    for sku in (planogram.skus or {}).values():
        weight_g, spread_g = sku.values.get("weight_g"), sku.values.get("spread_g")
        if weight_g is not None and spread_g is not None and spread_g >= weight_g:
            sku.add(
                "spread_g",
                f"expected far less than the weight of one unit, {WEIGHT.text(weight_g)}; is the unit right?",
            )


def check_slots(planogram: PlanogramPieces, node: NodePieces | None) -> None:
    """Every slot names a board and a SKU that exist, and lies on the board. Without a node file only the SKUs."""
    boards = node.boards if node is not None else None
    for slot in planogram.slots.values():
        if planogram.skus is not None:
            _check_reference(slot, "sku", "SKU", planogram.skus)
        if boards is None:
            continue
        _check_reference(slot, "board", "board", boards)
        board = boards.get(slot.values.get("board", ""))
        if board is not None:
            _check_extent(slot, board)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text == "localhost"
    return True


def _check_reference(slot: Piece, attribute: str, what: str, known: Collection[str]) -> None:
    named = slot.values.get(attribute)
    if named is None or named in known:
        return
    if guess := close_match(named, known):
        slot.add(attribute, f"there is no such {what}; did you mean '{guess}'?")
    else:
        names = ", ".join(islice(known, _MOST_LISTED)) + (", …" if len(known) > _MOST_LISTED else "")
        slot.add(
            attribute, f"there is no such {what}; expected one of: {names}" if known else f"there is no {what} at all"
        )


def _check_extent(slot: Piece, board: BoardPieces) -> None:
    for attribute, size_mm, edge in _sides(board, "wide", "deep"):
        for item, at_mm in enumerate(slot.values.get(attribute) or ()):
            if at_mm > size_mm:
                expected = f"expected a place on board '{slot.values['board']}', which is {LENGTH.text(size_mm)} {edge}"
                slot.add(attribute, expected, item)


def _check_places(board: BoardPieces) -> None:
    placed: list[tuple[str, float, float]] = []
    for name, cell in (board.cells or {}).items():
        x_mm, y_mm = cell.values.get("x_mm"), cell.values.get("y_mm")
        if x_mm is None or y_mm is None:
            continue
        for other, other_x_mm, other_y_mm in placed:
            if math.hypot(x_mm - other_x_mm, y_mm - other_y_mm) < _SAME_PLACE_MM:
                place = f"x {POSITION.text(x_mm)}, y {POSITION.text(y_mm)}"
                cell.add(None, f"expected a place of its own; cell '{other}' is there already ({place})")
                break
        placed.append((name, x_mm, y_mm))


def _sides(board: BoardPieces, width_word: str, depth_word: str) -> list[tuple[str, float, str]]:
    """The board's sides that could be read: the attribute that runs along it, its length, a word for it."""
    sizes = (("x_mm", "width_mm", width_word), ("y_mm", "depth_mm", depth_word))
    return [(along, board.board.values[size], word) for along, size, word in sizes if size in board.board.values]
