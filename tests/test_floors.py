"""The house rules of DESIGN.md: imports only go down, each room says its job in a sentence, files stay small."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = [  # from the ground up
    "firmware_bridge",
    "drivers",
    "calibration",
    "edge.config",
    "edge.trace",
    "edge.vision",
    "edge.fusion",
    "edge.stream",
    "edge.node",
    "edge.cli",
    "hil",
]
MOST_LINES = 450
SOURCES = sorted(
    path for top in ("firmware_bridge", "drivers", "calibration", "edge", "hil") for path in (ROOT / top).rglob("*.py")
)


def _floor(module: str) -> int | None:
    for height, name in enumerate(FLOORS):
        if module == name or module.startswith(name + "."):
            return height
    return None


def _imports(path: Path) -> list[tuple[int, str]]:
    """Every imported module with its line; ``from edge import trace`` counts as edge.trace."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; name the whole path"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def _uphill(path: Path, module: str) -> list[str]:
    own = _floor(module)
    if own is None:
        return []
    return [
        f"{path.relative_to(ROOT)}:{line}: {module} imports {imported}, which is on a higher floor"
        for line, imported in _imports(path)
        if (other := _floor(imported)) is not None and other > own
    ]


def test_an_import_only_goes_down() -> None:
    wrong = [line for path in SOURCES for line in _uphill(path, ".".join(path.relative_to(ROOT).with_suffix("").parts))]
    assert not wrong, "\n".join(wrong)


def test_the_check_itself_sees_an_import_that_goes_up(tmp_path: Path) -> None:
    source = tmp_path / "uphill.py"
    source.write_text("def late():\n    from edge import fusion\n", encoding="utf-8")
    own = _floor("edge.trace.plot")
    assert [imported for _, imported in _imports(source) if (_floor(imported) or 0) > (own or 0)] == ["edge.fusion"]


@pytest.mark.parametrize("init", [p for p in SOURCES if p.name == "__init__.py"], ids=lambda p: str(p.parent.name))
def test_each_room_says_its_job_in_one_sentence(init: Path) -> None:
    text = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")))
    assert text, f"{init.relative_to(ROOT)}: no docstring; say the folder's one job in a sentence"
    assert text.strip().endswith("."), f"{init.relative_to(ROOT)}: expected a sentence"
    assert len(text.strip().splitlines()) == 1, f"{init.relative_to(ROOT)}: expected one sentence on one line"


def test_every_folder_with_sources_is_a_package() -> None:
    without = {path.parent for path in SOURCES if not (path.parent / "__init__.py").exists()}
    assert not without, f"folders without __init__.py: {sorted(map(str, without))}"


def test_files_stay_a_few_pages_long() -> None:
    everything = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    long = {
        str(path.relative_to(ROOT)): n
        for path in everything
        if (n := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert not long, f"files over {MOST_LINES} lines: {long}"
