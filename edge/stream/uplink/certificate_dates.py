"""Until when a certificate holds. The standard library can't say it of our own, so the few bytes of DER are read here.

Certificate and TBSCertificate are as in RFC 5280, 4.1; times as in 4.1.2.5.
"""

from __future__ import annotations

import datetime
import re
import ssl

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x17, 0x18, 0xA0


def not_after(pem_text: str) -> datetime.datetime:
    """The end (UTC) of the first certificate in a PEM file. Raises ValueError where there is none or it is damaged."""
    found = _PEM.search(pem_text)
    if found is None:
        raise ValueError("no certificate in it")
    try:
        body = _inside(_inside(ssl.PEM_cert_to_DER_cert(found[0]), 0)[0], 0)[0]
        begin = 0
        if body[0] == _VERSION:
            begin = _inside(body, 0)[1]
        for _ in ("serial number", "signature algorithm", "issuer"):
            begin = _inside(body, begin)[1]
        validity = _inside(body, begin)[0]
        end = _inside(validity, 0)[1]  # after the time from which it holds
        return _time(validity[end], _inside(validity, end)[0].decode("ascii"))
    except (IndexError, ValueError):
        raise ValueError("a damaged certificate") from None


def _inside(der: bytes, begin: int) -> tuple[bytes, int]:
    """The contents of the element at `begin`, and where the next one begins."""
    length, start = der[begin + 1], begin + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count], "big"), start + count
    if start + length > len(der):
        raise ValueError("cut off")
    return der[start : start + length], start + length


def _time(tag: int, text: str) -> datetime.datetime:
    if tag == _UTC_TIME:  # two digits of the year, 50 to 99 are 19xx; strptime would take 69 as the border
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.UTC)
