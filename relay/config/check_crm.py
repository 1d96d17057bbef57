"""Check how mail gets into the CRM: modes, exclusions, and the reps.

Pure, but for the names of time zones.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from relay.config.draft import Draft
from relay.config.explain import Finding
from relay.config.forms import (
    address_problem,
    domain_problem,
    glob_problem,
    login_problem,
    password_problem,
    pattern_problem,
    salesforce_user_problem,
    same_address_key,
    time_zone_problem,
)
from relay.config.model import ExcludeSettings, Mode, UserSettings
from relay.config.placeholders import PLACEHOLDERS, unknown_placeholders
from relay.config.tree import Path

_RECORDING = (Mode.API, Mode.OBSERVE)
_RETENTION = re.compile(r"until_done|[1-9]\d{0,3}d")


def check_crm(draft: Draft) -> Iterator[Finding]:
    """Check what holds for all, then each rep, then the reps against each other."""
    logging = draft.settings.logging
    yield from _exclusions(logging.exclude, ("logging", "exclude"))
    for name in unknown_placeholders(logging.subject):
        known = ", ".join(PLACEHOLDERS)
        yield Finding(("logging", "subject"), f"{name} is no placeholder; there are {known}", "warning")
    yield from _controls(draft)
    content = draft.settings.retention.content
    if not _RETENTION.fullmatch(content):
        yield Finding(
            ("retention", "content"), f'"{content}" must be until_done or a number of days such as 3d'
        )
    gateway = any(listener.auth == "none" for listener in draft.settings.listeners)
    seen = _Seen(draft)
    for number, user in zip(draft.numbered("users"), draft.settings.users, strict=True):
        path: Path = ("users", number)
        yield from _recording(draft, user, path)
        yield from _user(user, path, logging.mode)
        if not (user.password or user.tokens or gateway):
            yield Finding(
                path, "cannot sign in: there is no password, no token and no gateway listener", "warning"
            )
        yield from seen.user(user, path)


def _controls(draft: Draft) -> Iterator[Finding]:
    """Check the domain of control addresses: nobody else's address may be in it."""
    domain, path = draft.settings.logging.controls.domain, ("logging", "controls", "domain")
    if domain is None:
        return
    if problem := domain_problem(domain):
        yield Finding(path, f'"{domain}" {problem}')
    elif any(
        address.lower().endswith(f"@{domain.lower()}")
        for user in draft.settings.users
        for address in user.addresses
    ):
        yield Finding(
            path, "is the domain of a rep's own address: take one of its own, such as log.example.com"
        )


def _recording(draft: Draft, user: UserSettings, path: Path) -> Iterator[Finding]:
    """Check what the modes that look into Salesforce need: the organisation, and who the rep is there."""
    mode, salesforce = user.mode or draft.settings.logging.mode, draft.settings.salesforce
    if mode not in _RECORDING:
        return
    given = ((*path, "mode"), ("logging", "mode"))
    if salesforce is None:
        yield Finding(
            ("salesforce",), f"is required in mode {mode}: the organisation and how to sign in", given=given
        )
    elif mode is Mode.API and user.salesforce_user_id is None:
        yield Finding(
            (*path, "salesforce_user_id"),
            "is required in mode api: the rep's user id in Salesforce, 005…",
            given=given,
        )


def _exclusions(exclude: ExcludeSettings, path: Path) -> Iterator[Finding]:
    forms: Sequence[tuple[str, Sequence[str], Callable[[str], str | None]]] = (
        ("internal_domains", exclude.internal_domains, _domain_glob_problem),
        ("recipients", exclude.recipients, glob_problem),
        ("senders", exclude.senders, glob_problem),
        ("subjects", exclude.subjects, pattern_problem),
    )
    for name, texts, problem_of in forms:
        for number, text in enumerate(texts):
            if problem := problem_of(text):
                yield Finding((*path, name, number), f'"{text}" {problem}')
    if exclude.when == "any":
        yield Finding(
            (*path, "when"),
            "any: one excluded recipient keeps the mail from being logged for the others",
            "warning",
        )


def _domain_glob_problem(text: str) -> str | None:
    return domain_problem(text.replace("*", "x").replace("?", "x"))


def _user(user: UserSettings, path: Path, mode: Mode) -> Iterator[Finding]:
    if problem := login_problem(user.login):
        yield Finding((*path, "login"), problem)
    for number, address in enumerate(user.addresses):
        if problem := address_problem(address):
            yield Finding((*path, "addresses", number), f'"{address}" {problem}')
    yield from _log_copy(user, path, mode)
    # A text that is no hash may be the password itself: it is not repeated.
    if user.password is not None and (problem := password_problem(user.password)):
        yield Finding((*path, "password"), problem)
    if user.salesforce_user_id is not None and (problem := salesforce_user_problem(user.salesforce_user_id)):
        yield Finding((*path, "salesforce_user_id"), f'"{user.salesforce_user_id}" {problem}')
    if problem := time_zone_problem(user.time_zone):
        yield Finding((*path, "time_zone"), f'"{user.time_zone}" {problem}')
    if user.exclude is not None:
        yield from _exclusions(user.exclude, (*path, "exclude"))


def _log_copy(user: UserSettings, path: Path, mode: Mode) -> Iterator[Finding]:
    address = user.email_to_salesforce
    if address is None:
        if (user.mode or mode) is Mode.BCC:
            yield Finding(
                (*path, "email_to_salesforce"),
                "is required in mode bcc: the address that Salesforce shows under My Email to Salesforce",
                given=((*path, "mode"), ("logging", "mode")),
            )
    elif address_problem(address):  # not repeated, nor what the library says of it: the address is a secret
        yield Finding((*path, "email_to_salesforce"), "is not a mail address")
    elif same_address_key(address) in {same_address_key(own) for own in user.addresses}:
        yield Finding(
            (*path, "email_to_salesforce"), "is one of the rep's own addresses: the copy would come back"
        )


class _Seen:
    """What only one rep may have: a login, an address, an app password."""

    def __init__(self, draft: Draft) -> None:
        self._place = draft.place
        self._logins: dict[str, Path] = {}
        self._addresses: dict[str, Path] = {}
        self._tokens: dict[str, Path] = {}

    def user(self, user: UserSettings, path: Path) -> Iterator[Finding]:
        """Note what a rep has, and tell what another has already."""
        if first := _note(self._logins, _folded(user.login), path):
            yield Finding((*path, "login"), f'"{user.login}" is also the login of {self._other(first)}')
        for number, address in enumerate(user.addresses):
            first = _note(self._addresses, same_address_key(address), path)
            if first == path:
                yield Finding((*path, "addresses", number), f'"{address}" stands here twice', "warning")
            elif first:
                yield Finding(
                    (*path, "addresses", number), f'"{address}" is also an address of {self._other(first)}'
                )
        for number, token in enumerate(user.tokens):
            if first := _note(self._tokens, token.sha256, path):
                yield Finding((*path, "tokens", number), f"is also an app password of {self._other(first)}")

    def _other(self, path: Path) -> str:
        return f"{path[0]}.{path[1]} ({self._place(path)})"


def _note(seen: dict[str, Path], key: str, path: Path) -> Path | None:
    first = seen.get(key)
    seen.setdefault(key, path)
    return first


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
