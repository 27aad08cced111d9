"""Passwords, certificates and keys: read at each connection; what is wrong with them is said in a sentence."""

from __future__ import annotations

import datetime
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from uplink_bed import secret

from edge.config.live_schema import UplinkOptions
from edge.stream.uplink.certificate_dates import not_after
from edge.stream.uplink.credentials import load_login
from edge.stream.uplink.errors import CredentialError
from hil.certificates import Authority, Identity


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def node(authority: Authority) -> Identity:
    return authority.issue("bay-12")


def over_tls(**more: Any) -> UplinkOptions:
    return UplinkOptions(broker="mqtts://broker.example", **more)


def refusal(options: UplinkOptions) -> str:
    with pytest.raises(CredentialError) as caught:
        load_login(options)
    return str(caught.value)


def test_the_password_is_the_files_one_line(tmp_path: Path) -> None:
    path = secret(tmp_path / "password", "pass wörd \n")
    login = load_login(UplinkOptions(broker="mqtt://127.0.0.1", username="bay-12", password_file=path))
    assert (login.username, login.password, login.tls, login.warnings) == ("bay-12", "pass wörd ", None, ())


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "holds nothing"), (b"\n", "holds nothing"), (b"a\nb\n", "holds 2 lines"), (b"\xff\xfe", "isn't text"),
     (b"x" * 70000, "is too long")],
)  # fmt: skip
def test_a_password_file_that_isnt_one_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    said = refusal(UplinkOptions(broker="mqtt://127.0.0.1", username="u", password_file=str(path)))
    assert said.startswith(f"{path}: the password file {says}")
    assert "; expected " in said


def test_a_file_that_is_missing_or_a_folder_is_named(tmp_path: Path) -> None:
    missing = UplinkOptions(broker="mqtt://127.0.0.1", username="u", password_file=str(tmp_path / "nowhere"))
    assert "the password file isn't there" in refusal(missing)
    folder = UplinkOptions(broker="mqtt://127.0.0.1", username="u", password_file=str(tmp_path))
    assert "can't be read: Is a directory" in refusal(folder)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:  # root, as whom tests may run, may read everything
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    said = refusal(UplinkOptions(broker="mqtt://127.0.0.1", username="u", password_file=str(tmp_path / "password")))
    assert "can't be read by this user" in said


def test_secrets_that_everybody_can_read_are_warned_of(tmp_path: Path, authority: Authority, node: Identity) -> None:
    """P11."""
    key = tmp_path / "node.key"
    shutil.copy(node.key, key)
    key.chmod(0o644)
    login = load_login(over_tls(ca_file=str(authority.file), certificate_file=str(node.certificate), key_file=str(key)))
    assert login.warnings == (f"{key}: everybody on this machine can read the key file; expected: chmod 600 {key}",)


def test_tls_is_1_2_or_newer_and_checks_certificate_and_host(authority: Authority, node: Identity) -> None:
    """P11."""
    for options in (
        over_tls(),
        over_tls(ca_file=str(authority.file), certificate_file=str(node.certificate), key_file=str(node.key)),
    ):
        context = load_login(options).tls
        assert context is not None
        assert context.check_hostname
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_certificate_of_ours_that_expired_is_named_before_connecting(authority: Authority) -> None:
    """P11."""
    old = authority.issue("old", to_days=-2.0)
    said = refusal(over_tls(certificate_file=str(old.certificate), key_file=str(old.key)))
    assert "the node's certificate expired on 20" in said
    assert "clock" in said


def test_a_certificate_of_ours_is_warned_of_30_days_before_it_expires(authority: Authority) -> None:
    soon = authority.issue("soon", to_days=29.5)
    login = load_login(over_tls(certificate_file=str(soon.certificate), key_file=str(soon.key)))
    assert "expires on" in login.warnings[0]
    assert "in 29 days; renew it" in login.warnings[0]
    later = authority.issue("later", to_days=30.5)
    assert load_login(over_tls(certificate_file=str(later.certificate), key_file=str(later.key))).warnings == ()


def test_certificates_and_keys_that_cant_be_used_are_named(
    tmp_path: Path, authority: Authority, node: Identity
) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    rubbish.chmod(0o600)
    nothing = tmp_path / "nothing.pem"
    nothing.write_bytes(b"\x00\x01")
    nothing.chmod(0o600)
    other = authority.issue("other")
    assert f"{rubbish}: the CA file holds no certificate" in refusal(over_tls(ca_file=str(rubbish)))
    assert f"{nothing}: the CA file holds no certificate" in refusal(over_tls(ca_file=str(nothing)))
    pairs = [
        (nothing, node.key, f"{nothing}: no certificate in it"),
        (rubbish, node.key, f"{rubbish}: a damaged certificate"),
        (node.certificate, nothing, f"{nothing}: no key can be read"),
        (node.certificate, other.key, f"{other.key}: the key doesn't belong to {node.certificate}"),
        (node.certificate, tmp_path / "no.key", f"{tmp_path / 'no.key'}: the key file isn't there"),
    ]
    for certificate, key, says in pairs:
        assert says in refusal(over_tls(certificate_file=str(certificate), key_file=str(key)))


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_passphrase(tmp_path: Path, node: Identity) -> None:
    """On a node nobody sits at the terminal: OpenSSL's question would hang it."""
    key = serialization.load_pem_private_key(node.key.read_bytes(), None)
    path = tmp_path / "encrypted.key"
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    said = refusal(over_tls(certificate_file=str(node.certificate), key_file=str(path)))
    assert "the key is encrypted; expected one without a passphrase" in said


def test_the_end_of_a_certificate_is_read_to_the_second(authority: Authority) -> None:
    from cryptography import x509

    for days in (10.0, 365.0, 365.0 * 40):  # after 2050 the form of the time is another
        made = authority.issue("dated", to_days=days)
        right = x509.load_pem_x509_certificate(made.certificate.read_bytes()).not_valid_after_utc
        assert not_after("some text before\n" + made.certificate.read_text()) == right
        assert right.tzinfo == datetime.UTC


def test_a_damaged_certificate_is_an_error_and_nothing_worse(node: Identity) -> None:
    der = bytearray(ssl.PEM_cert_to_DER_cert(node.certificate.read_text()))
    for position in range(len(der)):
        for value in (0x00, 0xFF, der[position] ^ 0x55):
            changed = bytes(der[:position]) + bytes([value]) + bytes(der[position + 1 :])
            try:
                not_after(ssl.DER_cert_to_PEM_cert(changed))
            except ValueError as error:
                assert str(error) == "a damaged certificate"  # noqa: PT017  # most are still whole
