"""What does not fit together in the settings is found, and told with what would be right."""

from pathlib import Path

import pytest

from tests.support.settings import GOOD, loaded, problems_of, told

ONE_USER = GOOD.partition("users:\n")[2]


def _changed(*pairs: tuple[str, str]) -> str:
    text = GOOD
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    return text


def _listener(words: str) -> str:
    return _changed(('{name: submission, address: "127.0.0.1:2587", tls: none, auth: optional}', words))


def _route(words: str) -> str:
    return _changed(("{host: 127.0.0.1, port: 2526, tls: none}", words))


def _user(words: str) -> str:
    return _changed((ONE_USER, f"  - {words}\n"))


MAIL = "login: bo, email_to_salesforce: e@le.example"

CASES = [
    # listeners
    (_listener('{name: a, address: "127.0.0.1:25", tls: none, auth: none}'), "listeners.0.trust: auth: none without a proof would be an open relay"),
    (_listener('{name: a, address: "127.0.0.1:25", tls: none, auth: none, trust: {networks: []}}'), "open relay"),
    (_listener('{name: a, address: "127.0.0.1:25", auth: none, tls: none, trust: {networks: [0.0.0.0/0]}}'), "is the whole Internet"),
    (_listener('{name: a, address: "127.0.0.1:25", auth: none, tls: none, trust: {networks: ["::/0"]}}'), "is the whole Internet"),
    (_listener('{name: a, address: "127.0.0.1:25", auth: none, tls: none, trust: {networks: [10.0.0.0/40]}}'), '"10.0.0.0/40" is not a network in CIDR form'),
    (_listener('{name: a, address: "127.0.0.1:25", auth: none, tls: none, trust: {networks: [10.1.0.0/8]}}'), "did you mean 10.0.0.0/8?"),
    (_listener('{name: a, address: "127.0.0.1:25", tls: starttls}'), "listeners.0.tls: starttls needs a certificate"),
    (_listener('{name: a, address: "127.0.0.1:25", tls: none, client_ca: ca.pem}'), "listeners.0.client_ca: is of no use with tls: none"),
    (_listener('{name: a, address: "127.0.0.1:25", tls: none, auth: none, trust: {client_certificate_names: [mx.example.com]}}'), "needs TLS"),
    (_listener('{name: a, address: "127.0.0.1:25", tls: none, auth: none, trust: {client_certificate_names: [mx.example.com]}}'), "needs client_ca"),
    (_listener('{name: a, address: "127.0.0.1:25", tls: none, auth: none, trust: {client_certificate_names: ["a b"]}}'), '"a b" is not a domain name'),
    (_listener('{name: a, address: "127.0.0.1:25", tls: none, auth: none, trust: {networks: [10.0.0.0/8], header: X}}'), "listeners.0.trust.header: a proof by header is for a later version"),
    (_listener('{name: a, address: "127.0.0.1:99999", tls: none}'), "must be host:port"),
    (_listener('{name: "", address: "127.0.0.1:25", tls: none}'), "listeners.0.name: is empty"),
    (_changed(("upstream:", '  - {name: submission, address: "127.0.0.1:26", tls: none}\nupstream:'), ("auth: {require_tls: false}\n", "")), '"submission" is also the name of listeners.0 (config.yaml:4)'),
    (_changed(("upstream:", '  - {name: b, address: "127.0.0.1:2587", tls: none}\nupstream:'), ("auth: {require_tls: false}\n", "")), "127.0.0.1:2587 is also the address of listeners.0 (config.yaml:4)"),
    (GOOD + 'metrics: {address: "127.0.0.1:2587"}\n', "metrics.address: 127.0.0.1:2587 is also the address of listeners.0"),
    # the host
    (_changed(("hostname: relay.example.com", "hostname: relay_.example.com")), "server.hostname"),
    (_changed(("state_dir: state", "store: postgresql")), "server.store: postgresql is for a later version"),
    (_changed(("hostname: relay.example.com", "hostname: ☃.example")), "server.hostname"),
    (GOOD + "notices: {from: jürgen@example.com}\n", "notices.from: \"jürgen@example.com\" must be ASCII before the @"),
    (GOOD + "limits: {header_size: 50MiB}\n", "limits.header_size: is larger than limits.message_size"),
    (GOOD + "limits: {recipients: 0}\n", '"0" must be 1 or more'),
    (GOOD + "limits: {recipients: many}\n", '"many" must be a whole number'),
    (GOOD + "limits: {messages_per_user: 200}\n", '"200" must be a count and a unit, such as 200/h'),
    (GOOD + "limits: {message_size: 25MB}\n", '"25MB" must be a number and a unit, such as 64KiB or 25MiB'),
    (GOOD + "limits: [1]\n", "limits: must be a mapping of settings"),
    (GOOD + "version: 1\n", "version: is set twice; the first is at 1:1"),
    (GOOD + "<<: {}\n", "merge keys are not read"),
    # routes
    (_route("{kind: mx, host: mx1.example.com}"), "DNS names the hosts of kind: mx"),
    (_route("{kind: mx, tls: implicit}"), "mail exchangers have no port with TLS from the start"),
    (_route("{kind: mx, auth: {kind: password, username: a, password: {env: A}}}"), "nobody signs in at mail exchangers"),
    (_changed(("users:\n", "  resolver: {nameservers: [dns.example.com], timeout: 0s}\nusers:\n")), 'upstream.resolver.nameservers.0: "dns.example.com" is not an IP address'),
    (_changed(("users:\n", "  resolver: {timeout: 0s}\nusers:\n")), "upstream.resolver.timeout: must be 1s or more"),
    (_route("{port: 25}"), "upstream.routes.main.host: is required for a smarthost"),
    (_route("{host: 'smtp.example.com:587'}"), "has a port in it; write host: smtp.example.com and port: 587"),
    (_route("{host: 'a b'}"), '"a b" is not a host'),
    (_route("{host: h, timeouts: {connect: 0s}}"), "upstream.routes.main.timeouts.connect: must be 1s or more"),
    (_route("{host: h, auth: {kind: password}}"), "upstream.routes.main.auth.username: is required with kind: password"),
    (_route("{host: h, auth: {kind: password}}"), "upstream.routes.main.auth.password: is required with kind: password"),
    (_route("{host: h, auth: {kind: oauth2}}"), '"oauth2" is for a later version'),
    (_route("{host: h, tls: ssl}"), 'did you mean "implicit"?'),
    (_route("{host: h, auth: {kind: password, username: u, password: {}}}"), "must name exactly one of file, env or credential"),
    (_changed(("users:\n", "  select: [{route: main}]\nusers:\n")), "upstream.select.0: has no condition"),
    (_changed(("users:\n", "  select: [{route: mian, sender_domain: example.org}]\nusers:\n")), 'upstream.select.0.route: "mian" names no route; did you mean "main"?'),
    (_changed(("users:\n", "  select: [{route: main, sender_domain: a@example.org}]\nusers:\n")), "without the part before the @"),
    (_changed(("users:\n", "  select: [{route: main, sender: nobody}]\nusers:\n")), 'upstream.select.0.sender: "nobody" is not a mail address'),
    (GOOD + "notices: {route: other}\n", 'notices.route: "other" names no route; known here: main'),
    (GOOD + "notices: {from: 'a b@example.com'}\n", "notices.from:"),
    (GOOD + "retry: {delivery: {schedule: []}}\n", "retry.delivery.schedule: must hold at least one wait"),
    (GOOD + "retry: {logging: {schedule: [5m, 0s]}}\n", "retry.logging.schedule.1: must be 1s or more"),
    (GOOD + "retry: {delivery: {give_up_after: 99999d}}\n", "is longer than ten years"),
    # how mail is logged
    (GOOD + "logging: {mode: both}\n", "Salesforce would hold the mail twice"),
    (GOOD + "logging: {mode: api}\n", "salesforce: is required in mode api"),
    (GOOD + "logging: {mode: observe}\n", "salesforce: is required in mode observe"),
    (GOOD + "logging: {mode: no}\n", 'did you mean "off"?'),
    (GOOD + "logging: {exclude: {recipients: ['*@a b']}}\n", "has a space in it"),
    (GOOD + "logging: {exclude: {senders: ['']}}\n", "is empty: it would fit no address"),
    (GOOD + "logging: {exclude: {recipients: ['[ab]@x.example']}}\n", "only * and ? are special in a glob"),
    (GOOD + "logging: {exclude: {subjects: ['(']}}\n", "logging.exclude.subjects.0: \"(\" is not a regular expression"),
    (GOOD + f"logging: {{exclude: {{subjects: ['{'a' * 501}']}}}}\n", "is longer than 500 characters"),
    (GOOD + "logging: {exclude: {internal_domains: [a@example.com]}}\n", "is not a domain name"),
    (GOOD + "retention: {content: forever}\n", '"forever" must be until_done or a number of days such as 3d'),
    # reps
    (_user("{login: bo, addresses: [bo@example.com]}"), "users.0.email_to_salesforce: is required in mode bcc"),
    (_user(f"{{{MAIL}, addresses: []}}"), "users.0.addresses: must hold at least one"),
    (_user(f"{{{MAIL}, addresses: bo@example.com}}"), "users.0.addresses: must be a list, such as [a, b]"),
    (_user(f"{{{MAIL}, addresses: [bo@]}}"), 'users.0.addresses.0: "bo@" is not a mail address'),
    (_user(f"{{{MAIL}, addresses: [Bo <bo@example.com>]}}"), "is not a mail address"),
    (_user(f"{{{MAIL}, addresses: [bo@example.com], password: secret word}}"), "users.0.password: is not an argon2id hash"),
    (_user(f"{{{MAIL}, addresses: [bo@example.com], time_zone: Mars/Base}}"), '"Mars/Base" is not a time zone'),
    (_user(f"{{{MAIL}, addresses: [bo@example.com], salesforce_user_id: 003000000000001AAA}}"), "those begin with 005"),
    (_user(f"{{{MAIL}, addresses: [bo@example.com], salesforce_user_id: 005000000000001AAB}}"), "its check characters should be AAA"),
    (_user(f"{{{MAIL}, addresses: [bo@example.com], salesforce_user_id: 00500}}"), "15 or 18 letters and digits"),
    (_user(f"{{{MAIL}, addresses: [bo@example.com], mode: api}}"), "salesforce: is required in mode api"),
    (_user(f"{{{MAIL}, addresses: [bo@example.com], tokens: [{{name: a, sha256: abc}}]}}"), "64 lower-case hexadecimal digits"),
    (_user("{login: ' bo', addresses: [bo@example.com], mode: off}"), "users.0.login: must not begin or end with a space"),
    (_user("{login: bo, addresses: [bo@example.com], email_to_salesforce: bo@EXAMPLE.com}"), "is one of the rep's own addresses"),
    (GOOD + "  - {login: ANA, addresses: [x@example.com], mode: off}\n", 'users.1.login: "ANA" is also the login of users.0 (config.yaml:11)'),
    (GOOD + "  - {login: bo, addresses: [Ana@EXAMPLE.com], mode: off}\n", '"Ana@EXAMPLE.com" is also an address of users.0 (config.yaml:11)'),
    (GOOD + f"  - {{login: bo, addresses: [b@example.com], mode: off, tokens: [{{name: a, sha256: {'6f0c2b1d5e3a4f798091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7'}}}]}}\n", "users.1.tokens.0: is also an app password of users.0"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), CASES)
def test_each_mistake_is_told(tmp_path: Path, text: str, problem: str) -> None:
    """One mistake, one text that says what would be right."""
    found = told(tmp_path, text)
    assert any(problem in one for one in found), found


WARNINGS = [
    (GOOD, "auth.require_tls: lets passwords cross in clear text at listener submission"),
    (_changed(("auth: {require_tls: false}\n", "")), "listeners.0.auth: nobody can sign in here"),
    (_listener('{name: a, address: "127.0.0.1:25", tls: none, trust: {networks: [10.0.0.0/8]}}'), "is only looked at with auth: none"),
    (_route("{host: h, tls: none, auth: {kind: password, username: u, password: {env: X}}}"), "may send the password in clear text"),
    (_route("{host: h, auth: {username: u}}"), "kind: none; write kind: password"),
    (_route("{host: h, tls: none, tls_ca: ca.pem}"), "tls_ca: is of no use with tls: none"),
    (GOOD + "logging: {exclude: {when: any}}\n", "one excluded recipient keeps the mail from being logged"),
    (_user("{login: bo, addresses: [bo@example.com], mode: off}"), "users.0: cannot sign in"),
    (_user(f"{{{MAIL}, addresses: [bo@example.com, BO@example.com]}}"), "stands here twice"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "warning"), WARNINGS)
def test_what_is_odd_but_can_work_is_a_warning(tmp_path: Path, text: str, warning: str) -> None:
    """The settings load all the same."""
    found = [str(one) for one in loaded(tmp_path, text).warnings]
    assert any(warning in one and "warning: " in one for one in found), found


@pytest.mark.parametrize(
    "text",
    [
        _user("{login: bo, addresses: [bo@example.com], mode: off, password: correct-horse-battery}"),
        _user("{login: bo, addresses: [bo@example.com], email_to_salesforce: correct-horse-battery}"),
        _user(
            "{login: bo, addresses: [bo@example.com], mode: off, tokens: [{name: a, sha256: correct-horse-battery}]}"
        ),
        _route("{host: h, auth: {kind: password, username: u, password: correct-horse-battery}}"),
    ],
)
def test_what_may_be_a_secret_is_not_repeated(tmp_path: Path, text: str) -> None:
    """A password written where its hash belongs does not stand in the error."""
    found = told(tmp_path, text)
    assert found
    assert not any("correct-horse" in one for one in found)


def test_one_mistake_is_told_once(tmp_path: Path) -> None:
    """What only follows from a setting that cannot be read is left out."""
    text = _changed(
        ("    email_to_salesforce:", "    mode: bbc\n    email:"),
        ("{host: 127.0.0.1,", "{kind: smart,"),
        ("tls: none, auth", "tls: nnoe, auth"),
    )
    assert [one.partition(":")[2].partition(":")[0] for one in told(tmp_path, text)] == [
        "56 listeners.0.tls",
        "18 upstream.routes.main.kind",
        "11 users.0.mode",
        "5 users.0.email",
    ]


@pytest.mark.parametrize(
    ("text", "only"),
    [
        (_changed(("  routes:", "  routs:")), "upstream.routs: unknown setting"),
        (_listener('{name: a, address: "127.0.0.1:25"}') + "tls: {certificate: [c], private_key: {file: k}}\n", "tls.certificate"),
        (_listener('{name: a, address: "127.0.0.1:25"}') + "tls: {certificate: c, private_key: {fil: k}}\n", "tls.private_key.fil"),
        (_listener('{name: a, address: "127.0.0.1:25"}') + "tsl: {certificate: c, private_key: {file: k}}\n", "tsl: unknown setting"),
    ],
)  # fmt: skip
def test_a_group_that_cannot_be_read_is_not_missed_elsewhere(tmp_path: Path, text: str, only: str) -> None:
    """Neither its routes nor its certificate are told to be missing: they stand there."""
    (found,) = [one for one in problems_of(tmp_path, text) if one.severity == "error"]
    assert only in f"{found.path}: {found.text}"
