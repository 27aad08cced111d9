"""Notices in the log: each kind once a minute, since a loose plug may make hundreds of them."""

from __future__ import annotations

import logging

from drivers.notices import Notice

NOTICE_AGAIN_NS = 60 * 10**9


class NoticeLog:
    """For one thread. Kinds are fixed names in the drivers, so it is bounded."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told_ns: dict[tuple[str, str | None, str], int] = {}
        self._untold: dict[tuple[str, str | None, str], int] = {}

    def tell(self, notice: Notice, now_ns: int) -> None:
        """Write it, or count it as one more like the last."""
        kind = (notice.board, notice.cell, notice.cause)
        if kind in self._told_ns and now_ns - self._told_ns[kind] < NOTICE_AGAIN_NS:
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return
        self._told_ns[kind] = now_ns
        more = self._untold.pop(kind, 0)
        self._log.warning("%s%s", notice.text, f" (and {more} more like it since the last time)" if more else "")
