"""Run by the tests of disk faults with the preloaded library: lives an outbox's life while its disk fails.

`sweep FOLDER MODE`: fails every change in turn, each time in a child process, then opens without faults and checks.
`record FOLDER LOG`: writes all changes down.
"""

from __future__ import annotations

import errno
import itertools
import json
import mmap
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import outbox_make as make
import outbox_shim as shim

from edge.stream.outbox.errors import OutboxUnavailableError
from edge.stream.outbox.records import OutboxLimits
from edge.stream.outbox.store import OutboxStore

LIMITS = OutboxLimits(size_bytes=512 * 1024)
PAGE_BYTES = 1024
MODES = {
    "eio-once": (shim.FAIL_ONCE, errno.EIO),
    "enospc-once": (shim.FAIL_ONCE, errno.ENOSPC),
    "eio-for-good": (shim.FAIL_ON, errno.EIO),
    "enospc-for-good": (shim.FAIL_ON, errno.ENOSPC),
    "torn": (shim.TEAR, 0),
}
Tell = Callable[[str], None]


def live(path: Path, tell: Tell, tries: int) -> None:
    """Two starts with a few commits each; the second finds a damaged file, but no entry was hit."""

    def patiently(work: Callable[[], object]) -> object:
        for left in reversed(range(tries)):
            try:
                return work()
            except OutboxUnavailableError:
                if not left:
                    raise
        return None

    def append(store: OutboxStore, names: str, size: int = 60) -> None:
        bodies = [make.body(name, size) for name in names]
        for seq in patiently(lambda: store.append(bodies)):  # type: ignore[attr-defined]
            tell(f"{store.boot} {seq}")

    for start in range(2):
        store = patiently(lambda: make.open_store(path, LIMITS, page_bytes=PAGE_BYTES))
        assert isinstance(store, OutboxStore)
        tell(f"boot {store.boot}")
        append(store, "a")
        append(store, "bcdefghij")
        store.done(store.boot, 4)
        append(store, "kl", 1500)
        store.count_dropped(3, "queue")
        append(store, "m")
        if start == 0:
            store._files.shorten_log()  # as happens by itself after many more commits
            append(store, "no")
        store.close()
        if start == 0:
            _damage(path)


def _damage(path: Path) -> None:
    """Change the first byte of the last page, which no entry is in; past the faults, by mapping the file."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        data[len(data) - PAGE_BYTES] ^= 0x55


def sweep(folder: Path, name: str) -> None:
    """Prints how many cases there were; raises for the first that is wrong."""
    mode, code = MODES[name]
    for number in itertools.count():
        case = folder / f"case-{number}"
        case.mkdir()
        told = folder / "told"
        status = _in_child(case, told, mode, number, code)
        lines = told.read_text().splitlines()
        assert status in (0, shim.TORN) or lines[-1].startswith("refused"), f"{name} {number}: {lines[-20:]}"
        try:
            committed = [tuple(map(int, line.split())) for line in lines if line[0].isdigit()]
            boots = [int(line.split()[1]) for line in lines if line.startswith("boot ")]
            make.check_committed(case / "outbox.db", committed, boots, LIMITS, PAGE_BYTES)
        except Exception as error:
            raise AssertionError(f"{name}, change {number}: {error!r}") from error
        shutil.rmtree(case)
        if f"seen {number}" in lines:  # as many as that there are, so none was failed
            print(json.dumps({"cases": number}))  # noqa: T201
            return


def _in_child(case: Path, told: Path, mode: int, number: int, code: int) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        handle = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

        def tell(text: str) -> None:
            os.write(handle, text.encode() + b"\n")

        shim.arm(case, mode, number, code)
        try:
            live(case / "outbox.db", tell, 4)
            shim_seen = shim.seen()
            tell(f"seen {min(number, shim_seen)}" if shim_seen <= number else "failed and went on")
            status = 0
        except OutboxUnavailableError as error:
            status = 2
            tell(f"refused {error}".replace("\n", " "))
        except BaseException:  # noqa: BLE001
            tell(traceback.format_exc())
    finally:
        os._exit(status)


def record(folder: Path, log: Path) -> None:
    """One life with everything written down."""
    shim.arm(folder, shim.RECORD, log=log)
    live(folder / "outbox.db", shim.mark, 1)


if __name__ == "__main__":
    if sys.argv[1] == "sweep":
        sweep(Path(sys.argv[2]), sys.argv[3])
    else:
        record(Path(sys.argv[2]), Path(sys.argv[3]))
