"""*My exclusions*: mail that is forwarded but not logged; and what that would have done to the last mails.

An admin edits those of all here, too. Patterns are looked at in a thread: two hundred may take a second to compile.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from relay.config.forms import glob_problem, pattern_problem
from relay.config.model import ExcludeSettings
from relay.policy.exclusions import Exclusions, compile_exclusions
from relay.policy.subjects import PatternError, compile_subject
from relay.texts import Words
from relay.web.access import FORM_LIMIT, Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.changing import change, change_for_all, changed_before, may_change
from relay.web.excluding import Skipped, would_skip
from relay.web.sentences import plain

HERE = "/settings/exclusions"
KINDS = ("recipients", "senders", "subjects")
_MOST = 200
_UNPROCESSABLE = 422


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get(HERE, show, Access.SIGNED_IN, entry=Entry("settings", "exclusions.title")),
        post(HERE, save, Access.SIGNED_IN),
        post(f"{HERE}/everybody", save_for_all, Access.ADMIN),
    )


@dataclass(frozen=True, slots=True)
class Form:
    """The three lists as they stand in the form, a pattern a line."""

    recipients: str = ""
    senders: str = ""
    subjects: str = ""

    def lines(self, kind: str) -> list[str]:
        """Give the patterns of a kind."""
        return list(dict.fromkeys(line.strip() for line in getattr(self, kind).splitlines() if line.strip()))

    def problem(self, words: Words, kept: "Form") -> str:
        """Give the first pattern that cannot be used, and why; "" when all can. What is kept as it was is none."""
        for kind in KINDS:
            lines = self.lines(kind)
            if lines == kept.lines(kind):
                continue
            if len(lines) > _MOST:
                named = words(f"exclusions.{kind}")
                return words("exclusions.too_long", kind=named, count=words.number(len(lines)), most=_MOST)
            for line in lines:
                if found := (subject_problem if kind == "subjects" else glob_problem)(line):
                    return f"{line}: {found}"
        return ""

    def settings(self) -> dict[str, list[str]]:
        """Give what is kept."""
        return {kind: self.lines(kind) for kind in KINDS}


def subject_problem(text: str) -> str | None:
    """Say what keeps a pattern over subjects from being used; the service could not go by one that is not offered."""
    if found := pattern_problem(text):
        return found
    try:
        compile_subject(text, "")
    except PatternError as exc:
        return str(exc)
    return None


async def show(ask: Ask) -> Response:
    """Show what is excluded."""
    return await _page(ask, await _own(ask), _of_all(ask))


async def save(ask: Ask) -> Response:
    """Keep one's own list; or show first what it would have done."""
    form = _read(ask)
    if problem := await asyncio.to_thread(form.problem, ask.words, await _own(ask)):
        return await _page(ask, form, _of_all(ask), problem=problem, status=_UNPROCESSABLE)
    if ask.field("do") == "try":
        skipped = await would_skip(ask, await asyncio.to_thread(_layer, form, "exclude"))
        return await _page(ask, form, _of_all(ask), skipped=skipped, tried=True)
    await change(ask, {"exclude": form.settings() if any(form.settings().values()) else None})
    return ask.redirect(HERE, said="saved")


async def save_for_all(ask: Ask) -> Response:
    """Keep the list of all."""
    form, kept = _read(ask), _of_all(ask)
    problem = await asyncio.to_thread(form.problem, ask.words, kept)
    if not problem:
        values = {
            f"logging.exclude.{kind}": lines
            for kind, lines in form.settings().items()
            if kept.lines(kind) != lines
        }
        problem = await change_for_all(ask, values) if values else ""
    if problem:
        return await _page(ask, await _own(ask), form, problem=problem, status=_UNPROCESSABLE)
    return ask.redirect(HERE, said="saved")


async def _page(
    ask: Ask,
    own: Form,
    of_all: Form,
    *,
    problem: str = "",
    skipped: Sequence[Skipped] = (),
    tried: bool = False,
    status: int = 200,
) -> Response:
    entered = ask.rep.exclude
    fixed = [
        (kind, text, ask.rep.origin)
        for kind in KINDS
        for at, text in enumerate(getattr(entered, kind) if entered else ())
        if not ask.rep.changed_by(f"exclude.{kind}.{at}")
    ]
    return ask.render(
        "exclusions.html",
        status,
        own=own,
        of_all=of_all,
        kinds=KINDS,
        fixed=fixed,
        problem=problem,
        skipped=skipped,
        tried=tried,
        changeable=may_change(ask, "exclude"),
        internal=ask.house.configuration.settings.logging.exclude.internal,
        place=ask.house.configuration.place("logging.exclude"),
        left_out=await asyncio.to_thread(_unusable, ask, entered.subjects if entered else ()),
        left_out_of_all=await asyncio.to_thread(
            _unusable, ask, ask.house.configuration.settings.logging.exclude.subjects
        ),
    )


def _unusable(ask: Ask, patterns: Sequence[str]) -> list[str]:
    """Say of each pattern over subjects that an earlier version took, and this one does not, that it does not count."""
    return [
        ask.words("exclusions.left_out", pattern=one, problem=plain(ask.words, found))
        for one in patterns
        if (found := subject_problem(one))
    ]


async def _own(ask: Ask) -> Form:
    kept = await ask.house.database.read(lambda tx: changed_before(tx, ask, "exclude"))
    told = kept if isinstance(kept, dict) else {}
    return Form(*("\n".join(map(str, told.get(kind, ()))) for kind in KINDS))


def _of_all(ask: Ask) -> Form:
    settings = ask.house.configuration.settings.logging.exclude
    return Form(*("\n".join(getattr(settings, kind)) for kind in KINDS))


def _read(ask: Ask) -> Form:
    return Form(*(ask.field(kind, FORM_LIMIT) for kind in KINDS))


def _layer(form: Form, path: str) -> Exclusions:
    settings = ExcludeSettings.model_validate({**form.settings(), "internal": "off", "automated": False})
    return compile_exclusions(settings, path, lambda rule: rule)
