"""Replies: codes, enhanced status codes and the texts the relay answers with.

Pure. A reply is RFC 5321 §4.2 with the enhanced status code of RFC 3463 in front of its text (RFC 2034).
Every reply that the relay itself gives is made here, so that one page can list them all.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: three digits, an enhanced status code, and a text of one or more lines.

    `status` is "" where the standard has none (greeting, EHLO, 3yz). A text that carries a number like
    (R1201) can be looked up with `relay help R1201`.
    """

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        """Give the reply on one line, as it is shown to people."""
        return " ".join(part for part in (str(self.code), self.status, self.text) if part)

    def wire(self) -> bytes:
        """Give the octets to send: each line under 512 octets, ASCII unless the text is not (RFC 5321 §4.5.3.1.5)."""
        lead = f"{self.status} " if self.status else ""
        lines = self.text.split("\n")
        last = len(lines) - 1
        return b"".join(
            f"{self.code}{' ' if index == last else '-'}{lead}{line}\r\n".encode()
            for index, line in enumerate(lines)
        )


OK = Reply(250, "2.0.0", "Ok")
