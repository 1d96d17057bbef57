"""What the machinery says in English, said in the reader's language: found, filled, marked where somebody else speaks."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from relay import status
from relay.delivery.classify import LACKS, TROUBLES
from relay.salesforce.fault_words import EXPLANATIONS
from relay.salesforce.model import Category
from relay.texts import LANGUAGES, words
from relay.web.sentences import in_english, is_known, markup, pieces, plain, table

_RELAY = Path(__file__).resolve().parents[2] / "relay"
SPEAKING = [
    "policy/decision",
    "policy/exclusions",
    "policy/controls",
    "policy/acceptable",
    "policy/subjects",
    "message",
    "mailboxes",
    "outcome",
    "address",
    "queue/settlement",
    "queue/settler",
    "queue/by_hand",
    "queue/restoring",
    "queue/notices",
    "delivery/classify",
    "delivery/commands",
    "delivery/courier",
    "delivery/client",
    "delivery/connection",
    "delivery/pool",
    "delivery/streaming",
    "delivery/pace",
    "recording",
    "salesforce/matching",
    "salesforce/person_choice",
    "salesforce/opportunity_choice",
    "salesforce/outcomes",
    "salesforce/making",
    "salesforce/doubles",
    "salesforce/round",
    "salesforce/concluding",
    "salesforce/org",
    "salesforce/explaining",
    "salesforce/record_parts",
    "salesforce/writing",
    "salesforce/importing",
    "salesforce/amending",
    "reminders/merge",
    "reminders/outgoing",
    "reminders/taking",
]
"""The files whose sentences are stored and come to pages and mail."""
_NO_SENTENCE = re.compile(r"SELECT|WHERE|\(\?|\]\|")
"""SQL and regular expressions."""
_NOT_SHOWN = ("logger", "_log", "CommandError", "AssertionError", "TypeError", "IllegalState", "field")


def harvested(path: Path) -> Iterator[str]:
    """Give the sentences that a file holds: three words and more, no docstring, no SQL, nothing that is only logged."""
    found = ast.parse(path.read_text())
    hidden = set()
    for node in ast.walk(found):
        doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        called = ast.unparse(node.func).partition(".")[0] if isinstance(node, ast.Call) else ""
        if doc or called in _NOT_SHOWN or isinstance(node, ast.Assert):
            hidden |= {id(one) for one in ast.walk(node)}
        if isinstance(node, ast.JoinedStr):
            hidden |= {id(one) for one in ast.walk(node)} - {id(node)}
    for node in ast.walk(found):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(one.value) if isinstance(one, ast.Constant) else "\0" for one in node.values)
        else:
            continue
        if text.count(" ") >= 2 and not _NO_SENTENCE.search(text):
            yield text


_FRAGMENTS = {
    # parts of sentences, put together in another place; whole ones stand in WHOLE
    "\0 at \0",
    "\0 (\0, \0)\0",
    "\0 \0: named by the sender",
    "\0 left out: \0 come first",
    "\0 \0 with the same address",
    ", by Email",
    "opportunities \0: open, by contact role\0",
    "\0; a Task is made instead",
    "\0; it is matched anew",
    "\0; it is looked for",
    "observed only: it would have been logged\0",
    "\0nobody in Salesforce has \0; it is matched again",
    " and ",
    "\0 on \0",
    "\0 on nobody",
    "a relation (sender or lead)",
    "the file \0",
    "\0 could not be added: \0 \0",
    "paced by the settings of the route",
    "after the final dot: the message may arrive twice",
    # in docs and in the program's own log
    "deliveries were claimed anew while they were attempted",
    "521 of a mail exchanger",
    "530, 534, 535 or 538",
    "552, unless it names another reason",
    "the route's own limits on pace",
    "451 4.4.5 \0; this is no attempt",
    "the hop lacks SIZE room, 8BITMIME or SMTPUTF8",
    "5.3.4, 5.6.3, 5.6.7 or 5.6.9, unsent",
    "the hop's own words",
    "the settings or secrets of salesforce changed",
    # what Salesforce is quoted with, and what a command prints
    "the answer names no record",
    "relay records import",
    "sent by other means",
    "it is not from \0",
    "it names no recipient",
}
_TYPE = re.compile(r".*\| None")

CONTACT, LEAD, OPPORTUNITY = "003000000000001AAA", "00Q000000000001AAA", "006000000000001AAA"
WHOLE = (
    "1 recipient, log copy added",
    "3 recipients, not logged: kim@buyer.example is one of ours",
    "1 recipient, not logged: automated mail: it is from a mailing list",
    "1 recipient, not logged: sender not acceptable: the From field is a group",
    "a control address, nobody to send to: it asked to make a reminder",
    "logging.mode (default)",
    "users.0.addresses.1 (page: verified)",
    "451 4.4.1 the hop refused the connection (127.0.0.1:2526, at connect)",
    "451 4.4.2 the hop did not answer in time (mx.example:25, at end of data): no answer",
    "451 4.4.2 the hop closed the connection (mx.example:25, after the final dot: the message may arrive twice)",
    "451 4.4.5 paced by the settings of the route: 30 messages a minute",
    "550 5.1.2 nowhere.example: there is no such domain",
    "535 5.7.8 the smarthost refused our sign-in: 5.7.8 Bad credentials",
    "unmatched: nobody in Salesforce has kim@buyer.example; it is matched again",
    f"observed only: it would have been logged on contact {CONTACT} and {OPPORTUNITY}",
    "observed only: it would have been logged without a relation",
    f"250 2.0.0 EmailMessage on contact {CONTACT}, about {OPPORTUNITY} (02s000000000001AAA)",
    "250 2.0.0 Task on nobody (00T000000000001AAA); it was there already",
    f"250 2.0.0 Task on lead {LEAD} (00T000000000001AAA); without Type: INVALID_FIELD; cut: Description was too long",
    f"EmailMessage on contact {CONTACT}, lead {LEAD}",
    f"kim@buyer.example: contact {CONTACT}, by Email; 1 lead with the same address left out: contacts come first",
    f"kim@buyer.example: contact {CONTACT}, by Email; 2 contacts with the same address left out: this one is the oldest",
    f"contact {CONTACT}: named by the sender\nkim@buyer.example: nobody has this address",
    f"lead {LEAD}: named by the sender",
    f"opportunity {OPPORTUNITY}: open, by contact role; 2 changed less lately left out",
    f"opportunities {OPPORTUNITY}, {OPPORTUNITY}: open, by contact role; 1 beyond the limit left out",
    "all recipients are users of Salesforce: internal mail\nkim@example.com: user 005000000000001AAA: a colleague",
    "451 4.3.0 Salesforce: NOT_FOUND: gone; it is matched anew",
    "451 4.3.0 Salesforce: INVALID_FIELD: no ToIds; a Task is made instead",
    "550 5.3.0 Salesforce: TIMEOUT; a log copy is sent instead",
    "the file offer.pdf could not be added: INVALID_TYPE no access",
    "a relation (sender or lead) could not be added: INVALID_FIELD no",
    "undone by ana: it was private",
    "cancelled by bea",
    "restored from a backup of 2026-11-22T10:00:00Z",
    "seven words: has more than one @",
    "logging.capture.attachments_total: must be a number and a unit, such as 64KiB or 25MiB",
)
"""Sentences as they come out of the machinery, each put together of several."""


@pytest.mark.parametrize("name", SPEAKING)
def test_every_sentence_of_the_machinery_is_in_the_table(name: str) -> None:
    """A sentence that is written anew into one of these files fails here until it is in every language."""
    unknown = []
    for text in harvested(_RELAY / f"{name}.py"):
        told = text.strip("; ")
        forms = itertools.product(("X1", "nobody received it"), repeat=told.count("\0"))
        filled = (told.replace("\0", "{}").format(*one) if one else told for one in forms)
        if text not in _FRAGMENTS and not _TYPE.fullmatch(text) and not any(map(is_known, filled)):
            unknown.append(text)
    assert unknown == []


def test_the_harvest_finds_what_there_is() -> None:
    """The files do hold sentences: were none found, the test above would say nothing."""
    found = [text for name in SPEAKING for text in harvested(_RELAY / f"{name}.py")]
    assert len(found) > 150
    assert not _FRAGMENTS - set(found)


@pytest.mark.parametrize("text", WHOLE)
@pytest.mark.parametrize("language", ["sv", "es"])
def test_what_is_put_together_is_said_in_every_language(language: str, text: str) -> None:
    """No word of the English frame is left, and what stood in the blanks is."""
    said = plain(words(language), text)
    assert is_known(text)
    assert said != text
    assert plain(words("en"), text) == text
    for blank in (CONTACT, LEAD, OPPORTUNITY, "kim@buyer.example", "INVALID_FIELD"):
        assert (blank in said) == (blank in text)
    frame = (
        "nobody",
        "recipient",
        "the hop",
        "left out",
        "logged",
        "named by",
        "it is",
        " on ",
        "Salesforce has",
    )
    assert [one for one in frame if one in said] == []


def test_catalogues_are_known_whole() -> None:
    """Troubles of hops, explanations of faults, categories, and the replies that a person may have to act on."""
    told = [rule.text for rule in (*TROUBLES.values(), *LACKS.values())]
    told += [*EXPLANATIONS.values(), *(one.value for one in Category)]
    told += [form.text.format(**dict.fromkeys(_blanks(form.text), "1")) for form in _numbered()]
    assert [text for text in told if not is_known(text)] == []


def _numbered() -> list[status.Form]:
    return [form for form in status.catalogue() if re.search(r"\(R12\d\d\)|\(R130[1-7]\)", form.text)]


def _blanks(text: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(text) if name]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_server_s_own_words_stay_and_are_marked(language: str) -> None:
    """A reply of somebody else is not translated; elements of another language say so (WCAG 3.1.2)."""
    reply = "550 5.1.1 <kim@buyer.example>: No such user here"
    assert plain(words(language), reply) == reply
    shown = markup(words(language), reply)
    assert "&lt;kim@buyer.example&gt;" in shown
    assert ('lang="en"' in shown) == (language != "en")
    mixed = "Salesforce: RULE: Say <i>why</i> - " + EXPLANATIONS["fault.kind.rule"]
    foreign = [one.text for one in pieces(language, mixed) if one.foreign]
    assert foreign == ([] if language == "en" else ["RULE: Say <i>why</i>"])
    assert "<i>" not in markup(words(language), mixed)


@pytest.mark.parametrize(
    "text", ["", "Ana's own reason", "a: " * 900, "(" * 4000, "; ".join(["contact x"] * 400), "x" * 100_000]
)
def test_what_is_not_known_is_given_as_it_is(text: str) -> None:
    """Somebody's own words, and texts made to be hard to take apart."""
    assert plain(words("sv"), text) == text


def test_each_sentence_is_found_by_its_own_english() -> None:
    """No sentence of the table hides another one: its English form leads to its own words."""
    texts = words("en").texts
    hidden = []
    for sentence in (*table().telling, *table().generic):
        filled = {
            name: "nobody received it" if name in ("why", "people", "what") else "1"
            for name in sentence.blanks
        }
        text = texts[sentence.key].format(**filled)
        said = {name: plain(words("sv"), value) for name, value in filled.items()}
        if plain(words("sv"), text) != words("sv").texts[sentence.key].format(**said):
            hidden.append(sentence.key)
    assert hidden == []


def test_what_the_page_stores_is_english() -> None:
    """Whoever presses the button in whichever language: the mail log, commands and other readers see one sentence."""
    for key in ("stopped", "dismissed", "ignored"):
        text = in_english(key, pattern="*@bank.example")
        assert is_known(text)
        assert plain(words("sv"), text) != text
