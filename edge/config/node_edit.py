"""A node file's text with one more line: where the calibration lies."""

from __future__ import annotations

from typing import Any

import yaml

from edge.config.edited_file import EditError
from edge.config.yaml_source import parse_yaml, plain


def with_calibration(text: str, file: str, folder: str) -> str:
    """``text`` with `calibration: <folder>` below its `planogram` (of cameras alone: its `node`); nothing else
    differs, and nothing at all where it has it.

    Raises EditError where there is no such line to put it below, or it names another folder.
    """
    before, problems = parse_yaml(text, file)
    if before is None or problems or not isinstance(before.value, dict):
        raise EditError(f"{file}: it isn't YAML any more: mend it, and add this line: calibration: {folder}")
    named = plain(before).get("calibration", "")
    if named == folder:
        return text
    if named:
        raise EditError(
            f"{file}: it names another folder meanwhile (calibration: {named}); the new record lies in {folder}: "
            "put it there, or name that one"
        )
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    lines = text.splitlines(keepends=True)
    if named is None:
        raise EditError(f"{file}: write the folder behind its `calibration:`, {folder}")
    keys = {key.value: key for key, _ in root.value}
    below = keys.get("planogram", keys.get("node") if "cameras" in keys else None)  # cameras alone need no planogram
    if below is None or root.flow_style:
        raise EditError(f"{file}: add this line yourself: calibration: {folder}")
    at = below.start_mark.line
    line_break = "\r\n" if lines[at].endswith("\r\n") else "\n"
    if not lines[at].endswith("\n"):
        lines[at] += line_break
    lines.insert(at + 1, f"calibration: {folder}{line_break}")
    new = "".join(lines)
    after = parse_yaml(new, file)[0]
    if after is None or plain(after) != {**plain(before), "calibration": folder}:
        raise EditError(f"{file}: add this line yourself: calibration: {folder}")
    return new
