"""Whether a node that doesn't run would be let in by its broker: one connection, closed at once, nothing published."""

from __future__ import annotations

import os
import time

from edge.config.live_schema import UplinkOptions
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
