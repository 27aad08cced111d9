"""Libraries that only some machines have: imported when a driver starts, with an error that says how to get them."""

from __future__ import annotations

import importlib
from typing import Any

from drivers.errors import DriverError


def need(module: str, board: str, kind: str, extra: str = "pi") -> Any:
    """Import a module of an optional extra. Raises DriverError naming the extra when it isn't there or doesn't load."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DriverError(
            f"{board}: the {kind} driver needs the Python package {module.partition('.')[0]} ({error}); "
            f"install it with: pip install 'shelfedge[{extra}]'"
        ) from error
