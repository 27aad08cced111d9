"""Compiles the rig's simulator from its C sources, once for each state of them.

The program links libsimavr (GPL-3), so it is built where it is used and never shipped: only the sources are kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hil.rig.errors import RigError

SOURCES = Path(__file__).parent / "sim"
HEADER = Path("/usr/include/simavr/sim_avr.h")
PACKAGES = "gcc make libsimavr-dev"


def missing() -> list[str]:
    """What isn't there that the simulator needs, as a person would name it; empty when all is."""
    gone = [tool for tool in ("make", "cc") if shutil.which(tool) is None]
    return gone + ([] if HEADER.exists() else ["libsimavr-dev"])


def build() -> Path:
    """The simulator's program, compiled now or taken from the cache. Raises RigError with what to install."""
    if gone := missing():
        raise RigError(f"The rig can't be built: {', '.join(gone)} missing. On Debian: sudo apt-get install {PACKAGES}")
    return _built("rig")


def build_chip_probe() -> Path:
    """The chip model by itself, driven by lines (sim/chip_probe.c). Needs only make and a C compiler."""
    return _built("chip_probe")


def _built(name: str) -> Path:
    program = cache_folder() / f"rig-{_key()}" / name
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as fresh:
        command = ["make", "--silent", "-f", str(SOURCES / "Makefile"), f"BUILD={fresh}", f"{fresh}/{name}"]
        made = subprocess.run(command, cwd=fresh, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise RigError(f"The rig's {name} doesn't compile:\n{made.stdout}{made.stderr}")
        (Path(fresh) / name).replace(program)  # whole or not at all, also with two test workers at it
    return program


def cache_folder() -> Path:
    """Where compiled things are kept from one run to the next."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shelfedge"
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir()) / f"shelfedge-{os.getuid()}"
    return base


def _key() -> str:
    """A name for the present sources and the present library: another one where either changes."""
    digest = hashlib.sha256()
    for path in [*sorted(SOURCES.iterdir()), HEADER]:
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
