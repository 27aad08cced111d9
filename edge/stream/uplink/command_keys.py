"""Commands that are signed: who holds a key may command, whatever the broker allows.

The signature is the HMAC-SHA256 (RFC 2104), as lower-case hex, of the UTF-8 bytes of one JSON array

    ["shelfedge-command-1", store, node, command, signed_boot, id, arguments]

without spaces, object keys sorted, everything beyond ASCII as ``\\uXXXX``. `store` is ``-`` where the node has none;
`signed_boot` is the boot that the node's retained status tells; `arguments` is the payload's object without id, key_id,
signed_boot and signature; numbers in it are whole. As the boot must be the one that runs and the node does each id once
in a boot, a recorded command is worth nothing later, at another node or for another command.

A key file has one line per key: ``key_id:hex``, at least 16 bytes, and after it the commands that the key may give,
all where none are named. Empty lines and lines that begin with # are left out::

    back-office:6f1d0c5f2c8e4f0fa1d6a7d0b1f0c3e2 resend report
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.stream.uplink.credentials import read_secret
from edge.stream.uplink.errors import CredentialError
from edge.stream.uplink.topics import Names

LEAST_KEY_BYTES = 16
COMMANDS = ("resend", "rebirth", "report")
SIGNING_FIELDS = ("key_id", "signed_boot", "signature")
_MOST_FILE_BYTES = 64 * 1024
_LINE = re.compile(r"(?P<key_id>[A-Za-z0-9._-]{1,64}):(?P<hex>[0-9A-Fa-f]+)(?P<commands>(?:[ \t]+[a-z]+)*)")


@dataclass(frozen=True, slots=True)
class CommandKey:
    """A key and the commands that it is good for."""

    key: bytes
    commands: frozenset[str]


def load_command_keys(path: Path) -> tuple[dict[str, CommandKey], tuple[str, ...]]:
    """The keys of a file by their ids, and warnings for the log.

    Raises CredentialError naming the file, the line (never what is in it) and what is expected.
    """
    warnings: list[str] = []
    data = read_secret(path, "command key file", _MOST_FILE_BYTES, warnings)
    keys: dict[str, CommandKey] = {}
    for number, line in enumerate(data.decode("latin-1").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None or len(found["hex"]) % 2:
            raise CredentialError(f"{path}:{number}: expected key_id:hexkey, and after it the commands it may give")
        if len(found["hex"]) < 2 * LEAST_KEY_BYTES:
            raise CredentialError(f"{path}:{number}: the key is too short; expected at least {LEAST_KEY_BYTES} bytes")
        if found["key_id"] in keys:
            raise CredentialError(f"{path}:{number}: the key id is there twice; expected each once")
        commands = found["commands"].split()
        unknown = [command for command in commands if command not in COMMANDS]
        if unknown:
            raise CredentialError(f"{path}:{number}: no command is called {unknown[0]}; expected {', '.join(COMMANDS)}")
        keys[found["key_id"]] = CommandKey(bytes.fromhex(found["hex"]), frozenset(commands or COMMANDS))
    if not keys:
        raise CredentialError(f"{path}: no key in it; expected a line key_id:hexkey")
    return keys, tuple(warnings)


def signature(key: bytes, names: Names, command: str, signed_boot: int, payload: Mapping[str, Any]) -> str:
    """The signature as hex. `payload` has at least the id; its signing fields are left out of what is signed."""
    text = command_text(names, command, signed_boot, payload)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def command_text(names: Names, command: str, signed_boot: int, payload: Mapping[str, Any]) -> str:
    """What is signed."""
    arguments = {name: value for name, value in payload.items() if name != "id" and name not in SIGNING_FIELDS}
    said = ["shelfedge-command-1", names.store_level, names.node, command, signed_boot, payload["id"], arguments]
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def sign_command(
    key_id: str, key: bytes, names: Names, command: str, signed_boot: int, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """For back ends: `payload` (its id, and what the command takes) with the fields that sign it."""
    signing = {
        "key_id": key_id,
        "signed_boot": signed_boot,
        "signature": signature(key, names, command, signed_boot, payload),
    }
    return {**payload, **signing}


def why_refused(
    keys: Mapping[str, CommandKey], names: Names, command: str, boot: int, payload: Mapping[str, Any]
) -> str | None:
    """None for a command that a key of the right kind has signed for this boot; else the sentence why not."""
    key_id, said = payload.get("key_id"), payload.get("signature")
    if not isinstance(key_id, str) or not isinstance(said, str):
        return "this command must be signed; expected key_id, signed_boot and signature"
    known = keys.get(key_id)
    # Computed for an unknown key too, so that the time an answer takes doesn't tell which ids there are.
    signed_boot = payload.get("signed_boot")
    if type(signed_boot) is not int:
        return "expected signed_boot, the boot that the node's status tells"
    right = signature(known.key if known else bytes(LEAST_KEY_BYTES), names, command, signed_boot, payload)
    if not hmac.compare_digest(right.encode(), said.encode("utf-8", "replace")) or known is None:
        return "the signature isn't right; check the key, its id and how the command is put into bytes"
    if command not in known.commands:
        return f"key {key_id} isn't allowed to give the command {command}"
    if signed_boot != boot:
        return f"it is signed for boot {signed_boot}, but the node is at boot {boot}; sign it for that one"
    return None
