"""Direct conversations and notes to oneself: opened once, never left, and re-keyed when a member's devices change."""

from collections.abc import Mapping
from uuid import UUID

from aparte.server.accounts import actions as accounts
from aparte.server.contacts import actions as contacts
from aparte.server.conversations import rules, store
from aparte.server.conversations.actions.access import seen
from aparte.server.conversations.actions.membership import tell
from aparte.server.conversations.model import Private
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.kit.doorbell import Joined
from aparte.server.log import actions as log
from aparte.server.log.model import NewEpoch
from aparte.wire import kinds
from aparte.wire.conversations import Conversation
from aparte.wire.errors import Refusal
from aparte.wire.ids import START, AccountId, ConversationId, DeviceId
from aparte.wire.keys import NewDirect, SignedList

ATTEMPTS = 3
"""How often a roster and its lists are read before giving up; they differ only while a list is being stored."""


async def open_direct(db: Database, caller: Caller, new: NewDirect) -> Conversation:
    """Open the conversation of two people, or one's notes to oneself; whoever opens it again finds it.

    Refuses with `bad_conversation_id`, `not_found`, `blocked`, `keys_needed`, `peer_without_keys`.
    """
    rules.check_platform(caller.role)
    rules.check_direct_id(new.id, caller.account, new.account)
    async with db.transaction() as tx:
        # Both rows, in id order: neither opens it twice, and no device list changes between reading and writing.
        for account in sorted({caller.account, new.account}):
            await accounts.lock(tx, account)
        if await store.select_standing(tx, new.id, caller.account) is None:
            await contacts.may_write(tx, caller.account, new.account)
            await _insert(tx, caller.account, new)
        return await seen(tx, caller.account, new.id)


async def _insert(tx: Tx, caller: AccountId, new: NewDirect) -> None:
    members = sorted({caller, new.account})
    hashes = await _list_hashes(tx, members)
    if caller not in hashes:
        raise Refusal("keys_needed")
    if new.account not in hashes:
        raise Refusal("peer_without_keys")
    await store.insert_private(tx, new.id, "self" if caller == new.account else "direct", caller, len(members))
    await log.begin_sealed(tx, new.id, rules.roster_of(new.id, hashes))
    for account in members:
        await store.upsert_member(tx, new.id, account, "member", START, ordinal=0)
        await tell(tx, new.id, account, "member")
        tx.ring(Joined(account, new.id))


async def renew_epochs(tx: Tx, account: AccountId, device: DeviceId, signed: SignedList) -> int:
    """Begin a new epoch in every encrypted conversation of an account whose device list is new; counts them.

    The account is locked and the list stored by the caller. The heads are locked before any list is read, so that of
    two members who change their lists at once the later one sees both.
    """
    conversations = await store.select_encrypted_ids(tx, account)
    await log.lock_all(tx, conversations)
    members = await store.select_member_ids(tx, conversations)
    hashes = await _list_hashes(tx, sorted({one for here in members.values() for one in here}))
    rosters = {
        conversation: rules.roster_of(conversation, {one: hashes[one] for one in here if one in hashes})
        for conversation, here in members.items()
    }
    body = kinds.DevicesChange(signed, epoch=0, roster=b"")
    return len(await log.raise_epochs(tx, rosters, NewEpoch(kinds.DEVICES, account, device, body)))


async def private(reader: Reader, conversation: ConversationId) -> Private | None:
    """Tell who is in an end-to-end encrypted conversation, on which devices; None of any other.

    Read without a lock: what was read belongs together if it gives the roster, and else is read again.
    """
    for _ in range(ATTEMPTS):
        now = await log.roster_of(reader, conversation)
        if now is None:
            return None
        members = (await store.select_member_ids(reader, [conversation])).get(conversation, [])
        known = await keys.lists_of(reader, members)
        hashes = {account: one.list.hash for account, one in known.items()}
        if rules.roster_of(conversation, hashes) == now[1]:
            listed = frozenset(DeviceId(UUID(bytes=d.device)) for one in known.values() for d in one.list.devices)
            return Private(conversation, *now, tuple(members), listed)
    raise Refusal("unavailable", retry_after=1)


async def _list_hashes(reader: Reader, wanted: list[AccountId]) -> Mapping[AccountId, bytes]:
    return {account: known.list.hash for account, known in (await keys.lists_of(reader, wanted)).items()}
