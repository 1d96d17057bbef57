"""Say in plain words what pydantic found wrong with a setting, and what would be right.

Pure. A value is repeated only where it cannot be a secret: one of a closed set of words, a number, a duration.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_core import ErrorDetails

from relay.config.model import RelaySettings
from relay.config.outline import group_at, setting_at, settings_of
from relay.config.tree import Path
from relay.config.types import SecretReference

_BOTH = (
    '"both" is not offered: Salesforce would hold the mail twice, once by the log copy and once by the API;'
    " choose bcc or api"
)
_OAUTH = '"oauth2" is for a later version; this one signs in with kind: password'
_LIKE = {
    "no": "off",
    "false": "off",
    "none": "off",
    "yes": "on",
    "true": "on",
    "log": "bcc",
    "ssl": "implicit",
}
_YES_NO = {"yes": "true", "on": "true", "1": "true", "y": "true", "no": "false", "off": "false", "0": "false"}
# Settings that are written where this version cannot let them stand unheeded: ignoring a proof opens the door.
_NOT_YET = {("trust", "header"): "a proof by header is for a later version; remove it"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not right with the settings."""

    path: Path
    text: str
    severity: str = "error"
    at_key: bool = False
    """Whether the key is meant rather than its value."""
    meant: Path | None = None
    """For an unknown setting: the one that was probably meant."""
    given: tuple[Path, ...] = ()
    """The settings that it follows from: when one of those could not be read, it may not be true."""


def explain(error: ErrorDetails) -> Finding:
    """Put one of pydantic's errors into words."""
    path: Path = tuple(error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return _unknown_setting(path)
        case "missing":
            setting = setting_at(RelaySettings, path)
            return Finding(path, f"is required: {setting.sentence if setting else ''}".rstrip(": "))
        case "literal_error" | "enum":
            return Finding(path, _not_one_of(path, str(error["input"])))
        case _ if error["input"] is None:
            return Finding(path, "has no value; give it one, or remove the line")
        case _:
            return Finding(path, _wrong_value(path, error))


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Find the known word that was probably meant."""
    import difflib  # only mistakes need it

    close = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Give `; did you mean "x"?`, or the known words when none is near."""
    known = list(words)
    close = nearest(word, known)
    if close:
        return f'; did you mean "{close}"?'
    return f"; known here: {', '.join(known)}" if known else ""


def _unknown_setting(path: Path) -> Finding:
    above, name = path[:-1], str(path[-1])
    if later := _NOT_YET.get((str(above[-1]) if above else "", name)):
        return Finding(path, later, at_key=True)
    if name == "<<":
        return Finding(path, "merge keys are not read; write the settings out, or use an alias", at_key=True)
    group = group_at(RelaySettings, above)
    names = [setting.name for setting in settings_of(group)] if group else []
    close = nearest(name, names)
    meant = (*above, close) if close else None
    return Finding(path, f"unknown setting{did_you_mean(name, names)}", at_key=True, meant=meant)


def _not_one_of(path: Path, value: str) -> str:
    setting = setting_at(RelaySettings, path)
    options: Sequence[str] = setting.options if setting else ()
    if value == "both" and "bcc" in options:
        return _BOTH
    if value == "oauth2" and path[-2:] == ("auth", "kind"):
        return _OAUTH
    like = _LIKE.get(value.lower())
    close = like if like in options else nearest(value, options)
    hint = f'; did you mean "{close}"?' if close else ""
    return f"{_quoted(value)} is not one of {', '.join(options)}{hint}"


def _wrong_value(path: Path, error: ErrorDetails) -> str:
    setting = setting_at(RelaySettings, path)
    if setting is not None and setting.group is SecretReference and isinstance(error["input"], str):
        return "a secret never stands in the settings; write {file: …}, {env: …} or {credential: …}"
    limits = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return _own_words(str(limits.get("error", error["msg"])), error["input"])
        case "model_type" | "dict_type" | "model_attributes_type":
            return "must be a mapping of settings, `name: value` each"
        case "tuple_type":
            return "must be a list, such as [a, b]"
        case "string_type":
            return "must be a text, neither a list nor a mapping"
        case "too_short":
            return "must hold at least one"
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return f"{_quoted(error['input'])} must be a whole number"
        case "greater_than_equal":
            return f"{_quoted(error['input'])} must be {limits['ge']} or more"
        case "less_than_equal":
            return f"{_quoted(error['input'])} must be {limits['le']} or less"
        case "string_pattern_mismatch" if path[-1] == "sha256":
            return "must be 64 lower-case hexadecimal digits; `relay user token` prints the line"
        case _:
            return error["msg"]


def _own_words(text: str, value: object) -> str:
    if not isinstance(value, str):
        return text
    meant = _YES_NO.get(value.lower(), value.lower()) if text == "must be true or false" else ""
    hint = f'; did you mean "{meant}"?' if meant in ("true", "false") else ""
    return f"{_quoted(value)} {text}{hint}"


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else "this"
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return f'"{shown}"' if isinstance(value, str) else shown
