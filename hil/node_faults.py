"""How often `shelfedge diagnose` names a fault of a link or of the node rightly: real firmware, nodes and broker.

``python -m hil.node_faults`` prints the table; its exit code is 1 where fewer than 95 % are named rightly, or a sound
run is called faulty.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from calibration.diagnosis.verdicts import PartKind
from hil import node_fault_links, node_fault_nodes
from hil.node_fault_cases import CannotMakeError, Mode, Outcome, outcome

SEVERITIES = ("mild", "plain", "grave")
TARGET = 0.95
SOUND_LINKS = Mode("sound links", (), PartKind.LINK, node_fault_links.sound)
SOUND_NODES = Mode("sound nodes", (), PartKind.NODE, node_fault_nodes.sound)
MODES = (*node_fault_links.MODES, *node_fault_nodes.MODES)
ALL = (*MODES, SOUND_LINKS, SOUND_NODES)
Job = tuple[int, int, int]
"""Which of ``ALL``, which severity, which seed."""


def jobs(first_seed: int, each: int, sound_links: int, sound_nodes: int, names: Sequence[str] = ()) -> list[Job]:
    """All cases of a run; ``names``: only of these modes."""
    found: list[Job] = []
    for at, mode in enumerate(ALL):
        if names and mode.name not in names:
            continue
        begin = first_seed + 1000 * at
        if mode.expected:
            found += [(at, severity, begin + 100 * severity + k) for severity in range(3) for k in range(each)]
        else:
            found += [(at, 0, begin + k) for k in range(sound_links if mode is SOUND_LINKS else sound_nodes)]
    return found


def run_job(job: Job) -> Outcome:
    """One case, in a folder of its own."""
    mode, severity, seed = ALL[job[0]], job[1], job[2]
    with tempfile.TemporaryDirectory(prefix="node-fault-", ignore_cleanup_errors=True) as folder:
        case = Path(folder) / "case"
        case.mkdir()
        try:
            parts = mode.diagnosed(severity, seed, case)
        except CannotMakeError as error:
            return Outcome(mode.name, severity, seed, "", False, (), str(error))
        except Exception:  # noqa: BLE001  # one case that breaks is a miss, not the end of the others
            return Outcome(mode.name, severity, seed, "error: " + traceback.format_exc(limit=-2), False)
    return outcome(mode, severity, seed, parts)


def table(outcomes: Sequence[Outcome]) -> str:
    """Named rightly by mode and severity, what each was taken for otherwise, and the sound runs' alarms."""
    made = [each for each in outcomes if not each.skipped]
    lines = [f"{'mode':<20} {'cases':>5}  " + " ".join(f"{name:>6}" for name in SEVERITIES) + "  also  taken for"]
    for mode in MODES:
        mine = [each for each in made if each.mode == mode.name]
        if not mine:
            continue
        shares = [_share([each.right for each in mine if each.severity == k]) for k in range(3)]
        wrong = Counter(each.told for each in mine if not each.right)
        also = sum(bool(each.others) for each in mine)
        taken = ", ".join(f"{told} {count}" for told, count in wrong.most_common(3))
        lines.append(
            f"{mode.name:<20} {len(mine):>5}  " + " ".join(f"{each:>6}" for each in shares) + f"  {also:>4}  {taken}"
        )
    faulty = [each for each in made if each.mode in {mode.name for mode in MODES}]
    if faulty:
        named = sum(each.right for each in faulty)
        lines.append(f"named rightly: {named} of {len(faulty)} ({100 * named / len(faulty):.1f} %)")
        untrue = Counter(other for each in faulty for other in each.others)
        if untrue:
            lines.append(
                "also told, and not made: " + ", ".join(f"{what} {count}" for what, count in untrue.most_common(8))
            )
    for mode in (SOUND_LINKS, SOUND_NODES):
        mine = [each for each in made if each.mode == mode.name]
        alarms = Counter(other for each in mine for other in each.others)
        told = ", ".join(f"{what} {count}" for what, count in alarms.items())
        false = sum(_alarm(each) for each in mine)
        lines.append(f"{mode.name}: {false} of {len(mine)} called faulty{': ' + told if told else ''}")
    skipped = {each.skipped for each in outcomes if each.skipped}
    if skipped:
        lines.append(f"left out: {sum(bool(each.skipped) for each in outcomes)} cases; {'; '.join(sorted(skipped))}")
    return "\n".join(lines)


def is_met(outcomes: Sequence[Outcome]) -> bool:
    """Whether enough were named rightly, and no sound run was called faulty."""
    made = [each for each in outcomes if not each.skipped]
    faulty = [each for each in made if each.mode in {mode.name for mode in MODES}]
    good = sum(each.right for each in faulty) >= TARGET * len(faulty)
    return good and not any(_alarm(each) for each in made if each.mode not in {mode.name for mode in MODES})


def _alarm(each: Outcome) -> bool:
    return bool(each.others) or each.told.startswith("error")


def _share(right: Sequence[bool]) -> str:
    return f"{100 * sum(right) / len(right):.0f} %" if right else "-"


def main() -> None:
    """Print the confusion matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=2, help="cases of each mode and severity")
    parser.add_argument("--sound-links", type=int, default=30)
    parser.add_argument("--sound-nodes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=700_000, help="first seed; below 700000 is for tuning")
    parser.add_argument("--workers", type=int, default=4, help="a case mostly waits")
    parser.add_argument("--mode", action="append", default=[], help="only this mode")
    wanted = parser.parse_args()
    began_s = time.monotonic()
    todo = jobs(wanted.seed, wanted.each, wanted.sound_links, wanted.sound_nodes, wanted.mode)
    with ProcessPoolExecutor(wanted.workers) as pool:
        outcomes = list(pool.map(run_job, todo))
    print(table(outcomes))  # noqa: T201
    print(f"{len(outcomes)} diagnoses in {time.monotonic() - began_s:.0f} s")  # noqa: T201
    sys.exit(0 if is_met(outcomes) else 1)


if __name__ == "__main__":
    main()
