"""The end of a certificate is read as OpenSSL reads it, and told in time."""

import ssl
from datetime import UTC, datetime

import pytest
import trustme

from relay.certificate import ending, ends_at

DAY = 86_400_000_000
NOW = 1_790_000_000_000_000


@pytest.mark.parametrize("year", [1990, 2026, 2049, 2050, 9999])
def test_the_end_is_the_one_that_was_issued(year: int) -> None:
    """Both forms of a time, UTCTime up to 2049 and GeneralizedTime from 2050 on, of the first certificate of a chain."""
    wanted = datetime(year, 11, 23, 6, 30, 1, tzinfo=UTC)
    authority = trustme.CA()
    issued = authority.issue_cert(
        "relay.example", not_before=datetime(1980, 1, 1, tzinfo=UTC), not_after=wanted
    )
    chain = "some words\n" + issued.cert_chain_pems[0].bytes().decode() + authority.cert_pem.bytes().decode()
    assert ends_at(chain) == wanted.timestamp() * 1_000_000


def test_the_systems_certificates_are_read_as_openssl_reads_them() -> None:
    """Certificates of all kinds, old ones without extensions, too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    found = zip(context.get_ca_certs(), context.get_ca_certs(binary_form=True), strict=True)
    for decoded, der in found:
        assert (
            ends_at(ssl.DER_cert_to_PEM_cert(der))
            == ssl.cert_time_to_seconds(str(decoded["notAfter"])) * 1_000_000
        )


@pytest.mark.parametrize(
    "text", ["", "not PEM", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_a_value_error(text: str) -> None:
    """Nothing, other text, and what is cut off."""
    with pytest.raises(ValueError, match=r"\w"):
        ends_at(text)


def test_it_is_told_from_seven_days_before() -> None:
    """Nothing while there is time; then when it ends; then that it has ended."""
    assert ending(NOW + 8 * DAY, NOW) == ""
    assert ending(NOW + 6 * DAY, NOW) == (
        "the certificate expires on 2026-09-27 14:13 UTC, then clients refuse it; renew it, then `relay reload`"
    )
    assert ending(NOW, NOW) == (
        "the certificate expired on 2026-09-21 14:13 UTC: clients refuse it; renew it, then `relay reload`"
    )
