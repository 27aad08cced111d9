"""A few of `hil.node_faults`' cases, the real firmware in the emulator among them; the whole runs in `make bench`."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.verdicts import PartKind, PartVerdict, Verdict, finding, part
from hil import node_fault_links, node_fault_nodes
from hil.node_fault_cases import Mode, Outcome, machine_tree, outcome
from hil.node_faults import ALL, is_met, jobs, table

LINKS = {mode.name: mode for mode in node_fault_links.MODES}
NODES = {mode.name: mode for mode in node_fault_nodes.MODES}
SEED = 41


@pytest.mark.usefixtures("rig_program")
@pytest.mark.parametrize(
    ("name", "severity"),
    [("unplugged", 0), ("damaged frames", 2), ("MCU silent", 2), ("MCU restarts", 2), ("other firmware", 0)],
)
def test_a_fault_of_the_link_is_named_and_nothing_else_is(tmp_path: Path, name: str, severity: int) -> None:
    mode = LINKS[name]
    judged = outcome(mode, severity, SEED, mode.diagnosed(severity, SEED, tmp_path))
    assert judged.right, judged.told
    assert not judged.others


@pytest.mark.usefixtures("rig_program")
def test_a_sound_link_is_called_sound(tmp_path: Path) -> None:
    assert not [each for part in node_fault_links.sound(0, SEED, tmp_path) for each in part.faults]


def test_a_port_that_another_program_has_and_one_that_is_not_there_are_told_in_the_drivers_words(
    tmp_path: Path,
) -> None:
    said = []
    for severity in (0, 1):
        parts = LINKS["port can't be read"].diagnosed(severity, SEED, tmp_path)
        said += [each.evidence for part in parts if part.kind is PartKind.LINK for each in part.faults]
    assert "is in use by another program" in said[0]
    assert "there is no serial port" in said[1]
    assert len(said) == 2


@pytest.mark.parametrize("severity", [0, 1, 2])
def test_a_node_file_that_cannot_be_used_is_named(tmp_path: Path, severity: int) -> None:
    mode = NODES["config refused"]
    assert outcome(mode, severity, SEED, mode.diagnosed(severity, SEED, tmp_path)).right


def test_a_node_on_a_made_up_machine_says_what_that_machine_says(tmp_path: Path) -> None:
    """A real process with hand-written /proc and /sys: hot, short of memory, its supply breaking down."""
    path = node_fault_nodes.node_file(tmp_path)
    tree = machine_tree(tmp_path / "machine", throttled=0x50005, celsius=86.0, memory_share=0.01)
    with node_fault_nodes.running(path, SEED, healthy=tree):
        parts = node_fault_nodes.look(path)
    told = {each.fault for part in parts if part.kind is PartKind.NODE for each in part.faults}
    assert told == {Fault.UNDER_VOLTAGE, Fault.THROTTLED, Fault.HOT, Fault.MEMORY}


def _part(kind: PartKind, *faults: Fault) -> PartVerdict:
    return part(kind, "x", [finding(fault, Verdict.WARN, "so") for fault in faults])


def test_only_the_right_name_at_the_right_part_counts() -> None:
    mode = Mode("hot", (Fault.HOT,), PartKind.NODE, node_fault_nodes.sound, (Fault.THROTTLED,))
    right = outcome(mode, 0, 1, [_part(PartKind.NODE, Fault.HOT, Fault.THROTTLED, Fault.CLOCK)])
    assert (right.right, right.told, right.others) == (True, "too hot", ("node clock not right",))
    assert not outcome(mode, 0, 1, [_part(PartKind.LINK, Fault.HOT)]).right
    assert outcome(mode, 0, 1, []).told == "(nothing)"


def test_the_table_is_met_at_95_percent_and_not_with_a_false_alarm() -> None:
    named = [Outcome("clock", k % 3, k, "clock not right", k > 0) for k in range(20)]
    sound = [Outcome("sound nodes", 0, 99, "(nothing)", False)]
    assert is_met([*named, *sound])
    assert not is_met([*named, Outcome("clock", 0, 50, "(nothing)", False), *sound])
    assert not is_met([*named, Outcome("sound nodes", 0, 98, "cell drift", False, ("cell drift",))])
    text = table([*named, *sound, Outcome("disk full", 0, 1, "", False, (), "needs root")])
    assert "named rightly: 19 of 20 (95.0 %)" in text
    assert "left out: 1 cases; needs root" in text


def test_no_two_cases_have_one_seed() -> None:
    made = jobs(700_000, 3, 30, 12)
    assert len({job[2] for job in made}) == len(made) == 9 * (len(ALL) - 2) + 42
