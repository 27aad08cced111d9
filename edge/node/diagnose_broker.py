"""The broker, as a diagnosis sees it: whether it would let in a node that doesn't run (one connection, closed at once,
nothing published), and how long its certificate still holds (a TLS handshake, no login: it disturbs nobody).
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import datetime

from calibration.diagnosis.verdicts import Finding
from edge.config.live_schema import UplinkOptions
from edge.node.diagnose_files import ending
from edge.stream.uplink.connection import Connection
from edge.stream.uplink.credentials import load_login
from edge.stream.uplink.errors import CredentialError, UplinkError
from edge.stream.uplink.patience import Pace
from edge.stream.uplink.status import OFFLINE, status_payload
from edge.stream.uplink.topics import Names

PACE = Pace(connect_s=5.0, connack_s=5.0)


def broker_problem(options: UplinkOptions, store: str | None, node: str, pace: Pace = PACE) -> str | None:
    """Why not, in a sentence; None where it would. ``options`` with whole paths.

    It logs in as the node does, by its name: to be called only while the node's state folder is locked or it is known
    that the node doesn't run, since a broker throws out the one who was there before.
    """
    names = Names(store, node)
    try:
        login = load_login(options)
    except CredentialError:
        return None  # told of its own, by what looks at the files
    read, write = os.pipe()
    will = (names.status, status_payload(OFFLINE, names, 0))
    try:
        connection = Connection(options, f"shelfedge-{names.store_level}-{names.node}", login, will, pace, wake_fd=read)
        try:
            connection.open()
            until_s = time.monotonic() + pace.connack_s
            while not connection.welcome and time.monotonic() < until_s + 1.0:
                connection.wait(0.1)
        except UplinkError as error:
            return str(error)
        finally:
            connection.close(politely=True)
    finally:
        os.close(read)
        os.close(write)
    return None


def broker_certificate_findings(
    options: UplinkOptions, now: datetime | None = None, pace: Pace = PACE
) -> Iterator[Finding]:
    """Where the certificate that the broker shows has expired or soon will; nothing where it shows none."""
    scheme, host, port = options.address
    if scheme != "mqtts":
        return
    with contextlib.suppress(CredentialError, OSError, ValueError):  # why it can't be reached is told by the uplink
        context = load_login(options, now).tls
        if context is None:
            return
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only looked at, nothing is told to it
        with (
            socket.create_connection((host, port), pace.connect_s) as line,
            context.wrap_socket(line, server_hostname=host) as shown,
        ):
            der = shown.getpeercert(binary_form=True)
        if der:
            yield from ending(ssl.DER_cert_to_PEM_cert(der), f"broker {host}:{port}: its certificate", now)
