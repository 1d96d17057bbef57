"""The Salesforce organisation of the demonstration: who is in it, and what came to be in it, told in words."""

from relay.demo.salesforce.simulator import Simulator
from relay.demo.samples import REPS, DemoRep

Row = dict[str, object]


def furnish(salesforce: Simulator) -> dict[str, str]:
    """Put the reps, a customer with an open and a closed opportunity, and a lead there; give the reps' user ids."""
    users = {rep.login: _rep(salesforce, rep) for rep in REPS}
    buyer = salesforce.add("Account", Name="Buyer Ltd")
    kim = salesforce.add(
        "Contact", FirstName="Kim", LastName="Lund", Email="kim@buyer.example", AccountId=buyer
    )
    salesforce.add("Contact", FirstName="Pat", LastName="Boss", Email="boss@partner.example")
    salesforce.add("Lead", FirstName="Lee", LastName="Moreau", Email="lee@buyer.example", Company="Buyer Ltd")
    for name, stage in (("Press line 4", "Prospecting"), ("Press line 3", "Closed Won")):
        deal = salesforce.add(
            "Opportunity", Name=name, StageName=stage, CloseDate="2026-12-18", AccountId=buyer
        )
        salesforce.add("OpportunityContactRole", OpportunityId=deal, ContactId=kim)
    return users


def _rep(salesforce: Simulator, rep: DemoRep) -> str:
    first, _, last = rep.name.partition(" ")
    local, _, domain = rep.email_to_salesforce.partition("@")
    user = salesforce.add(
        "User",
        Username=f"{rep.login}@{domain}",
        FirstName=first,
        LastName=last,
        Email=rep.addresses[0],
        Alias=rep.login,
        IsActive=True,
    )
    salesforce.add(
        "EmailServicesAddress",
        LocalPart=local,
        EmailDomainName=domain,
        AuthorizedSenders=", ".join(rep.addresses),
        IsActive=True,
        RunAsUserId=user,
    )
    return user


class Watch:
    """Tells what was recorded since it was last asked."""

    def __init__(self, salesforce: Simulator) -> None:
        self._salesforce = salesforce
        self._known: set[object] = set()

    def news(self) -> list[str]:
        """Give a line for each new record; the Task that Salesforce makes of an EmailMessage goes without."""
        mails, tasks = self._salesforce.rows("EmailMessage"), self._salesforce.rows("Task")
        of_mails = {mail.get("ActivityId") for mail in mails}
        lines = [self._mail(mail) for mail in mails if mail["Id"] not in self._known]
        lines += [
            self._task(task) for task in tasks if task["Id"] not in self._known and task["Id"] not in of_mails
        ]
        self._known |= {row["Id"] for row in (*mails, *tasks)}
        return lines

    def _mail(self, mail: Row) -> str:
        relations = [
            row
            for row in self._salesforce.rows("EmailMessageRelation")
            if row["EmailMessageId"] == mail["Id"]
        ]
        people = [str(row["RelationId"]) for row in relations if row.get("RelationType") != "FromAddress"]
        related = [str(mail["RelatedToId"])] if mail.get("RelatedToId") else []
        return f"EmailMessage on {', '.join(self._name(one) for one in people + related) or 'nobody'}"

    def _task(self, task: Row) -> str:
        target = task.get("WhoId") or task.get("WhatId")
        if not target:
            return "open Task in My Unresolved Items"
        state = "completed" if task["IsClosed"] else "open"
        return f"{state} Task on {self._name(str(target))}"

    def _name(self, record: str) -> str:
        with self._salesforce.records.lock:
            found = self._salesforce.records.find(record)
        return f"{found[0].lower()} {found[1].get('Name')}" if found else record
