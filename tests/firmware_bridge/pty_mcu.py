"""A FakeMcu on a real pseudo-terminal in real time, that can be unplugged: what a serial port is tested against."""

from __future__ import annotations

import os
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fake_mcu import MS, FakeMcu

PATIENCE_S = 60.0  # a test that waits this long has failed; nothing here is measured against a clock


def wait_until(true: Callable[[], bool], what: str, pump: Callable[[], None] = lambda: None) -> None:
    """Pump and look until ``true``; fails naming ``what`` when that takes for ever."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s for {what}"
        pump()
        time.sleep(0.005)


class PtyMcu:
    """Plays ``mcu`` on a pty; ``path`` is a link to it, as udev's, and stays when the pty changes."""

    def __init__(self, mcu: FakeMcu, path: Path) -> None:
        self.mcu = mcu
        self.path = path
        self._master = -1
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._play)

    def __enter__(self) -> PtyMcu:
        self.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self.unplug()

    def plug(self, startup_ns: int = 50 * MS) -> None:
        """The cable goes in, the power comes on."""
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        with self._lock:
            self.path.unlink(missing_ok=True)
            self.path.symlink_to(os.ttyname(slave))
            os.close(slave)
            self.mcu.boot(time.monotonic_ns(), startup_ns)
            self._master = master

    def unplug(self) -> None:
        """The cable goes out."""
        with self._lock:
            if self._master >= 0:
                os.close(self._master)
            self._master = -1
            self.path.unlink(missing_ok=True)
            self.mcu.cut()

    def _play(self) -> None:
        while not self._stopping.wait(0.004):
            with self._lock:
                if self._master >= 0:
                    self._step()

    def _step(self) -> None:
        now_ns = time.monotonic_ns()
        with suppress(OSError):  # nothing was said, or nobody has the port open
            self.mcu.send(os.read(self._master, 4096), now_ns)
        for _, data in self.mcu.run(now_ns):
            with suppress(OSError):  # nobody reads: as on a real line, it is gone
                os.write(self._master, data)
