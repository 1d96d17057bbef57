"""Say what is wrong with a text that should be an address, a domain, a network, a Salesforce id or a password hash.

Pure, but for the machine's time zones. Each function gives None when the text is right.
"""

import re
import warnings
import zoneinfo
from functools import lru_cache
from ipaddress import ip_address, ip_network

from relay.address import ascii_domain, comparable_any_case, parse_mailbox
from relay.errors import AddressError

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_ORDINARY = re.compile(rf"[\w+'&=-]+(?:\.[\w+'&=-]+)*@{_LABEL}(?:\.{_LABEL})+", re.ASCII)
_ARGON2ID = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$[A-Za-z0-9+/]{8,}\$[A-Za-z0-9+/]{16,}"
)
_SALESFORCE_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?")
_CHECK_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_MAXIMUM_ARGON2_KIB = 1024 * 1024
_MAXIMUM_PATTERN = 500
_MAXIMUM_GLOB = 320
_WHOLE_INTERNET = 0


def address_problem(text: str) -> str | None:
    """Check a mail address; it need not be deliverable, nor its domain a public one."""
    if _ORDINARY.fullmatch(text) and text.index("@") <= 64 and len(text) <= 254:
        return None  # what nearly all are; the library takes 40 times as long to say so
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(
            text,
            check_deliverability=False,
            globally_deliverable=False,
            allow_quoted_local=True,
            allow_display_name=False,
        )
        parse_mailbox(text, smtputf8=True)
    except (EmailNotValidError, AddressError) as error:
        return f"is not a mail address: {error}"
    return None


def same_address_key(text: str) -> str:
    """Give the form in which two reps may not have the same address: case does not count."""
    try:
        return comparable_any_case(parse_mailbox(text, smtputf8=True))
    except AddressError:
        return text.casefold()


def domain_problem(text: str) -> str | None:
    """Check a domain name; an internationalised one may be written in its own script."""
    try:
        ascii_form = text if text.isascii() else ascii_domain(text)
    except AddressError:
        ascii_form = ""
    if len(ascii_form) > 253 or not _DOMAIN.fullmatch(ascii_form):
        extra = "; without the part before the @" if "@" in text else ""
        return f"is not a domain name, such as example.com{extra}"
    return None


def host_problem(text: str) -> str | None:
    """Check the name or the IP address of a host."""
    try:
        ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        name, _, port = text.partition(":")
        if port.isdigit():
            return f"has a port in it; write host: {name} and port: {port}"
        return (
            None if domain_problem(text) is None else "is not a host, such as smtp.example.com or 192.0.2.1"
        )
    return None


def network_problem(text: str) -> str | None:
    """Check a network in CIDR form; one that holds the whole Internet is refused."""
    try:
        network = ip_network(text)
    except ValueError:
        try:
            loose = ip_network(text, strict=False)
        except ValueError:
            return "is not a network in CIDR form, such as 192.0.2.0/24"
        return f"has bits set behind the prefix; did you mean {loose}?"
    if network.prefixlen == _WHOLE_INTERNET:
        return "is the whole Internet: that would make an open relay; name your own networks"
    return None


def password_problem(text: str) -> str | None:
    """Check that a text is an argon2id hash, with costs that a sign-in can bear."""
    match = _ARGON2ID.fullmatch(text)
    if not match:
        return "is not an argon2id hash; `relay hash-password` prints one (never write the password itself)"
    if int(match[1]) > _MAXIMUM_ARGON2_KIB or int(match[2]) > 100:
        return "is an argon2id hash with costs no sign-in can bear; `relay hash-password` prints a good one"
    return None


def salesforce_user_problem(text: str) -> str | None:
    """Check a Salesforce user id: 15 or 18 characters, prefix 005, and the check characters of the long form."""
    if not _SALESFORCE_ID.fullmatch(text):
        return "is not a Salesforce id: 15 or 18 letters and digits"
    if not text.startswith("005"):
        return "is not the id of a user: those begin with 005"
    if len(text) == 18 and text[15:] != check_characters(text[:15]):
        return f"has a typing slip: its check characters should be {check_characters(text[:15])}"
    return None


def check_characters(short: str) -> str:
    """Give the three characters that make an 18-character id of a 15-character one: which letters are capitals."""
    groups = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(
        _CHECK_LETTERS[sum(1 << place for place, letter in enumerate(group) if letter.isupper())]
        for group in groups
    )


@lru_cache(maxsize=1024)
def time_zone_problem(text: str) -> str | None:
    """Check the name of a time zone."""
    if text == "UTC":
        return None
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return "is not a time zone, such as Europe/Stockholm"
    return None


def login_problem(text: str) -> str | None:
    """Check what a rep signs in with."""
    if not text or len(text.encode()) > 255:
        return "must have 1 to 255 characters"
    if not text.isprintable() or text != text.strip():
        return "must not begin or end with a space, nor hold control characters"
    return None


def pattern_problem(text: str) -> str | None:
    """Check that a text is a regular expression of bounded length.

    Which expressions are offered over subjects, and that no mail makes them slow, is relay.policy.subjects' to say.
    """
    if not text or len(text) > _MAXIMUM_PATTERN:
        return (
            f"is longer than {_MAXIMUM_PATTERN} characters"
            if text
            else "is empty: it would fit every subject"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a regular expression: {error}"
    return None


def glob_problem(text: str) -> str | None:
    """Check a glob over addresses: `*` any characters, `?` one; without @ it is one over domains."""
    if not text or len(text) > _MAXIMUM_GLOB:
        return f"is longer than {_MAXIMUM_GLOB} characters" if text else "is empty: it would fit no address"
    if any(character.isspace() or not character.isprintable() for character in text):
        return "has a space in it; each glob is an item of its own"
    if text.count("@") > 1 and '"' not in text:
        return "has more than one @"
    if any(bracket in text for bracket in "[]{}") and "@[" not in text:
        return "has a bracket in it; only * and ? are special in a glob"
    return None
