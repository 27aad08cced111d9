"""A configuration file's text, or what is wrong with the file."""

from __future__ import annotations

from pathlib import Path

from edge.config.errors import Problem

_MOST_BYTES = 8_000_000


def read_text(path: Path) -> str | Problem:
    """The text of a UTF-8 file, or what is wrong with the file."""
    name = str(path)
    try:
        if path.is_dir():
            inside = path / "node.yaml"
            hint = f"a file, not a folder; did you mean {inside}?" if inside.is_file() else "a file, not a folder"
            return Problem(name, 0, "", "", f"expected {hint}")
        if not path.exists():
            return Problem(
                name, 0, "", "", f"there is no such file; expected a YAML file (looked in {path.absolute().parent})"
            )
        if not path.is_file():
            return Problem(name, 0, "", "", "expected an ordinary file")
        data = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Problem(name, 0, "", "", f"can't be read: {reason}")
    if data is None:
        return Problem(
            name, 0, "", "", f"expected a file of at most {_MOST_BYTES // 1_000_000} MB; is this the right file?"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        value = f"byte 0x{data[error.start]:02x}"
        return Problem(name, line, "", value, "expected text in UTF-8; save the file again with that encoding")
