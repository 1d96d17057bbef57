"""TLS contexts refuse what is old or unverified, and leave no key behind."""

import contextlib
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from relay.errors import CommandError
from relay.tls import certificate_names, client_context, describe, see_certificate, server_context
from tests.support.nobody import as_nobody


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """Give a CA."""
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, ca: trustme.CA) -> Path:
    """Give a folder with `cert.pem` for relay.example and `ca.pem`."""
    issued = ca.issue_cert("relay.example")
    (tmp_path / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem.bytes())
    (tmp_path / "key.pem").write_bytes(issued.private_key_pem.bytes())
    return tmp_path


def listener(files: Path, *, client_ca: bool = False, minimum: str = "1.2") -> ssl.SSLContext:
    """Make a listener's context."""
    return server_context(
        files / "cert.pem",
        (files / "key.pem").read_text(),
        minimum=minimum,
        client_ca=files / "ca.pem" if client_ca else None,
    )


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Do a handshake in memory and give the server's and the client's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=name),
    )
    for _ in range(4):
        for end in reversed(ends):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends


def test_a_verified_handshake(files: Path) -> None:
    """A client that trusts the CA gets a modern connection; a client without a certificate has no names."""
    server, client = shake(listener(files), client_context(files / "ca.pem"), "relay.example")
    assert describe(server).startswith("TLSv1.3 TLS_")
    assert describe(client) == describe(server)
    assert certificate_names(server) == ()


def test_a_wrong_name_is_refused(files: Path) -> None:
    """The next hop's certificate must carry the name that was configured."""
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(listener(files), client_context(files / "ca.pem"), "other.example")


def test_an_unknown_authority_is_refused_unless_opportunistic(files: Path) -> None:
    """Without the CA the handshake fails; opportunistic TLS encrypts with whoever answers."""
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(listener(files), client_context(None), "relay.example")
    server, _ = shake(listener(files), client_context(None, verify=False), "whatever.example")
    assert describe(server).startswith("TLSv1.3")


def test_client_certificates_are_verified_and_named(files: Path, ca: trustme.CA) -> None:
    """A certificate of the right CA gives its names in lower case, one of another CA ends the handshake."""
    client = client_context(files / "ca.pem")
    ca.issue_cert("Gateway.Example", "two.example").configure_cert(client)
    server, _ = shake(listener(files, client_ca=True), client, "relay.example")
    assert certificate_names(server) == ("gateway.example", "two.example")

    stranger = client_context(files / "ca.pem")
    trustme.CA().issue_cert("gateway.example").configure_cert(stranger)
    with pytest.raises(ssl.SSLError):
        shake(listener(files, client_ca=True), stranger, "relay.example")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("minimum", "version"),
    [("1.2", ssl.TLSVersion.TLSv1_1), ("1.3", ssl.TLSVersion.TLSv1_2)],
)
def test_older_versions_are_refused(files: Path, minimum: str, version: ssl.TLSVersion) -> None:
    """What is older than the minimum does not connect."""
    client = client_context(files / "ca.pem")
    client.minimum_version = version
    client.maximum_version = version
    with pytest.raises(ssl.SSLError):
        shake(listener(files, minimum=minimum), client, "relay.example")


def test_no_weak_cipher_is_offered(files: Path) -> None:
    """Every TLS 1.2 suite has forward secrecy and authenticated encryption."""
    for cipher in listener(files).get_ciphers():
        assert cipher["aead"], cipher["name"]
        assert cipher["kea"] in ("kx-ecdhe", "kx-dhe", "kx-any"), cipher["name"]


def test_no_key_is_left_on_disk(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system has no files in memory, the key's file is gone when the context is made."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.delattr("os.memfd_create")
    listener(files)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("key", ["", "not a key", "another"])
def test_a_key_that_does_not_fit_is_reported_without_its_text(files: Path, ca: trustme.CA, key: str) -> None:
    """The error names the certificate file and shows nothing of the key."""
    text = ca.issue_cert("x.example").private_key_pem.bytes().decode() if key == "another" else key
    with pytest.raises(CommandError) as caught:
        server_context(files / "cert.pem", text, minimum="1.2", client_ca=None)
    assert caught.value.exit_code == 78
    assert "cert.pem" in str(caught.value)
    assert "PRIVATE" not in str(caught.value)


def test_missing_files_are_named(files: Path) -> None:
    """A certificate or CA that is not there is said so, with its name."""
    with pytest.raises(CommandError, match=r"gone\.pem"):
        server_context(files / "gone.pem", "", minimum="1.2", client_ca=None)
    with pytest.raises(CommandError, match=r"gone\.pem"):
        client_context(files / "gone.pem")
    (files / "bad.pem").write_text("no certificate")
    with pytest.raises(CommandError, match=r"bad\.pem"):
        client_context(files / "bad.pem")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("another", "the private key does not belong to the certificate; were both renewed?"),
        (
            "locked",
            "its private key has a passphrase, which nobody could type; `openssl pkey` writes it without one",
        ),
    ],
)
def test_the_usual_mistakes_with_a_key_are_told_in_words(
    files: Path, ca: trustme.CA, key: str, told: str
) -> None:
    """A certificate that was renewed alone, and a key as `openssl genpkey -aes256` writes it."""
    text = ca.issue_cert("x.example").private_key_pem.bytes().decode()
    if key == "locked":
        loaded = serialization.load_pem_private_key(text.encode(), None)
        text = loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        ).decode()
    with pytest.raises(CommandError) as caught:
        server_context(files / "cert.pem", text, minimum="1.2", client_ca=None)
    assert str(caught.value) == f"{files / 'cert.pem'}: {told}"


def test_a_certificate_in_a_folder_of_others_is_told_and_not_a_traceback(files: Path) -> None:
    """As with /etc/letsencrypt/live, which is root's alone."""
    with as_nobody(files), pytest.raises(CommandError) as caught:
        see_certificate(files / "cert.pem")
    assert caught.value.exit_code == 78
    assert str(caught.value) == f"{files / 'cert.pem'}: cannot be read: Permission denied"
