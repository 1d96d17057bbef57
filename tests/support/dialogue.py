"""SMTP conversations as text files: what the client sends, and what it must be answered.

A file begins with `#` and the sentence that must hold. Then, line by line:

    @ listener            which listener is talked to (default: gateway); first line only
    C: text               the client sends a line; lines that follow each other are one segment
    B: bytes              the client sends octets with Python's escapes, and no CRLF of its own
    S: pattern            a reply whose last line fits the pattern (`*` is anything)
    + pattern             that reply has a line that fits
    - pattern             that reply has no line that fits
    TLS                   the TLS handshake, after STARTTLS was answered
    CLOSED                the server hangs up
    MAIL bytes            the content that was stored last, in its wire form, with Python's escapes
    NONE                  nothing was stored

`{ana}` stands for Ana's AUTH PLAIN response; `{long N}` for N letters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.support.submission import PLAIN, Front, client_tls
from tests.support.talk import Talk

FOLDER = Path(__file__).parents[1] / "smtp" / "dialogues"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is sent or must hold."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One conversation."""

    name: str
    rule: str
    listener: str
    steps: tuple[Step, ...]


def dialogues() -> list[Dialogue]:
    """Read all conversations."""
    return [read(path) for path in sorted(FOLDER.glob("*.txt"))]


def read(path: Path) -> Dialogue:
    """Read one conversation."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rule = lines[0].removeprefix("#").strip()
    listener, steps = "gateway", []
    for number, line in enumerate(lines[1:], 2):
        kind, _, text = line.partition(" ")
        if kind == "@":
            listener = text.strip()
        elif kind and kind != "#":
            steps.append(Step(kind.rstrip(":"), text, number))
    return Dialogue(path.stem, rule, listener, tuple(steps))


def octets(step: Step) -> bytes:
    """Give what a step sends or compares with."""
    text = step.text.replace("{ana}", PLAIN)
    text = re.sub(r"\{long (\d+)\}", lambda found: "x" * int(found[1]), text)
    if step.kind == "C":
        return text.encode("utf-8") + b"\r\n"
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def segments(steps: Sequence[Step]) -> list[bytes | Step]:
    """Join what is sent together; everything else stays a step."""
    joined: list[bytes | Step] = []
    for step in steps:
        if step.kind not in ("C", "B"):
            joined.append(step)
        elif joined and isinstance(joined[-1], bytes):
            joined[-1] += octets(step)
        else:
            joined.append(octets(step))
    return joined


async def perform(dialogue: Dialogue, front: Front) -> None:
    """Hold the conversation with a real listener; raises AssertionError naming the line that does not hold."""
    talk = await Talk.open(front.port(dialogue.listener))
    reply: list[str] = []
    try:
        for part in segments(dialogue.steps):
            if isinstance(part, bytes):
                talk.send(part)
            else:
                reply = await _expect(part, talk, reply, front, f"{dialogue.name}.txt:{part.line}")
    finally:
        await talk.close()


async def _expect(step: Step, talk: Talk, reply: list[str], front: Front, where: str) -> list[str]:
    match step.kind:
        case "S":
            reply = await talk.reply()
            assert fnmatchcase("".join(reply[-1:]), step.text), f"{where}: {step.text!r}, but was {reply}"
        case "+":
            assert any(fnmatchcase(one[4:], step.text) for one in reply), (
                f"{where}: {step.text!r} not in {reply}"
            )
        case "-":
            assert not any(fnmatchcase(one[4:], step.text) for one in reply), (
                f"{where}: {step.text!r} in {reply}"
            )
        case "TLS":
            await talk.writer.start_tls(client_tls(), server_hostname="localhost")
        case "CLOSED":
            rest = await talk.rest()
            assert rest == b"", f"{where}: more came: {rest!r}"
        case "MAIL":
            assert front.mail.contents[-1:] == [octets(step)], (
                f"{where}: stored was {front.mail.contents[-1:]}"
            )
        case "NONE":
            assert not front.mail.messages, f"{where}: something was stored"
        case other:
            raise AssertionError(f"{where}: {other!r} is no step")
    return reply
