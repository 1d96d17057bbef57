"""Which mail is forwarded but not logged: internal mail, patterns over people and subjects, automated mail.

Pure. An organisation's exclusions and a rep's own are two layers of the same form; a mail that either of them
excludes is not logged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from relay.config.model import ExcludeSettings
from relay.message import Header, automated, subject
from relay.policy.patterns import Globs, compile_globs
from relay.policy.subjects import PatternError, SubjectPattern, compile_subject, find_subject

INTERNAL = "internal mail: every recipient is one of ours"
EXCLUDED = "every recipient is excluded"
TOO_COSTLY = "the patterns over subjects take too long over this one, so it counts as excluded"
_POSTMASTER = "postmaster@"
"""The domain-less <Postmaster> in its comparable form: our own."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a mail is not logged, in plain words, and the rule that says so."""

    reason: str
    rule: str
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Exclusions:
    """One layer of compiled exclusions."""

    internal: Globs | None
    """Domains that are ours."""
    recipients: Globs | None
    senders: Globs | None
    subjects: tuple[SubjectPattern, ...]
    automated: str
    """The rule that excludes automated mail; "" when such mail is logged."""
    any_recipient: bool
    """Whether one excluded recipient is enough; otherwise all must be, by whichever layer."""


def compile_exclusions(
    settings: ExcludeSettings,
    path: str,
    named: Callable[[str], str],
    own_domains: Sequence[str] = (),
    of_page: Callable[[int], bool] = lambda at: False,
) -> Exclusions:
    """Compile the settings that stand under `path`; `named` writes a path as a rule with its place.

    `own_domains` are those that `internal: auto` adds. Raises PatternError for a subject pattern that
    cannot be used, unless it is `of_page`: what people entered there in an earlier version is left out.
    """

    def listed(key: str, patterns: Sequence[str]) -> list[tuple[str, str]]:
        return [(pattern, named(f"{path}.{key}.{index}")) for index, pattern in enumerate(patterns)]

    internal = listed("internal_domains", settings.internal_domains)
    if settings.internal == "auto":
        internal += [(domain, named(f"{path}.internal")) for domain in (*own_domains, _POSTMASTER)]
    return Exclusions(
        internal=compile_globs(internal) if settings.internal != "off" else None,
        recipients=compile_globs(listed("recipients", settings.recipients)),
        senders=compile_globs(listed("senders", settings.senders)),
        subjects=_compiled(listed("subjects", settings.subjects), of_page),
        automated=named(f"{path}.automated") if settings.automated else "",
        any_recipient=settings.when == "any",
    )


def _compiled(
    listed: Sequence[tuple[str, str]], of_page: Callable[[int], bool]
) -> tuple[SubjectPattern, ...]:
    found = []
    for at, (text, rule) in enumerate(listed):
        try:
            found.append(compile_subject(text, rule))
        except PatternError:
            if not of_page(at):
                raise
    return tuple(found)


def find_exclusion(
    layers: Sequence[Exclusions], senders: Sequence[str], recipients: Sequence[str], header: Header
) -> Exclusion | None:
    """Say why this mail is not logged; None when it is.

    Addresses come in their comparable form (any case). The order: automated, sender, subject, recipients;
    within each, the layers as given, and within a layer its rules as they stand in the settings.
    """
    return (
        _automated(layers, header)
        or _by_sender(layers, senders)
        or _by_subject(layers, header)
        or _by_recipients(layers, recipients)
    )


def recipient_exclusion(layers: Sequence[Exclusions], recipient: str) -> Exclusion | None:
    """Say why one recipient (comparable, any case) is not looked up though the mail itself is logged; None: it is."""
    return next((found for layer in layers if (found := _in_layer(layer, recipient))), None)


def _automated(layers: Sequence[Exclusions], header: Header) -> Exclusion | None:
    rule = next((layer.automated for layer in layers if layer.automated), "")
    reason = automated(header) if rule else None
    return Exclusion(f"automated mail: {reason}", rule) if reason else None


def _by_sender(layers: Sequence[Exclusions], senders: Sequence[str]) -> Exclusion | None:
    globs = [layer.senders for layer in layers if layer.senders]
    for sender in senders if globs else ():
        rule = next((rule for one in globs if (rule := one.rule_for(sender))), None)
        if rule:
            return Exclusion(f"mail from {sender} is excluded", rule)
    return None


def _by_subject(layers: Sequence[Exclusions], header: Header) -> Exclusion | None:
    patterns = [pattern for layer in layers for pattern in layer.subjects]
    if not patterns:
        return None
    found = find_subject(patterns, subject(header))
    if found is None:
        return None
    return Exclusion(TOO_COSTLY if found.too_costly else "the subject is excluded", found.rule)


def _by_recipients(layers: Sequence[Exclusions], recipients: Sequence[str]) -> Exclusion | None:
    """Apply `when`: one recipient of a layer that says any, or every recipient by whichever layer."""
    for layer in layers:
        if layer.any_recipient:
            one = next((found for address in recipients if (found := _in_layer(layer, address))), None)
            if one:
                return one
    every = [
        next((found for layer in layers if (found := _in_layer(layer, one))), None) for one in recipients
    ]
    first = every[0] if every else None
    if first is None or None in every:
        return None
    ours = all(found and found.internal for found in every)
    return replace(first, reason=INTERNAL if ours else EXCLUDED) if len(every) > 1 or ours else first


def _in_layer(layer: Exclusions, recipient: str) -> Exclusion | None:
    rule = layer.internal.rule_for(recipient) if layer.internal else None
    if rule:
        return Exclusion(f"{recipient} is one of ours", rule, internal=True)
    rule = layer.recipients.rule_for(recipient) if layer.recipients else None
    return Exclusion(f"{recipient} is excluded", rule) if rule else None
