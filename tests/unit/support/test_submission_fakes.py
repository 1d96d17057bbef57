"""The fakes of submission's tests do what the real parts promise."""

from pathlib import Path

from relay.directory.credentials import Proven, Wrong
from relay.errors import StorageFull
from relay.storage.spool import Spool
from tests.support.builders import new_message
from tests.support.clock import FakeClock
from tests.support.dialogue import octets, read, segments
from tests.support.submission import PASSWORD, PLAIN, KeptMail, KeptPasswords, reps
from tests.support.talk import until
from tests.support.wire import cut


async def test_kept_mail_keeps_content_inline_and_from_the_spool(tmp_path: Path) -> None:
    """Numbers rise, content is what was handed over, and of a failure that was set it is told."""
    spool = Spool(tmp_path)
    mail = KeptMail(FakeClock(), spool)
    assert mail.next_number() < mail.next_number()
    told: list[Exception | None] = []
    mail.take(new_message(content=b"inline\r\n"), (), (), told.append)
    assert told == []
    file = spool.create()
    file.write(b"large\r\n")
    await file.sync()
    mail.take(new_message(content=None, spool_name=file.name), (), (), told.append)
    await until(lambda: len(told) == 2)
    assert mail.contents == [b"inline\r\n", b"large\r\n"]
    mail.failure = StorageFull("full")
    mail.take(new_message(), (), (), told.append)
    await until(lambda: len(told) == 3)
    assert told == [None, None, mail.failure]
    assert len(mail.messages) == 2


async def test_kept_passwords_prove_reps_alone() -> None:
    """The one password proves a rep, and nothing else does."""
    passwords = KeptPasswords(reps())
    assert isinstance(await passwords.verify("ANA", PASSWORD.encode(), "192.0.2.7"), Proven)
    assert isinstance(await passwords.verify("ana", b"x", "192.0.2.7"), Wrong)
    assert isinstance(await passwords.verify("nobody", PASSWORD.encode(), "192.0.2.7"), Wrong)


def test_dialogues_are_read_line_by_line(tmp_path: Path) -> None:
    """Lines that follow each other are one segment; escapes and names are replaced."""
    path = tmp_path / "one.txt"
    path.write_text("# A rule\n@ submission\nC: NOOP {long 3}\nB: a\\r\\n\nS: 250 *\nC: AUTH PLAIN {ana}\n")
    dialogue = read(path)
    assert (dialogue.rule, dialogue.listener) == ("A rule", "submission")
    first, expected, last = segments(dialogue.steps)
    assert first == b"NOOP xxx\r\na\r\n"
    assert last == f"AUTH PLAIN {PLAIN}\r\n".encode()
    assert not isinstance(expected, bytes)
    assert octets(expected) == b"250 *"


def test_cut_loses_nothing() -> None:
    """Pieces joined are the whole."""
    assert cut(b"abcdefg", [1, 3]) == [b"a", b"bcd", b"e", b"fg"]
