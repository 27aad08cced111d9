"""A model is tried in a process of its own first: a damaged file can make a runtime crash, or fill the memory.

tflite-runtime 2.14 believes a file's offsets: of files that were cut short most end it with a segmentation fault, which
no Python code can catch. The node isn't to be ended by a file. Run as `python -m edge.vision.inference.trial MODULE`,
the model on standard input; a refusal is printed on standard output.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from edge.vision.inference.errors import ModelError

LONGEST_S = 120.0  # a Pi that starts and compiles kernels meanwhile takes its time
MEMORY_BYTES = 1_500_000_000
REFUSED = 3

_verdicts: dict[tuple[str, str], str | None] = {}


def try_model(path: Path, content: bytes, module: str) -> None:
    """Raises ModelError if the runtime in ``module`` can't build the model or can't run it on an empty picture.

    What was found is remembered: the same bytes aren't tried again in this process.
    """
    key = hashlib.sha256(content).hexdigest(), module
    if key not in _verdicts:
        _verdicts[key] = _verdict(content, module)
    verdict = _verdicts[key]
    if verdict is not None:
        raise ModelError(f"{path}: {verdict}")


def _verdict(content: bytes, module: str) -> str | None:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(entry or "." for entry in sys.path))
    environment["OPENBLAS_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", __name__, module]
    try:
        done = subprocess.run(
            command,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {LONGEST_S:.0f} s for one picture; is it damaged, or made for another computer?"
    except OSError as error:
        return f"it can't be tried: no process for that could be started ({error.strerror or error})"
    told = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode == 0:
        return None
    if done.returncode == REFUSED:
        return f"the TFLite runtime can't run it: {told}"
    how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
    return f"the TFLite runtime crashes when it opens it ({how}): the file is damaged. Copy it again"


def _limit_myself() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # if memory runs out, this one ends


def _try(content: bytes, module: str) -> str | None:
    """In the process of its own: what is wrong, in the runtime's words."""
    import numpy as np

    try:
        interpreter = importlib.import_module(module).Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
        interpreter.invoke()
        for detail in interpreter.get_output_details():
            interpreter.get_tensor(detail["index"])
    except Exception as error:  # noqa: BLE001 - pybind raises whatever its C++ does
        return first_line(error)
    return None


def first_line(error: BaseException) -> str:
    """The runtime's own words, without its backtrace."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def main() -> int:
    """One trial; 0 if it ran."""
    _limit_myself()
    refusal = _try(sys.stdin.buffer.read(), sys.argv[1])
    if refusal is None:
        return 0
    sys.stdout.buffer.write(refusal.encode("utf-8", "replace"))
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
