"""Corpus messages in the shapes that well-known mail programs give them."""

from collections.abc import Callable, Iterator

from tests.support.corpus_parts import (
    FROM,
    RECIPIENT,
    SENDER,
    Sample,
    base64_lines,
    field,
    file_part,
    html_part,
    multipart,
    noise,
    part,
    parts,
    plain,
    sample,
    text_part,
    usual,
)

_TEXTS = {
    "ascii": b"Hi Kim,\r\n\r\nthe offer is attached.\r\n\r\n-- \r\nAna\r\n",
    "utf8": "Hej Kim,\r\n\r\npriset är 12 000 € … så länge lagret räcker. 👍\r\n".encode(),
    "quoted-printable": b"Hej Kim,=20\r\n\r\npriset =C3=A4r 12=C2=A0000 =E2=82=AC och l=\r\n=C3=A4nge.=\r\n\r\n",
    "base64": base64_lines("Hej Kim, priset är 12 000 €.\n".encode() * 5),
}
_ENCODINGS = {"ascii": "7bit", "utf8": "8bit", "quoted-printable": "quoted-printable", "base64": "base64"}


def _outlook(name: str) -> list[bytes]:
    return [
        field("From", f'"Berg, Ana" <{SENDER}>'),
        field("To", f"'Kim Lund' <{RECIPIENT}>"),
        field("References", "<a@buyer.example>\r\n\t<b@buyer.example>"),
        field("Subject", "RE: Quote 4711"),
        field("Date", "Mon, 9 Nov 2026 09:14:03 +0100"),
        field("Message-ID", f"<{name}$@example.com>"),
        field("X-Mailer", "Microsoft Outlook 16.0"),
        field("Thread-Index", "AdqZ1f0x7zJmQ0mTR2u5qk3Zs0yQ0w=="),
        field("Content-Language", "sv"),
    ]


def _thunderbird(name: str) -> list[bytes]:
    return [
        field("Message-ID", f"<{name}@example.com>"),
        field("Date", "Mon, 9 Nov 2026 09:14:03 +0100"),
        field("MIME-Version", "1.0"),
        field("User-Agent", "Mozilla Thunderbird"),
        field("Content-Language", "en-US"),
        field("To", RECIPIENT),
        field("From", FROM),
        field("Subject", "Quote"),
        field("Autocrypt", "addr=ana@example.com; keydata=\r\n xsBNBFn1\r\n xsBNBFn2"),
    ]


def _apple(name: str) -> list[bytes]:
    return [
        field("From", f"Ana Berg <{SENDER}>"),
        field("Mime-Version", "1.0 (Mac OS X Mail 16.0 \\(3826.700.81\\))"),
        field("Subject", "Re: Quote"),
        field("Message-Id", f"<{name}@example.com>"),
        field("Date", "Mon, 9 Nov 2026 09:14:03 +0100"),
        field("To", f"Kim Lund <{RECIPIENT}>"),
        field("X-Mailer", "Apple Mail (2.3826.700.81)"),
    ]


def _gmail(name: str) -> list[bytes]:
    return [
        field("MIME-Version", "1.0"),
        field("From", FROM),
        field("Date", "Mon, 9 Nov 2026 09:14:03 +0100"),
        field("X-Gm-Features", "AWmQ_bl"),
        field("Message-ID", f"<CA+{name}=w@mail.example.com>"),
        field("Subject", "Quote"),
        field("To", RECIPIENT),
    ]


def _mutt(name: str) -> list[bytes]:
    return [
        field("Date", "Mon, 9 Nov 2026 09:14:03 +0100"),
        field("From", FROM),
        field("To", RECIPIENT),
        field("Subject", "quote"),
        field("Message-ID", f"<{name}.GA1@example.com>"),
        field("Mail-Followup-To", RECIPIENT),
        field("User-Agent", "Mutt/2.2.9"),
    ]


def _php(name: str) -> list[bytes]:
    return [
        field("Date", "Mon, 9 Nov 2026 09:14:03 +0000"),
        field("To", RECIPIENT),
        field("From", FROM),
        field("Subject", "Your order"),
        field("Message-ID", f"<{name}@shop>"),
        field("X-Mailer", "PHPMailer 6.9.1"),
        field("X-PHP-Originating-Script", "1000:mail.php"),
        field("X-Priority", "3"),
    ]


def _nodemailer(name: str) -> list[bytes]:
    return [
        field("From", FROM),
        field("To", RECIPIENT),
        field("Subject", "=?UTF-8?Q?Offert_f=C3=B6r_v=C3=A5ren?="),
        field("Message-ID", f"<{name}-2b8f@example.com>"),
        field("Date", "Mon, 09 Nov 2026 08:14:03 +0000"),
    ]


def _notes(name: str) -> list[bytes]:
    return [
        field("To", RECIPIENT),
        field("MIME-Version", "1.0"),
        field("Subject", "Offer"),
        field("X-KeepSent", "7A3F:OF; type=4; name=$KeepSent"),
        field("X-Mailer", "Lotus Notes Release 9.0.1"),
        field("Message-ID", f"<OF{name}-ONC1@example.com>"),
        field("From", f"Ana Berg <{SENDER}>"),
        field("Date", "Mon, 9 Nov 2026 09:14:03 +0100"),
        field(
            "X-MIMETrack", "Serialize by Router on MX1\r\n at 11/09/2026 09:14:03,\r\n\tSerialize complete"
        ),
    ]


def _phone(name: str) -> list[bytes]:
    return [
        field("Content-Transfer-Encoding", "7bit"),
        field("From", FROM),
        field("Mime-Version", "1.0 (1.0)"),
        field("Date", "Mon, 9 Nov 2026 09:14:03 +0100"),
        field("Subject", "Sent from my phone"),
        field("Message-Id", f"<{name.upper()}@example.com>"),
        field("To", RECIPIENT),
        field("X-Mailer", "iPhone Mail (22A3354)"),
    ]


def _webmail(name: str) -> list[bytes]:
    return [
        field("MIME-Version", "1.0"),
        field("Date", "Mon, 09 Nov 2026 09:14:03 +0100"),
        field("From", SENDER),
        field("To", RECIPIENT),
        field("Subject", "=?iso-8859-1?Q?R=E4kning?= =?iso-8859-1?Q?_1?="),
        field("User-Agent", "Roundcube Webmail/1.6.9"),
        field("Message-ID", f"<{name}@example.com>"),
        field("X-Sender", SENDER),
    ]


_CLIENTS: dict[str, Callable[[str], list[bytes]]] = {
    "outlook": _outlook,
    "thunderbird": _thunderbird,
    "apple-mail": _apple,
    "gmail": _gmail,
    "mutt": _mutt,
    "phpmailer": _php,
    "nodemailer": _nodemailer,
    "notes": _notes,
    "iphone": _phone,
    "roundcube": _webmail,
}


def client_samples() -> Iterator[Sample]:
    """Give each client's shape with each kind of body, as alternative parts and with an attachment."""
    for client, fields in _CLIENTS.items():
        for kind, text in _TEXTS.items():
            name = f"{client}-{kind}"
            yield sample(name, [*fields(name), *plain(encoding=_ENCODINGS[kind])], text)
        name = f"{client}-alternative"
        both = parts("=_alt", text_part("Hej då\n"), html_part("Hej <b>då</b>"))
        yield sample(name, [*fields(name), *multipart("alternative", "=_alt")], both)
        name = f"{client}-attachment"
        mixed = parts("=_mix", text_part("See attached.\n"), file_part("offer.pdf", noise(9000, len(client))))
        yield sample(name, [*fields(name), *multipart("mixed", "=_mix")], mixed)


def _newsletter() -> Sample:
    fields = usual(
        "newsletter",
        "=?UTF-8?B?VsOlcmVucyBueWhldGVy?=",
        field("List-Id", "News <news.example.com>"),
        field("List-Unsubscribe", "<https://example.com/u/1>,\r\n <mailto:u@example.com?subject=stop>"),
        field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        field("Precedence", "bulk"),
        field("Feedback-ID", "1:2:3:example"),
        *multipart("alternative", "n"),
    )
    page = "<table>" + "<tr><td>Vårnyheter</td></tr>" * 400 + "</table>"
    return sample("newsletter", fields, parts("n", text_part("Vår\n"), html_part(page)))


def _patch() -> Sample:
    patch = (
        b"---\r\n a.py | 2 +-\r\n\r\ndiff --git a/a.py b/a.py\r\n@@ -1,2 +1,2 @@\r\n"
        b" def a():\r\n-\treturn 1  \r\n+\treturn 2\r\n-- \r\n2.39.5\r\n\r\n"
    )
    return sample(
        "git-send-email",
        [*usual("patch", "[PATCH 1/3] mend a", field("X-Mailer", "git-send-email 2.39.5"))],
        patch,
    )


def _calendar() -> Sample:
    event = (
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1@example.com\r\n"
        "DTSTART:20261123T090000Z\r\nSUMMARY:Möte om priset och om allt annat som hör\r\n"
        "  dit\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()
    fields = [
        field("Content-Type", "text/calendar; charset=utf-8; method=REQUEST"),
        field("Content-Transfer-Encoding", "8bit"),
    ]
    body = parts("cal", text_part("Möte\n"), part(fields, event))
    return sample(
        "calendar-invitation", [*usual("calendar", "Invitation"), *multipart("alternative", "cal")], body
    )


def _smime() -> Sample:
    kind = 'signed; protocol="application/pkcs7-signature"; micalg=sha-256'
    fields = [
        *usual("smime", "Signed"),
        field("MIME-Version", "1.0"),
        field("Content-Type", f'multipart/{kind}; boundary="sig"'),
    ]
    signature = file_part("smime.p7s", noise(2500, 7), "application/pkcs7-signature")
    return sample(
        "smime-signed",
        fields,
        parts("sig", text_part("Signed  \n\tand \n\n"), signature, preamble=b"This is S/MIME.\r\n\r\n"),
    )


def _opaque() -> Sample:
    fields = [
        *usual("smime-opaque", "Encrypted"),
        field("Content-Type", 'application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"'),
        field("Content-Transfer-Encoding", "base64"),
    ]
    return sample("smime-encrypted", fields, base64_lines(noise(6000, 8)))


def _pgp_mime() -> Sample:
    signature = (
        b"-----BEGIN PGP SIGNATURE-----\r\n\r\n"
        + base64_lines(noise(300, 9))
        + b"-----END PGP SIGNATURE-----\r\n"
    )
    signed = part([field("Content-Type", "application/pgp-signature; name=signature.asc")], signature)
    fields = [
        *usual("pgp-mime", "Signed"),
        field(
            "Content-Type",
            'multipart/signed; micalg=pgp-sha512;\r\n protocol="application/pgp-signature"; boundary="p"',
        ),
    ]
    return sample("pgp-mime-signed", fields, parts("p", text_part("Trailing space \nand tab\t\n"), signed))


def _pgp_inline() -> Sample:
    body = (
        b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\n- -- dash-escaped\r\n- From the start\r\n"
        b"-----BEGIN PGP SIGNATURE-----\r\n\r\n"
        + base64_lines(noise(200, 10))
        + b"=AbCd\r\n-----END PGP SIGNATURE-----\r\n"
    )
    return sample("pgp-inline-signed", usual("pgp-inline", "Clear signed"), body)


def _signed_already() -> Sample:
    signature = (
        "v=1; a=rsa-sha256; c=simple/simple; d=example.com;\r\n\ts=s1; h=from:to:subject:date:message-id;\r\n"
        "\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=abc\r\n\t def=="
    )
    return sample(
        "dkim-field-on-top",
        [field("DKIM-Signature", signature), *usual("dkim", "Signed by the sender's system")],
    )


def _reports() -> Iterator[Sample]:
    report = part(
        [field("Content-Type", "message/delivery-status")],
        b"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n",
    )
    fields = [
        *usual("report", "Undelivered"),
        field("Content-Type", 'multipart/report; report-type=delivery-status; boundary="r"'),
    ]
    yield sample(
        "delivery-report-forwarded",
        fields,
        parts(
            "r",
            text_part("Sorry.\n"),
            report,
            part(
                [field("Content-Type", "message/rfc822")],
                b"Bcc: inner@buyer.example\r\nSubject: inner\r\n\r\nhi\r\n",
            ),
        ),
    )
    receipt = part(
        [field("Content-Type", "message/disposition-notification")],
        b"Final-Recipient: rfc822; ana@example.com\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n",
    )
    fields = [
        *usual("receipt", "Read: offer"),
        field("Content-Type", 'multipart/report; report-type=disposition-notification; boundary="m"'),
    ]
    yield sample("read-receipt", fields, parts("m", text_part("Read.\n"), receipt))


def _inner_bcc() -> Sample:
    inner = part(
        [field("Content-Type", "message/rfc822")],
        b"From: a@b.example\r\nBcc: kept@buyer.example\r\n\r\nforwarded with its own Bcc field\r\n",
    )
    return sample(
        "forwarded-as-attachment",
        [*usual("forward", "Fwd: hi"), *multipart("mixed", "f")],
        parts("f", text_part("See below.\n"), inner),
    )


def _winmail() -> Sample:
    body = parts(
        "tnef",
        text_part("Hi\n"),
        file_part("winmail.dat", b"\x78\x9f\x3e\x22" + noise(4000, 11), "application/ms-tnef"),
    )
    return sample("outlook-rich-text", [*_outlook("tnef"), *multipart("mixed", "tnef")], body)


def special_samples() -> Iterator[Sample]:
    """Give messages that programs rather than people write, and signed ones."""
    yield _newsletter()
    yield _patch()
    yield _calendar()
    yield _smime()
    yield _opaque()
    yield _pgp_mime()
    yield _pgp_inline()
    yield _signed_already()
    yield from _reports()
    yield _inner_bcc()
    yield _winmail()
    yield sample(
        "cron", usual("cron", "Cron <ana@host> backup", field("X-Cron-Env", "<SHELL=/bin/sh>")), b"done\r\n"
    )
    yield sample(
        "vcard",
        [*usual("vcard", "My card"), field("Content-Type", "text/vcard; charset=utf-8")],
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ana Bérg\r\nEND:VCARD\r\n".encode(),
    )
