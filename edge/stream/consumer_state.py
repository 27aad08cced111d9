"""What a consumer must not forget: how far it has come with each boot of each node. A small value, and its bytes.

It is to be stored together with the entries, in one transaction, and before they are acknowledged (`consumer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cbor2

from edge.stream.cbor_reader import CborError, read_item
from edge.stream.seq_ranges import SeqRanges
from firmware_bridge.errors import ShelfedgeError

_VERSION = 1
_MOST_BOOT = (1 << 32) - 1
_MOST_SEQ = (1 << 64) - 1


class ConsumerStateError(ShelfedgeError, ValueError):
    """Bytes aren't a consumer's state. Starting with none is safe for the node, but what it still keeps comes again."""


@dataclass(slots=True)
class BootState:
    """One boot of one node.

    Attributes:
        done: every entry up to here was given to the application, or given up.
        highest: the highest entry that is known to exist.
        closed: an older boot that is whole, by the node's word.
        gone: entries after `done` that the node hasn't got any more, by its own word.
    """

    done: int = 0
    highest: int = 0
    closed: bool = False
    gone: SeqRanges = field(default_factory=SeqRanges)


@dataclass(slots=True)
class NodeState:
    """The boots of one node that aren't finished, in the order in which they were first seen, and those that are."""

    boots: dict[int, BootState] = field(default_factory=dict)
    retired: SeqRanges = field(default_factory=SeqRanges)


@dataclass(slots=True)
class ConsumerState:
    """All nodes by name."""

    nodes: dict[str, NodeState] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """As CBOR: ``[version, {node: [[[boot, done, highest, closed, gone ...] ...], [retired ...]]}]``.

        Ranges are written as their first and last numbers, one after the other.
        """
        nodes = {
            name: [
                [[boot, s.done, s.highest, int(s.closed), *_flat(s.gone)] for boot, s in node.boots.items()],
                _flat(node.retired),
            ]
            for name, node in self.nodes.items()
        }
        return cbor2.dumps([_VERSION, nodes])

    @staticmethod
    def from_bytes(data: bytes) -> ConsumerState:
        """The state out of `to_bytes`. Raises ConsumerStateError."""
        try:
            found, end = read_item(data, 0)
            if end != len(data):
                raise CborError("expected nothing after it")
            version, nodes = found
            if version != _VERSION:
                raise ConsumerStateError(f"consumer state: expected version {_VERSION}, got {version!r}")
            return ConsumerState({name: _node(item) for name, item in nodes.items() if _is_text(name)})
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            if isinstance(error, ConsumerStateError):
                raise
            raise ConsumerStateError(f"consumer state: damaged, or not one ({error})") from None


def _flat(ranges: SeqRanges) -> list[int]:
    return [number for pair in ranges for number in pair]


def _node(item: Any) -> NodeState:
    boots, retired = item
    return NodeState({_whole(boot[0], _MOST_BOOT): _boot(boot) for boot in boots}, _ranges(retired))


def _boot(item: Sequence[Any]) -> BootState:
    done, highest = _whole(item[1], _MOST_SEQ), _whole(item[2], _MOST_SEQ)
    if highest < done:
        raise ValueError(f"expected the highest number not below {done}, got {highest}")
    return BootState(done, highest, bool(_whole(item[3], 1)), _ranges(item[4:]))


def _ranges(flat: Sequence[Any]) -> SeqRanges:
    numbers = [_whole(number, _MOST_SEQ) for number in flat]
    return SeqRanges(zip(numbers[::2], numbers[1::2], strict=True))


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"expected a whole number from 0 to {most}, got {value!r}")
    return value


def _is_text(name: Any) -> bool:
    if not isinstance(name, str):
        raise ValueError(f"expected a node's name, got {name!r}")
    return True
