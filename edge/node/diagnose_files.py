"""What stands in a node's files, for a diagnosis: secrets, certificates, the disk of the state folder, the firmware."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import Finding, Verdict, finding
from edge.config.live_schema import UplinkOptions
from edge.stream.uplink.credentials import WARN_DAYS, load_login
from edge.stream.uplink.errors import CredentialError
from firmware_bridge.flash.image import bundled_image, manifest_path

SLOW_S = 1.0
"""For 4 kB to be on the disk. A sound card takes 5 to 50 ms; one that takes seconds stalls the outbox (P3)."""
_PROBE_BYTES = 4096
_PAST = re.compile(r"expired|ended|no longer", re.IGNORECASE)


def credential_findings(options: UplinkOptions, now: datetime | None = None) -> Iterator[Finding]:
    """Of the files an uplink shows the broker; ``options`` with whole paths."""
    try:
        login = load_login(options, now)
    except CredentialError as error:
        fault = Fault.CERTIFICATE if "certificate" in str(error) else Fault.BROKER
        yield finding(fault, Verdict.FAIL, str(error), "put the file there that the node file names, and look again")
        return
    for warning in login.warnings:
        if "chmod" in warning:
            yield finding(Fault.SECRETS, Verdict.WARN, warning)
        else:
            bad = Verdict.FAIL if _PAST.search(warning) else Verdict.WARN
            yield finding(Fault.CERTIFICATE, bad, f"{warning} (told from {WARN_DAYS} days before)")


def disk_findings(folder: Path, clock: Callable[[], float] = time.monotonic) -> Iterator[Finding]:
    """Whether the state folder takes 4 kB, and how long that takes. Leaves nothing behind."""
    if not folder.is_dir():
        return
    began_s = clock()
    try:
        handle, name = tempfile.mkstemp(prefix=".diagnose-", dir=folder)
        try:
            os.write(handle, bytes(_PROBE_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
            with contextlib.suppress(OSError):
                Path(name).unlink()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            yield finding(Fault.DISK_FULL, Verdict.FAIL, f"{folder}: nothing more can be written: {error.strerror}")
        elif error.errno in (errno.EACCES, errno.EPERM):
            evidence = f"{folder}: this user mustn't write there, so the disk wasn't tried"
            yield finding(Fault.DISK_SICK, Verdict.PASS, evidence, "run the diagnosis as the node's user, or with sudo")
        else:
            yield finding(Fault.DISK_SICK, Verdict.FAIL, f"{folder}: can't be written: {error.strerror}")
        return
    took_s = clock() - began_s
    if took_s > SLOW_S:
        evidence = f"{took_s:.1f} s for {_PROBE_BYTES} bytes to be on the disk of {folder}; {SLOW_S:g} s is the most"
        yield finding(Fault.DISK_SLOW, Verdict.WARN, evidence, seconds=took_s)


def bundled_crc32() -> str | None:
    """CRC-32 of the firmware that comes with this shelfedge, as MCUs tell it; None where that can't be read."""
    try:
        manifest = json.loads(manifest_path(bundled_image()).read_text())
        return f"{int(manifest['crc32']):08x}"
    except (OSError, ValueError, KeyError, TypeError):
        return None
