"""The diagnosis matrix: a few cases of each failure mode, mild to grave, and sound runs with people in front of them.

The whole of it, on seeds that were never tuned on: ``python -m hil.diagnosis_matrix``.
"""

from __future__ import annotations

from hil.diagnosis_matrix import PASSED, UNNAMED, run_all, table
from hil.diagnosis_modes import MODES


def test_faults_get_their_names_and_sound_boards_pass() -> None:
    outcomes = run_all(first_seed=300_000, each=1, sound_runs=30, workers=1)
    faulty = [each for each in outcomes if each.mode != UNNAMED]
    sound = [each for each in outcomes if each.mode == UNNAMED]
    assert len(faulty) == 3 * len(MODES)
    assert sum(each.right for each in faulty) >= 0.9 * len(faulty), table(outcomes)
    assert all(each.told == PASSED for each in sound), table(outcomes)
