"""Keep a draft, or forget it."""

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.state import actions as state
from aparte.wire.conversations import Draft
from aparte.wire.ids import ConversationId


async def put(db: Database, caller: Caller, conversation: ConversationId, draft: Draft) -> None:
    """Keep a draft in place of the one before, whichever device wrote that."""
    conversations.check_platform(caller.role)
    async with db.transaction() as tx:
        await conversations.authorise(tx, caller, conversation, "read")
        await state.put(tx, caller.account, key_of(conversation), {"sealed": draft.sealed})


async def remove(db: Database, caller: Caller, conversation: ConversationId) -> None:
    """Forget a draft; where there is none, nothing happens. One may after leaving the conversation too."""
    async with db.transaction() as tx:
        if await state.get(tx, caller.account, key_of(conversation)) is None:
            await conversations.authorise(tx, caller, conversation, "read")
        else:
            await state.put(tx, caller.account, key_of(conversation), None)


def key_of(conversation: ConversationId) -> str:
    """Name a conversation's draft in the account state."""
    return f"draft:{conversation}"
