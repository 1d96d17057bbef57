"""Corpus messages whose bodies are unusual: long lines, dots, octets of every kind, nests, or nothing at all."""

from collections.abc import Iterator

from tests.support.corpus_parts import (
    RECIPIENT,
    SENDER,
    Sample,
    base64_lines,
    field,
    file_part,
    html_part,
    multipart,
    noise,
    noise_without_line_ends,
    part,
    parts,
    plain,
    raw,
    sample,
    text_part,
    usual,
)

_CHARSETS = {
    "iso-8859-1": "Räksmörgås för 12 kr",
    "iso-8859-15": "Räksmörgås för 12 €",
    "windows-1252": "“Räksmörgås” … 12 €",
    "windows-1251": "Привет, Ким",
    "koi8-r": "Привет, Ким",
    "shift_jis": "見積書を送ります",
    "euc-jp": "見積書を送ります",
    "iso-2022-jp": "見積書を送ります",
    "gb18030": "报价单在附件里",
    "big5": "報價單在附件裡",
    "euc-kr": "견적서를 보냅니다",
    "utf-7": "Räksmörgås",
    "utf-8": "Räksmörgås 見積書 👩‍👩‍👧 \u202eRTL\u202c e\u0301",
}

_LENGTHS = (997, 998, 999, 1000, 1001, 2048, 4096, 65536)

_DOTS = {
    "one-dot": b".\r\n",
    "two-dots": b"..\r\n",
    "three-dots": b"...\r\n",
    "dot-and-text": b".hidden\r\n",
    "dots-and-text": b"..hidden\r\n",
    "dot-space": b". \r\n",
    "dot-tab": b".\t\r\n",
    "first-and-last": b".\r\ntext\r\n.\r\n",
    "many-dot-lines": b".\r\n" * 500,
    "growing": b"".join(b"." * n + b"\r\n" for n in range(1, 80)),
    "after-blank-lines": b"\r\n\r\n.\r\n\r\n.\r\n\r\n",
    "dot-in-the-middle": b"a.b\r\na .\r\n.a.\r\n",
    "dot-before-mail-from": b".\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n.\r\n",
    "dot-nbsp": b".\xa0\r\n.\xc2\xa0\r\n",
    "long-dot-line": b"." * 70000 + b"\r\n",
}

_BODIES = {
    "blank-line-only": b"\r\n",
    "many-blank-lines": b"\r\n" * 3000,
    "trailing-blank-lines": b"text\r\n\r\n\r\n\r\n",
    "leading-blank-lines": b"\r\n\r\n\r\ntext\r\n",
    "trailing-spaces": b"text   \r\ntext\t\t\r\n \t \r\n",
    "spaces-only": b" \r\n  \r\n   \r\n",
    "tabs-only": b"\t\r\n\t\t\r\n",
    "from-lines": b"From here on\r\n>From there\r\n>>From everywhere\r\nFrom \r\n",
    "looks-like-fields": b"Subject: not one\r\nBcc: body@buyer.example\r\n\r\nBcc: body2@buyer.example\r\n",
    "escape-sequences": b"\x1b[31mred\x1b[0m \x1b]0;title\x07\r\n",
    "every-octet": bytes(octet for octet in range(1, 256) if octet not in (10, 13)) + b"\r\n",
    "invalid-utf8": b"\xff\xfe\xc3( \xf0\x28\x8c\x28 \xed\xa0\x80\r\n",
    "cut-utf8": "…".encode()[:2] + b"\r\n",
    "utf8-bom": b"\xef\xbb\xbftext\r\n",
    "yenc": b"=ybegin line=128 size=60000 name=a.bin\r\n"
    + noise_without_line_ends(60000, 21)
    + b"\r\n=yend size=60000\r\n",
    "uuencode": b"begin 644 a.txt\r\n+:&5L;&\\@=V]R;&0\r\n`\r\nend\r\n",
    "flowed": b"This is a long paragraph that \r\ngoes on here. \r\n>> quoted \r\n>> text\r\n -- \r\n From stuffed\r\n-- \r\nAna\r\n",
    "smtp-words": b"QUIT\r\nRSET\r\nDATA\r\nSTARTTLS\r\nBDAT 3 LAST\r\n",
    "one-letter": b"x\r\n",
    "sixteen-lines-of-one-octet": b"a\r\n" * 16,
    "html-on-one-line": b"<html>" + b"<p>paragraph</p>" * 6000 + b"</html>\r\n",
    "half-mib": b"".join(b"%06d " % n + b"x" * 60 + b"\r\n" for n in range(8000)),
    "one-mib": base64_lines(noise(780_000, 22)),
    "inline-limit-below": b"y" * 65000 + b"\r\n",
    "two-inline-limits": (b"z" * 76 + b"\r\n") * 1700,
}


def _charsets() -> Iterator[Sample]:
    for charset, text in _CHARSETS.items():
        fields = [*usual(f"charset-{charset}"), *plain(charset)]
        yield sample(f"charset-{charset}", fields, text.encode(charset) + b"\r\n")
        yield sample(
            f"charset-{charset}-undeclared", usual(f"bare-{charset}"), text.encode(charset) + b"\r\n"
        )


def _long_lines() -> Iterator[Sample]:
    for length in _LENGTHS:
        yield sample(f"line-{length}", usual(f"line-{length}"), b"a" * length + b"\r\nshort\r\n")
        body = noise_without_line_ends(length, length).ljust(length, b"\xe5") + b"\r\n"
        yield sample(f"line-{length}-8bit", usual(f"line8-{length}"), b"short\r\n" + body)


def _bodies() -> Iterator[Sample]:
    for name, body in {f"dots-{key}": value for key, value in _DOTS.items()}.items():
        yield sample(name, usual(name), body)
    for name, body in _BODIES.items():
        yield sample(f"body-{name}", usual(f"body-{name}"), body)
    for octet in [*range(1, 9), 11, 12, *range(14, 32), 127]:
        line = b"before" + bytes([octet]) + b"after " + bytes([octet]) + b"\r\n" + bytes([octet]) + b"\r\n"
        yield sample(f"control-{octet:02x}", usual(f"control-{octet:02x}"), line)


def _bare() -> Iterator[Sample]:
    """Messages that lack a header section, a body, the line between them, or everything."""
    start = usual("bare")
    yield raw("empty-message", b"")
    yield raw("blank-line-only", b"\r\n")
    yield raw("no-header-section", b"\r\nOnly a body.\r\n")
    yield raw("no-header-no-blank-line", b"Only a body, no colon in it\r\nand a second line\r\n")
    yield raw("only-a-dot", b".\r\n")
    yield raw("only-dots", b".\r\n..\r\n...\r\n")
    yield raw("space-first", b" a folded line first\r\nSubject: late\r\n\r\nbody\r\n")
    yield raw("colon-first", b": no name\r\nSubject: late\r\n\r\nbody\r\n")
    yield sample("header-only", [*start[:4], field("Message-ID", "<header-only@example.com>")], None)
    yield sample("header-and-blank-line", [*start[:4], field("Message-ID", "<blank@example.com>")], b"")
    yield sample("no-blank-line", [*usual("no-blank-line"), b"This is no field and starts the body"], None)
    yield sample("no-message-id", start[:4])
    yield sample("no-date", [*start[:3], start[4]])
    yield sample("neither-date-nor-id", start[:3])
    yield sample("no-to", [start[0], *start[2:4], field("Message-ID", "<no-to@example.com>")])
    mbox = f"From {SENDER} Mon Nov  9 09:14:03 2026".encode()
    yield sample("mbox-from-line", [mbox, *usual("mbox")])
    yield sample("mbox-from-line-quoted", [b">" + mbox, *usual("mbox-quoted")])
    yield sample("mbox-from-line-in-body", usual("mbox-body"), mbox + b"\r\n\r\n" + b">" + mbox + b"\r\n")


def _nested(depth: int) -> bytes:
    content = text_part("innermost\n")
    for level in range(depth):
        content = part(
            multipart("mixed", f"level{level}")[1:], parts(f"level{level}", content, text_part(f"{level}\n"))
        )
    return content


def _multiparts() -> Iterator[Sample]:
    for depth in (1, 2, 5, 60):
        content = _nested(depth)
        yield sample(
            f"nested-{depth}",
            [*usual(f"nested-{depth}"), *multipart("mixed", "outer")],
            parts("outer", content),
        )
    open_end = parts("open", text_part("a\n"), file_part("cut.pdf", noise(500, 31)), closed=False)
    yield sample("mime-end-missing", [*usual("mime-end"), *multipart("mixed", "open")], open_end)
    yield sample("mime-no-parts", [*usual("mime-no-parts"), *multipart("mixed", "none")], b"nothing here\r\n")
    yield sample(
        "mime-epilogue",
        [*usual("epilogue"), *multipart("mixed", "e")],
        parts("e", text_part("a\n"), preamble=b"before\r\n") + b"\r\nafter\r\n",
    )
    yield sample(
        "mime-empty-part", [*usual("empty-part"), *multipart("mixed", "x")], parts("x", b"", b"\r\n")
    )
    yield sample(
        "mime-odd-boundary",
        [*usual("odd-boundary"), *multipart("mixed", "'()+_,-./:=?")],
        parts("'()+_,-./:=?", text_part("a\n")),
    )
    many = [text_part(f"part {n}\n") for n in range(300)]
    yield sample("mime-many-parts", [*usual("many-parts"), *multipart("mixed", "m")], parts("m", *many))
    related = parts(
        "rel", html_part('<img src="cid:1">'), file_part("logo.png", noise(3000, 32), "image/png")
    )
    yield sample("mime-related", [*usual("related"), *multipart("related", "rel")], related)
    named = part(
        [
            field("Content-Type", "application/pdf"),
            field("Content-Disposition", "attachment; filename*=UTF-8''offert%20%C3%A5r.pdf"),
        ],
        base64_lines(noise(800, 33)),
    )
    yield sample(
        "attachment-name-rfc2231",
        [*usual("rfc2231"), *multipart("mixed", "n")],
        parts("n", text_part("a\n"), named),
    )
    binary = part(
        [field("Content-Type", "application/octet-stream"), field("Content-Transfer-Encoding", "8bit")],
        noise_without_line_ends(30000, 34) + b"\r\n",
    )
    yield sample("attachment-8bit", [*usual("attachment-8bit"), *multipart("mixed", "b")], parts("b", binary))
    yield sample(
        "attachment-large",
        [*usual("large"), *multipart("mixed", "l")],
        parts("l", file_part("film.mp4", noise(400_000, 35), "video/mp4")),
    )
    external = part(
        [field("Content-Type", 'message/external-body; access-type=URL; URL="https://example.com/a"')],
        b"Content-Type: image/png\r\n\r\n",
    )
    yield sample("external-body", [*usual("external"), *multipart("mixed", "x")], parts("x", external))
    yield sample(
        "partial-message",
        [*usual("partial"), field("Content-Type", 'message/partial; id="a@b"; number=1; total=3')],
        f"To: {RECIPIENT}\r\n\r\nfirst third\r\n".encode(),
    )


def content_samples() -> Iterator[Sample]:
    """Give every message whose body, or lack of one, is what matters."""
    yield from _charsets()
    yield from _long_lines()
    yield from _bodies()
    yield from _bare()
    yield from _multiparts()
