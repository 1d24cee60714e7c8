"""Who may: the one authorisation function, and what follows from a membership."""

from aparte.server.conversations import pages, rules, store
from aparte.server.conversations.model import Right, Standing
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader, Tx
from aparte.wire.conversations import Conversation
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, Position


async def authorise(reader: Reader, caller: Caller, conversation: ConversationId, right: Right) -> Standing:
    """Decide whether the caller may; every door asks here. Refuses with `not_member` (404) or `forbidden`."""
    standing = await store.select_standing(reader, conversation, caller.account)
    if standing is None:
        raise Refusal("not_member")
    rules.check(right, standing, caller.role)
    return standing


async def administer(reader: Reader, caller: Caller, conversation: ConversationId, right: Right) -> Standing:
    """Decide as `authorise` does about what a request may change in a room; a group's members do that themselves."""
    standing = await authorise(reader, caller, conversation, "read")
    rules.check_no_chain(standing)
    rules.check(right, standing, caller.role)
    return standing


async def seen(reader: Reader, account: AccountId, conversation: ConversationId) -> Conversation:
    """Read a conversation through the membership of the asker."""
    found = await pages.select_conversation(reader, account, conversation)
    if found is None:
        raise Refusal("not_member")
    return found


async def ids_of(db: Database, account: AccountId) -> list[ConversationId]:
    """Name every conversation an account is in: the audience its sockets belong to."""
    async with db.read() as reader:
        return await store.select_conversation_ids(reader, account)


async def move_read_mark(
    tx: Tx, conversation: ConversationId, account: AccountId, mark: Position, ordinal: int
) -> bool:
    """Move a member's read mark forward; tells whether it moved (never back, never for a former member)."""
    return await store.update_read_mark(tx, conversation, account, mark, ordinal)
