"""Which commands were done since the node started, so that each is done once in a boot."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

_ANSWERS_KEPT = 256
_MOST_SIGNED = 65536  # their digests are kept until the node starts again


class CommandMemory:
    """Made once by a node: an uplink that is started again goes on with it, so that a signed command that somebody
    recorded isn't done again. Used by any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[int, str, str], tuple[bytes, bytes]] = OrderedDict()
        self._signed: dict[bytes, bytes] = {}

    @property
    def answers_kept(self) -> int:
        """How many answers there are; older ones are forgotten, not that it was done."""
        return len(self._answers)

    def begin(self, boot: int, name: str, command_id: str, payload: bytes, signed: bool) -> bytes | None:
        """What was answered where this was done before; None: it is new, and known from now on where it is signed.

        An answer of no bytes: it was done, but the answer isn't kept. Raises LookupError where the id is of another
        command, OverflowError where there were too many signed ones.
        """
        digest = hashlib.sha256(payload).digest()
        mark = hashlib.sha256(f"{boot} {name} {command_id}".encode()).digest()
        with self._lock:
            before = self._answers.get((boot, name, command_id))
            if before is not None and before[0] == digest:
                return before[1]
            done_before = self._signed.get(mark) if signed else None
            if before is not None or (done_before is not None and done_before != digest):
                raise LookupError
            if done_before is not None:
                return b""
            if signed and len(self._signed) >= _MOST_SIGNED:
                raise OverflowError
            if signed:
                self._signed[mark] = digest
        return None

    def end(self, boot: int, name: str, command_id: str, payload: bytes, answer: bytes) -> None:
        """It was done, and answered."""
        with self._lock:
            self._answers[boot, name, command_id] = (hashlib.sha256(payload).digest(), answer)
            while len(self._answers) > _ANSWERS_KEPT:
                self._answers.popitem(last=False)
