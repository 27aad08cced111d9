"""What stands in a node's files, for a diagnosis: secrets, certificates, the disk of the state folder, the firmware."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import Finding, Verdict, finding
from edge.config.live_schema import UplinkOptions
from edge.stream.uplink.certificate_dates import not_after
from edge.stream.uplink.credentials import WARN_DAYS, load_login, read_secret
from edge.stream.uplink.errors import CredentialError
from firmware_bridge.flash.image import bundled_image, manifest_path

SLOW_S = 1.0
"""For 4 kB to be on the disk. A sound card takes 5 to 50 ms; one that takes seconds stalls the outbox (P3)."""
PATIENCE_S = 10.0  # a disk that hangs must not hang the diagnosis
_PROBE_BYTES = 4096
_PAST = re.compile(r"expired|ended|no longer", re.IGNORECASE)
_KEY_BYTES = 1 << 16


def credential_findings(options: UplinkOptions, now: datetime | None = None) -> Iterator[Finding]:
    """Of the files an uplink shows the broker, and the one that commands are checked with; ``options`` with whole
    paths.
    """
    warnings: list[str] = []
    if options.commands.key_file is not None:
        try:
            read_secret(Path(options.commands.key_file), "key that signs commands", _KEY_BYTES, warnings)
        except CredentialError as error:
            yield finding(Fault.SECRETS, Verdict.FAIL, str(error), "put the file there that the node file names")
    try:
        login = load_login(options, now)
    except CredentialError as error:
        fault = Fault.CERTIFICATE if "certificate" in str(error) else Fault.BROKER
        yield finding(fault, Verdict.FAIL, str(error), "put the file there that the node file names, and look again")
        login = None
    for warning in [*warnings, *(login.warnings if login is not None else ())]:
        if "chmod" in warning:
            yield finding(Fault.SECRETS, Verdict.WARN, warning)
        else:
            bad = Verdict.FAIL if _PAST.search(warning) else Verdict.WARN
            yield finding(Fault.CERTIFICATE, bad, f"{warning} (told from {WARN_DAYS} days before)")
    if options.ca_file is not None:
        with contextlib.suppress(OSError, ValueError):  # what can't be read was told of above
            text = Path(options.ca_file).read_text("latin-1")
            yield from ending(text, f"{options.ca_file}: the authority's certificate", now)


def ending(pem_text: str, whose: str, now: datetime | None = None) -> Iterator[Finding]:
    """Where a certificate (PEM) has expired or soon will. Raises ValueError where it can't be read."""
    end = not_after(pem_text)
    left = end - (now or datetime.now(UTC))
    if left < timedelta():
        yield finding(Fault.CERTIFICATE, Verdict.FAIL, f"{whose} expired on {end:%Y-%m-%d}")
    elif left < timedelta(days=WARN_DAYS):
        evidence = f"{whose} expires on {end:%Y-%m-%d}, in {left.days} days (told from {WARN_DAYS} days before)"
        yield finding(Fault.CERTIFICATE, Verdict.WARN, evidence, days=left.total_seconds() / 86_400.0)


def disk_findings(
    folder: Path, clock: Callable[[], float] = time.monotonic, patience_s: float = PATIENCE_S
) -> list[Finding]:
    """Whether the state folder takes 4 kB, and how long that takes. Leaves nothing behind; waits no longer than
    ``patience_s``.
    """
    found: list[Finding] = []
    work = threading.Thread(target=lambda: found.extend(_probed(folder, clock)), name="disk", daemon=True)
    work.start()
    work.join(patience_s)
    if work.is_alive():
        evidence = f"{folder}: {_PROBE_BYTES} bytes weren't on the disk after {patience_s:g} s"
        return [finding(Fault.DISK_SLOW, Verdict.FAIL, evidence, seconds=patience_s)]
    return found


def _probed(folder: Path, clock: Callable[[], float]) -> Iterator[Finding]:
    began_s = clock()
    try:
        if not folder.is_dir():
            return
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
