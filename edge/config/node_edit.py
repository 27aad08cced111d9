"""A node file's text with one more line: where the calibration lies."""

from __future__ import annotations

from typing import Any

import yaml

from edge.config.edited_file import EditError
from edge.config.yaml_source import parse_yaml, plain


def with_calibration(text: str, file: str, folder: str) -> str:
    """``text`` with `calibration: <folder>` below its `planogram`; nothing else differs.

    Raises EditError where there is no such line to put it below.
    """
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    lines = text.splitlines(keepends=True)
    below = next((key for key, _ in root.value if key.value == "planogram"), None)
    if below is None or root.flow_style:
        raise EditError(f"{file}: add this line yourself: calibration: {folder}")
    at = below.start_mark.line
    line_break = "\r\n" if lines[at].endswith("\r\n") else "\n"
    if not lines[at].endswith("\n"):
        lines[at] += line_break
    lines.insert(at + 1, f"calibration: {folder}{line_break}")
    new = "".join(lines)
    before, after = parse_yaml(text, file)[0], parse_yaml(new, file)[0]
    if before is None or after is None or plain(after) != {**plain(before), "calibration": folder}:
        raise EditError(f"{file}: add this line yourself: calibration: {folder}")
    return new
