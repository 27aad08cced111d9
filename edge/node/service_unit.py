"""The systemd unit of a node: started at boot, started again whatever happens, watched, and fenced in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.node.service_errors import ServiceError

WATCHDOG_S = 20
"""Without progress of the loop for so long, systemd starts the node again. Compiling kernels comes before `READY=1`."""
START_S = 300
STOP_S = 45
DEVICE_GROUPS = ("dialout", "gpio", "spi", "i2c", "video")  # as Debian and Raspberry Pi OS call them
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What is to be installed.

    Attributes:
        name: of the unit, without `.service`. node: the node's id.
        node_path: the node file, absolute. program: the `shelfedge` to run, absolute, with its first arguments.
        user: whom it runs as. groups: extra groups, those of the hardware that this machine has.
        writable: folders outside /var/lib/shelfedge that the node writes in.
    """

    name: str
    node: str
    node_path: Path
    program: tuple[str, ...]
    user: str
    groups: tuple[str, ...] = ()
    writable: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Raises ServiceError for what would make a unit that says something else than was meant."""
        if not _NAME.fullmatch(self.name):
            raise ServiceError(f"{self.name!r} is no name for a service; expected letters, digits, '.', '_' and '-'")
        if not _USER.fullmatch(self.user):
            raise ServiceError(f"{self.user!r} is no user's name; expected lower-case letters, digits, '_' and '-'")
        if set(self.program[0]) & set("\"'\\"):
            raise ServiceError(
                f"{self.program[0]}: systemd starts no program with quotes or backslashes in its path; "
                "install shelfedge in a folder without them"
            )
        for text in (*self.program, str(self.node_path), *map(str, self.writable)):
            if not text.isprintable():
                raise ServiceError(f"{text!r}: systemd can't be given this path; rename it without control characters")


def unit_text(plan: ServicePlan) -> str:
    """The unit file."""
    # Variables are put into arguments, so a $ is doubled there; the program itself is taken as it is.
    arguments = (*plan.program[1:], "run", str(plan.node_path))
    command = " ".join([_quoted(plan.program[0]), *(_quoted(word).replace("$", "$$") for word in arguments)])
    groups = f"SupplementaryGroups={' '.join(plan.groups)}\n" if plan.groups else ""
    writable = "".join(f"ReadWritePaths=-{_quoted(str(path))}\n" for path in plan.writable)
    return f"""# Written by `shelfedge service install`, which writes it anew; changes of your own belong in
# /etc/systemd/system/{plan.name}.service.d/own.conf (systemctl edit {plan.name}).
[Unit]
Description=shelfedge node {plan.node}
# No ordering after the network or time: a node weighs without either, from the first second on.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
# lgpio makes its pipes in the working directory.
RuntimeDirectory={plan.name}
WorkingDirectory=/run/{plan.name}
User={plan.user}
{groups}StateDirectory=shelfedge
StateDirectoryMode=0750
CacheDirectory=shelfedge
# Compiled kernels are kept: starting takes seconds instead of a minute.
Environment=NUMBA_CACHE_DIR=/var/cache/shelfedge PYTHONUNBUFFERED=1

Restart=always
RestartSec=2
WatchdogSec={WATCHDOG_S}
TimeoutStartSec={START_S}
TimeoutStopSec={STOP_S}

# Samples come at their own pace: the node goes before other programs, and isn't the one to be ended for want of memory.
Nice=-5
CPUWeight=400
OOMScoreAdjust=-500

# It reads its files and its hardware, writes in its state folder and talks to its broker. Nothing else.
UMask=0027
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
{writable}ProtectHome=read-only
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectClock=no
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""


def _quoted(word: str) -> str:
    """One word in which %, quotes and backslashes mean themselves (systemd.syntax(7))."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain}"'
