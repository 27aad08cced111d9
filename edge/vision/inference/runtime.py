"""Which TFLite runtime is here: ai-edge-litert, or its predecessor tflite-runtime. Looked for when a model is opened.

tflite-runtime was built against numpy 1: with numpy 2 it imports, and then fails when an interpreter is built, with a
page of text. So its numpy is looked at first.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from edge.vision.inference.errors import ModelError

LITERT, TFLITE = "ai-edge-litert", "tflite-runtime"
MODULES = {LITERT: "ai_edge_litert.interpreter", TFLITE: "tflite_runtime.interpreter"}
NEWEST_FOR_TFLITE = (3, 11)
INSTALL_LITERT = "pip install 'shelfedge[litert]'"
INSTALL_TFLITE = "pip install 'shelfedge[tflite]'"


@dataclass(frozen=True, slots=True)
class Runtime:
    """An installed runtime. ``interpreter``: its class (the same interface in both)."""

    name: str
    version: str
    interpreter: Callable[..., Any]


def find_runtime(wanted: Sequence[str] = (LITERT, TFLITE)) -> Runtime:
    """The first of those that is installed and can work here.

    Raises ModelError, with what to install, if none is.
    """
    reasons = []
    for name in wanted:
        try:
            module = importlib.import_module(MODULES[name])
        except ModuleNotFoundError as error:
            if not MODULES[name].startswith(str(error.name)):
                reasons.append(f"{name} is installed without {error.name}, which it needs: {_install(name)}")
            continue
        except (ImportError, OSError) as error:  # built for another system: its C library, its processor
            reasons.append(f"{name} is installed, but this system can't load it ({error})")
            continue
        if name == TFLITE and int(np.__version__.split(".")[0]) >= 2:
            reasons.append(
                f"{TFLITE} is installed and works with numpy below 2 only; here is numpy {np.__version__}. Install the "
                f"newer runtime ({INSTALL_LITERT}), or the older numpy ({INSTALL_TFLITE})"
            )
            continue
        return Runtime(name, metadata.version(name), module.Interpreter)
    raise ModelError("no TFLite runtime: " + ("; ".join(reasons) or f"none is installed. {_advice()}"))


def _install(name: str) -> str:
    return INSTALL_LITERT if name == LITERT else INSTALL_TFLITE


def _advice() -> str:
    if sys.version_info[:2] > NEWEST_FOR_TFLITE:
        return f"Install one: {INSTALL_LITERT}"
    return f"Install one: {INSTALL_LITERT}, or where that has no package for this processor, {INSTALL_TFLITE}"
