"""Email to Salesforce: takes mail for a user's secret address and makes the Tasks that the real one makes of it.

`take` is for a next hop that hands over the log copies it gets, `answer` for a mail server; both are in `sink_server`.
Which of several readings of the documentation holds (which sender is compared, how a refusal shows) is settable.
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from relay.demo.salesforce.activity_rules import LONGEST_DESCRIPTION, LONGEST_SUBJECT, first_closed
from relay.demo.salesforce.files import Files
from relay.demo.salesforce.records import Records, Row
from relay.demo.salesforce.refusals import Refusal
from relay.demo.salesforce.sink_mail import Mail, read
from relay.demo.salesforce.sink_rules import (
    LARGEST_FILES,
    LARGEST_MESSAGE,
    MESSAGES_A_DAY_PER_USER,
    MOST_ACTIVITIES,
    Action,
    Options,
    Refused,
    Several,
    SinkSettings,
    action_of,
    body_of,
    chosen,
    is_acceptable,
    looked_up,
    split_excluded,
)

_DAY = timedelta(days=1)
_WAIT = 30.0


class Outcome(StrEnum):
    """What became of one mail."""

    ASSOCIATED = "associated"
    UNRESOLVED = "unresolved"
    """An open Task in My Unresolved Items."""
    NOTHING = "nothing"
    """Nobody matched, and the user wants no Task then."""
    BOUNCED = "bounced"
    DISCARDED = "discarded"
    REQUEUED = "requeued"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One mail that came, and what it came to."""

    at: datetime
    recipient: str
    sender: str
    """The envelope's."""
    subject: str
    outcome: Outcome
    reason: str
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail that Salesforce sends: a bounce or a confirmation."""

    to: str
    subject: str
    text: str


@dataclass(slots=True)
class _Waiting:
    recipient: str
    sender: str
    content: bytes
    since: datetime


@dataclass(slots=True)
class _Target:
    """Where mail is to be recorded: the address, whose it is, what he chose."""

    address: Row
    function: Row | None
    user: str
    options: Options = field(default_factory=Options)


class Sink:
    """Email to Salesforce of one organisation."""

    def __init__(self, records: Records, files: Files | None = None) -> None:
        self.settings = SinkSettings()
        self.options: dict[str, Options] = {}
        """What users chose, by the id of the user."""
        self.unresolved: list[str] = []
        """The Tasks that were sent to My Unresolved Items."""
        self.notices: list[Notice] = []
        """What was mailed to people."""
        self._records, self._files = records, files
        self._receipts: list[Receipt] = []
        self._waiting: list[_Waiting] = []
        self._changed = threading.Condition()

    # -- receiving -------------------------------------------------------------------------------------------------

    def knows(self, recipient: str) -> bool:
        """Tell whether an address is one of Email to Salesforce here, active or not."""
        with self._records.lock:
            return self._target(recipient) is not None

    def take(self, recipient: str, sender: str, content: bytes) -> Receipt:
        """Take one mail for one address. A bounce is mailed to the sender, unless a dialogue shows it already."""
        receipt = self._received(recipient, sender, content)
        if receipt.outcome is Outcome.BOUNCED:
            self._bounce(receipt)
        return self._kept(receipt)

    def answer(self, recipient: str, sender: str, content: bytes) -> str | None:
        """Take one mail as a mail server does: a bounce is the reply given, when the settings want that."""
        receipt = self._received(recipient, sender, content)
        if receipt.outcome is Outcome.BOUNCED and not self.settings.bounce_in_reply:
            self._bounce(receipt)
        self._kept(receipt)
        refused = receipt.outcome is Outcome.BOUNCED and self.settings.bounce_in_reply
        return f"550 5.7.1 {receipt.reason}" if refused else None

    def try_again(self) -> list[Receipt]:
        """Take what was requeued once more; what has waited for 24 hours bounces."""
        waiting, self._waiting = self._waiting, []
        done = []
        for one in waiting:
            receipt = self._received(one.recipient, one.sender, one.content, since=one.since)
            if receipt.outcome is Outcome.BOUNCED:
                self._bounce(receipt)
            done.append(self._kept(receipt))
        return done

    @property
    def receipts(self) -> list[Receipt]:
        """Give what came up to now, in order."""
        with self._changed:
            return list(self._receipts)

    def wait_for(self, count: int, limit: float = _WAIT) -> list[Receipt]:
        """Wait until so many mails have come. Raises TimeoutError after `limit` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._receipts) >= count, limit):
                raise TimeoutError(f"{len(self._receipts)} mails have come, {count} were expected")
            return list(self._receipts)

    def reset(self) -> None:
        """Forget everything that came, and all that was set."""
        with self._changed:
            self._receipts.clear()
        self._waiting.clear()
        self.unresolved.clear()
        self.notices.clear()
        self.options.clear()
        self.settings = SinkSettings()

    def _kept(self, receipt: Receipt) -> Receipt:
        with self._changed:
            self._receipts.append(receipt)
            self._changed.notify_all()
        return receipt

    def _received(
        self, recipient: str, sender: str, content: bytes, *, since: datetime | None = None
    ) -> Receipt:
        mail = read(content)
        with self._records.lock, self._records.transaction():
            now = self._records.clock.now()

            def came_to(outcome: Outcome, reason: str, tasks: Sequence[str] = ()) -> Receipt:
                return Receipt(now, recipient, sender, mail.subject, outcome, reason, tuple(tasks))

            target = self._target(recipient)
            refused = self._refusal(target, mail, sender, len(content), now)
            if refused is not None:
                waits = since or now
                if refused.action is Action.REQUEUE and now - waits < _DAY:
                    self._waiting.append(_Waiting(recipient, sender, content, waits))
                    return came_to(Outcome.REQUEUED, refused.reason)
                gone = refused.action is Action.DISCARD
                return came_to(Outcome.DISCARDED if gone else Outcome.BOUNCED, refused.reason)
            assert target is not None
            return self._record(target, mail, recipient, came_to)

    # -- who may send ------------------------------------------------------------------------------------------------

    def _target(self, recipient: str) -> _Target | None:
        wanted = recipient.strip().lower()
        for address in self._records.live("EmailServicesAddress"):
            if f"{address.get('LocalPart')}@{address.get('EmailDomainName')}".lower() == wanted:
                user = str(address.get("RunAsUserId") or "")
                function = self._records.get(str(address.get("FunctionId") or ""))
                return _Target(address, function, user, self.options.get(user, Options()))
        return None

    def _refusal(
        self, target: _Target | None, mail: Mail, sender: str, size: int, now: datetime
    ) -> Refused | None:
        """Say why mail is not accepted, in the order in which it is looked at."""
        if target is None:
            return Refused(Action.BOUNCE, "No such address here")
        if size > LARGEST_MESSAGE:
            return Refused(Action.BOUNCE, "Message larger than 35 MB")
        return (
            self._inactive(target)
            or self._not_acceptable(target, mail, sender)
            or self._not_authenticated(target)
            or self._over_limit(target, now)
        )

    def _inactive(self, target: _Target) -> Refused | None:
        settings, user = self.settings, self._records.get(target.user)
        function = target.function or {}
        if not self._records.toggles.e2s_active or function.get("IsActive") is False:
            action = action_of(target.function, "FunctionInactiveAction", settings.inactive)
            return Refused(action, "Email to Salesforce is not active")
        if target.address.get("IsActive") is False or user is None or user.get("IsActive") is False:
            action = action_of(target.function, "AddressInactiveAction", settings.inactive)
            return Refused(action, "This address is not active")
        return None

    def _not_acceptable(self, target: _Target, mail: Mail, sender: str) -> Refused | None:
        checked = self._records.toggles.sender_checked
        if is_acceptable(target.address.get("AuthorizedSenders"), checked, mail.sender, sender):
            return None
        action = action_of(target.function, "AuthorizationFailureAction", self.settings.not_acceptable)
        return Refused(action, "The sender is not one of My Acceptable Email Addresses")

    def _not_authenticated(self, target: _Target) -> Refused | None:
        wanted = self._records.toggles.advanced_security or (target.function or {}).get(
            "IsAuthenticationRequired"
        )
        if not wanted or self.settings.authenticated:
            return None
        action = action_of(target.function, "AuthenticationFailureAction", self.settings.not_authenticated)
        return Refused(action, "The sending server passes none of SPF, Sender ID and DKIM")

    def _over_limit(self, target: _Target, now: datetime) -> Refused | None:
        users = sum(1 for row in self._records.live("User") if row.get("IsActive") is not False)
        most = self.settings.messages_a_day
        most = MESSAGES_A_DAY_PER_USER * users if most is None else most
        today = sum(1 for receipt in self.receipts if now - receipt.at < _DAY)
        if today < most:
            return None
        action = action_of(target.function, "OverLimitAction", self.settings.over_limit)
        return Refused(action, "Too many messages today")

    # -- recording ---------------------------------------------------------------------------------------------------

    def _record(
        self, target: _Target, mail: Mail, recipient: str, came_to: Callable[..., Receipt]
    ) -> Receipt:
        options = target.options
        addresses, excluded = split_excluded(looked_up(mail, recipient), options.excluded_domains)
        matched = self._matched(addresses, options) if options.automatic else []
        records = list(dict.fromkeys([*matched, *self._named(mail)]))[:MOST_ACTIVITIES]
        if records:
            tasks = [self._task(target, mail, record) for record in records]
            self._attach(target, mail, tasks)
            self._confirm(target, mail, tasks)
            return came_to(Outcome.ASSOCIATED, f"{len(tasks)} records", tasks)
        if options.automatic and not excluded and not options.unmatched:
            return came_to(Outcome.NOTHING, "nothing matches")
        task = self._task(target, mail, None)
        self.unresolved.append(task)
        self._attach(target, mail, [task])
        return came_to(Outcome.UNRESOLVED, "excluded domain" if excluded else "nothing matches", [task])

    def _matched(self, addresses: Sequence[str], options: Options) -> list[str]:
        """Give the records of the addresses: leads and contacts by their Email, and the contacts' open opportunities."""
        kinds = [name for name, on in (("Contact", options.contacts), ("Lead", options.leads)) if on]
        activities = self._activities() if options.several is Several.MOST_ACTIVITY else {}
        people = [
            str(row["Id"])
            for found in self._by_address(kinds, addresses)
            for row in chosen(found, options.several, activities)
        ]
        if not options.opportunities:
            return people
        with_address = self._by_address(["Contact"], addresses) if not options.contacts else []
        contacts = {*people, *(str(row["Id"]) for found in with_address for row in found)}
        return people + self._opportunities(contacts)

    def _by_address(self, kinds: Sequence[str], addresses: Sequence[str]) -> list[list[Row]]:
        found: dict[str, list[Row]] = {address: [] for address in addresses}
        for name in kinds:
            for row in self._records.live(name):
                if not row.get("IsConverted"):
                    found.get(str(row.get("Email") or "").lower(), []).append(row)
        return list(found.values())

    def _activities(self) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for task in self._records.live("Task"):
            who = str(task.get("WhoId") or "")
            counts[who] = counts.get(who, 0) + 1
        return counts

    def _opportunities(self, contacts: Collection[str]) -> list[str]:
        """Give every open opportunity on which one of the contacts has a role."""
        opportunities = []
        for role in self._records.live("OpportunityContactRole"):
            row = self._records.get(str(role.get("OpportunityId") or ""))
            if role.get("ContactId") in contacts and row and not (row.get("IsClosed") or row["IsDeleted"]):
                opportunities.append(str(row["Id"]))
        return opportunities

    def _named(self, mail: Mail) -> list[str]:
        """Give the records that (ref: …) names, as far as they are there."""
        return [one for one in mail.references() if (row := self._records.get(one)) and not row["IsDeleted"]]

    def _task(self, target: _Target, mail: Mail, record: str | None) -> str:
        """Make the Task of one record; without one an open Task for My Unresolved Items."""
        toggles = self._records.toggles
        fields: Row = {
            "Subject": f"Email: {mail.subject}"[:LONGEST_SUBJECT],
            "Description": body_of(mail)[:LONGEST_DESCRIPTION],
            "OwnerId": target.user,
            "ActivityDate": self._records.clock.now().date().isoformat(),
            "TaskSubtype": "Email",
        }
        if self.settings.task_type in toggles.task_type_values:
            fields["Type"] = self.settings.task_type
        if record is not None:
            found = self._records.find(record)
            assert found is not None
            fields["WhoId" if found[0] in ("Contact", "Lead") else "WhatId"] = record
            fields["Status"] = first_closed(toggles.status_values)
        return str(self._records.insert("Task", fields, user=target.user)["Id"])

    def _attach(self, target: _Target, mail: Mail, tasks: Sequence[str]) -> None:
        """Keep the attachments on every Task, unless they are too large together."""
        total = sum(len(file.data) for file in mail.files)
        if self._files is None or not target.options.save_attachments or total > LARGEST_FILES:
            return
        for file in mail.files:
            with suppress(Refusal):  # a file that the organisation does not take is left out
                given: Row = {"PathOnClient": file.name, "FirstPublishLocationId": tasks[0]}
                version = self._files.store(self._records, given, file.data, target.user)
                document = (self._records.get(version) or {}).get("ContentDocumentId")
                for task in tasks[1:]:
                    link: Row = {"ContentDocumentId": document, "LinkedEntityId": task, "ShareType": "V"}
                    self._records.insert("ContentDocumentLink", link, user=target.user)

    # -- mail to people ------------------------------------------------------------------------------------------------

    def _confirm(self, target: _Target, mail: Mail, tasks: Sequence[str]) -> None:
        if target.options.confirm:
            user = self._records.get(target.user) or {}
            text = f"Your email was saved with {len(tasks)} records."
            self.notices.append(Notice(str(user.get("Email") or ""), f"Saved: {mail.subject}", text))

    def _bounce(self, receipt: Receipt) -> None:
        if receipt.sender:
            text = f"{receipt.recipient}: {receipt.reason}"
            self.notices.append(Notice(receipt.sender, f"Undeliverable: {receipt.subject}", text))
