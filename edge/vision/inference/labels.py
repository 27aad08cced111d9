"""The names of a model's classes: a text file with one name per line, or what the model file carries along."""

from __future__ import annotations

import zipfile
from pathlib import Path

from edge.vision.inference.errors import ModelError

OTHER = "other"  # a class for what is none of the others
EMPTY = "empty"  # a class for a place with nothing in it
MOST_BYTES = 1_000_000


def read_labels(path: Path) -> tuple[str, ...]:
    """Names in the order of the model's classes. Empty lines at the end don't count. Raises ModelError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(f"{path}: can't read the labels: {reason}; expected a text file, one name per line") from error
    return _names(raw, str(path))


def packed_labels(path: Path) -> tuple[str, ...] | None:
    """Names out of the text file that is packed into a model file (TFLite metadata appends a zip); None without one."""
    try:
        with zipfile.ZipFile(path) as packed:
            texts = [entry for entry in packed.infolist() if entry.filename.endswith(".txt")]
            if len(texts) != 1:
                return None
            with packed.open(texts[0]) as file:
                raw = file.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError):
        return None
    return _names(raw, f"{path}, {texts[0].filename} in it")


def _names(raw: bytes, where: str) -> tuple[str, ...]:
    if len(raw) > MOST_BYTES:
        raise ModelError(f"{where}: more than {MOST_BYTES // 1_000_000} MB of labels; expected one name per line")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelError(f"{where}: the labels aren't UTF-8 text (byte {error.start}); save them as UTF-8") from error
    names = [line.strip() for line in text.splitlines()]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise ModelError(f"{where}: no labels in it; expected one name per line, in the order of the model's classes")
    return tuple(names)
