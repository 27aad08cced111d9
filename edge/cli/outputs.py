"""What a command writes must not be one of the files that it reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.config.setup import Setup


def refuse_overwriting(output: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse before anything is written; the same file by another name or through a link is found too.

    A folder among the inputs stands for the files in it. Raises TraceError for an output that is also an input,
    TraceFileError for one that is a folder, a device or a pipe.
    """
    from edge.trace.whole_file import refuse_same_file, writable_target

    writable_target(output)
    for path in inputs:
        if path is None:
            continue
        for file in path.iterdir() if path.is_dir() else [path]:
            refuse_same_file(file, output)


def config_files(config: Path | None, setup: Setup | None) -> list[Path]:
    """A node file, and the planogram and the calibration that it names."""
    if config is None or setup is None:
        return []
    named = [setup.node.planogram, setup.node.calibration]
    return [config, *(config.parent / name for name in named if name)]
