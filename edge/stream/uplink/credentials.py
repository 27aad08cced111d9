"""What the node shows the broker, and whom it trusts: read anew for every connection, so that a new password counts
without a restart."""

from __future__ import annotations

import datetime
import os
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from edge.config.live_schema import UplinkOptions
from edge.stream.uplink.certificate_dates import not_after
from edge.stream.uplink.errors import CredentialError

WARN_DAYS = 30
_MOST_PASSWORD_BYTES = 65535  # MQTT's own limit
_MOST_PEM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Login:
    """Everything for one connection. `tls` is None for plain TCP; `warnings` are sentences for the log."""

    username: str | None
    password: str | None
    tls: ssl.SSLContext | None
    warnings: tuple[str, ...] = ()


def load_login(options: UplinkOptions, now: datetime.datetime | None = None) -> Login:
    """Read the files that `options` names (absolute paths) as they are at this moment.

    Raises CredentialError naming the file, what is wrong with it and what is expected.
    """
    warnings: list[str] = []
    password = None
    if options.password_file is not None:
        password = _password(Path(options.password_file), warnings)
    tls = None
    if options.address[0] == "mqtts":
        tls = _tls(options, now or datetime.datetime.now(datetime.UTC), warnings)
    return Login(options.username, password, tls, tuple(warnings))


def read_secret(path: Path, what: str, most_bytes: int, warnings: list[str]) -> bytes:
    """A file that only the node should be able to read; adds a warning where everybody can.

    Raises CredentialError; `what` is what it is called in the text, for example "password file".
    """
    data, mode = _read(path, what, most_bytes)
    if mode & stat.S_IROTH:
        warnings.append(f"{path}: everybody on this machine can read the {what}; expected: chmod 600 {path}")
    return data


def _read(path: Path, what: str, most_bytes: int) -> tuple[bytes, int]:
    """What is in the file, and its mode."""
    try:
        with path.open("rb") as file:
            data, mode = file.read(most_bytes + 1), os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        raise CredentialError(f"{path}: the {what} isn't there; expected the file that the node file names") from None
    except PermissionError:
        raise CredentialError(f"{path}: the {what} can't be read by this user; expected: it belongs to him") from None
    except OSError as error:
        raise CredentialError(f"{path}: the {what} can't be read: {error.strerror}; expected a file") from None
    if len(data) > most_bytes:
        raise CredentialError(f"{path}: the {what} is too long; expected at most {most_bytes} bytes")
    return data, mode


def _password(path: Path, warnings: list[str]) -> str:
    data = read_secret(path, "password file", _MOST_PASSWORD_BYTES, warnings)
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise CredentialError(f"{path}: the password file isn't text; expected one line of UTF-8") from None
    if len(lines) != 1 or not lines[0]:
        found = f"{len(lines)} lines" if len(lines) > 1 else "nothing"
        raise CredentialError(f"{path}: the password file holds {found}; expected one line, the password alone")
    return lines[0]


def _tls(options: UplinkOptions, now: datetime.datetime, warnings: list[str]) -> ssl.SSLContext:
    if options.ca_file is not None:
        _read(Path(options.ca_file), "CA file", _MOST_PEM_BYTES)
    try:
        # Checks the broker's certificate and host name; with an authority of our own, no other is trusted.
        context = ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ValueError):
        raise CredentialError(
            f"{options.ca_file}: the CA file holds no certificate that can be read; expected certificates as PEM text"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.certificate_file is not None and options.key_file is not None:
        _load_own(context, Path(options.certificate_file), Path(options.key_file), now, warnings)
    return context


def _load_own(
    context: ssl.SSLContext, certificate: Path, key: Path, now: datetime.datetime, warnings: list[str]
) -> None:
    text = _read(certificate, "certificate file", _MOST_PEM_BYTES)[0].decode("latin-1")
    read_secret(key, "key file", _MOST_PEM_BYTES, warnings)
    try:
        end = not_after(text)
    except ValueError as error:
        raise CredentialError(f"{certificate}: {error}; expected the node's certificate as PEM text") from None
    left = end - now
    if left < datetime.timedelta():
        raise CredentialError(
            f"{certificate}: the node's certificate expired on {end:%Y-%m-%d}; expected a new one (or the node's clock "
            f"is wrong: it says {now:%Y-%m-%d})"
        )
    if left < datetime.timedelta(days=WARN_DAYS):
        warnings.append(
            f"{certificate}: the node's certificate expires on {end:%Y-%m-%d}, in {left.days} days; renew it"
        )
    try:
        context.load_cert_chain(certificate, key, password=_refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            said = f"{key}: the key doesn't belong to {certificate}; expected the key that the certificate was made for"
        else:
            said = f"{key}: no key can be read from {key.name} and {certificate.name}; expected both as PEM text"
        raise CredentialError(said) from None
    except _EncryptedKeyError:
        raise CredentialError(f"{key}: the key is encrypted; expected one without a passphrase") from None
    except OSError as error:
        raise CredentialError(f"{key}: the key file can't be read: {error.strerror}; expected a file") from None


class _EncryptedKeyError(Exception):
    pass


def _refuse() -> NoReturn:
    """OpenSSL would ask for a passphrase on the terminal, and a node has nobody there."""
    raise _EncryptedKeyError
