"""Keeping the outbox within its size and within what the disk has."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge.stream.outbox.errors import OutboxUnavailableError
from edge.stream.outbox.files import Files
from edge.stream.outbox.reserve import Reserve
from edge.stream.outbox.room import Room, files_bytes

_DISK_EVERY_S = 10.0  # how much room the disk has
_MOST_EASED = 100
_LOG = logging.getLogger("shelfedge.outbox")


class Fitting:
    """Of the files of one store, with its limits in ``room``. All within the store's lock for writing.

    Args:
        mono_s: the monotonic clock.
    """

    def __init__(self, files: Files, room: Room, mono_s: Callable[[], float]) -> None:
        self._files = files
        self._room = room
        self._mono_s = mono_s
        limits = room.limits
        self._reserve = Reserve(files.path, limits.size_bytes) if limits.when_full == "drop-oldest" else None
        self._due_s = mono_s()

    def fit(self) -> None:
        """Now and then: keep within what the disk has, and some of that in reserve."""
        if self._reserve is None or self._mono_s() < self._due_s:
            return
        self._due_s = self._mono_s() + _DISK_EVERY_S
        self._reserve.make()
        whole_bytes, reserve_bytes = self._reserve.room_bytes()
        if whole_bytes - reserve_bytes != self._room.size_bytes:
            self._room.resize(whole_bytes, reserve_bytes, self._files.database_bytes())
            self._room.configure(self._files.writer)

    def make_do(self, ease: Callable[[], bool]) -> None:
        """The disk is full: from now on old entries give way to new ones within the files as they are.

        ``ease``: removes a little, in a transaction of its own; False when there is enough room.
        """
        if self._reserve is None or not self._room.can_give_way(self._files.database_bytes()):
            return  # what is new waits in memory; the reserve is for when there is no more time
        more_bytes = self._reserve.held_bytes()
        if more_bytes:
            _LOG.warning("%s: the disk is full; the oldest entries give way to new ones", self._files.path)
        self._reserve.give()
        self._files.shorten_log("RESTART")
        self._room.shrink(self._files.database_bytes(), self._files.log_bytes() + more_bytes)
        self._room.configure(self._files.writer)
        self._due_s = self._mono_s() + _DISK_EVERY_S
        for _ in range(_MOST_EASED):
            eased = ease()
            self._files.shorten_log("RESTART")
            if not eased:
                break

    def spend_reserve(self) -> None:
        """For the last commits before the end. Never raises."""
        if self._reserve is not None:
            self._reserve.give()

    def bound_log(self) -> None:
        """The log can grow while another program reads an old state of it.

        Wait with new entries then, don't break the bound.
        """
        if self._files.log_bytes() <= self._room.wal_bytes:
            return
        self._files.shorten_log()
        most_bytes = self._room.limits.size_bytes - 2 * self._room.most_bytes
        if files_bytes(self._files.path) > most_bytes and self._files.log_bytes() > self._room.wal_bytes:
            raise OutboxUnavailableError(
                f"{self._files.path}: another program has been reading it for long, so its log can't be shortened; "
                "close what else has the file open"
            )
