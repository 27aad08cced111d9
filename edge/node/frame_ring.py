"""The recorder of pictures: a ring of its own, so that they never push out samples, and only where they are wanted.

A camera's own thread makes the JPEG and puts it into a queue; another thread writes. What the queue or the disk doesn't
take is dropped, counted, and told in the recording as a gap: pictures are never waited for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.errors import DriverError
from drivers.frames import Frame
from edge.node.ring_folder import RingFolder
from edge.node.ring_segment import (
    FRAMES,
    NS_PER_S,
    ClockReading,
    Gap,
    RunFacts,
    Segment,
    os_boot_id,
    segment_front_bytes,
)
from edge.trace.errors import TraceError
from edge.trace.format import CHUNK_BYTES
from edge.trace.frame_codec import RecordedFrame
from edge.trace.jpeg import JpegEncoder
from firmware_bridge.errors import ShelfedgeError

if TYPE_CHECKING:
    from edge.config.live_schema import RecordingOptions
    from edge.config.setup import Setup
    from edge.stream.entry import Stamp

log = logging.getLogger("shelfedge.recording")

SEGMENT_S = 60
FLUSH_S = 8
MOST_QUEUED_BYTES = 16_000_000
"""JPEGs that may wait for the disk: half a minute of four cameras."""
WAKE_S = 0.5
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_JITTER = 10  # a frame may come so much of a period early: a camera's own times jitter


@dataclass(slots=True)
class _Camera:
    """One camera's own, for its thread."""

    encoder: JpegEncoder
    next_ns: int | None = None
    trouble: str = ""
    hopeless: bool = False


class FrameRing:
    """Keeps frames in ``folder``. No method raises, and only `flush` and `stop` wait.

    Args:
        folder: made when it is needed; it shows people, so nobody but the node's user and group may look into it.
        options: ``frames_hz``, ``frames_size_bytes`` and ``age_s`` count.
        boot, run, stamp, mono_ns: as `RingRecorder` has them.
    """

    def __init__(
        self,
        folder: Path,
        setup: Setup,
        options: RecordingOptions,
        boot: int,
        stamp: Callable[[int], Stamp],
        run: int = 1,
        *,
        mono_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._os_boot = os_boot_id()
        self._boot = boot
        self._setup = setup
        self._facts = RunFacts(setup.node.node, boot, run, self._os_boot)
        self._period_ns = round(NS_PER_S / (options.frames_hz or 1.0))
        self._stamp = stamp
        self._mono_ns = mono_ns
        size_bytes = int(options.frames_size_bytes)
        self._folder = RingFolder(folder, size_bytes, options.age_s, self._os_boot, self._now, private=True)
        self._cameras = {name: _Camera(JpegEncoder()) for name in setup.node.cameras}
        self._queue: deque[RecordedFrame | tuple[RunFacts, Setup]] = deque()
        self._queued_bytes = 0
        self._lost: dict[str, Gap] = {}
        self._lost_lock = threading.Lock()
        self._dropped = self._written = 0
        # The thread's own.
        self._segment: Segment | None = None
        self._segment_number = 0
        self._flushed_at_ns = mono_ns()
        self._failures = 0
        self._retry_at_ns = 0
        self._trouble = ""
        self._wake = threading.Event()
        self._done = threading.Condition()
        self._flush_wanted = self._flush_done = self._flush_good = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="recording pictures", daemon=True)
        self._thread.start()

    def give(self, frame: Frame) -> None:
        """Keep this frame, if it is time for one. In the camera's own thread, which makes the JPEG."""
        camera = self._cameras.get(frame.camera)
        if camera is None or self._stopping or camera.hopeless:
            return
        due_ns = frame.time_ns if camera.next_ns is None else camera.next_ns
        if frame.time_ns < due_ns - self._period_ns // _JITTER:
            return
        # The next one is due a period after this one was, unless frames come more seldom than that.
        camera.next_ns = max(due_ns, frame.time_ns - self._period_ns) + self._period_ns
        try:
            recorded = camera.encoder.encoded(frame)
        except ShelfedgeError as error:
            if str(error) != camera.trouble:
                camera.trouble = str(error)
                log.warning("%s; its pictures aren't recorded", error)
            camera.hopeless = isinstance(error, DriverError)  # a library is missing, which won't come while we run
            return
        camera.trouble = ""
        if self._queued_bytes > MOST_QUEUED_BYTES:
            self._lose(recorded, "the disk didn't keep up")
            return
        self._queued_bytes += len(recorded.jpeg)
        self._queue.append(recorded)

    def begin_run(self, setup: Setup, run: int) -> None:
        """What is given from here on belongs to another run."""
        if not self._stopping:
            self._queue.append((RunFacts(setup.node.node, self._boot, run, self._os_boot), setup))

    def flush(self, timeout_s: float = 20.0) -> bool:
        """Bring all that was given to the disk now. Waits for it; True when it is there."""
        with self._done:
            if not self._thread.is_alive():
                return not self._queue and not self._trouble
            self._flush_wanted += 1
            wanted = self._flush_wanted
            self._wake.set()
            self._done.wait_for(lambda: self._flush_done >= wanted, timeout_s)
            return self._flush_good >= wanted

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Write what waits, finish the segment, end the thread; False when the disk took longer than that."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def state(self) -> dict[str, object]:
        """For health, as `RingRecorder.state`. Cheap; from any thread."""
        alive = self._thread.is_alive()
        trouble = self._trouble or next((camera.trouble for camera in self._cameras.values() if camera.trouble), "")
        found: dict[str, object] = {
            "state": "trouble" if trouble else "ok" if alive else "stopped",
            "folder": str(self._folder.path),
            "bytes": self._folder.bytes,
            "segments": self._folder.count,
            "written_frames": self._written,
            "dropped_frames": self._dropped,
        }
        return {**found, "trouble": trouble} if trouble else found

    # ---- in the recorder's own thread

    def _work(self) -> None:
        while True:
            self._wake.wait(WAKE_S)
            self._wake.clear()
            stopping, wanted = self._stopping, self._flush_wanted
            asked = stopping or wanted > self._flush_done
            good = (asked or self._mono_ns() >= self._retry_at_ns) and self._try(asked, stopping)
            with self._done:
                self._flush_done = wanted
                self._flush_good = wanted if good else self._flush_good
                self._done.notify_all()
            if stopping:
                return

    def _try(self, asked: bool, stopping: bool) -> bool:
        """`_record`, whatever the disk says to it."""
        try:
            self._record(asked, stopping)
        except OSError as error:
            self._fail(f"{self._folder.path}: {error.strerror or error}")
        except Exception as error:
            log.exception("recording pictures failed")
            self._fail(f"internal error: {error}")
        else:
            self._trouble, self._failures = "", 0
            return True
        return False

    def _record(self, asked: bool, stopping: bool) -> None:
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, RecordedFrame):
                self._queued_bytes -= len(item.jpeg)
                try:
                    self._write(item)
                except Exception:
                    self._lose(item, "the disk refused it")
                    raise
            else:
                self._finish()
                self._facts, self._setup = item
                self._segment_number = 0
        segment = self._segment
        late = self._mono_ns() - self._flushed_at_ns >= FLUSH_S * NS_PER_S
        if segment is not None and segment.carried and (asked or late):
            self._flush(segment)
        if stopping:
            self._finish()

    def _write(self, frame: RecordedFrame) -> None:
        segment = self._segment
        if segment is not None and frame.time_ns >= segment.border_ns:
            self._finish()
            segment = None
        segment = segment or self._open(frame.time_ns)
        if segment.growth_bytes(0, len(frame.jpeg)) > CHUNK_BYTES:
            self._flush(segment)
            self._folder.make_room(segment.growth_bytes(0, len(frame.jpeg)), segment.part)
        try:
            segment.picture(frame)
        except TraceError as error:
            self._lose(frame, str(error))

    def _open(self, first_ns: int) -> Segment:
        self._segment_number += 1
        self._flushed_at_ns = self._mono_ns()
        self._segment = Segment(
            self._folder.next_path(self._facts, first_ns, segment_front_bytes(self._setup)),
            self._setup,
            self._facts,
            self._clock(first_ns),
            self._segment_number,
            first_ns + SEGMENT_S * NS_PER_S,
            private=True,
        )
        return self._segment

    def _flush(self, segment: Segment) -> None:
        self._folder.make_room(segment.growth_bytes(), segment.part)
        with self._lost_lock:
            lost, self._lost = list(self._lost.values()), {}
        segment.tell(self._clock(self._mono_ns()), lost)
        written = segment.carried.frames
        segment.flush(pending=True)
        self._written += written
        self._flushed_at_ns = self._mono_ns()
        if self._folder.is_large(segment.safe_bytes):
            segment.border_ns = min(segment.border_ns, segment.last_ns or segment.border_ns)

    def _finish(self) -> None:
        segment = self._segment
        if segment is None:
            return
        if segment.carried:
            self._flush(segment)
        segment.finish()
        self._segment = None
        self._folder.finished(segment)

    def _fail(self, sentence: str) -> None:
        """The disk said no: what wasn't sure is lost; what comes goes into a new segment, after a while."""
        segment, self._segment = self._segment, None
        if segment is not None:
            self._dropped += segment.carried.frames
            for gap in segment.leave():
                self._keep_gap(gap)
            if segment.carried.frames and segment.last_ns is not None:
                at_ns = segment.last_ns
                self._keep_gap(Gap(FRAMES, at_ns, at_ns, segment.carried.frames, 0, "the disk refused the pictures"))
        wait_s = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        self._retry_at_ns = self._mono_ns() + round(wait_s * NS_PER_S)
        if sentence != self._trouble:
            log.warning("recording pictures: %s; those that the queue can't hold are dropped", sentence)
        self._trouble = sentence

    # ---- in any thread

    def _lose(self, frame: RecordedFrame, why: str) -> None:
        self._dropped += 1
        self._keep_gap(Gap.of_frame(frame, why))

    def _keep_gap(self, gap: Gap) -> None:
        with self._lost_lock:
            before = self._lost.get(gap.board)
            self._lost[gap.board] = gap if before is None else before.joined(gap)

    def _now(self) -> ClockReading:
        return self._clock(self._mono_ns())

    def _clock(self, mono_ns: int) -> ClockReading:
        stamp = self._stamp(mono_ns)
        return ClockReading(mono_ns, stamp.wall_ns, stamp.quality.name.lower())
