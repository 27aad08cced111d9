"""What a node file says of a running node: where it keeps things, how much of them, and whom it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from edge.config.quantity import Age, Bytes, FrameHertz, Seconds
from edge.config.section import Section

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}

_Text = Annotated[str, Field(min_length=1, max_length=200)]


def broker_address(url: str) -> tuple[str, str, int]:
    """Scheme (`mqtt` or `mqtts`), host and port of a broker's URL. Raises ValueError saying what is expected."""
    expected = "expected the broker's address, for example mqtts://broker.example:8883 (or mqtt:// without TLS)"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(expected) from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(expected)
    if parts.username or parts.password:
        raise ValueError("expected no password in the address; give username and password_file instead")
    return parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme]


def _is_address(url: str) -> str:
    broker_address(url)
    return url


LEAST_OUTBOX_BYTES = 512 * 1024
"""The database, its journal and a few events (`edge.stream.outbox.records.LEAST_SIZE_BYTES`)."""
LEAST_RECORDING_BYTES = 5_000_000
"""Some minutes of a large node; a smaller ring holds nothing that explains an event."""


class OutboxOptions(Section):
    """How much the node keeps of what it has to say."""

    size_bytes: Bytes = Field(
        default=256e6,
        validation_alias="size",
        description="The most that events take on the disk, 512 KiB at least: 256 MB",
    )
    age_s: Age = Field(
        default=30 * 86400.0, validation_alias="age", description="How long events are kept, for example 30 d"
    )
    when_full: Literal["drop-oldest", "refuse"] = Field(
        default="drop-oldest",
        description="drop-oldest: the oldest undelivered events give way; refuse: new ones do. Either is reported",
    )


class RecordingOptions(Section):
    """The ring of raw samples on the node's disk, out of which `shelfedge record` takes traces.

    Pictures are kept only where `frames` asks for them: they show people. They have a ring of their own, so that they
    never push out samples.
    """

    size_bytes: Bytes = Field(
        default=1e9,
        validation_alias="size",
        description="The most it takes on the disk, 5 MB at least: 1 GB; 0 MB: none",
    )
    age_s: Age = Field(default=72 * 3600.0, validation_alias="age", description="How long it reaches back: 72 h")
    frames_hz: FrameHertz | None = Field(
        default=None,
        validation_alias="frames",
        description="Pictures of each camera that are kept a second, at most, for example 5 Hz; left out: none at all",
    )
    frames_size_bytes: Bytes = Field(
        default=1e9, validation_alias="frames_size", description="The most that pictures take on the disk: 1 GB"
    )


class HealthOptions(Section):
    """How often the node says how it is."""

    every_s: Seconds = Field(default=60.0, validation_alias="every", description="Time between two reports: 60 s")


class MetricsOptions(Section):
    """The page that Prometheus reads. Whoever reaches the address can read it."""

    port: int = Field(ge=0, le=65535, description="TCP port, for example 9464; 0: any free one")
    address: _Text = Field(default="127.0.0.1", description="the IP address to listen on, for example 127.0.0.1")


Permission = Literal["broker", "key", "off"]


class CommandOptions(Section):
    """Who may command the node. broker: whoever the broker lets publish it; key: who signs it too; off: nobody."""

    resend: Permission = Field(default="broker", description="broker, key or off")
    rebirth: Permission = Field(default="broker", description="broker, key or off")
    report: Permission = Field(default="broker", description="broker, key or off")
    key_file: _Text | None = Field(
        default=None, description="the file with the key that signs commands, relative to this file"
    )


class UplinkOptions(Section):
    """The MQTT 5 broker that the node's events go to."""

    broker: Annotated[_Text, AfterValidator(_is_address)] = Field(
        description="Its address, for example mqtts://broker.example:8883"
    )
    username: _Text | None = Field(default=None, description="The name that the node logs in with")
    password_file: _Text | None = Field(default=None, description="File with the password, relative to this file")
    ca_file: _Text | None = Field(
        default=None, description="File with the authority that signed the broker's certificate; left out: the system's"
    )
    certificate_file: _Text | None = Field(default=None, description="File with the node's own certificate (PEM)")
    key_file: _Text | None = Field(default=None, description="File with the key of the node's certificate (PEM)")
    plaintext: bool = Field(
        default=False, description="true: without TLS though the broker is another machine; anybody between can read"
    )
    acknowledged: bool = Field(
        default=False,
        description="true: an event counts as delivered once the store's back end has acknowledged it; "
        "false: once the broker has",
    )
    keep_alive_s: Seconds = Field(default=30.0, validation_alias="keep_alive", description="MQTT keep alive: 30 s")
    evidence: Literal["review", "always"] = Field(
        default="review", description="Which events carry alternatives and evidence: review, or always"
    )
    home_assistant: bool = Field(default=False, description="true: announce the node's health to Home Assistant")
    commands: CommandOptions = Field(default_factory=CommandOptions, description="Who may command the node")

    @property
    def address(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return broker_address(self.broker)


def with_absolute_files(options: UplinkOptions, folder: Path) -> UplinkOptions:
    """The uplink's options, files that are named relative to the node file by their whole paths."""

    def whole(names: tuple[str, ...], section: Section) -> dict[str, str]:
        given = {name: getattr(section, name) for name in names}
        return {name: str((folder / file).absolute()) for name, file in given.items() if file is not None}

    commands = options.commands.model_copy(update=whole(("key_file",), options.commands))
    files = whole(("password_file", "ca_file", "certificate_file", "key_file"), options)
    return options.model_copy(update={**files, "commands": commands})
