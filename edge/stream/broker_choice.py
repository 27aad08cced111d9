"""Which broker a reader asks, and as whom: what the node file says, or what was given instead."""

from __future__ import annotations

from pathlib import Path

from edge.config.live_schema import LOOPBACK_HOSTS, UplinkOptions, broker_address, with_absolute_files
from edge.config.schema import NodeFile
from edge.stream.uplink.errors import CredentialError
from edge.stream.uplink.topics import Names


def broker_options(
    node: NodeFile,
    folder: Path,
    broker: bool = True,
    url: str | None = None,
    username: str | None = None,
    password_file: Path | None = None,
    ca_file: Path | None = None,
    certificate_file: Path | None = None,
    key_file: Path | None = None,
    instead: str = "leave out --broker",
) -> UplinkOptions | None:
    """The node file's uplink with what was given in its place; files by absolute paths. None: no broker is wanted.

    ``folder`` is where the node file is. A username or a certificate of one's own takes the place of all that the node
    shows; a broker of one's own is never shown the node's password. ``instead``: what helps where there is no broker
    but --url. Raises CredentialError saying what to give.
    """
    if not broker and url is None:
        if any(given is not None for given in (username, password_file, ca_file, certificate_file, key_file)):
            raise CredentialError("a username, password, certificate or key is for a broker; add --broker or --url")
        return None
    own = username is not None or certificate_file is not None
    options = node.uplink
    if options is None:
        if url is None:
            raise CredentialError(f"node {node.node} names no broker; give one with --url, or {instead}")
        options = UplinkOptions(broker=_checked(url, plaintext=False))
    options = with_absolute_files(options, folder)
    changes: dict[str, str | None] = {}
    if own or url is not None:
        changes |= dict.fromkeys(("username", "password_file", "certificate_file", "key_file"))
    given = {"password_file": password_file, "ca_file": ca_file}
    given |= {"certificate_file": certificate_file, "key_file": key_file}
    changes |= {name: str(path.absolute()) for name, path in given.items() if path is not None}
    if username is not None:
        changes["username"] = username
    if url is not None:
        changes["broker"] = _checked(url, options.plaintext)
    options = options.model_copy(update=changes)
    for one, other in (
        ("password_file", "username"),
        ("certificate_file", "key_file"),
        ("key_file", "certificate_file"),
    ):
        if getattr(options, one) and not getattr(options, other):
            raise CredentialError(f"--{one.split('_')[0]} needs --{other.split('_')[0]} beside it")
    return options


def describe_nothing(options: UplinkOptions, names: Names) -> str:
    """The sentence for a broker that let us in, but from which not even the node's retained status came."""
    who = "with a certificate" if options.username is None and options.certificate_file else "without a username"
    who = f"as {options.username}" if options.username is not None else who
    return (
        f"broker {options.broker}: nothing comes of node {names.node}, not even its status, to us who logged in {who}: "
        f"either the node was never there, or the broker's ACL doesn't let us read {names.prefix}/#; log in as one who "
        "may, like the store's back end: --username backend --password-file FILE"
    )


def _checked(url: str, plaintext: bool) -> str:
    try:
        scheme, host, _ = broker_address(url)
    except ValueError as error:
        raise CredentialError(f"--url {url}: {error}") from None
    if scheme == "mqtt" and host not in LOOPBACK_HOSTS and not plaintext:
        raise CredentialError(
            f"--url {url}: expected mqtts:// for another machine: without TLS anybody between can read along; where "
            "the network is safe, the node file may say plaintext: true"
        )
    return url
