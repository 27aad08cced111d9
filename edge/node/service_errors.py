"""What keeps a node from becoming a service."""

from __future__ import annotations

from firmware_bridge.errors import ShelfedgeError


class ServiceError(ShelfedgeError, RuntimeError):
    """The service can't be installed or asked. Examples: not root; no systemd; systemctl refused."""
