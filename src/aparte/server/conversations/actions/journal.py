"""What is written down of what somebody does to a conversation: an entry for its members, and an event of the audit
trail for who looks into it later (R-338, R-339)."""

from typing import Any

import msgspec

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations.model import Author
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Tx
from aparte.server.log import actions as log
from aparte.server.log.model import NewEntry
from aparte.wire.ids import AccountId, ConversationId, Position


async def append(
    tx: Tx, by: Caller | Author, conversation: ConversationId, kind: int, body: msgspec.Struct
) -> Position:
    """Tell the members by an entry of the log."""
    return await log.append(tx, NewEntry(conversation, kind, by.account, body, by.device))


async def record(
    tx: Tx, by: Caller | Author, conversation: ConversationId, name: str, account: AccountId, **details: Any
) -> None:
    """Write down what was done to a member."""
    event = Event(name, by.account, by.session, conversation, ("account", account), details=details)
    await audit.record(tx, event)
