"""Waking the uplink: from many threads, while it ends, and never into somebody else's file."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path

from uplink_bed import MemoryOutbox, start_uplink

from edge.stream.uplink.wake import Wake


def test_a_call_is_heard_once_and_many_dont_block() -> None:
    wake = Wake()
    for _ in range(100_000):
        wake.call()
    assert select.select([wake.fd], [], [], 0)[0]
    while select.select([wake.fd], [], [], 0)[0]:
        wake.heard()
    wake.heard()
    wake.close()


def test_nothing_is_written_to_a_file_that_has_got_the_number() -> None:
    """A number is given again as soon as it is closed."""
    for _ in range(30):
        wake = Wake()
        stop = threading.Event()

        def shout(wake: Wake = wake, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                wake.call()

        threads = [threading.Thread(target=shout) for _ in range(3)]
        for thread in threads:
            thread.start()
        wake.close()
        pipes = [os.pipe() for _ in range(4)]  # they get the numbers that are free now
        for _ in range(100):
            wake.call()
        stop.set()
        for thread in threads:
            thread.join()
        wake.close()
        assert select.select([read for read, _ in pipes], [], [], 0)[0] == []
        for pair in pipes:
            for number in pair:
                os.close(number)


def test_an_uplink_may_be_poked_and_stopped_again_after_its_end(tmp_path: Path) -> None:
    uplink = start_uplink(MemoryOutbox(), "mqtt://127.0.0.1:1")
    uplink.stop()
    with (tmp_path / "a").open("wb", buffering=0) as one, (tmp_path / "b").open("wb", buffering=0) as other:
        uplink.poke()
        uplink.publish_health({})
        uplink.stop()
        assert os.fstat(one.fileno()).st_size == os.fstat(other.fileno()).st_size == 0
