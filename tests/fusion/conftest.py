"""Recordings of real shelves, where they lie beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

RECORDINGS = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def aim3s() -> Path:
    """Folder of the AIM3S recording: five shelves of a real store, 60 Hz, with eight labelled moves."""
    folder = RECORDINGS / "aim3s"
    if not folder.is_dir():
        pytest.skip("no recording at ../shared/data/aim3s beside the repository")
    return folder
