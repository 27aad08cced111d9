"""A condition that must hold for a while before it is a fault, and be gone for a while before that is over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Held:
    """A fault with a beginning and an end.

    Attributes:
        on_s, off_s: how long the condition must hold, or be gone.
        since_ns: when the condition began to hold; None while it doesn't.
        begun_ns: when the fault that is there now began; None while there is none.
    """

    on_s: float
    off_s: float
    since_ns: int | None = None
    begun_ns: int | None = None
    _gone_ns: int | None = None

    def step(self, now_ns: int, holds: bool) -> str:
        """'begun' or 'ended' where that happened just now, else ''. An end's time is `gone_ns`."""
        if holds:
            self._gone_ns = None
            if self.since_ns is None:
                self.since_ns = now_ns
            if self.begun_ns is None and now_ns - self.since_ns >= self.on_s * 1e9:
                self.begun_ns = self.since_ns
                return "begun"
            return ""
        self.since_ns = None
        if self.begun_ns is None:
            return ""
        if self._gone_ns is None:
            self._gone_ns = now_ns
        return "ended" if now_ns - self._gone_ns >= self.off_s * 1e9 else ""

    def clear(self) -> tuple[int, int]:
        """Forget the fault that has ended; when it began and when it was gone."""
        begin_ns, end_ns = self.begun_ns or 0, self._gone_ns or 0
        self.begun_ns = self._gone_ns = self.since_ns = None
        return begin_ns, end_ns
