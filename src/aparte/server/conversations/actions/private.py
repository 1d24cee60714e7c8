"""End-to-end encrypted conversations: direct ones and notes to oneself are opened once and never left; all of them,
groups too, begin a new epoch when a member's devices change.
"""

from collections.abc import Mapping

from aparte.e2ee.device_list import DeviceList
from aparte.server.accounts import actions as accounts
from aparte.server.contacts import actions as contacts
from aparte.server.conversations import chain, rules, store
from aparte.server.conversations.actions.access import seen
from aparte.server.conversations.actions.membership import tell
from aparte.server.conversations.model import Private
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.kit.doorbell import Joined
from aparte.server.log import actions as log
from aparte.server.log.model import Difference, NewEpoch
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
        tx.ring(Joined(account, new.id))
    await tell(tx, new.id, dict.fromkeys(members, "member"))


async def lock_encrypted(tx: Tx, account: AccountId) -> None:
    """Lock the heads of every encrypted conversation of an account whose list is about to be another.

    The account is locked by the caller, and nothing of the list is stored yet: whoever writes an account's state while
    it waits for a head keeps a mark waiting, whose member's row a send wants that holds the head.
    """
    await log.lock_all(tx, await store.select_encrypted_ids(tx, account))


async def renew_epochs(tx: Tx, account: AccountId, device: DeviceId, signed: SignedList) -> int:
    """Begin a new epoch in every encrypted conversation of an account whose device list is new; counts them.

    The account is locked and the list stored by the caller. The heads are locked before any list is read, so that of
    two members who change their lists at once the later one sees both; where the account was put out meanwhile its
    list is no news.
    """
    conversations = await store.select_encrypted_ids(tx, account)
    await log.lock_all(tx, conversations)
    members = {
        conversation: here
        for conversation, here in (await store.select_member_ids(tx, conversations)).items()
        if account in here
    }
    hashes = await _list_hashes(tx, sorted({one for here in members.values() for one in here}))
    ends = await chain.select_chain_ends(tx, list(members))
    rosters = {
        conversation: rules.roster_of(
            conversation, {one: hashes[one] for one in here if one in hashes}, ends.get(conversation)
        )
        for conversation, here in members.items()
    }
    body = kinds.DevicesChange(signed, epoch=0, roster=b"")
    new = NewEpoch(kinds.DEVICES, account, device, body)
    return len(await log.raise_epochs(tx, rosters, new, await _difference(tx, account)))


async def _difference(reader: Reader, account: AccountId) -> Difference:
    """How every conversation of an account differs once its newest list counts there."""
    newest = (await keys.lists_of(reader, [account]))[account].list
    before = await keys.version_of(reader, account, newest.version - 1)
    return rules.difference(account, DeviceList.deserialize(before.list) if before else None, newest)


async def private(reader: Reader, conversation: ConversationId) -> Private | None:
    """Tell who is in an end-to-end encrypted conversation, on which devices; None of any other.

    Read without a lock: what was read belongs together if it gives the roster, and else is read again.
    """
    for _ in range(ATTEMPTS):
        now = await log.roster_of(reader, conversation)
        if now is None:
            return None
        inside = await chain.select_inside(reader, conversation)
        known = await keys.hashes_of(reader, list(inside.roles) if inside else [])
        hashes = {account: one.hash for account, one in known.items()}
        if inside and rules.roster_of(conversation, hashes, inside.end) == now[1]:
            devices = frozenset(device for one in known.values() for device in one.devices)
            members = tuple(sorted(inside.roles))
            return Private(
                conversation, *now, members, devices, inside.kind, inside.roles, inside.policy, inside.statement
            )
    raise Refusal("unavailable", retry_after=1)


async def _list_hashes(reader: Reader, wanted: list[AccountId]) -> Mapping[AccountId, bytes]:
    return {account: known.hash for account, known in (await keys.hashes_of(reader, wanted)).items()}
