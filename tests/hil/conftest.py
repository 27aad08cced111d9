"""Fixtures of the rig. With BENCH set, only the tests that ask for a rig run, on every board of that bench."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig_ready import FIRMWARE, CompileAvr, compile_avr, needed, the_bench

from hil.rig.bench import Rig, open_rig
from hil.rig.build import build
from hil.rig.port import PtyRig


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "rig_name" in metafunc.fixturenames:
        metafunc.parametrize("rig_name", list(the_bench().rigs), scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.get("BENCH"):
        return
    here = Path(__file__).parent
    others = [i for i in items if here in i.path.parents and "rig_name" not in getattr(i, "fixturenames", ())]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture
def rig(rig_name: str, tmp_path: Path) -> Iterator[Rig]:
    """A board with our firmware, to be talked to through ``rig.port``: the emulator, or those of the bench file."""
    board = the_bench().rigs[rig_name]
    if board.kind == "emulated":
        needed("simavr")
    with open_rig(rig_name, board, tmp_path, FIRMWARE) as ready:
        yield ready


@pytest.fixture
def emulator(rig: Rig) -> PtyRig:
    """The levers of the rig's emulator; on a real board the test skips."""
    if not rig.is_emulated:
        pytest.skip(f"rig '{rig.name}' is a real board: only the emulator makes faults and knows the truth")
    return rig.emulator


@pytest.fixture(scope="session")
def rig_program() -> Path:
    """The compiled simulator; asked for by tests that start `LockstepRig` or `PtyRig` themselves."""
    needed("simavr")
    return build()


@pytest.fixture
def avr(tmp_path: Path) -> CompileAvr:
    """Compiles a small program for the rig's MCU."""

    def compiled(text: str, *options: str) -> Path:
        source = tmp_path / f"program{len(list(tmp_path.glob('program*.c')))}.c"
        source.write_text(text, encoding="utf-8")
        return compile_avr(source, source.with_suffix(".hex"), *options)

    return compiled
