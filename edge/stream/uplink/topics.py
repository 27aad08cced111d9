"""The MQTT topics of one node: ``shelfedge/1/<store>/<node>/...`` (1 is the version of this tree)."""

from __future__ import annotations

from dataclasses import dataclass

ROOT = "shelfedge/1"
NO_STORE = "-"  # stands for the store where the node file names none
_NOT_IN_A_LEVEL = frozenset("+#/\0")


@dataclass(frozen=True, slots=True)
class Names:
    """Who a node is. `store` is None where its node file names none.

    Raises ValueError for a name that can't be one level of a topic.
    """

    store: str | None
    node: str

    def __post_init__(self) -> None:
        for name in (self.store_level, self.node):
            if not name or _NOT_IN_A_LEVEL & set(name):
                raise ValueError(f"{name!r} can't be part of a topic; expected a name without / + #")

    @property
    def store_level(self) -> str:
        """The store as topics and payloads have it."""
        return NO_STORE if self.store is None else self.store

    @property
    def prefix(self) -> str:
        """What all topics of the node begin with, without the last slash."""
        return f"{ROOT}/{self.store_level}/{self.node}"

    @property
    def status(self) -> str:
        """Retained JSON: online, stopped or offline, and of which boot."""
        return f"{self.prefix}/status"

    @property
    def event(self) -> str:
        """CBOR sequences of entries, QoS 1, not retained."""
        return f"{self.prefix}/event"

    @property
    def health(self) -> str:
        """JSON about once a minute, not retained."""
        return f"{self.prefix}/health"

    @property
    def ack(self) -> str:
        """From the store's back end: CBOR map {boot: seq}; everything up to seq has been taken."""
        return f"{self.prefix}/ack"

    def command(self, name: str) -> str:
        """Where a command is published; ``+`` for all of them."""
        return f"{self.prefix}/command/{name}"

    def answer(self, name: str) -> str:
        """Where the node answers that command."""
        return f"{self.prefix}/command/{name}/answer"

    @property
    def track(self) -> str:
        """What the node's ceiling cameras see, one CBOR map per message, QoS 0, not retained."""
        return f"{self.prefix}/track"

    @property
    def track_asked(self) -> str:
        """Where other nodes of the store ask this one for the time by its clock: a filter for all of them."""
        return f"{ROOT}/{self.store_level}/+/track/ask/{self.node}"

    def track_ask(self, other: str) -> str:
        """Where this node asks that other one."""
        return f"{self.prefix}/track/ask/{other}"

    def track_answer(self, other: str) -> str:
        """Where this node answers that other one."""
        return f"{self.prefix}/track/answer/{other}"
