"""Keeping log copy addresses out of what is told: a hop's answer often quotes the address it is about.

Pure. The address is a secret (whoever knows it can write into the CRM); its domain alone is the secret part of it.
"""

import re
from dataclasses import replace

from relay.directory.model import mask_address
from relay.outcome import Bounced, Deferred, Outcome, Sent
from relay.status import Reply


def without_address(outcome: Outcome, address: str) -> Outcome:
    """Give the outcome with this address masked in the hop's words."""
    if not isinstance(outcome, Sent | Deferred | Bounced):
        return outcome
    said = outcome.reply.text
    domain = address.rpartition("@")[2]
    if domain and domain.lower() not in said.lower():  # then the address is not in it either
        return outcome
    text = mask_in(said, address)
    if text == outcome.reply.text:
        return outcome
    return replace(outcome, reply=Reply(outcome.reply.code, outcome.reply.status, text))


def mask_in(text: str, address: str) -> str:
    """Mask the address wherever it stands in a text, in any case, and its domain where that stands alone."""
    masked = mask_address(address)
    text = _replace(text, address, masked)
    return _replace(text, address.rpartition("@")[2], masked.rpartition("@")[2])


def _replace(text: str, secret: str, shown: str) -> str:
    if not secret or secret.lower() not in text.lower():
        return text
    return re.sub(re.escape(secret), lambda _: shown, text, flags=re.IGNORECASE)
