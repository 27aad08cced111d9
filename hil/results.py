"""Everything one run of the bench found, in one place: what tables, targets and the JSON file are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hil.case_facts import CaseFacts
from hil.figures import Figures, pooled
from hil.inventory import Inventory
from hil.live_cost import LiveCost
from hil.reliability import Reliability
from hil.speed import LongReplay, Speed
from hil.start_up import StartUp
from hil.trade_off import Point

HARD = ("two-at-once", "overlapping", "near-equal")  # these have a review target of their own
CALM_TO_GRABS = ("calm", "busy", "grabs")  # one pair of hands
ONLY_HARD = "two at once, overlapping and near-equal"
ALL_BUT_HARD = f"all but {ONLY_HARD}"
NOTHING, EVERYTHING = "nothing", "everything"


@dataclass
class Results:
    """What was measured; empty or None what wasn't.

    Attributes:
        partial: not everything was asked for.
        scenes: by family, four-cell boards. skipped: family and why.
        layouts: by layout, then family. peers: by peer, then family; the same scenes as in ``peer_base``.
        curves: `trade_off` by name; ``defaults``: their points at the default.
        processor_s: by family, seconds for making its scenes and for deciding them.
    """

    partial: bool = False
    split: str = "reporting"
    seeds: int = 0
    scenes: dict[str, list[CaseFacts]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, dict[str, list[CaseFacts]]] = field(default_factory=dict)
    peers: dict[str, dict[str, list[CaseFacts]]] = field(default_factory=dict)
    peer_base: dict[str, list[CaseFacts]] = field(default_factory=dict)
    calibration: Reliability | None = None
    curves: dict[str, list[Point]] = field(default_factory=dict)
    defaults: dict[str, Point] = field(default_factory=dict)
    inventory: list[Inventory] = field(default_factory=list)
    speeds: list[Speed] = field(default_factory=list)
    long_replay: LongReplay | None = None
    live: LiveCost | None = None
    start_up: StartUp | None = None
    processor_s: dict[str, tuple[float, float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def all_scenes(self) -> list[CaseFacts]:
        """Of all families, four-cell boards."""
        return [facts for group in self.scenes.values() for facts in group]

    def totals(self) -> dict[str, Figures]:
        """The families added up in the ways that the targets speak of; empty sums are left out."""
        groups = {
            "all families": self.all_scenes(),
            ALL_BUT_HARD: self._without(HARD),
            ONLY_HARD: self._of(HARD),
            "calm to grabs, without overlapping": self._of(CALM_TO_GRABS),
        }
        return {name: pooled(cases) for name, cases in groups.items() if cases}

    def _of(self, families: Iterable[str]) -> list[CaseFacts]:
        return [facts for name in families for facts in self.scenes.get(name, [])]

    def _without(self, families: Iterable[str]) -> list[CaseFacts]:
        return [facts for name, group in self.scenes.items() if name not in families for facts in group]


def figures_by_family(groups: Mapping[str, list[CaseFacts]]) -> dict[str, Figures]:
    """Each family's figures."""
    return {name: pooled(cases) for name, cases in groups.items() if cases}
