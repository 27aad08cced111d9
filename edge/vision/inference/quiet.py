"""The runtimes' native code greets on standard error; a terminal view isn't to be disturbed by that.

There is no setting for it, so while a model is opened the file that standard error writes to is another one; what is
more than a greeting is passed on afterwards. Lines of other threads too: none is lost, they come some ms later.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

GREETINGS = (b"INFO: ", b"Error in cpuinfo: ")  # delegates and kernels that were chosen; a processor it doesn't know
STANDARD_ERROR = 2

_one_at_a_time = threading.Lock()


@contextmanager
def only_real_messages() -> Iterator[None]:
    """Within this, native code's greetings don't reach the terminal."""
    with _one_at_a_time:
        try:
            kept = os.dup(STANDARD_ERROR)
        except OSError:  # a service without any: nobody to disturb
            yield
            return
        try:
            with tempfile.TemporaryFile() as held:
                os.dup2(held.fileno(), STANDARD_ERROR)
                try:
                    yield
                finally:
                    os.dup2(kept, STANDARD_ERROR)
                    held.seek(0)
                    lines = [line for line in held.read().splitlines(keepends=True) if not line.startswith(GREETINGS)]
                    _write(b"".join(lines))
        finally:
            os.close(kept)


def _write(text: bytes) -> None:
    try:
        while text:
            text = text[os.write(STANDARD_ERROR, text) :]
    except OSError:  # a closed pipe: nobody reads it
        return
