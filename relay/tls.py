"""TLS contexts for listeners and for next hops: TLS 1.2 or later, nothing weak (RFC 8997, RFC 9325)."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.errors import CommandError

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# TLS 1.2 with forward secrecy and authenticated encryption only; RFC 9325 §4.2. TLS 1.3 has suites of its own.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!eNULL:!aDSS:!PSK"
_PROBLEM = 78


def server_context(
    certificate: Path, private_key_pem: str, *, minimum: str, client_ca: Path | None
) -> ssl.SSLContext:
    """Make the context that a listener shows its certificate with.

    The key is text, since it may come from the environment or a credential; it is never left on disk. With a
    `client_ca`, clients may show a certificate, which is then verified (`certificate_names`).
    Raises CommandError (exit code 78) that names the file and never quotes it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[minimum]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_CIPHERS)
    # Mail clients come back for every message: tickets spare both sides most of the handshake, one is enough.
    context.num_tickets = 1
    _load_chain(context, certificate, private_key_pem)
    if client_ca is not None:
        _load_authorities(context, client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(ca: Path | None, *, verify: bool = True) -> ssl.SSLContext:
    """Make the context for a next hop: verified against `ca`, else against the system's authorities.

    `verify=False` is for opportunistic TLS alone (RFC 7435): encrypted, with whoever answers.
    Raises CommandError (exit code 78) when `ca` cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION
    context.set_ciphers(_CIPHERS)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is not None:
        _load_authorities(context, ca)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def certificate_names(connection: ssl.SSLObject) -> tuple[str, ...]:
    """Give the host names (subjectAltName, lower case) of the peer's certificate.

    Empty when it showed none: an unverified certificate never gets this far, the handshake fails before.
    The common name is no host name (RFC 9525 §2).
    """
    certificate = connection.getpeercert()
    if not certificate:
        return ()
    entries = certificate.get("subjectAltName", ())
    return tuple(str(entry[1]).lower() for entry in entries if entry[0] == "DNS")


def describe(connection: ssl.SSLObject) -> str:
    """Give version and cipher suite, as Received and logs show them: `TLSv1.3 TLS_AES_256_GCM_SHA384`."""
    cipher = connection.cipher()
    return f"{connection.version()} {cipher[0]}" if cipher else str(connection.version() or "")


def see_certificate(certificate: Path) -> None:
    """See that the file can be read. Raises CommandError (78) that says why not, where OpenSSL would not."""
    try:
        with certificate.open("rb"):
            return
    except FileNotFoundError:
        raise CommandError(f"{certificate}: there is no such certificate file", _PROBLEM) from None
    except OSError as exc:
        raise CommandError(f"{certificate}: cannot be read: {exc.strerror}", _PROBLEM) from None


def _load_chain(context: ssl.SSLContext, certificate: Path, private_key_pem: str) -> None:
    see_certificate(certificate)
    try:
        with _as_file(private_key_pem) as key:
            # A password callback, or OpenSSL would ask for one on the terminal.
            context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as exc:
        raise CommandError(f"{certificate}: {_reason(exc, private_key_pem)}", _PROBLEM) from None
    except OSError as exc:
        raise CommandError(f"{certificate}: {exc.strerror}", _PROBLEM) from None


def _reason(error: ssl.SSLError, private_key_pem: str) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the private key does not belong to the certificate; were both renewed?"
    if "ENCRYPTED" in private_key_pem:
        return (
            "its private key has a passphrase, which nobody could type; `openssl pkey` writes it without one"
        )
    return f"the certificate and its private key cannot be used ({error.reason or 'not PEM'})"


def _load_authorities(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as exc:
        raise CommandError(
            f"{ca}: holds no usable CA certificate ({exc.reason or 'not PEM'})", _PROBLEM
        ) from None
    except OSError as exc:
        raise CommandError(f"{ca}: {exc.strerror}", _PROBLEM) from None


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """Give a file name for a secret, for a library that reads files only: in memory where the system can."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("key", os.MFD_CLOEXEC)
        name = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, name = tempfile.mkstemp()  # mode 0600
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(text.encode())
        yield name
    finally:
        os.close(descriptor)
        if not name.startswith("/proc/"):
            Path(name).unlink()
