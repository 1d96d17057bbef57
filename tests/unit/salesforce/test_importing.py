"""relay.salesforce.importing: past mail out of files, and what becomes of it."""

from relay.delivery_kind import Role
from relay.salesforce.importing import Import, imported, mails_in
from tests.support.builders import NOW, new_number
from tests.support.policy import rep, rules

MAIL = b"From: ana@example.com\nTo: Kim <kim@customer.example>\nCc: lee@partner.example\nSubject: Past\nMessage-ID: <1@example.com>\n\n.dot\nHello\n"


def take(mail: bytes, **settings: object) -> Import:
    """Import one mail of ana's."""
    ana = rep()
    return imported(mail, ana, rules(settings or None, [ana]), new_number(), NOW)


def test_a_mail_alone() -> None:
    """An .eml is one mail, whatever its lines say."""
    assert list(mails_in(MAIL)) == [MAIL]


def test_a_mailbox() -> None:
    """An mbox is as many mails as it has From lines behind empty ones; what was quoted comes back."""
    quoted = MAIL.replace(b"Hello\n", b">From here\n>>From there\n")
    file = b"From a Mon Sep 21 14:13:20 2026\n" + quoted + b"\nFrom b Mon Sep 21 14:13:20 2026\n" + MAIL
    first, second = mails_in(file)
    assert b"\nFrom here\n>From there\n" in first
    assert second == MAIL


def test_the_plan() -> None:
    """Whom the header names has the mail; only the record is to be made."""
    one = take(MAIL)
    assert one.message is not None
    plan = [(each.role, each.target, bool(each.skipped)) for each in one.plan]
    assert plan == [
        (Role.RECIPIENT, "kim@customer.example", True),
        (Role.RECIPIENT, "lee@partner.example", True),
        (Role.RECORD, "salesforce", False),
    ]
    content = one.message.content or b""
    assert content.endswith(b"\r\n..dot\r\nHello\r\n")


def test_without_a_message_id() -> None:
    """The same octets get the same id, so that they are recorded once."""
    bare = MAIL.replace(b"Message-ID: <1@example.com>\n", b"")
    first, second = take(bare), take(bare)
    assert first.message_id == second.message_id != ""
    assert take(bare + b"more\n").message_id != first.message_id


def test_what_is_left_out() -> None:
    """Mail of somebody else, mail to nobody, and mail that the settings exclude; each with its reason."""
    other = take(MAIL.replace(b"ana@example.com\n", b"zoe@example.com\n", 1))
    nobody = take(MAIL.replace(b"To: Kim <kim@customer.example>\nCc: lee@partner.example\n", b""))
    private = take(MAIL, exclude={"subjects": ["^Past"]})
    problems = [one.problem for one in (other, nobody, private)]
    assert problems[:2] == ["it is not from ana", "it names no recipient"]
    assert "logging.exclude.subjects.0" in problems[2]
    assert all(one.message is None for one in (other, nobody, private))
