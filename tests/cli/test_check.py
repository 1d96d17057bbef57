"""`relay check` tells every problem, and builds what can be built."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import trustme

from tests.support.command import relay
from tests.support.settings import GOOD, written

DATA = Path(__file__).parent / "data"


def test_ten_mistakes_are_ten_lines_with_places_and_hints(tmp_path: Path) -> None:
    """Each line names file, line, column and setting, what is wrong and what would be right."""
    config = tmp_path / "ten-mistakes.yaml"
    shutil.copy(DATA / config.name, config)
    ran = relay("check", "-c", config)
    assert ran.code == 78
    lines = [line.removeprefix(f"{tmp_path}/") for line in ran.out.splitlines()]
    assert lines == (DATA / "ten-mistakes.txt").read_text().splitlines()
    assert len(lines) == 10
    assert ran.err == "1 file read, 10 errors, 0 warnings\n"


def test_good_settings_pass(tmp_path: Path) -> None:
    """Warnings are shown and do not matter; -c may stand before the command."""
    config = written(tmp_path)
    ran = relay("-c", config, "check")
    assert ran.code == 0
    assert (
        ran.out
        == f"{config}:5:21: warning: auth.require_tls: lets passwords cross in clear text at listener submission\n"
    )
    assert ran.err == "1 file read, 0 errors, 1 warning\n"


def test_problems_as_json(tmp_path: Path) -> None:
    """Each with its fields."""
    config = written(tmp_path, GOOD.replace("tls: none}\nusers", "tls: ssl}\nusers"))
    ran = relay("check", "--json", "-c", config)
    assert ran.code == 78
    assert ran.json["schema"] == "relay.check/1"
    assert ran.items[-1] == {
        "file": str(config),
        "line": 9,
        "column": 46,
        "path": "upstream.routes.main.tls",
        "severity": "error",
        "text": '"ssl" is not one of none, opportunistic, starttls, implicit; did you mean "implicit"?',
    }


def _told(config: Path) -> list[str]:
    ran = relay("check", "-c", config)
    assert ran.code == 78, ran
    return [line.removeprefix(f"{config}:") for line in ran.out.splitlines() if "warning" not in line]


def test_what_cannot_be_built_is_told_at_its_setting(tmp_path: Path) -> None:
    """Secrets, certificates, authorities and patterns are tried."""
    text = GOOD.replace("tls: none, auth: optional}", "tls: starttls, client_ca: none.pem}")
    text = text.replace(
        "tls: none}\nusers",
        "tls_ca: bad.pem, auth: {kind: password, username: u, password: {env: RELAY_NONE}}}\nusers",
    )
    text += "tls: {certificate: cert.pem, private_key: {file: key.pem}}\n"
    text += "logging: {exclude: {subjects: ['a(?=b)']}}\n"
    text += "salesforce: {instance: 'https://x.my.salesforce.com', tls_ca: none.pem, auth: {kind: refresh_token, client_id: x}}\n"
    text += "web: {oidc: {issuer: 'https://x.example', client_id: x, client_secret: {file: key.pem}, tls_ca: none.pem}}\n"
    config = written(tmp_path, text)
    written(tmp_path, "not PEM\n", "bad.pem")
    written(tmp_path, "not PEM\n", "key.pem").chmod(0o600)
    written(tmp_path, "not PEM\n", "cert.pem")
    found = _told(config)
    places = [line.split(": ")[0] + " " + line.split(": ")[1] for line in found]
    assert places == [
        "4:77 listeners.0.client_ca",
        "9:49 upstream.routes.main.tls_ca",
        "9:104 upstream.routes.main.auth.password",
        "15:20 tls.certificate",
        "16:32 logging.exclude.subjects.0",
        "17:63 salesforce.tls_ca",
        "18:97 web.oidc.tls_ca",
    ]


def test_a_certificate_and_a_key_that_are_not_there_are_told_together(tmp_path: Path) -> None:
    """Every problem at once: nobody has to come back for the second."""
    text = GOOD.replace("tls: none, auth: optional}", "tls: starttls, auth: optional}")
    found = _told(written(tmp_path, text + "tls: {certificate: cert.pem, private_key: {file: key.pem}}\n"))
    assert [line.split(": ", 1)[1] for line in found if "tls." in line] == [
        f"tls.certificate: {tmp_path / 'cert.pem'}: there is no such certificate file",
        f"tls.private_key: cannot read {tmp_path / 'key.pem'}: No such file or directory",
    ]


def test_a_real_certificate_passes(tmp_path: Path) -> None:
    """The chain, its key and the CA are loaded."""
    authority = trustme.CA()
    certificate = authority.issue_cert("relay.example.com")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "key.pem").chmod(0o600)
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(tmp_path / "cert.pem"), append=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    text = GOOD.replace("tls: none, auth: optional}", "tls: starttls, client_ca: ca.pem}").replace(
        "auth: {require_tls: false}\n", ""
    )
    config = written(tmp_path, text + "tls: {certificate: cert.pem, private_key: {file: key.pem}}\n")
    ran = relay("check", "-c", config)
    assert (ran.code, ran.out) == (0, "")


def test_no_settings_at_all_is_78(tmp_path: Path) -> None:
    """A file that is not there is a problem of its own."""
    ran = relay("check", "-c", tmp_path / "none.yaml")
    assert ran.code == 78
    assert "cannot be read: No such file or directory" in ran.out
    ran = relay("queue", "list", "-c", tmp_path / "none.yaml")
    assert ran.code == 78
    assert "cannot be read" in ran.err


def test_a_certificate_that_has_ended_is_a_warning(tmp_path: Path) -> None:
    """The mail clients refuse it, and the relay would say nothing; the settings themselves are good."""
    certificate = trustme.CA().issue_cert("relay.example.com", not_after=datetime(2026, 1, 2, tzinfo=UTC))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "key.pem").chmod(0o600)
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    text = GOOD.replace("tls: none, auth: optional}", "tls: starttls, auth: optional}")
    config = written(tmp_path, text + "tls: {certificate: cert.pem, private_key: {file: key.pem}}\n")
    ran = relay("check", "-c", config)
    assert ran.code == 0
    assert "tls.certificate: the certificate expired on 2026-01-02 00:00 UTC: clients refuse it" in ran.out
