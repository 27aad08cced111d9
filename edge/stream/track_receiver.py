"""Other nodes' tracks as they come in: `TrackLink` brings messages, the node's loop takes points with its own times."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from edge.fusion.sightings import SIGHT_DELAY_NS
from edge.stream.track_peer import LOOK_BACK_NS, TrackPeer
from edge.stream.track_wire import encode_ask
from edge.trace.sighting import TrackPoint

MOST_WAITING = 4096
SILENT_NODE_NS = 10 * 10**9
SILENT_CAMERA_NS = 5 * 10**9
BEGIN_NS = 30 * 10**9
"""So long a node may take to be heard for the first time."""
LATE_SHARE = 0.05

_NS_PER_MS = 10**6


class TrackReceiver:
    """The tracks of some other nodes of the store.

    Args:
        nodes: their ids, as the node file has them. clock: monotonic nanoseconds of this node.
    """

    def __init__(self, nodes: Sequence[str], clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.nodes = tuple(nodes)
        self._peers = {node: TrackPeer(node) for node in nodes}
        self._began_ns = clock()
        self._clock = clock
        self._lock = threading.Lock()
        self._points: deque[TrackPoint] = deque(maxlen=MOST_WAITING)
        self._overflowed = 0

    def take(self) -> list[TrackPoint]:
        """The points that came since the last call, in the order in which they came. Never waits."""
        found = []
        for _ in range(len(self._points)):
            try:
                found.append(self._points.popleft())
            except IndexError:  # an overflow took it meanwhile
                break
        return found

    def heard(self, node: str, payload: bytes, arrived_ns: int) -> None:
        """A message of a node's topic ``track``; bytes of any kind. ``arrived_ns``: when it was read."""
        peer = self._peers.get(node)
        if peer is None:
            return
        with self._lock:
            points = peer.heard(payload, arrived_ns)
            self._overflowed += max(len(self._points) + len(points) - MOST_WAITING, 0)
        self._points.extend(points)

    def answered(self, node: str, payload: bytes, arrived_ns: int) -> None:
        """A message of a node's topic ``track/answer/<this node>``."""
        peer = self._peers.get(node)
        if peer is not None:
            with self._lock:
                peer.answered(payload, arrived_ns)

    def ask_due_ns(self) -> int | None:
        """When the next question to anybody is due; None: never, until somebody is heard."""
        with self._lock:
            return min((due for peer in self._peers.values() if (due := peer.ask_due_ns()) is not None), default=None)

    def ask(self, now_ns: int) -> tuple[str, bytes] | None:
        """A node that is to be asked now for its clock, and the payload; None where no question is due.

        It must be sent at once, or not at all: its time counts from now.
        """
        with self._lock:
            for peer in self._peers.values():
                due_ns = peer.ask_due_ns()
                if due_ns is not None and now_ns >= due_ns:
                    return peer.node, encode_ask(peer.ask(now_ns))
        return None

    def state(self, now_ns: int) -> dict[str, Any]:
        """For health, by node: cameras (seconds since heard, people), how well its clock is known, lateness, counts.

        ``late_ms`` is the median age of points when they came, over the last minute; None where none came.
        """
        with self._lock:
            found = {node: _told(peer, now_ns) for node, peer in self._peers.items()}
        return {"nodes": found, "overflowed": self._overflowed}

    def problems(self, now_ns: int) -> list[str]:
        """What somebody should look at, a sentence each; none where all is well."""
        with self._lock:
            return [problem for peer in self._peers.values() for problem in self._problems(peer, now_ns)]

    def _problems(self, peer: TrackPeer, now_ns: int) -> list[str]:
        of = f"tracks of node {peer.node}"
        if peer.heard_ns is None or now_ns - peer.heard_ns > SILENT_NODE_NS:
            if peer.heard_ns is None and now_ns - self._began_ns < BEGIN_NS:
                return []
            since_ns = self._began_ns if peer.heard_ns is None else peer.heard_ns
            return [
                f"{of}: nothing has come for {(now_ns - since_ns) / 1e9:.0f} s; check that it runs, that its "
                "cameras see the floor, and that the broker's ACL lets this node read its tracks"
            ]
        found = [
            f"{of}: its camera {camera.name} has been silent for {(now_ns - camera.heard_ns) / 1e9:.0f} s; it may be "
            f"covered, dark or off: look at the health of {peer.node}"
            for camera in peer.cameras.values()
            if now_ns - camera.heard_ns > SILENT_CAMERA_NS > now_ns - peer.heard_ns
        ]
        ages_ms = peer.ages_ms(now_ns)
        limit_ms = SIGHT_DELAY_NS / _NS_PER_MS
        late_ms = [age for age in ages_ms if age > limit_ms]
        if len(late_ms) > LATE_SHARE * len(ages_ms):
            found.append(
                f"{of} come late: {len(late_ms)} of {len(ages_ms)} in the last minute, these by "
                f"{statistics.median(late_ms):.0f} ms in the median; what is older than {limit_ms:.0f} ms isn't used. "
                "Its processor, or the network between, is too slow"
            )
        offset = peer.offset(now_ns)
        if offset is not None and not offset.two_way:
            found.append(
                f"{of}: it answers no questions about its clock, so its times are known to "
                f"{offset.sd_ns / 1e6:.0f} ms only; check the broker's ACL for track/ask and track/answer"
            )
        if peer.damaged is not None and now_ns - peer.damaged[0] < LOOK_BACK_NS:
            found.append(f"{of}: a message can't be read: {peer.damaged[1]}; is its version newer than this node's?")
        return found


def _told(peer: TrackPeer, now_ns: int) -> dict[str, Any]:
    offset, ages_ms, tally = peer.offset(now_ns), peer.ages_ms(now_ns), peer.tally
    return {
        "cameras": {
            camera.name: {"heard_s": round((now_ns - camera.heard_ns) / 1e9, 1), "people": camera.people}
            for camera in peer.cameras.values()
        },
        "clock_sd_ms": None if offset is None else round(offset.sd_ns / _NS_PER_MS, 2),
        "clock_two_way": offset is not None and offset.two_way,
        "clock_slips": peer.slips,
        "late_ms": round(statistics.median(ages_ms), 1) if ages_ms else None,
        "points": tally.points,
        "late": tally.late,
        "lost": tally.lost,
        "unsure": tally.unsure,
        "unnamed": tally.unnamed,
        "damaged": tally.damaged,
    }
