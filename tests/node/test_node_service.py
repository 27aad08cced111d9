"""The systemd unit says what was meant whatever the paths are, and installing it is refused politely."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cli import service as service_command
from edge.config.setup import load_setup
from edge.node import service
from edge.node.service import Service, existing_groups, plan_service
from edge.node.service_errors import ServiceError
from edge.node.service_unit import ServicePlan, unit_text

DEMO = Path(__file__).parents[2] / "edge" / "config" / "demo"
ODD = [
    "plain",
    "with space",
    "per%ncent %h",
    'quo"te',
    "dol$HOME ${X}",
    "back\\slash",
    "it's",
    "semi;colon | x",
    "it's",
    "ünïcode",
    "#h",
]


def _demo(folder: Path, extra: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("node.yaml", "planogram.yaml"):
        shutil.copy(DEMO / name, folder / name)
    with (folder / "node.yaml").open("a") as file:
        file.write(extra)
    return folder / "node.yaml"


def _program(folder: Path) -> tuple[str, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "shelfedge"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return (str(program),)


def _plan(tmp_path: Path, folder: str = "plain", extra: str = "", **more: str) -> ServicePlan:
    node = _demo(tmp_path / folder, extra)
    beside = folder if not set(folder) & set("\"'\\") else "plain"  # systemd starts no program in such a folder
    return plan_service(node, load_setup(node), program=_program(tmp_path / beside), groups=("root",), **more)


def _settings(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def _words(value: str) -> list[str]:
    """A command line as systemd.syntax(7) splits it, for what the unit writes: words in double quotes."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', value)
    plain = [re.sub(r"\\(.)", r"\1", word).replace("%%", "%") for word in words]
    return [plain[0], *(word.replace("$$", "$") for word in plain[1:])]


@pytest.mark.parametrize("folder", ODD)
def test_systemd_reads_the_unit_with_any_path_without_a_complaint(tmp_path: Path, folder: str) -> None:
    """systemd-analyze also looks whether the program is there, so the path has come through as it is."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here (apt-get install systemd)")
    plan = _plan(tmp_path, folder, f"state: {json.dumps('state of ' + folder)}\n", user="root")
    path = tmp_path / "shelfedge.service"
    path.write_text(unit_text(plan))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "shelfedge" in line or str(tmp_path) in line]
    assert complaints == []
    assert done.returncode == 0, done.stderr


def test_systemd_would_complain_of_a_path_that_isnt_quoted(tmp_path: Path) -> None:
    """The test above can fail."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here (apt-get install systemd)")
    path = tmp_path / "shelfedge.service"
    text = unit_text(_plan(tmp_path, "with space", user="root"))
    path.write_text(re.sub(r"^ExecStart=.*$", f"ExecStart={tmp_path}/with space/shelfedge run", text, flags=re.M))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert "shelfedge" in done.stderr


@pytest.mark.parametrize("folder", ODD)
def test_the_command_line_is_program_run_and_node_file_word_for_word(tmp_path: Path, folder: str) -> None:
    plan = _plan(tmp_path, folder)
    (command,) = _settings(unit_text(plan))["ExecStart"]
    node = str(tmp_path / folder / "node.yaml")
    assert _words(command) == [plan.program[0], "run", node]


def test_it_is_started_again_always_watched_and_waits_for_no_clock_or_network(tmp_path: Path) -> None:
    """P5: it always starts."""
    text = unit_text(_plan(tmp_path))
    settings = _settings(text)
    assert settings["Type"] == ["notify"]
    assert settings["Restart"] == ["always"]
    assert settings["StartLimitIntervalSec"] == ["0"]
    assert int(settings["WatchdogSec"][0]) > 0
    assert settings["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert settings["StateDirectory"] == ["shelfedge"]
    assert not {"After", "Requires", "Wants"} & set(settings)


def test_it_may_write_in_its_state_folder_and_nowhere_else(tmp_path: Path) -> None:
    settings = _settings(unit_text(_plan(tmp_path)))
    assert settings["ProtectSystem"] == ["strict"]
    assert settings["NoNewPrivileges"] == ["yes"]
    assert "ReadWritePaths" not in settings
    own = _settings(unit_text(_plan(tmp_path, extra="state: kept here\n")))
    assert own["ReadWritePaths"] == [f'-"{tmp_path}/plain/kept here"']
    system = _settings(unit_text(_plan(tmp_path, extra="state: /var/lib/shelfedge/b\n")))
    assert "ReadWritePaths" not in system


def test_files_at_home_stay_readable_and_compiled_code_may_run(tmp_path: Path) -> None:
    settings = _settings(unit_text(_plan(tmp_path)))
    assert settings["ProtectHome"] == ["read-only"]
    assert "MemoryDenyWriteExecute" not in settings  # numba compiles
    assert "PrivateDevices" not in settings  # serial ports, pins, SPI


def test_only_groups_that_are_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd doesn't start a unit with a group that the machine doesn't have."""
    monkeypatch.setattr(service, "DEVICE_GROUPS", ("root", "no-such-group"))
    assert existing_groups() == ("root",)
    text = unit_text(ServicePlan("s", "n", Path("/n.yaml"), ("/bin/true",), "root"))
    assert "SupplementaryGroups" not in text


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "-x", "x\nUser=root", "x" * 65, "a%n"])
def test_names_that_would_be_another_unit_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ServiceError, match="is no name for a service"):
        _plan(tmp_path, name=name)


@pytest.mark.parametrize("user", ["", "Root", "a b", "x\nExecStart=/bin/sh", "root;", "-u"])
def test_users_that_are_none_are_refused(tmp_path: Path, user: str) -> None:
    with pytest.raises(ServiceError, match="is no user's name"):
        _plan(tmp_path, user=user)


def test_a_path_that_would_add_lines_to_the_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="control characters"):
        _plan(tmp_path, "x\nExecStartPre=evil")


@pytest.mark.parametrize("folder", ["it's", 'quo"te', "back\\slash"])
def test_a_program_that_systemd_wouldnt_start_is_refused_with_what_to_do(tmp_path: Path, folder: str) -> None:
    node = _demo(tmp_path)
    with pytest.raises(ServiceError, match="install shelfedge in a folder without them"):
        plan_service(node, load_setup(node), program=_program(tmp_path / folder))


def test_print_shows_the_unit_and_changes_nothing(tmp_path: Path) -> None:
    node = _demo(tmp_path)
    done = CliRunner().invoke(service_command.app, ["install", str(node), "--print", "--name", "bay"])
    assert done.exit_code == 0
    assert f'"run" "{node}"' in done.output
    assert "[Install]" in done.output


def test_a_node_file_with_mistakes_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    node = _demo(tmp_path, "colour: red\n")
    done = CliRunner().invoke(service_command.app, ["install", str(node), "--print"])
    assert done.exit_code != 0
    assert "colour" in str(done.exception)
    assert "[Service]" not in done.output


def test_without_root_the_command_for_root_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.os, "geteuid", lambda: 1000)
    plan = _plan(tmp_path, "with space")
    with pytest.raises(ServiceError) as caught:
        Service(unit_folder=tmp_path).install(plan)
    assert "sudo " in str(caught.value)
    assert f"'{plan.node_path}'" in str(caught.value)
    assert "--print" in str(caught.value)
    with pytest.raises(ServiceError, match=r"sudo .* service uninstall --name bay"):
        Service("bay", unit_folder=tmp_path).uninstall()


class Machine:
    """Fake systemctl, useradd and runuser first on PATH; each call is a line in `calls`."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        self._log = tmp_path / "calls.txt"
        self.units = tmp_path / "units"
        self.units.mkdir()
        for name in ("systemctl", "useradd", "runuser"):
            self.answer(name, 0, "")
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        monkeypatch.setattr(service.os, "geteuid", lambda: 0)
        self.said: list[str] = []

    def answer(self, name: str, code: int, text: str) -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self._log}"\necho "{text}" >&2\nexit {code}\n')
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def service(self, name: str = "shelfedge") -> Service:
        return Service(name, self.said.append, self.units)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def test_installing_writes_the_unit_and_starts_it(tmp_path: Path, machine: Machine) -> None:
    plan = _plan(tmp_path, user=_user())
    machine.service().install(plan)
    path = machine.units / "shelfedge.service"
    assert path.read_text() == unit_text(plan)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [call for call in machine.calls if call.startswith("systemctl")] == [
        "systemctl daemon-reload", "systemctl enable shelfedge.service", "systemctl restart shelfedge.service",
    ]  # fmt: skip
    assert "journalctl -u shelfedge" in machine.said[-1]
    assert list(machine.units.iterdir()) == [path]


def test_installing_again_takes_the_new_node_file(tmp_path: Path, machine: Machine) -> None:
    machine.service().install(_plan(tmp_path, user=_user()))
    plan = _plan(tmp_path, "other", user=_user())
    machine.service().install(plan)
    assert (machine.units / "shelfedge.service").read_text() == unit_text(plan)


def test_the_user_is_made_where_there_is_none(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SYSTEM_USER", "no-such-user")
    machine.service().install(_plan(tmp_path, user="no-such-user"))
    assert machine.calls[0].startswith("useradd --system --no-create-home")
    assert machine.calls[0].endswith(" no-such-user")


def test_a_user_of_the_persons_own_choice_must_be_there(tmp_path: Path, machine: Machine) -> None:
    with pytest.raises(ServiceError, match="there is no user 'nobody-at-all' on this machine"):
        machine.service().install(_plan(tmp_path, user="nobody-at-all"))
    assert machine.calls == []
    assert list(machine.units.iterdir()) == []


def test_a_user_who_cant_read_the_node_file_is_told_of(tmp_path: Path, machine: Machine) -> None:
    machine.answer("runuser", 1, "")
    machine.service().install(_plan(tmp_path, user=_user()))
    assert any("can't read" in line and "node.yaml" in line for line in machine.said)


def test_a_state_folder_elsewhere_is_made(tmp_path: Path, machine: Machine) -> None:
    machine.service().install(_plan(tmp_path, extra="state: kept\n", user=_user()))
    assert (tmp_path / "plain" / "kept").is_dir()


def test_what_systemctl_refuses_is_told_in_its_words(tmp_path: Path, machine: Machine) -> None:
    machine.answer("systemctl", 1, "Unit is masked.")
    with pytest.raises(ServiceError, match=r"systemctl daemon-reload: Unit is masked\."):
        machine.service().install(_plan(tmp_path, user=_user()))


def test_a_machine_without_systemd_is_told_so(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ServiceError, match="no systemctl"):
        machine.service().install(_plan(tmp_path, user=_user()))
    with pytest.raises(ServiceError, match="no systemctl"):
        machine.service().status()


def test_uninstalling_stops_it_and_removes_the_unit_alone(tmp_path: Path, machine: Machine) -> None:
    machine.service().install(_plan(tmp_path, user=_user()))
    machine.service().uninstall()
    assert machine.calls[-2:] == ["systemctl disable --now shelfedge.service", "systemctl daemon-reload"]
    assert list(machine.units.iterdir()) == []
    with pytest.raises(ServiceError, match="there is no service shelfedge"):
        machine.service().uninstall()


def test_status_says_whether_it_runs(tmp_path: Path, machine: Machine) -> None:
    assert machine.service().status() == (
        "shelfedge isn't installed; install it: sudo shelfedge service install NODE.yaml", False,
    )  # fmt: skip
    machine.service().install(_plan(tmp_path, user=_user()))
    machine.answer("systemctl", 0, "active (running)")
    assert machine.service().status() == ("active (running)", True)
    machine.answer("systemctl", 3, "inactive (dead)")
    assert machine.service().status() == ("inactive (dead)", False)
