"""What to tell a technician when the broker can't be reached, isn't trusted or doesn't let the node in."""

from __future__ import annotations

import socket
import ssl

from edge.config.live_schema import UplinkOptions

# OpenSSL's X509_V_ERR_... numbers, as in openssl/x509_vfy.h
_NOT_YET_VALID, _EXPIRED = 9, 10
_NOT_TRUSTED = (18, 19, 20, 21)
_OTHER_HOST = (62, 64)

_CLOCK = "or the node's clock is wrong"
_WANTS_CERTIFICATE = (
    "the broker wants a certificate of the node; give certificate_file and key_file (and ask whoever runs it for them)"
)
_ALERTS = {  # what the broker says of our certificate or our TLS, by a word in OpenSSL's reason
    "CERTIFICATE_REQUIRED": _WANTS_CERTIFICATE,
    "HANDSHAKE_FAILURE": "the broker refused the TLS handshake; either it wants a certificate of the node "
    "(certificate_file, key_file), or it speaks no TLS that the node accepts (1.2 or newer)",
    "CERTIFICATE_EXPIRED": "the broker says that the node's certificate has expired; give a new one in "
    f"certificate_file ({_CLOCK.replace('node', 'broker')})",
    "CERTIFICATE_REVOKED": "the broker says that the node's certificate has been revoked; give a new one",
    "UNKNOWN_CA": "the broker doesn't know the authority that signed the node's certificate; give it one that the "
    "broker trusts in certificate_file",
    "BAD_CERTIFICATE": "the broker doesn't accept the node's certificate; check certificate_file against the "
    "authority that the broker trusts",
    "CERTIFICATE_UNKNOWN": "the broker doesn't accept the node's certificate; check certificate_file against the "
    "authority that the broker trusts",
    "PROTOCOL_VERSION": "the broker speaks no TLS that the node accepts; expected TLS 1.2 or newer",
    "UNSUPPORTED_PROTOCOL": "the broker speaks no TLS that the node accepts; expected TLS 1.2 or newer",
    "NO_PROTOCOLS_AVAILABLE": "the broker speaks no TLS that the node accepts; expected TLS 1.2 or newer",
}
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF", "HTTP_REQUEST", "UNEXPECTED_MESSAGE")
_PLAIN_PORT = "what listens there doesn't speak TLS; use mqtt:// if that is the broker's plain port, or its TLS port"
_CODES = {  # MQTT 5 reason codes of CONNACK and DISCONNECT, section 2.4
    132: "the broker doesn't speak MQTT 5; expected mosquitto 1.6 or newer, or another broker with MQTT 5",
    133: "the broker doesn't accept the node's client id {client}; allow it there",
    136: "the broker says it is unavailable; the node tries again",
    137: "the broker says it is busy; the node tries again",
    138: "the broker has banned this node; ask whoever runs it",
    139: "the broker shuts down; the node tries again",
    141: "the broker heard nothing for too long; check the network between",
    142: "somebody else logged in as {client}: is there a second node with this name, or a second program on this one?",
    151: "the broker says that a quota is used up; ask whoever runs it",
    152: "the broker's administrator closed the connection",
    154: "the broker keeps no retained messages, which the node's status needs; allow them there",
    155: "the broker doesn't support QoS 1; allow it there",
    156: "the broker names another server; put that one into the node file",
    157: "the broker has moved; put its new address into the node file",
    159: "the broker says that the node connects too often; the node tries again",
}


def describe_error(error: OSError, options: UplinkOptions) -> str:
    """The sentence for a connection that failed before CONNECT was sent."""
    scheme, host, port = options.address
    where = f"broker {host}:{port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{where}: {_of_certificate(error, host, options)}"
    if isinstance(error, ssl.SSLError):
        return f"{where}: {describe_tls(error.reason or str(error))}"
    if isinstance(error, socket.gaierror):
        return f"{where}: there is no such name in DNS now; check the address, and the node's network and name server"
    if isinstance(error, ConnectionRefusedError):
        return f"{where}: nothing listens on that port; check the port, and that the broker runs"
    if isinstance(error, TimeoutError):
        return f"{where}: no answer in time; check the network, the firewall and that the broker runs"
    if isinstance(error, ConnectionResetError) and scheme == "mqtts":
        return f"{where}: it closed the connection during the TLS handshake; {_PLAIN_PORT}"
    return f"{where}: can't be reached: {error.strerror or error}; check the network and the address"


def describe_tls(reason: str) -> str:
    """The sentence for what OpenSSL calls `reason`, on our side or as the broker's alert."""
    word = reason.upper().replace(" ", "_")
    for alert, sentence in _ALERTS.items():
        if alert in word:
            return sentence
    if any(sign in word for sign in _NOT_TLS):
        return _PLAIN_PORT
    return f"TLS failed: {reason}; check that both sides speak TLS 1.2 or newer and that this is the broker's TLS port"


def describe_silence(options: UplinkOptions, closed: bool, tls_said: str | None) -> str:
    """The sentence for a broker that took the connection but never answered CONNECT.

    Args:
        closed: it closed the connection; else it said nothing in time.
        tls_said: what OpenSSL said on reading, if anything.
    """
    scheme, host, port = options.address
    where = f"broker {host}:{port}"
    if tls_said is not None:
        return f"{where}: {describe_tls(tls_said)}"
    if not closed:
        return (
            f"{where}: took the connection but doesn't answer; check that this is an MQTT port and that the broker runs"
        )
    if scheme == "mqtt":
        return (
            f"{where}: closed the connection without an answer; use mqtts:// if that is the broker's TLS port, "
            "and check that it is an MQTT port"
        )
    if options.certificate_file is None:
        return f"{where}: closed the connection without an answer; perhaps {_WANTS_CERTIFICATE}"
    return f"{where}: closed the connection without an answer; look into the broker's log"


def describe_loss(options: UplinkOptions, said: str, short: bool, client_id: str) -> str:
    """The sentence for a connection that ended without a word of the broker.

    Args:
        said: what paho says of it.
        short: it ended soon after the node was let in.
    """
    _, host, port = options.address
    where = f"broker {host}:{port}"
    if "keep alive" in said.lower():
        return f"{where}: no answer for longer than the keep alive; check the network between"
    if "protocol" in said.lower():
        return (
            f"{where}: its answer isn't MQTT 5 as the standard has it; mosquitto answers so where message_size_limit "
            "is too small: use max_packet_size there instead. The node goes on with smaller messages"
        )
    if short:
        return (
            f"{where}: let the node in and soon cut the connection; either somebody else logs in as {client_id} (a "
            "second node with this name?), or the broker's log says why"
        )
    return f"{where}: the connection was cut; check that the broker runs, and the network between"


def describe_code(code: int, name: str, options: UplinkOptions, client_id: str) -> str:
    """The sentence for a reason code with which the broker refused or ended the connection; `name` is MQTT's."""
    _, host, port = options.address
    where = f"broker {host}:{port}"
    if code in (134, 135):
        if options.username is not None:
            who = f"user {options.username}"
            mend = "check username and password_file against the broker's password file and ACL"
        elif options.certificate_file is not None:
            who, mend = "the node's certificate", "check the broker's ACL for its common name"
        else:
            who, mend = "a node without credentials", "give username and password_file, or a certificate"
        return f"{where}: doesn't let {who} in ({name.lower()}); {mend}"
    if code in _CODES:
        return f"{where}: {_CODES[code].format(client=client_id)}"
    return f"{where}: says {name!r} (reason code {code}); look into the broker's log"


def _of_certificate(error: ssl.SSLCertVerificationError, host: str, options: UplinkOptions) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return f"its certificate has expired; renew it on the broker ({_CLOCK})"
    if code == _NOT_YET_VALID:
        return f"its certificate isn't valid yet; either {_CLOCK[3:]}, or the certificate must be made anew"
    if code in _NOT_TRUSTED:
        trusted = options.ca_file or "this system's authorities"
        return (
            f"its certificate isn't signed by an authority that the node trusts ({trusted}); either this isn't our "
            "broker, or ca_file must name the authority that signed its certificate"
        )
    if code in _OTHER_HOST:
        return f"its certificate isn't for {host}; use the host name that is in it, or have it made for {host}"
    return f"its certificate isn't accepted: {error.verify_message}; have it mended, or check ca_file"
