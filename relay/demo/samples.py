"""The messages of the demonstration, and what must become of each.

Pure. All addresses are of domains that exist nowhere (RFC 2606).
"""

import base64
from dataclasses import dataclass

COMPANY = "example.com"


@dataclass(frozen=True, slots=True)
class DemoRep:
    """A sales rep of the demonstration."""

    login: str
    name: str
    addresses: tuple[str, ...]
    email_to_salesforce: str
    mode: str = "bcc"


ANA = DemoRep(
    "ana", "Ana Berg", (f"ana@{COMPANY}",), "emailtosalesforce@1-k3x7q2ana9.a1.le.salesforce.example"
)
BO = DemoRep(
    "bo", "Björn Åkesson", (f"bo@{COMPANY}",), "emailtosalesforce@2-m8v4w6bjo5.b2.le.salesforce.example"
)
CLEO = DemoRep(
    "cleo",
    "Cleo Ruiz",
    (f"cleo@{COMPANY}",),
    "emailtosalesforce@3-p5c9d2cle8.c3.le.salesforce.example",
    mode="api",
)
REPS = (ANA, BO, CLEO)

_ON_KIM = "completed Task on contact Kim Lund"
_ON_DEAL = "completed Task on opportunity Press line 4"


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """One message, how it is sent, and what must become of it."""

    title: str
    rep: DemoRep
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    """What the client sends."""
    expected: bytes
    """What must arrive behind the fields that the relay puts in front."""
    smtputf8: bool = False
    refusal: str = ""
    """The start of the reply that must refuse it; "" when it must be taken."""
    logged: bool = True
    """Whether the rep's Email to Salesforce address must be added to the envelope."""
    reported: tuple[str, ...] = ()
    """Recipients that the next hop refuses, so that the rep must get a delivery report."""
    records: tuple[str, ...] = ()
    """What must be in Salesforce afterwards because of it, as `organisation.Watch` tells it."""


def _message(fields: tuple[str, ...], body: str) -> bytes:
    return "\n".join((*fields, "", body)).replace("\n", "\r\n").encode()


def _fields(sender: str, to: str, subject: str, number: int) -> tuple[str, ...]:
    return (
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        f"Date: Mon, 09 Nov 2026 09:{10 + number}:00 +0100",
        f"Message-ID: <demo-{number}@laptop.example.com>",
        "MIME-Version: 1.0",
    )


def _ordinary() -> DemoMessage:
    text = "Hello Kim,\n\nthank you for today. The offer stands until Friday.\n.\n\nAna\n"
    content = _message(
        _fields("Ana Berg <ana@example.com>", "Kim Lund <kim@buyer.example>", "Our offer", 1), text
    )
    return DemoMessage(
        "An ordinary mail to a customer",
        ANA,
        "ana@example.com",
        ("kim@buyer.example",),
        content,
        content,
        records=(_ON_KIM, _ON_DEAL),
    )


def _attachment() -> DemoMessage:
    top = _fields("Bjorn <bo@example.com>", "kim@buyer.example, lee@buyer.example", "Price list", 2)
    kind = 'Content-Type: multipart/mixed; boundary="=_demo"'
    data = base64.encodebytes(bytes(range(256)) * 24).decode()
    body = (
        "--=_demo\nContent-Type: text/plain\n\nHere it is.\n"
        '--=_demo\nContent-Type: application/pdf; name="prices.pdf"\nContent-Transfer-Encoding: base64\n'
        f"Content-Disposition: attachment\n\n{data}--=_demo--\n"
    )
    sent = _message((*top, "Bcc: boss@partner.example", kind), body)
    return DemoMessage(
        "A mail with an attachment to two customers, and a Bcc field that must not be sent on",
        BO,
        "bo@example.com",
        ("kim@buyer.example", "lee@buyer.example", "boss@partner.example"),
        sent,
        _message((*top, kind), body),
        records=(_ON_KIM, "completed Task on lead Lee Moreau", _ON_DEAL),
    )


def _international() -> DemoMessage:
    fields = _fields(
        "Björn Åkesson <bo@example.com>", "Jürgen <jürgen@käufer.example>", "Angebot für März: 12 €", 3
    )
    body = "Grüße aus Malmö, 見積書 and 👍.\n"
    content = _message(
        (*fields, "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"), body
    )
    return DemoMessage(
        "A mail in UTF-8 to an internationalised address",
        BO,
        "bo@example.com",
        ("jürgen@käufer.example",),
        content,
        content,
        smtputf8=True,
        records=("open Task in My Unresolved Items",),
    )


def _internal() -> DemoMessage:
    fields = _fields("Ana Berg <ana@example.com>", "bo@example.com", "Lunch?", 4)
    content = _message(fields, "At twelve?\n")
    return DemoMessage(
        "A mail to a colleague: forwarded, not logged",
        ANA,
        "ana@example.com",
        ("bo@example.com",),
        content,
        content,
        logged=False,
    )


def _forged() -> DemoMessage:
    fields = _fields("The Boss <ceo@example.com>", "kim@buyer.example", "Urgent", 5)
    content = _message(fields, "Please pay at once.\n")
    return DemoMessage(
        "A mail from an address that is not one of the rep's: refused",
        ANA,
        "ceo@example.com",
        ("kim@buyer.example",),
        content,
        content,
        refusal="550 5.7.1",
        logged=False,
    )


def _partly_refused() -> DemoMessage:
    fields = _fields("Ana Berg <ana@example.com>", "kim@buyer.example, refuse-me@buyer.example", "Minutes", 6)
    content = _message(fields, "The minutes of our meeting.\n")
    return DemoMessage(
        "A mail of which the next hop refuses one recipient: a delivery report comes back",
        ANA,
        "ana@example.com",
        ("kim@buyer.example", "refuse-me@buyer.example"),
        content,
        content,
        reported=("refuse-me@buyer.example",),
        records=(_ON_KIM, _ON_DEAL),
    )


def _through_the_api() -> DemoMessage:
    fields = _fields("Cleo Ruiz <cleo@example.com>", "Kim Lund <kim@buyer.example>", "Next steps", 7)
    content = _message(fields, "Hello Kim,\n\nshall we meet on Tuesday?\n\nCleo\n")
    return DemoMessage(
        "The same of a rep in mode api: no log copy, the relay writes the record itself",
        CLEO,
        "cleo@example.com",
        ("kim@buyer.example",),
        content,
        content,
        logged=False,
        records=("EmailMessage on contact Kim Lund, opportunity Press line 4",),
    )


def _to_a_lead() -> DemoMessage:
    fields = _fields("Cleo Ruiz <cleo@example.com>", "lee@buyer.example", "Welcome", 8)
    content = _message(fields, "Good to have met you.\n")
    return DemoMessage(
        "Another in mode api, to a lead and, unseen by it, to a contact: only the lead is in the record",
        CLEO,
        "cleo@example.com",
        ("lee@buyer.example", "boss@partner.example"),
        content,
        content,
        logged=False,
        records=("EmailMessage on lead Lee Moreau",),
    )


def messages() -> tuple[DemoMessage, ...]:
    """Give the messages in the order they are sent."""
    in_bcc = _ordinary(), _attachment(), _international(), _internal(), _forged(), _partly_refused()
    return (*in_bcc, _through_the_api(), _to_a_lead())
