"""Word lists: of a conversation, by whoever manages its messages; of the server, by its moderators. Always whole."""

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations import actions as conversations
from aparte.server.filters import rules, store
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire.ids import ConversationId
from aparte.wire.moderation import WordList


async def words(db: Database, caller: Caller, conversation: ConversationId) -> WordList:
    """Read the word list of a conversation."""
    async with db.read() as reader:
        rules.check_readable(await conversations.authorise(reader, caller, conversation, "manage_messages"))
        return WordList(await store.select_list(reader, conversation))


async def put_words(db: Database, caller: Caller, conversation: ConversationId, wanted: WordList) -> WordList:
    """Write the word list of a conversation anew. It is asked where `auto_moderate` is set."""
    async with db.transaction() as tx:
        rules.check_readable(await conversations.authorise(tx, caller, conversation, "manage_messages"))
        clean = WordList(rules.clean_list(wanted.words))
        await store.upsert_list(tx, conversation, clean.words, caller.account)
        await audit.record(tx, _changed(caller, conversation, len(clean.words)))
    return clean


async def server_words(db: Database, caller: Caller) -> WordList:
    """Read the server's own word list."""
    rules.check_server_list(caller)
    async with db.read() as reader:
        return WordList(await store.select_list(reader, None))


async def put_server_words(db: Database, caller: Caller, wanted: WordList) -> WordList:
    """Write the server's own word list anew. It is asked wherever a conversation's is."""
    rules.check_server_list(caller)
    clean = WordList(rules.clean_list(wanted.words))
    async with db.transaction() as tx:
        await store.upsert_list(tx, None, clean.words, caller.account)
        await audit.record(tx, _changed(caller, None, len(clean.words)))
    return clean


def _changed(caller: Caller, conversation: ConversationId | None, count: int) -> Event:
    return Event("words_changed", caller.account, caller.session, conversation, details={"count": count})
