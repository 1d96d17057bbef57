"""Arguments of MAIL and RCPT: what is read from them, and that values keep their case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import status
from relay.address import Address
from relay.envelope import Recipient
from relay.status import Reply
from relay.submission.parameters import MailCommand, read_mail, read_recipient


def test_mail_gives_everything_it_said() -> None:
    """Each parameter has its value; keywords in any case, ENVID as it was."""
    line = b"from:<Ana@Example.COM> size=12 Body=8bitmime SMTPUTF8 ret=full ENVID=Qq+2BX AUTH=<>"
    assert read_mail(line, extended=True) == MailCommand(
        Address("Ana", "Example.COM"), True, 12, "8BITMIME", "FULL", "Qq+2BX"
    )


def test_rcpt_gives_everything_it_said() -> None:
    """ORCPT keeps its case, NOTIFY is in upper case."""
    line = b"TO:<C@example.org> ORCPT=rfc822;C+2BD@Example.ORG NOTIFY=success,Failure"
    assert read_recipient(line, extended=True, smtputf8=False) == Recipient(
        Address("C", "example.org"), "SUCCESS,FAILURE", "rfc822;C+2BD@Example.ORG"
    )


def test_orcpt_may_be_utf8_with_smtputf8() -> None:
    """RFC 6533 §3: the address type utf-8."""
    line = "TO:<ü@example.org> ORCPT=utf-8;ü@example.org".encode()
    read = read_recipient(line, extended=True, smtputf8=True)
    assert isinstance(read, Recipient)
    assert read.orcpt == "utf-8;ü@example.org"
    assert read_recipient(line, extended=True, smtputf8=False) == status.RECIPIENT_NEEDS_UTF8


@pytest.mark.parametrize("path", ['<"a>b"@example.org>', '<"a\\">b"@example.org>', '<" "@example.org>'])
def test_a_quoted_local_part_may_hold_anything(path: str) -> None:
    """A `>` or a blank in quotes does not end the path."""
    read = read_recipient(f"TO:{path}".encode(), extended=True, smtputf8=False)
    assert isinstance(read, Recipient)
    assert f"<{read.address}>" == path


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        (b"", status.MAIL_SYNTAX),
        (b"FROM:", status.MAIL_SYNTAX),
        (b"FROM <a@example.com>", status.MAIL_SYNTAX),
        (b"FROM:<a@example.com>>", status.MAIL_SYNTAX),
        (b'FROM:<"a@example.com>', status.MAIL_SYNTAX),
        (b"FROM:< a@example.com>", status.BAD_SENDER),
        (b"FROM:<@>", status.BAD_SENDER),
        (b"FROM:<@a.example:>", status.BAD_SENDER),
        (b"FROM:<a@" + b"x." * 130 + b"example>", status.BAD_SENDER),
        (b"FROM:<a@com>", status.UNQUALIFIED_SENDER),
    ],
)
def test_what_is_no_path_is_refused(argument: bytes, reply: Reply) -> None:
    """RFC 5321 §4.1.2, and RFC 6409 §4.2 for domains that are not complete."""
    assert read_mail(argument, extended=True) in (reply, status.MAIL_SYNTAX, status.BAD_SENDER)
    if reply is not status.BAD_SENDER:
        assert read_mail(argument, extended=True) == reply


@given(st.binary(max_size=80))
def test_any_octets_give_a_command_or_a_refusal(argument: bytes) -> None:
    """Nothing is raised; what is taken has no control character."""
    for read in (
        read_mail(b"FROM:<" + argument, extended=True),
        read_mail(b"FROM:<a@example.com> " + argument, extended=True),
        read_recipient(b"TO:<" + argument, extended=True, smtputf8=True),
        read_recipient(b"TO:<a@example.com> " + argument, extended=True, smtputf8=True),
    ):
        if isinstance(read, Reply):
            assert read.code >= 500
        elif isinstance(read, MailCommand):
            assert all(c >= " " and c != "\x7f" for c in f"{read.reverse_path}{read.envid or ''}")
        else:
            assert all(
                c >= " " and c != "\x7f" for c in f"{read.address}{read.orcpt or ''}{read.notify or ''}"
            )
