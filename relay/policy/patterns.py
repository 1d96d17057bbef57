"""Globs over addresses: many of them compiled into one search that tells which one matched.

Pure. `*` stands for any characters, `?` for one, everything else for itself; case does not count.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from relay.address import ascii_domain
from relay.errors import AddressError

_WILDCARD = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True)
class Globs:
    """Several globs, each with the rule it comes from."""

    search: re.Pattern[str]
    rules: tuple[str, ...]

    def rule_for(self, address: str) -> str | None:
        """Give the first rule that fits an address in its comparable form (any case); None when none does."""
        found = self.search.fullmatch(address)
        return self.rules[found.lastindex - 1] if found and found.lastindex else None


def compile_globs(globs: Iterable[tuple[str, str]]) -> Globs | None:
    """Compile (glob, rule) pairs, in their order of preference; None when there are none.

    A glob without @ is one over the domain: `bank.example` is `*@bank.example`.
    """
    pairs = list(globs)
    if not pairs:
        return None
    search = "|".join(f"({_translated(_whole(glob))})" for glob, _ in pairs)
    return Globs(re.compile(search, re.DOTALL), tuple(rule for _, rule in pairs))


def _whole(glob: str) -> str:
    local, at, domain = glob.strip().rpartition("@")
    return f"{local if at else '*'}@{_domain(domain)}".lower()


def _domain(glob: str) -> str:
    """Bring the labels of a domain glob to A-labels, as addresses are compared in them."""
    return ".".join(
        label if label.isascii() or _WILDCARD.search(label) else _a_label(label) for label in glob.split(".")
    )


def _a_label(label: str) -> str:
    try:
        return ascii_domain(label)
    except AddressError:
        return label


def _translated(glob: str) -> str:
    """Write a glob as a regular expression that never looks back at what a `*` has passed.

    Each piece between stars is taken at its first place (an atomic group): that is enough for a match, and
    keeps the time linear in the length of the address.
    """
    first, *rest = (re.escape(piece).replace(r"\?", ".") for piece in re.sub(r"\*+", "*", glob).split("*"))
    if not rest:
        return first
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    return f"{first}{middle}.*{rest[-1]}"
