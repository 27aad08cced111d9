"""A process whose changes of the disk are failed, torn or written down: see test_store_faults.py.

``store_victim.py faults FOLDER``: every change fails, for several reasons, once and from then on, or is torn; each in a
child of its own. Prints one JSON line per case. ``store_victim.py record FOLDER LOG``: writes down what three saves and
a restore do.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from pathlib import Path

from calibration_records import number_of, record
from outbox_shim import FAIL_ON, FAIL_ONCE, OFF, RECORD, TEAR, arm, mark, seen

from calibration.store import CalibrationStore
from calibration.store_errors import StoreError

SAVED, REFUSED = 0, 3


def main() -> None:
    if sys.argv[1] == "record":
        written_down(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        faults(Path(sys.argv[2]))


def written_down(folder: Path, log: Path) -> None:
    store = CalibrationStore(folder)
    arm(folder, RECORD, log=log)
    for number in (2, 3, 4):
        store.save(record(number))
        mark(str(number))
    store.restore("shelf-1", 2)
    mark("2")
    arm(folder, OFF)


def faults(base: Path) -> None:
    changes = changes_of_a_save(base / "count")
    cases = [(FAIL_ONCE, code) for code in (errno.ENOSPC, errno.EIO, errno.EROFS)] + [(FAIL_ON, errno.EIO), (TEAR, 0)]
    sys.stdout.write(json.dumps({"changes": changes}) + "\n")
    for mode, code in cases:
        for at in range(changes):
            folder = base / "store"
            shutil.rmtree(folder, ignore_errors=True)
            CalibrationStore(folder).save(record(1))
            before = (folder / "shelf-1.json").read_bytes()
            child = os.fork()
            if child == 0:
                one_save(folder, mode, at, code, base / "said")
            _, status = os.waitpid(child, 0)
            exit_code = os.waitstatus_to_exitcode(status)
            said = (base / "said").read_text()
            case = {"mode": mode, "code": code, "at": at, "exit": exit_code, "said": said, **afterwards(folder, before)}
            sys.stdout.write(json.dumps(case) + "\n")
            (base / "said").write_text("")


def changes_of_a_save(folder: Path) -> int:
    CalibrationStore(folder).save(record(1))
    arm(folder, FAIL_ONCE, at=10_000)
    CalibrationStore(folder).save(record(2))
    changes = seen()
    arm(folder, OFF)
    return changes


def one_save(folder: Path, mode: int, at: int, code: int, said: Path) -> None:
    said.write_text("")
    arm(folder, mode, at, code)
    try:
        CalibrationStore(folder).save(record(2))
    except StoreError as error:
        arm(folder, OFF)
        said.write_text(str(error))
        os._exit(REFUSED)
    except BaseException as error:  # noqa: BLE001  # whatever else comes is told to the test
        arm(folder, OFF)
        said.write_text(repr(error))
        os._exit(1)
    os._exit(SAVED)


def afterwards(folder: Path, before: bytes) -> dict[str, object]:
    """What is in use, what can be had back, and whether the next save works and keeps both."""
    store = CalibrationStore(folder)
    now = (folder / "shelf-1.json").read_bytes()
    in_use = store.current("shelf-1")
    kept = [number_of(entry.record) if entry.record else None for entry in store.history("shelf-1")]
    store.save(record(3))
    after = [number_of(entry.record) if entry.record else None for entry in store.history("shelf-1")]
    left = [path.name for path in folder.rglob("*.part")]
    return {"in_use": number_of(in_use) if in_use else None, "unchanged": now == before, "kept": kept, "then": after,
            "left": left}  # fmt: skip


if __name__ == "__main__":
    main()
