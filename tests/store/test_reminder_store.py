"""The store of reminders, over every database."""

from datetime import date

import pytest

from relay.directory.model import Directory, Rep
from relay.errors import CommandError
from relay.ids import Login, QueueId, number_of
from relay.reminders.follow_ups import FollowUps
from relay.reminders.model import Link, Priority, RepKey, State
from relay.reminders.store import Edit, NewReminder, ReminderStore, Wanted
from relay.reminders.switches import SwitchStore
from relay.storage.database import Database, Transaction

ANA, BO = RepKey("ana"), RepKey("bo")
NOW = 1_790_000_000_000_000
STORE, SWITCHES = ReminderStore(), SwitchStore()


async def _add(database: Database, title: str, due: date | None = None, rep: RepKey = ANA) -> int:
    made = await database.write(lambda tx: STORE.add(tx, NewReminder(rep, title, due=due), on=False, now=NOW))
    return made.id


async def test_due_today_and_tomorrow(database: Database) -> None:
    """Today and tomorrow have lists, what is overdue has its own, and what has no day is in none of them."""
    for title, due in (
        ("overdue", date(2026, 11, 21)),
        ("today", date(2026, 11, 22)),
        ("tomorrow", date(2026, 11, 23)),
        ("later", date(2026, 11, 24)),
        ("undated", None),
    ):
        await _add(database, title, due)
    await _add(database, "somebody else's", date(2026, 11, 22), BO)
    lists = await database.read(lambda tx: STORE.due_lists(tx, ANA, date(2026, 11, 22)))
    found = [[one.values.title for one in some] for some in (lists.overdue, lists.today, lists.tomorrow)]
    assert found == [["overdue"], ["today"], ["tomorrow"]]
    undated = await database.read(lambda tx: STORE.list(tx, Wanted(ANA, without_due=True)))
    assert [one.values.title for one in undated] == ["undated"]


async def test_search_and_pages(database: Database) -> None:
    """A search takes its text as it is, and pages hold every reminder once."""
    for number in range(7):
        await _add(database, f"Call {number} 100%")
    await _add(database, "Nothing")
    wanted = Wanted(ANA, text="100%")
    pages = [
        await database.read(lambda tx, at=at: STORE.list(tx, wanted, 3, at))  # type: ignore[misc]  # bound now
        for at in (0, 3, 6, 9)
    ]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert len({one.id for page in pages for one in page}) == 7
    assert await database.read(lambda tx: STORE.count(tx, wanted)) == 7
    assert await database.read(lambda tx: STORE.count(tx, Wanted(ANA, text="_"))) == 0


async def test_life_of_a_reminder(database: Database) -> None:
    """It is changed, completed, opened again, put off, given away and deleted; each verb sees only its rep's."""
    which = (
        await database.write(lambda tx: STORE.add(tx, NewReminder(ANA, " Call\n"), on=False, now=NOW))
    ).id

    def unit(tx: Transaction) -> None:
        assert (
            STORE.edit(tx, which, Edit(priority=Priority.HIGH), NOW, of=ANA).values.priority is Priority.HIGH
        )
        assert STORE.done(tx, which, NOW).values.state is State.DONE
        assert STORE.reopen(tx, which, NOW).values.state is State.OPEN
        assert STORE.snooze(tx, which, date(2026, 12, 1), NOW).values.due == date(2026, 12, 1)
        assert STORE.edit(tx, which, Edit(due=None), NOW).values.due is None
        assert STORE.assign(tx, which, BO, NOW).rep == BO

    await database.write(unit)
    with pytest.raises(CommandError):
        await database.write(lambda tx: STORE.done(tx, which, NOW, of=ANA))
    await database.write(lambda tx: STORE.delete(tx, which, NOW, of=BO))
    with pytest.raises(CommandError):
        await database.read(lambda tx: STORE.get(tx, which))


async def test_a_title_is_needed(database: Database) -> None:
    """Nothing is kept without a title."""
    with pytest.raises(CommandError) as caught:
        await _add(database, " \n ")
    assert caught.value.exit_code == 2
    assert await database.read(lambda tx: STORE.count(tx, Wanted())) == 0


async def test_switching_on_marks_what_stood_here(database: Database) -> None:
    """What is there when the switch is turned is never pushed; turning it again changes nothing."""
    which = await _add(database, "Old")
    assert await database.write(lambda tx: SWITCHES.turn(tx, ANA, True, NOW))
    assert not await database.write(lambda tx: SWITCHES.turn(tx, ANA, True, NOW))
    held = (await database.read(lambda tx: STORE.list(tx, Wanted(ANA))))[0]
    assert (held.id, held.link, held.next_push_at) == (which, Link.NEVER_PUSH, None)
    standing = await database.read(lambda tx: SWITCHES.get(tx, ANA))
    assert (standing.running, standing.first_running) == (True, True)


async def test_asking_and_answering(database: Database) -> None:
    """Who asks for a run gets the answer to it, and not to an earlier one."""
    first = await database.write(lambda tx: SWITCHES.ask(tx, ANA))
    second = await database.write(lambda tx: SWITCHES.ask(tx, ANA))
    assert second == first + 1
    await database.write(lambda tx: SWITCHES.answer(tx, ANA, first, "{}"))
    assert len(await database.read(SWITCHES.asking)) == 1
    await database.write(lambda tx: SWITCHES.answer(tx, ANA, second, '{"pulled": 1}'))
    assert await database.read(SWITCHES.asking) == []
    assert (await database.read(lambda tx: SWITCHES.get(tx, ANA))).answer == '{"pulled": 1}'


async def test_one_feed_for_each_rep(database: Database) -> None:
    """A new token closes the one before; a closed feed opens for nobody."""
    await database.write(lambda tx: SWITCHES.open_feed(tx, ANA, "a" * 64, NOW))
    await database.write(lambda tx: SWITCHES.open_feed(tx, ANA, "b" * 64, NOW))
    assert await database.read(lambda tx: SWITCHES.feed_of(tx, "a" * 64)) is None
    assert await database.read(lambda tx: SWITCHES.feed_of(tx, "b" * 64)) == ANA
    await database.write(lambda tx: SWITCHES.close_feed(tx, ANA))
    assert await database.read(lambda tx: SWITCHES.feed_of(tx, "b" * 64)) is None


def _mail(tx: Transaction, number: int, *targets: str, accepted_at: int = 0) -> None:
    tx.execute(
        "INSERT INTO message (id, login, reverse_path, smtputf8, accepted_at, octets, has_8bit, utf8_header, "
        "subject, header_from, client, listener, mode, why, rule) "
        "VALUES (?, 'ana', '', 0, ?, 0, 0, 0, 'Offer', '', '', '', 'off', '', '')",
        (number, accepted_at),
    )
    for target in targets:
        state = "skipped" if target.startswith("task") else "sent"
        tx.execute(
            "INSERT INTO delivery (message, role, transport, target, state, created_at) "
            "VALUES (?, 'recipient', 'smtp', ?, ?, 0)",
            (number, target, state),
        )


async def test_mail_that_is_stored_after_a_later_one_makes_a_reminder_too(database: Database) -> None:
    """Queue ids are given before the commit: what has a lower one may be stored later, and is not passed over."""
    first = number_of("06FG4XYZ00000")
    directory, take = Directory([Rep(Login("ana"), ())]), FollowUps()

    async def made(now: int) -> int:
        number, _ = await database.write(
            lambda tx: take.take(tx, directory, "relay.example", lambda rep: True, now)
        )
        return number

    await database.write(lambda tx: _mail(tx, first + 1, "task+1d@relay.example", accepted_at=NOW))
    assert await made(NOW) == 0
    await database.write(lambda tx: _mail(tx, first, "task+2d@relay.example", accepted_at=NOW))
    assert await made(NOW + 6_000_000) == 2
    await database.write(lambda tx: _mail(tx, first + 2, "task+1d@relay.example", accepted_at=NOW * 2))
    assert await made(NOW + 6_000_000) == 1  # a clock that was set back holds nothing up


@pytest.mark.parametrize(
    ("language", "title", "details"),
    [
        ("en", "Follow up: Offer", "Sent to anna@buyer.example"),
        ("sv", "Följ upp: Offer", "Skickat till anna@buyer.example"),
    ],
)
async def test_mail_makes_one_reminder(database: Database, language: str, title: str, details: str) -> None:
    """task+3d@ in Bcc makes one for that mail, in the rep's language and time zone; no other mail makes one."""
    message = "06FG4XYZ00000"

    def mail(tx: Transaction) -> None:
        _mail(tx, number_of(message), "anna@buyer.example", "task+3d@relay.example", "task+1w@relay.example")
        _mail(tx, number_of(message) + 1, "anna@buyer.example", "task+3d@elsewhere.example")

    await database.write(mail)
    directory = Directory([Rep(Login("ana"), (), time_zone="Europe/Stockholm", language=language)])
    take = FollowUps()
    assert await database.read(take.waiting)
    assert await database.write(
        lambda tx: take.take(tx, directory, "relay.example", lambda rep: True, NOW)
    ) == (1, False)
    (held,) = await database.read(lambda tx: STORE.list(tx, Wanted(ANA)))
    assert held.values.details == details
    assert (held.values.title, held.message, held.person.email) == (
        title,
        QueueId(message),
        "anna@buyer.example",
    )
    assert held.values.due is not None
    assert not await database.read(take.waiting)
    await database.write(lambda tx: tx.execute("UPDATE reminder_mark SET message = 0"))
    await database.write(lambda tx: take.take(tx, directory, "relay.example", lambda rep: True, NOW))
    assert await database.read(lambda tx: STORE.count(tx, Wanted(ANA))) == 1
