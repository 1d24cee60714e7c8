"""What the world and other slices may ask of preferences, by verb."""

from aparte.server.accounts import actions as accounts
from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Tx
from aparte.server.preferences import rules, store
from aparte.server.state import actions as state
from aparte.wire.conversations import Preferences, PreferencesChange
from aparte.wire.ids import AccountId, ConversationId


async def get(db: Database, caller: Caller, conversation: ConversationId) -> Preferences:
    """Read what one has set for oneself in a conversation one is in."""
    async with db.read() as reader:
        await conversations.authorise(reader, caller, conversation, "read")
        return rules.current(await store.select_preferences(reader, caller.account, conversation), now())


async def change(db: Database, caller: Caller, conversation: ConversationId, wanted: PreferencesChange) -> Preferences:
    """Change what one has set; nothing changed, nothing written. Refuses with `not_member`, `invalid`."""
    async with db.transaction() as tx:
        await conversations.authorise(tx, caller, conversation, "read")
        # Of two devices that set something for the first time neither finds a row to lock.
        await accounts.lock(tx, caller.account)
        old = await store.lock_preferences(tx, caller.account, conversation)
        new = rules.merged(old, wanted, now())
        if new != old:
            await store.upsert_preferences(tx, caller.account, conversation, new)
            await _tell(tx, caller.account, conversation, new)
    return new


async def read(tx: Tx, account: AccountId, conversation: ConversationId) -> None:
    """Take back that a conversation is marked as unread: its reader has looked at it.

    Called before anything of the account's state is written: the row here is locked first, as `change` does.
    """
    left = await store.update_seen(tx, account, conversation)
    if left is not None:
        await _tell(tx, account, conversation, rules.current(left, now()))


async def _tell(tx: Tx, account: AccountId, conversation: ConversationId, new: Preferences) -> None:
    await state.put(tx, account, f"preferences:{conversation}", None if new == Preferences() else new)
