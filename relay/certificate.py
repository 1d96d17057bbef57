"""When a certificate ends, and what to say of it before clients refuse it.

Pure. RFC 5280 §4.1; the rest of a certificate is OpenSSL's business. By hand, since Python's `ssl` does not tell this of
a certificate of one's own, and the `cryptography` package takes 11 MB of every service for one date.
"""

import ssl
from datetime import UTC, datetime

_END = "-----END CERTIFICATE-----"
_VERSION, _GENERALIZED = 0xA0, 0x18
_SOON = 7 * 86_400_000_000
"""Who renews by machine does so weeks before."""


def ends_at(pem: str) -> int:
    """Give when the first certificate of a chain ends, in microseconds UTC. Raises ValueError for what is none."""
    first = pem[pem.find("-----BEGIN CERTIFICATE-----") :]
    der = ssl.PEM_cert_to_DER_cert(first[: first.find(_END) + len(_END)])
    try:
        return _end_of(der)
    except IndexError:
        raise ValueError("the certificate is cut off") from None


def _end_of(der: bytes) -> int:
    _, at, _ = _field(der, 0)  # Certificate
    _, at, _ = _field(der, at)  # TBSCertificate
    before_validity = 4 if der[at] == _VERSION else 3  # version, serialNumber, signature, issuer
    for _ in range(before_validity):
        _, _, at = _field(der, at)
    _, at, _ = _field(der, at)  # Validity
    _, _, at = _field(der, at)  # notBefore
    tag, at, end = _field(der, at)
    text = der[at:end].decode("ascii")
    if tag != _GENERALIZED:
        # UTCTime has two digits of the year; 50 and more are of the last century (§4.1.2.5.1).
        text = ("19" if text >= "50" else "20") + text
    return round(datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp() * 1_000_000)


def _field(der: bytes, at: int) -> tuple[int, int, int]:
    """Give the tag of the field at a place, where its content begins, and where that ends (X.690 §8.1)."""
    tag, length = der[at], der[at + 1]
    at += 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[at : at + size], "big")
        at += size
    return tag, at, at + length


def ending(until: int, now: int) -> str:
    """Say that a certificate has ended or ends within seven days, and what to do; "" while there is time."""
    day = datetime.fromtimestamp(until / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if until <= now:
        return f"the certificate expired on {day}: clients refuse it; renew it, then `relay reload`"
    if until - now < _SOON:
        return f"the certificate expires on {day}, then clients refuse it; renew it, then `relay reload`"
    return ""
