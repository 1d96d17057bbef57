"""Mail addresses: reading, comparing and writing them (RFC 5321 §4.1.2, RFC 6531 §3.3).

Pure. Only envelope grammar lives here; the header's From is read in relay.message.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as it was written: local part (quotes kept) and domain (case kept)."""

    local: str
    domain: str

    def __str__(self) -> str:
        """Give `local@domain`, or the local part alone for a domain-less Postmaster."""
        return f"{self.local}@{self.domain}" if self.domain else self.local
