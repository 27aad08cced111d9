"""Why there is no connection to the broker, in sentences for the person who is to mend it."""

from __future__ import annotations

from firmware_bridge.errors import ShelfedgeError


class CredentialError(ShelfedgeError, ValueError):
    """A password, certificate or key file is missing, can't be read or isn't what it should be.

    Example: the password file has a second line. The text names the file and what is expected.
    """


class UplinkError(ShelfedgeError, ConnectionError):
    """The broker can't be reached, isn't the one we trust, or doesn't let us in.

    Example: the broker's certificate has expired. The text says what to do.
    """
