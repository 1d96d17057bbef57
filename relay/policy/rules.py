"""The rules of policy, compiled once from the settings and the reps, each with the place it was written at.

Pure. Compiled rules are a value: a change of settings or reps makes new ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from relay.address import ascii_domain, comparable_any_case, parse_mailbox
from relay.config.model import ExcludeSettings, LoggingSettings, Mode, RelaySettings
from relay.directory.model import Rep
from relay.errors import AddressError, ConfigError, Problem
from relay.ids import Login
from relay.policy.acceptable import Acceptable, compile_acceptable
from relay.policy.exclusions import Exclusions, compile_exclusions
from relay.policy.free_mail import FREE_MAIL
from relay.policy.subjects import PatternError, compile_subject

Place = Callable[[str], str]
"""Gives where a setting was written, such as "config.yaml:31", or "default"."""
_PAGE = "page: "
"""What the places of settings begin with that people changed on the page (relay.directory.changes)."""


@dataclass(frozen=True, slots=True)
class RepRules:
    """What holds for one rep."""

    rep: Rep
    acceptable: Acceptable
    exclusions: tuple[Exclusions, ...]
    """The organisation's, then the rep's own."""
    mode: Mode
    mode_rule: str
    log_copy: str
    """The Email to Salesforce address, in full: a secret. "" when there is none that can be used."""
    log_copy_form: str
    log_copy_problem: str
    """Why there is none, in plain words."""
    log_copy_rule: str

    def __repr__(self) -> str:
        """Name the rep alone: the log copy's address is a secret."""
        return f"RepRules({self.rep.login!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Rules:
    """Everything that decisions are made by."""

    reps: Mapping[Login, RepRules]
    forward_unacceptable: bool
    """Whether mail of an unacceptable sender is forwarded (and not logged) rather than refused."""
    sender_rule: str
    received_hops: int
    received_rule: str
    hostname: str
    """Our name in Received, to know mail that comes round; "" when that is not checked."""
    log_copies: frozenset[str]
    """Every rep's Email to Salesforce address in its comparable form: secrets."""
    build: "RuleBuilder"
    control_domain: str = ""
    """The domain of control addresses, in ASCII and lower case; "": there are none."""
    control_rule: str = ""

    def of(self, rep: Rep) -> RepRules:
        """Give what holds for this rep; one who was entered or changed since is compiled now."""
        known = self.reps.get(rep.login)
        if known is not None and (known.rep is rep or known.rep == rep):
            return known
        return self.build.rep_rules(rep)


@dataclass(frozen=True, slots=True, repr=False)
class RuleBuilder:
    """Compiles the rules of one rep after another from the same settings."""

    settings: RelaySettings
    place: Place
    users: Mapping[str, int]
    """Where each login stands in the settings' list of users."""
    own_domains: tuple[str, ...]
    organisation: Exclusions

    def rep_rules(self, rep: Rep) -> RepRules:
        """Compile what holds for one rep. Raises PatternError for a subject pattern that cannot be used."""
        logging = self.settings.logging
        acceptable = compile_acceptable(rep.addresses, plus_addresses=logging.plus_addresses)
        log_copy, form, problem = _log_copy(rep, acceptable)
        return RepRules(
            rep=rep,
            acceptable=acceptable,
            exclusions=self._exclusions(rep),
            mode=logging.mode if rep.mode is None else rep.mode,
            mode_rule=_named("logging.mode", self.place) if rep.mode is None else self._named(rep, "mode"),
            log_copy=log_copy,
            log_copy_form=form,
            log_copy_problem=problem,
            log_copy_rule=self._named(rep, "email_to_salesforce"),
        )

    def _path(self, rep: Rep) -> str:
        return f"users.{self.users.get(rep.login, rep.login)}"

    def _named(self, rep: Rep, setting: str) -> str:
        """Name a rule of one rep; a rep who was not entered in the settings brings the place along."""
        path = f"{self._path(rep)}.{setting}"
        if changed := rep.changed_by(setting):
            return f"{path} ({changed})"
        return _named(path, self.place) if rep.login in self.users else f"{path} ({rep.origin or 'default'})"

    def _exclusions(self, rep: Rep) -> tuple[Exclusions, ...]:
        """Give the organisation's layer, and the rep's own with only what was written there."""
        if rep.exclude is None:
            return (self.organisation,)
        written = rep.exclude.model_fields_set
        own = rep.exclude if "automated" in written else rep.exclude.model_copy(update={"automated": False})
        domains = self.own_domains if "internal" in written else ()
        of_page = partial(_of_rep, rep)
        named = partial(self._named, rep)
        return (self.organisation, compile_exclusions(own, "exclude", named, domains, of_page))


def compile_rules(
    settings: RelaySettings, place: Place, reps: Sequence[Rep], *, hostname: str | None = None
) -> Rules:
    """Compile all rules; `hostname` is our name in Received, that of the settings when not given.

    Raises ConfigError with every subject pattern that cannot be used.
    """
    _check_subjects(settings, place)
    own_domains = _own_domains(reps)
    organisation = compile_exclusions(
        settings.logging.exclude,
        "logging.exclude",
        partial(_named, place=place),
        own_domains,
        partial(_of_all, place),
    )
    users = {user.login: index for index, user in enumerate(settings.users)}
    builder = RuleBuilder(settings, place, users, own_domains, organisation)
    compiled = {rep.login: builder.rep_rules(rep) for rep in reps}
    return Rules(
        reps=compiled,
        forward_unacceptable=settings.logging.unacceptable_sender == "forward",
        sender_rule=_named("logging.unacceptable_sender", place),
        received_hops=settings.limits.received_hops,
        received_rule=_named("limits.received_hops", place),
        hostname=settings.server.hostname or "" if hostname is None else hostname,
        log_copies=frozenset(one.log_copy_form for one in compiled.values() if one.log_copy_form),
        build=builder,
        control_domain=control_domain(settings.logging),
        control_rule=_named("logging.controls.domain", place),
    )


def control_domain(logging: LoggingSettings) -> str:
    """Give the domain of control addresses as they are compared; "": there are none."""
    domain = logging.controls.domain
    return ascii_domain(domain).lower() if domain else ""


def _named(path: str, place: Place) -> str:
    """Write a setting's path as a rule: with the place where it stands."""
    return f"{path} ({place(path)})"


def _log_copy(rep: Rep, acceptable: Acceptable) -> tuple[str, str, str]:
    """Give the log copy's address, its comparable form, and why there is none."""
    if rep.email_to_salesforce is None:
        return "", "", f"{rep.login} has no Email to Salesforce address"
    text = rep.email_to_salesforce.reveal()
    try:
        address = parse_mailbox(text)
    except AddressError:
        return "", "", f"the Email to Salesforce address of {rep.login} is not a mail address"
    if acceptable.takes(address):  # the copy would come back to its sender
        return "", "", f"the Email to Salesforce address of {rep.login} is one of {rep.login}'s own addresses"
    return text, comparable_any_case(address), ""


def _own_domains(reps: Iterable[Rep]) -> tuple[str, ...]:
    """Give the domains of all acceptable addresses, in order, without those that give addresses to anybody."""
    domains = {ascii_domain(address.domain): None for rep in reps for address in rep.addresses}
    return tuple(domain for domain in domains if domain not in FREE_MAIL)


def _check_subjects(settings: RelaySettings, place: Place) -> None:
    layers: list[tuple[str, ExcludeSettings | None]] = [("logging.exclude", settings.logging.exclude)]
    layers += [(f"users.{index}.exclude", user.exclude) for index, user in enumerate(settings.users)]
    problems = tuple(
        problem
        for path, layer in layers
        for index, pattern in enumerate(layer.subjects if layer else ())
        if not place(f"{path}.subjects.{index}").startswith(_PAGE)
        if (problem := _subject_problem(f"{path}.subjects.{index}", pattern, place))
    )
    if problems:
        raise ConfigError(problems)


def left_out(settings: RelaySettings, place: Place, reps: Sequence[Rep]) -> tuple[Problem, ...]:
    """Give a warning for each subject pattern of the page that does not count, since it cannot be used any more."""
    ours = [
        (place(path), path, pattern)
        for at, pattern in enumerate(settings.logging.exclude.subjects)
        if _of_all(place, at) and (path := f"logging.exclude.subjects.{at}")
    ]
    own = [
        (rep.changed_by(f"exclude.subjects.{at}"), f"users.{rep.login}.exclude.subjects.{at}", pattern)
        for rep in reps
        for at, pattern in enumerate(rep.exclude.subjects if rep.exclude else ())
        if _of_rep(rep, at)
    ]
    return tuple(
        replace(problem, file=who, text=f"{problem.text}; it does not count", severity="warning")
        for who, path, pattern in (*ours, *own)
        if (problem := _subject_problem(path, pattern, place))
    )


def _of_all(place: Place, at: int) -> bool:
    """Tell whether a pattern over subjects that holds for all was entered on the page."""
    return place(f"logging.exclude.subjects.{at}").startswith(_PAGE)


def _of_rep(rep: Rep, at: int) -> bool:
    """Tell whether a rep's pattern over subjects was entered on the page."""
    return bool(rep.changed_by(f"exclude.subjects.{at}"))


def _subject_problem(path: str, pattern: str, place: Place) -> Problem | None:
    try:
        compile_subject(pattern, "")
    except PatternError as exc:
        file, _, line = place(path).rpartition(":")
        return Problem(file, int(line) if line.isdecimal() else 0, 1, path, f"the pattern {exc}")
    return None
