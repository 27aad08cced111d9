"""What lies on the shelves, across a restart: a planogram's counts are only right at the very first start.

The settled counts are kept in the state folder. The next run begins with them: they are written into the planogram's
text, so that fusion, the recording and whoever replays it begin with the same (P8).
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from edge.config.errors import ConfigError
from edge.config.schema import MOST_ITEMS, Planogram
from edge.config.setup import Setup, setup_from_texts
from edge.fusion.engine import Fusion

log = logging.getLogger("shelfedge.stock")

OLDEST_S = 86_400.0
"""After that long somebody has been at the shelves: then the planogram is believed again."""
_FORMAT = 1
_SAY_AGAIN_S = 600.0


class CountsInText:
    """A setup whose planogram's counts can be set to others, its text with it, and nothing else.

    Raises ValueError where the text has a count that isn't simply a slot's own number (an alias, for example).
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._spans = _count_spans(setup.planogram_text)
        if set(self._spans) != set(setup.planogram.slots):
            raise ValueError("not every slot has a count of its own in the text")
        others = {slot: (each.count + 1) % MOST_ITEMS for slot, each in setup.planogram.slots.items()}
        changed = self.with_counts(others)
        try:
            read = setup_from_texts(changed.node_text, changed.planogram_text, "", "planogram")
        except ConfigError as error:
            raise ValueError(f"the text can't be changed: {error}") from None
        if read.planogram != changed.planogram:
            raise ValueError("the text says something else once its counts are changed")

    def with_counts(self, counts: Mapping[str, int]) -> Setup:
        """The setup with these counts by slot; others stay."""
        wanted = {slot: min(max(int(counts[slot]), 0), MOST_ITEMS) for slot in self._spans if slot in counts}
        text = self.setup.planogram_text
        for slot, (begin, end) in sorted(self._spans.items(), key=lambda item: item[1], reverse=True):
            if slot in wanted:
                text = f"{text[:begin]}{wanted[slot]}{text[end:]}"
        return dataclasses.replace(
            self.setup, planogram=_with_counts(self.setup.planogram, wanted), planogram_text=text
        )


def counts_of(fusion: Fusion) -> dict[str, int]:
    """How many units of its own SKU fusion takes each slot to hold. From any thread."""
    found = {}
    for board in fusion.boards.values():
        count, model = board.contents.count, board.model
        for k, slot in enumerate(model.slot_ids):
            found[slot] = int(count[model.slot_sku[k], k])
    return found


def carried_over(counts: Mapping[str, int], before: Planogram, after: Planogram) -> dict[str, int]:
    """Of the counts under one planogram, those that hold under the next: of slots that are the same, count and all."""
    return {slot: count for slot, count in counts.items() if before.slots.get(slot) == after.slots.get(slot)}


class Stock:
    """The file with the counts.

    Args:
        digest: of the planogram as its file says it. wall_ns: wall time.
    """

    def __init__(self, path: Path, digest: str, wall_ns: Callable[[], int]) -> None:
        self.digest = digest
        self._path = path
        self._wall_ns = wall_ns
        self._saved: tuple[str, dict[str, int]] | None = None
        self._saved_ns = 0
        self._complained = False

    def load(self) -> dict[str, int]:
        """The counts of the last run by slot; none, with a word in the log, where they can't be used."""
        try:
            data: Any = json.loads(self._path.read_bytes())
            counts = {str(slot): int(count) for slot, count in data["counts"].items()}
            age_s = (self._wall_ns() - int(data["wall_ns"])) / 1e9
            if data["format"] != _FORMAT or data["planogram"] != self.digest:
                log.info("the planogram is another than before: its own counts hold")
                return {}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            log.warning("%s can't be read (%s): the planogram's own counts hold", self._path, error)
            return {}
        if age_s > OLDEST_S:
            log.info("the counts of the last run are %.0f h old: the planogram's own hold", age_s / 3600)
            return {}
        return counts

    def save(self, counts: Mapping[str, int]) -> None:
        """Keep these, where they are new; and now and then, to say that they still hold.

        Never raises: a disk that refuses costs the memory of them, and a line in the log.
        """
        now_ns = self._wall_ns()
        if self._saved == (self.digest, counts) and abs(now_ns - self._saved_ns) < _SAY_AGAIN_S * 1e9:
            return
        data = {"format": _FORMAT, "planogram": self.digest, "wall_ns": now_ns, "counts": dict(counts)}
        part = self._path.with_name(self._path.name + ".part")
        try:
            with part.open("w") as file:
                json.dump(data, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            if not self._complained:
                log.warning("%s can't be written: %s; a restart begins with the planogram's counts", self._path, error)
            self._complained = True
            return
        self._saved, self._saved_ns, self._complained = (self.digest, dict(counts)), now_ns, False


def begun_with(setup: Setup, counts: Mapping[str, int]) -> Setup:
    """The setup with the counts of the run before; as it is, with a word in the log, where they don't fit its text."""
    if not counts:
        return setup
    try:
        return CountsInText(setup).with_counts(counts)
    except ValueError as error:
        log.warning("the counts of the last run can't be used: %s; the planogram's own hold", error)
        return setup


def _with_counts(planogram: Planogram, counts: Mapping[str, int]) -> Planogram:
    slots = {
        name: slot.model_copy(update={"count": counts[name]}) if name in counts else slot
        for name, slot in planogram.slots.items()
    }
    return planogram.model_copy(update={"slots": slots})


def _count_spans(text: str) -> dict[str, tuple[int, int]]:
    """Where in the text each slot's count stands; only those that no other slot shares."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"the text can't be read as YAML: {error}") from None
    spans: dict[str, tuple[int, int]] = {}
    for slot, node in _entries(_entries(root).get("slots")).items():
        count = _entries(node).get("count")
        if isinstance(count, yaml.ScalarNode) and count.style is None:
            spans[slot] = (count.start_mark.index, count.end_mark.index)
    places = list(spans.values())
    return {slot: span for slot, span in spans.items() if places.count(span) == 1}


def _entries(node: Any) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
