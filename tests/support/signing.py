"""DKIM signatures for corpus messages, and a look-up that finds their keys (dkimpy, RFC 6376 and 8463)."""

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

Algorithm = Literal["rsa-sha256", "ed25519-sha256"]

CANONICALISATIONS = tuple(
    (header, body) for header in (b"simple", b"relaxed") for body in (b"simple", b"relaxed")
)
ALGORITHMS: tuple[Algorithm, ...] = ("rsa-sha256", "ed25519-sha256")
DOMAIN = b"example.com"

_SIGNED = (b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type")


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to sign."""

    canonicalisation: tuple[bytes, bytes]
    algorithm: Algorithm
    over_signed: bool
    """Whether h= names each field once more than there are, so that none can be added (RFC 6376 §8.15)."""


def ways() -> list[Signature]:
    """Give every combination."""
    return [
        Signature(canonicalisation, algorithm, over_signed)
        for canonicalisation in CANONICALISATIONS
        for algorithm in ALGORITHMS
        for over_signed in (False, True)
    ]


@lru_cache(maxsize=2)
def _key(algorithm: Algorithm) -> tuple[bytes, bytes]:
    """Make a key pair: what dkimpy signs with, and the TXT record that shows the public half."""
    if algorithm == "rsa-sha256":
        rsa_key = rsa.generate_private_key(65537, 1024)
        private = rsa_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = rsa_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return private, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    return base64.b64encode(key.private_bytes_raw()), b"v=DKIM1; k=ed25519; p=" + base64.b64encode(public)


def sign(message: bytes, way: Signature) -> bytes:
    """Give the message with a signature on top."""
    names = [
        line.partition(b":")[0].strip().lower() for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")
    ]
    listed = [name for name in _SIGNED for _ in range(names.count(name) + way.over_signed)]
    private, _ = _key(way.algorithm)
    signature: bytes = dkim.sign(
        message,
        way.algorithm.partition("-")[0].encode(),
        DOMAIN,
        private,
        canonicalize=way.canonicalisation,
        signature_algorithm=way.algorithm.encode(),
        include_headers=listed,
    )
    return signature + message


def verify(message: bytes) -> bool:
    """Check the signature that stands first in the message."""

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        return _key("rsa-sha256" if name.startswith(b"rsa.") else "ed25519-sha256")[1]

    return bool(dkim.verify(message, dnsfunc=look_up))
