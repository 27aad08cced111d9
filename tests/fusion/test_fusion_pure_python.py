"""The whole of fusion as plain Python: the same functions with numba switched off say the same, bit for bit (P8)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from fusion_boards import CORNERS, exact, play, pushed, setup_of

from calibration.record import calibration_to_json
from drivers.simulated.physics import FaultRates
from drivers.simulated.shopper import RandomShopper

ROOT = Path(__file__).parents[2]
IN_PLAIN_PYTHON = """
import json, sys
import numba, numpy as np
from drivers.samples import SampleBlock
from edge.config.setup import setup_from_texts
from edge.fusion.frames import ingest
from fusion_boards import exact, pushed
assert numba.config.DISABLE_JIT and not hasattr(ingest, "py_func")
texts = json.load(open(sys.argv[1]))
arrays = np.load(sys.argv[2])
blocks = [SampleBlock(board, *(arrays[f"{board}.{name}"] for name in ("time_ns", "cell", "counts", "flags")))
          for board in texts["boards"]]
setup = setup_from_texts(texts["node"], texts["planogram"], texts["calibration"], "test")
print(json.dumps(exact(pushed(setup, [blocks]))))
"""


def test_without_numba_the_same_events(tmp_path: Path) -> None:
    """Two visits at once, a foreign object, corrupted codes and resets are among what both must say alike."""
    shopper = RandomShopper(
        5, until_s=16.0, grab_share=0.2, second_hand_share=0.3, wrong_slot_share=0.3, look_share=0.3, foreign_share=0.2
    )
    setup = setup_of({"b": CORNERS, "one": {"all": (450.0, 200.0)}})
    played = play(shopper, 20.0, seed=5, setup=setup, faults=FaultRates.worst())
    blocks = played.whole()
    (tmp_path / "texts.json").write_text(
        json.dumps(
            {
                "boards": [block.board for block in blocks],
                "node": played.setup.node_text,
                "planogram": played.setup.planogram_text,
                "calibration": calibration_to_json(played.setup.calibration),
            }
        )
    )
    names = ("time_ns", "cell", "counts", "flags")
    arrays = {f"{block.board}.{name}": getattr(block, name) for block in blocks for name in names}
    np.savez(tmp_path / "samples.npz", **arrays)
    ran = subprocess.run(
        [sys.executable, "-c", IN_PLAIN_PYTHON, str(tmp_path / "texts.json"), str(tmp_path / "samples.npz")],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    plain, compiled = json.loads(ran.stdout), exact(pushed(played.setup, [blocks]))
    assert len(compiled) >= 6
    assert plain == compiled
