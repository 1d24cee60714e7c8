"""Read what is new into the index, a step at a time, each in a transaction of its own."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.server.log.model import Marker
from aparte.server.messages import actions as messages
from aparte.server.search import index, names, rules
from aparte.server.search.folding import words_in
from aparte.server.search.model import Claim, Named
from aparte.server.state import actions as state
from aparte.wire.ids import AccountId, ConversationId, EntryId

STEP = 200
"""Messages of one step: some ten milliseconds."""
FORGOTTEN = 1_000
ACCOUNTS = 200


class Step(NamedTuple):
    """Whether a conversation has more that is new, or older messages that are still to be read."""

    is_more: bool
    is_behind: bool


async def read_conversation(db: Database, conversation: ConversationId) -> Step:
    """Read what is new in a conversation, and its names."""
    async with db.transaction() as tx:
        claimed = await index.claim(tx, conversation)
        if claimed is None:
            return Step(is_more=False, is_behind=False)
        await _read_room(tx, conversation)
        await index.pin_plans(tx)
        unread = await index.select_unread(tx, claimed, STEP)
        await _read(tx, claimed, unread.messages)
        await index.update_position(tx, claimed, unread.up_to, claimed.behind)
        return Step(is_more=not unread.is_all, is_behind=claimed.behind is not None)


async def read_behind(db: Database, after: ConversationId) -> ConversationId | None:
    """Read some older messages of the next conversation that has any unread; gives which, none when all is done."""
    async with db.read() as reader:
        conversation = await index.select_one_behind(reader, after)
    if conversation is None:
        return None
    async with db.transaction() as tx:
        claimed = await index.claim(tx, conversation)
        if claimed is not None and claimed.behind is not None:
            await index.pin_plans(tx)
            older = await index.select_behind(tx, conversation, claimed.behind, STEP)
            await _read(tx, claimed, older)
            behind = _before(older[-1]) if len(older) == STEP else None
            await index.update_position(tx, claimed, claimed.at, behind)
    return conversation


async def _read(tx: Tx, claimed: Claim, messages: Sequence[EntryId]) -> None:
    """Keep messages as they are now; forget those that are gone."""
    if not messages:
        return
    found = await index.select_found(tx, claimed.conversation, messages)
    rows = [rules.row_of(one, one.content) for one in found if one.content is not None]
    gone = [one.id for one in found if one.content is None]
    if gone:
        await index.delete_rows(tx, claimed.conversation, gone)
    if rows:
        await index.upsert_rows(tx, claimed, rows)
        await index.upsert_spans(tx, claimed.conversation, rows)


async def _read_room(tx: Tx, conversation: ConversationId) -> None:
    room = await names.select_room(tx, conversation)
    if room is not None:
        name = rules.folded_name(room.names[0])
        await names.upsert_room(tx, conversation, name, _words(room))


async def read_accounts(db: Database, accounts: Sequence[AccountId]) -> int:
    """Read the names of those of some people who have changed; counts them."""
    async with db.transaction() as tx:
        found = await names.select_accounts(tx, accounts)
        for one in found:
            username, name = one.names
            await names.upsert_account(tx, AccountId(one.id), username.lower(), rules.folded_name(name), _words(one))
        return len(found)


def _words(named: Named) -> names.Words:
    plain = " ".join(dict.fromkeys(words_in(named.about)))
    return rules.weighted(named.names, named.about), plain, named.language, named.updated_at


# What was missed ------------------------------------------------------------------------------------------------------


async def unread_conversations(db: Database) -> list[ConversationId]:
    """Every conversation that the index is behind of; asked once when a process starts."""
    async with db.read() as reader:
        return await index.select_all_lagging(reader)


async def unread_accounts(db: Database) -> list[AccountId]:
    """Some accounts that the index does not know as they are."""
    async with db.read() as reader:
        return await names.select_unread_accounts(reader, ACCOUNTS)


async def missed(db: Database, since: Marker | None) -> tuple[Marker, list[ConversationId], list[AccountId]]:
    """What has moved since a marker, as far as the index has not read it, and the marker for the next look.

    The older of the markers that are named is given: what both looks see is read once more, which changes nothing.
    """
    async with db.read() as reader:
        here = await log.marker(reader)
        if since is None:
            return here, [], []
        accounts = [account for account, _ in await state.moved_since(reader, here.since(str(since)))]
    _, moved = await messages.moved_since(db, since)
    async with db.read() as reader:
        lagging = await index.select_lagging(reader, [conversation for conversation, _ in moved])
    return here, lagging, accounts


# Housekeeping ---------------------------------------------------------------------------------------------------------


async def forget_expired(tx: Tx) -> int:
    """Forget a batch of messages that have disappeared; a job repeats it until it returns 0."""
    return await index.delete_expired(tx, FORGOTTEN)


async def forget_closed(tx: Tx) -> int:
    """Forget a batch of what belonged to conversations and accounts that are no longer there; a job's work."""
    return await index.delete_closed(tx, FORGOTTEN) or await names.delete_closed_accounts(tx, FORGOTTEN)


def _before(entry: EntryId) -> EntryId:
    return EntryId(UUID(int=max(0, entry.int - 1)))
