"""Corpus messages whose header sections are unusual: huge, folded, doubled, 8-bit, or with Bcc fields to take out."""

from collections.abc import Iterator

from tests.support.corpus_parts import FROM, RECIPIENT, SENDER, Hidden, Sample, field, hidden, sample, usual

SECRET = "blind@partner.example"
"""The address in the Bcc fields: it must not be in what is sent on."""


def _bcc_fields() -> dict[str, Hidden]:
    """Give a Bcc field in each way that one can be written."""
    return {
        "plain": hidden("Bcc", SECRET),
        "upper": hidden("BCC", f"Blind <{SECRET}>"),
        "lower": hidden("bcc", SECRET),
        "mixed": hidden("bCc", SECRET),
        "resent": hidden("Resent-Bcc", SECRET),
        "resent-lower": hidden("resent-bcc", SECRET),
        "no-space": Hidden(f"Bcc:{SECRET}".encode()),
        "space-before-colon": Hidden(f"Bcc : {SECRET}".encode()),
        "tab-before-colon": Hidden(f"Bcc\t: {SECRET}".encode()),
        "folded": hidden("Bcc", f"\r\n {SECRET}"),
        "folded-twice": hidden("Bcc", f"One\r\n\t<{SECRET}>,\r\n two@partner.example"),
        "folded-blank": hidden("Bcc", f"{SECRET},\r\n \r\n\t{SECRET}"),
        "empty": hidden("Bcc", ""),
        "bare": Hidden(b"Bcc:"),
        "many": hidden("Bcc", ",\r\n ".join(f"{n}-{SECRET}" for n in range(400))),
        "8bit": Hidden("Bcc: Björn <".encode() + SECRET.encode() + b">"),
        "group": hidden("Bcc", f"friends: {SECRET}, b-{SECRET};"),
        "dot-first": Hidden(f"Bcc: {SECRET},\r\n\t.x@partner.example".encode()),
    }


def _bcc() -> Iterator[Sample]:
    for name, gone in _bcc_fields().items():
        start = usual(f"bcc-{name}")
        yield sample(f"bcc-{name}", [*start[:2], gone, *start[2:]])
    one, other = hidden("Bcc", SECRET), hidden("Resent-Bcc", f"b-{SECRET}")
    yield sample("bcc-first", [one, *usual("bcc-first")])
    yield sample("bcc-last", [*usual("bcc-last"), one])
    yield sample(
        "bcc-last-folded", [*usual("bcc-last-folded"), hidden("Bcc", f"a@partner.example,\r\n {SECRET}")]
    )
    yield sample("bcc-last-header-only", [*usual("bcc-header-only"), one], None)
    yield sample(
        "bcc-before-no-blank-line", [*usual("bcc-no-blank"), one, b"This line starts the body"], None
    )
    yield sample(
        "bcc-everywhere", [one, *(line for it in usual("bcc-everywhere") for line in (it, one, other)), one]
    )
    yield sample("bcc-twice-in-a-row", [*usual("bcc-twice"), one, other, one])
    yield sample("bcc-only-fields", [field("From", FROM), one])
    yield sample(
        "bcc-look-alikes",
        [*usual("bcc-alike"), field("X-Bcc", "kept"), field("Bccx", "kept"), field("Bcc-", "kept"), one],
    )
    yield sample("bcc-and-dots", [*usual("bcc-dots"), one], b".\r\n..\r\n")
    yield sample(
        "bcc-and-large-body", [*usual("bcc-large"), one], b"x" * 75 + b"\r\n" + b"y" * 200_000 + b"\r\n"
    )
    yield sample("bcc-word-in-a-fold", [*usual("bcc-fold", "a long\r\n Bcc: subject that is folded")])


def _sizes() -> Iterator[Sample]:
    references = "\r\n\t".join(f"<{n:06d}.{'r' * 40}@example.com>" for n in range(1700))
    yield sample("header-100-kib", usual("header-100", "Long thread", field("References", references)))
    blobs = [field(f"X-Blob-{n}", "\r\n ".join("b" * 70 for _ in range(70))) for n in range(100)]
    yield sample("header-500-kib", usual("header-500", "Huge", *blobs))
    yield sample("fields-3000", usual("fields-3000", "Many", *(field(f"X-{n}", "v") for n in range(3000))))
    yield sample(
        "folds-2000", usual("folds", "Deep", field("X-Folded", "\r\n ".join("f" for _ in range(2000))))
    )
    yield sample("folds-of-tabs", usual("folds-tabs", "Tabs", field("X-Folded", "a" + "\r\n\t\t\tb" * 300)))
    yield sample(
        "folds-of-blank-lines", usual("folds-blank", "Blank", field("X-Folded", "a\r\n \r\n\t\r\n b"))
    )
    recipients = ",\r\n ".join(f'"Person {n}" <p{n}@buyer.example>' for n in range(600))
    yield sample("to-600-people", [*usual("to-600"), field("Cc", recipients)])
    for length in (998, 999, 1001, 4096, 60000):
        yield sample(
            f"field-line-{length}", usual(f"field-{length}", "Long", field("X-Long", "l" * (length - 8)))
        )
    yield sample("subject-2000", usual("subject-2000", "s" * 2000))
    yield sample("field-name-900", usual("name-900", "Name", field("X-" + "N" * 900, "v")))


def _octets() -> Iterator[Sample]:
    yield sample("subject-utf8", usual("subject-utf8", "Räksmörgås 見積書 👍"))
    yield sample(
        "subject-latin1",
        [
            *usual("subject-latin1")[:2],
            field("Subject", "Räksmörgås", "latin-1"),
            *usual("subject-latin1")[3:],
        ],
    )
    yield sample(
        "subject-invalid-utf8",
        [b"Subject: \xff\xfe\xc3(" if line.startswith(b"Subject") else line for line in usual("subject-bad")],
    )
    yield sample("from-name-utf8", [field("From", f'"Ána Bërg" <{SENDER}>'), *usual("from-utf8")[1:]])
    yield sample(
        "from-name-latin1", [field("From", f'"Ána Bërg" <{SENDER}>', "latin-1"), *usual("from-latin1")[1:]]
    )
    yield sample(
        "from-name-encoded", [field("From", f"=?utf-8?Q?=C3=81na?= <{SENDER}>"), *usual("from-encoded")[1:]]
    )
    yield sample("from-bare", [field("From", SENDER), *usual("from-bare")[1:]])
    yield sample(
        "from-comment", [field("From", f"{SENDER} (Ana (the one) Berg)"), *usual("from-comment")[1:]]
    )
    yield sample("from-folded", [field("From", f'"Ana\r\n Berg"\r\n\t<{SENDER}>'), *usual("from-folded")[1:]])
    yield sample("from-route", [field("From", f"Ana.Berg <{SENDER}>"), *usual("from-dots")[1:]])
    yield sample(
        "attachment-name-raw",
        usual("name-raw", "A", field("Content-Type", 'application/pdf; name="årsräkning.pdf"')),
    )
    for octet in (1, 9, 11, 12, 27, 127):
        yield sample(
            f"field-control-{octet:02x}",
            usual(f"field-control-{octet}", "C", b"X-Odd: a" + bytes([octet]) + b"b " + bytes([octet])),
        )


def _oddities() -> Iterator[Sample]:
    start = usual("odd")
    yield sample("order-reversed", [*reversed(usual("order-reversed"))])
    yield sample(
        "names-upper",
        [line.partition(b":")[0].upper() + b":" + line.partition(b":")[2] for line in usual("names-upper")],
    )
    yield sample(
        "names-lower",
        [line.partition(b":")[0].lower() + b":" + line.partition(b":")[2] for line in usual("names-lower")],
    )
    yield sample("no-space-after-colon", [line.replace(b": ", b":", 1) for line in usual("no-space")])
    yield sample("spaces-after-colon", [line.replace(b": ", b":  \t ", 1) for line in usual("spaces-after")])
    yield sample("space-before-colon", [*usual("space-before"), b"X-Odd : v"])
    yield sample("trailing-white-space", [line + b" \t " for line in usual("trailing")])
    yield sample(
        "empty-values", [*usual("empty-values"), b"X-Empty:", b"X-Blank: ", b"Comments:", b"Keywords: \t"]
    )
    yield sample("subject-twice", [*usual("subject-twice"), field("Subject", "the second")])
    yield sample("to-twice", [*usual("to-twice"), field("To", "lee@buyer.example")])
    yield sample("date-twice", [*usual("date-twice"), start[3]])
    yield sample("message-id-twice", [*usual("id-twice"), field("Message-ID", "<second@example.com>")])
    yield sample("message-id-odd", [*usual("id-odd")[:4], field("Message-ID", "not an id at all")])
    yield sample("date-odd", [*usual("date-odd")[:3], field("Date", "yesterday"), usual("date-odd")[4]])
    yield sample(
        "received-before",
        [
            field("Received", "from laptop\r\n\tby mx.example.com; Mon, 9 Nov 2026 09:14:02 +0100"),
            *usual("received"),
        ],
    )
    yield sample(
        "received-40",
        [
            *(field("Received", f"from h{n} by h{n + 1}; Mon, 9 Nov 2026 09:14:02 +0100") for n in range(40)),
            *usual("received-40"),
        ],
    )
    yield sample("return-path", [field("Return-Path", "<old@example.com>"), *usual("return-path")])
    yield sample(
        "content-length",
        [
            *usual("content-length"),
            field("Content-Length", "9999"),
            field("Lines", "2"),
            field("Status", "RO"),
        ],
    )
    yield sample(
        "resent",
        [
            field("Resent-From", SENDER),
            field("Resent-To", RECIPIENT),
            field("Resent-Date", "Mon, 9 Nov 2026 09:14:03 +0100"),
            *usual("resent"),
        ],
    )
    yield sample(
        "sender-field", [*usual("sender"), field("Sender", SENDER), field("Reply-To", f"Team: {SENDER};")]
    )
    yield sample(
        "delivered-to",
        [field("Delivered-To", RECIPIENT), field("X-Original-To", RECIPIENT), *usual("delivered-to")],
    )
    yield sample(
        "undisclosed",
        [usual("undisclosed")[0], field("To", "undisclosed-recipients:;"), *usual("undisclosed")[2:]],
    )
    yield sample(
        "odd-names", [*usual("odd-names"), b"X_under: 1", b"X!#$%&'*+-.^`|~9: 2", b"123: 3", b"a: 4"]
    )
    yield sample(
        "authentication-results",
        [field("Authentication-Results", "mx.example.com; dkim=none"), *usual("auth-results")],
    )
    yield sample(
        "auto-submitted",
        usual(
            "auto",
            "Out of office",
            field("Auto-Submitted", "auto-replied"),
            field("X-Auto-Response-Suppress", "All"),
        ),
    )
    yield sample(
        "mime-version-odd",
        usual(
            "mime-version",
            "M",
            field("MIME-Version", "1.0 (produced by x)"),
            field("Content-Type", 'text/plain;;; charset = "utf-8"'),
        ),
    )


def header_samples() -> Iterator[Sample]:
    """Give every message whose header section is what matters."""
    yield from _bcc()
    yield from _sizes()
    yield from _octets()
    yield from _oddities()
