"""What holds for all tests."""

from __future__ import annotations

import os
import signal
import threading

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Before any test, and before workers are started."""
    _let_ctrl_c_through()
    for size in ("COLUMNS", "LINES"):  # of the terminal that the tests run in (readline sets them, also where there is
        os.environ.pop(size, None)  # none): programs would believe them more than the terminal that a test gives them
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        _compile_kernels(config)


def _let_ctrl_c_through() -> None:
    """A shell that starts the tests in the background has Ctrl-C ignored, and every program they start would inherit
    that: tests that interrupt a program would wait for ever."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _compile_kernels(config: pytest.Config) -> None:
    """Once for all workers, where that hasn't been done on this machine: each by itself would need a minute for it."""
    from edge.node.warm_up import fill_cache

    reporter = config.pluginmanager.get_plugin("terminalreporter")
    told = threading.Timer(2.0, reporter.write_line if reporter else str, ("compiling fusion's kernels, once ...",))
    told.start()
    try:
        fill_cache(lambda: True)
    finally:
        told.cancel()
