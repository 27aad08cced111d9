"""The diagnosis matrix: a case of each failure mode gets its name, and sound runs with people in front of them pass.

The whole of it, on seeds that were never tuned on: ``python -m hil.diagnosis_matrix``.
"""

from __future__ import annotations

from hil.diagnosis_matrix import PASSED, run_mode, table
from hil.diagnosis_modes import MODES

SEED = 300_000


def test_faults_get_their_names() -> None:
    outcomes = [run_mode((m, 1, SEED + 10_000 * m)) for m in range(len(MODES))]
    assert sum(each.right for each in outcomes) >= 0.9 * len(outcomes), table(outcomes)


def test_sound_boards_of_one_to_eight_cells_pass() -> None:
    outcomes = [run_mode((-1, 0, SEED + k)) for k in range(16)]
    assert all(each.told == PASSED for each in outcomes), table(outcomes)
