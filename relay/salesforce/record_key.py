"""The key by which a record that is to be made is the same one, however often it is tried.

Pure.
"""

import hashlib
import json

from relay.ids import Login, QueueId


def record_key(login: Login, message_id: str | None, message: QueueId, record: str) -> str:
    """Give sha256 (hex) over the rep, the Message-ID - else the queue id - and the record that it stands on.

    `record` is the id of the contact, lead or opportunity; "" for a record without relations.
    """
    what = json.dumps([login, message_id or message, record[:15]], ensure_ascii=True)
    return hashlib.sha256(what.encode("ascii")).hexdigest()


def newcomer_key(address: str) -> str:
    """Give the key of a lead or contact that is made of an address, however many messages of however many reps ask for it."""
    return hashlib.sha256(json.dumps(["newcomer", address]).encode("ascii")).hexdigest()
