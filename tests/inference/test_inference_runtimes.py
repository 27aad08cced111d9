"""Which runtime is used, what is said where none can be, and that the other runtime keeps the same contract."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.vision.inference.errors import ModelError
from edge.vision.inference.open import open_classifier
from edge.vision.inference.runtime import LITERT, MODULES, TFLITE, find_runtime

ROOT = Path(__file__).parents[2]
OTHER = ROOT / ".venv-tflite" / "bin" / "python"  # made by `make test` where there is a Python 3.11


def hidden(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As if those weren't installed."""
    for name in names:
        monkeypatch.setitem(sys.modules, MODULES[name], None)


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, code: str) -> None:
    """As if that were installed, with this code."""
    package, module = MODULES[name].split(".")
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text("", encoding="utf-8")
    (folder / package / f"{module}.py").write_text(code, encoding="utf-8")
    for gone in (package, MODULES[name]):
        monkeypatch.delitem(sys.modules, gone, raising=False)
    monkeypatch.syspath_prepend(str(folder))


def test_without_a_runtime_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden(monkeypatch, LITERT, TFLITE)
    with pytest.raises(ModelError, match=r"pip install 'shelfedge\[litert\]'"):
        open_classifier()


def test_the_older_runtime_with_numpy_2_is_refused_before_it_fails_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hidden(monkeypatch, LITERT)
    installed(monkeypatch, tmp_path, TFLITE, "class Interpreter: pass\n")
    monkeypatch.setattr(np, "__version__", "2.3.1")
    with pytest.raises(ModelError, match=r"numpy below 2 only; here is numpy 2\.3\.1.*shelfedge\[litert\]"):
        find_runtime()


def test_a_runtime_that_this_system_cannot_load_is_told_and_the_other_one_is_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch, tmp_path, LITERT, "raise ImportError('GLIBC_2.38 not found')\n")
    hidden(monkeypatch, TFLITE)
    with pytest.raises(ModelError, match=r"can't load it \(GLIBC_2\.38 not found\)"):
        find_runtime()
    installed(monkeypatch, tmp_path, TFLITE, "class Interpreter: pass\n")
    monkeypatch.setattr(np, "__version__", "1.26.4")
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.14.0")
    assert find_runtime().name == TFLITE


def test_a_runtime_without_what_it_needs_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, tmp_path, LITERT, "import flatbuffers_of_nowhere\n")
    hidden(monkeypatch, TFLITE)
    with pytest.raises(ModelError, match="without flatbuffers_of_nowhere"):
        find_runtime()


def test_a_node_without_models_loads_no_runtime() -> None:
    heavy = ("ai_edge_litert", "tflite_runtime", "cv2", "av")
    code = "import sys, edge.vision.inference.open, edge.vision.people\n"
    code += f"print([name for name in sys.modules if name.split('.')[0] in {heavy}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_older_runtime_keeps_the_same_contract(tmp_path: Path) -> None:
    """In an environment of its own; where there is no Python for that, `make test` has said so."""
    for python in [OTHER] if OTHER.exists() else []:
        environment = dict(os.environ, NUMBA_CACHE_DIR=str(ROOT / ".venv-tflite" / "kernels"), RUNTIME_MEANT=TFLITE)
        environment.pop("PYTHONPATH", None)
        contract = "tests/inference/test_inference_contract.py"
        command = [
            str(python),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--basetemp={tmp_path / 'other'}",
            contract,
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
        assert "skipped" not in done.stdout
