"""The node as a service of this machine: installed, asked for and removed by systemd's own programs."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from edge.config.setup import Setup
from edge.config.state_folder import SYSTEM_STATE
from edge.node.service_errors import ServiceError
from edge.node.service_unit import DEVICE_GROUPS, START_S, ServicePlan, unit_text

UNIT_FOLDER = Path("/etc/systemd/system")
SYSTEM_USER = "shelfedge"
_PATIENCE_S = 30.0
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))


def plan_service(
    node_path: Path,
    setup: Setup,
    name: str = "shelfedge",
    user: str = SYSTEM_USER,
    program: tuple[str, ...] | None = None,
    groups: tuple[str, ...] | None = None,
) -> ServicePlan:
    """The unit's facts for a node file that has been checked. Raises ServiceError for a name that can't be one.

    ``program`` is this installation's `shelfedge` unless another is given; ``groups`` those that this machine has.
    """
    node_path = Path(os.path.abspath(node_path))  # noqa: PTH100 - a link to the node file stays a link
    program = program or own_program()
    writable: tuple[Path, ...] = ()
    if setup.node.state is not None:
        writable = (Path(os.path.abspath(node_path.parent / setup.node.state)),)  # noqa: PTH100 - as above
        if SYSTEM_STATE in (writable[0], *writable[0].parents):
            writable = ()
    return ServicePlan(
        name=name,
        node=setup.node.node,
        node_path=node_path,
        program=program,
        user=user,
        groups=existing_groups() if groups is None else groups,
        writable=writable,
    )


def own_program() -> tuple[str, ...]:
    """The `shelfedge` beside this Python; the module where it isn't installed."""
    script = Path(sys.executable).parent / "shelfedge"
    if os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-m", "edge.cli.main")


def existing_groups() -> tuple[str, ...]:
    """Those of this machine that own serial ports, pins, SPI and cameras: a unit that names others won't start."""
    there = {group.gr_name for group in grp.getgrall()}
    return tuple(name for name in DEVICE_GROUPS if name in there)


class Service:
    """One unit of this machine.

    Args:
        say: told what is done, line by line.
        unit_folder: where units lie; another one in tests.
    """

    def __init__(
        self, name: str = "shelfedge", say: Callable[[str], None] = print, unit_folder: Path = UNIT_FOLDER
    ) -> None:
        self.name = name
        self.unit_path = unit_folder / f"{name}.service"
        self._say = say

    def install(self, plan: ServicePlan) -> None:
        """Make the user if there is none, write the unit, start it now and at every boot. Raises ServiceError."""
        self._need_root(f"install {shlex.quote(str(plan.node_path))}")
        _need_systemd()
        self._make_user(plan.user)
        self._make_state(plan)
        self._warn_of_unreadable(plan)
        text = unit_text(plan)
        if not self.unit_path.exists() or self.unit_path.read_text(encoding="utf-8") != text:
            fresh = self.unit_path.with_suffix(".new")
            fresh.write_text(text, encoding="utf-8")
            fresh.chmod(0o644)
            fresh.replace(self.unit_path)
            self._say(f"wrote {self.unit_path}")
        _systemctl("daemon-reload")
        _systemctl("enable", self.unit_path.name)
        self._say(f"starting {self.name}; the first time takes a minute or two on a Raspberry Pi")
        _systemctl("restart", self.unit_path.name, patience_s=START_S + _PATIENCE_S)
        self._say(f"{self.name} runs, and starts at every boot; its log: journalctl -u {self.name} -f")

    def uninstall(self) -> None:
        """Stop it, and remove the unit. What the node has kept stays. Raises ServiceError."""
        self._need_root("uninstall")
        _need_systemd()
        if not self.unit_path.exists():
            raise ServiceError(f"there is no service {self.name} ({self.unit_path}); nothing was done")
        _systemctl("disable", "--now", self.unit_path.name)
        self.unit_path.unlink()
        _systemctl("daemon-reload")
        self._say(f"removed {self.unit_path}; what the node has kept stays in {SYSTEM_STATE}")

    def status(self) -> tuple[str, bool]:
        """What systemd says of it in a few lines, and whether it runs. Raises ServiceError without systemd."""
        _need_systemd()
        if not self.unit_path.exists():
            return f"{self.name} isn't installed; install it: sudo shelfedge service install NODE.yaml", False
        done = _run(["systemctl", "--no-pager", "--lines=5", "status", self.unit_path.name])
        return (done.stdout or done.stderr).rstrip(), done.returncode == 0

    def _need_root(self, arguments: str) -> None:
        if os.geteuid() != 0:
            extra = "" if self.name == "shelfedge" else f" --name {self.name}"
            program = " ".join(shlex.quote(word) for word in own_program())
            raise ServiceError(
                f"only root may do this; run it so:  sudo {program} service {arguments}{extra}\n"
                "(install --print shows the unit without installing it)"
            )

    def _make_user(self, user: str) -> None:
        try:
            pwd.getpwnam(user)
        except KeyError:
            if user != SYSTEM_USER:
                raise ServiceError(
                    f"there is no user {user!r} on this machine; make it (sudo useradd --system {user}), "
                    f"or leave --user out: {SYSTEM_USER!r} is made then"
                ) from None
            _succeed(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", user])
            self._say(f"made the user {user}")

    def _make_state(self, plan: ServicePlan) -> None:
        """A state folder outside /var/lib must be there: systemd makes none of those writable that aren't."""
        for folder in plan.writable:
            if not folder.exists():
                folder.mkdir(parents=True, mode=0o750)
                shutil.chown(folder, plan.user)
                self._say(f"made {folder}")

    def _warn_of_unreadable(self, plan: ServicePlan) -> None:
        """Who installs is root, and root can read everything."""
        if any(folder in plan.node_path.parents for folder in _TEMPORARY):
            self._say(f"warning: a service sees no other's files in {plan.node_path.parent}; move the node file")
        for path in (plan.node_path, Path(plan.program[0])):
            done = _run(["runuser", "-u", plan.user, "--", "test", "-r", str(path)])
            if done.returncode == 1:
                self._say(
                    f"warning: the user {plan.user} can't read {path}, so the node won't start; allow it "
                    f"(chmod o+rX on it and its folders), or give --user"
                )


def _need_systemd() -> None:
    if shutil.which("systemctl") is None:
        raise ServiceError(
            "this machine has no systemctl, so no systemd; start `shelfedge run NODE.yaml` by what it has instead"
        )


def _systemctl(*words: str, patience_s: float = _PATIENCE_S) -> None:
    _succeed(["systemctl", *words], patience_s)


def _succeed(command: list[str], patience_s: float = _PATIENCE_S) -> None:
    done = _run(command, patience_s)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise ServiceError(f"{' '.join(command)}: {said}")


def _run(command: list[str], patience_s: float = _PATIENCE_S) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=False)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"there is no program {command[0]} on this machine")
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{' '.join(command)}: no end after {patience_s:g} s; see journalctl -xe") from None
