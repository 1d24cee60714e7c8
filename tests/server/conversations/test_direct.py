"""Direct conversations and notes to oneself: one for each pair, whoever opens it, and never left."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from tests.support import keys, rooms
from tests.support.sealing import add_device, direct, give_keys, open_direct, pair, roster

from aparte.e2ee import roster as rosters
from aparte.e2ee.device_list import DeviceList
from aparte.server.accounts import actions as accounts
from aparte.server.conversations import actions
from aparte.server.conversations.model import Wanted, WantedRooms
from aparte.server.keys import actions as key_actions
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Hint, Joined, ToConversation
from aparte.server.messages import actions as messages
from aparte.wire import kinds
from aparte.wire.conversations import ConversationChange, MemberUpdate
from aparte.wire.errors import Refusal
from aparte.wire.frames import Live
from aparte.wire.ids import FIRST_ID, ConversationId
from aparte.wire.keys import NewDirect, SignedList

Admin = Any


async def person(admin: Admin) -> tuple[Caller, SignedList]:
    """Somebody with keys, and their list."""
    caller = await rooms.person(admin)
    return caller, await give_keys(admin, caller)


def expected(conversation: ConversationId, *lists: SignedList) -> bytes:
    """The roster as clients compute it from signed lists."""
    read = [DeviceList.deserialize(signed.list) for signed in lists]
    return rosters.roster(conversation.bytes, bytes(32), {one.account: one.hash for one in read})


class Bell:
    """Keeps what transactions ring."""

    def __init__(self, db: Database) -> None:
        self.rung: list[Hint] = []
        db.doorbell = self

    def ring(self, hints: Any) -> None:
        """Keep."""
        self.rung.extend(hints)


async def test_both_have_it_from_the_first_moment(db: Database, admin: Admin) -> None:
    (alice, her_list), (bob, his_list) = await person(admin), await person(admin)
    bell = Bell(db)
    opened = await open_direct(db, alice, bob)
    assert (opened.kind, opened.encryption_mode, opened.is_public, opened.name) == ("direct", "e2ee", False, "")
    assert (opened.peer, opened.owner, opened.member_count, opened.epoch) == (bob.account, None, 2, 1)
    assert opened.membership.role == "member"
    assert (await actions.get(db, bob, opened.id)).peer == alice.account
    assert await roster(admin, opened.id) == (1, expected(opened.id, her_list, his_list))
    assert {hint.account for hint in bell.rung if isinstance(hint, Joined)} == {alice.account, bob.account}
    for caller in (alice, bob):
        page = await actions.mine(db, caller, Wanted(limit=10))
        assert [one.id for one in page.conversations] == [opened.id]
        heads, _ = await messages.changes(db, caller.account, "", None, 10)
        assert [head.conversation for head in heads] == [opened.id]


async def test_opening_it_again_is_opening_it_once(db: Database, admin: Admin) -> None:
    (alice, _), (bob, _) = await person(admin), await person(admin)
    opened = await asyncio.gather(*(open_direct(db, *who) for who in [(alice, bob), (bob, alice)] * 5))
    assert {one.id for one in opened} == {direct(alice, bob)}
    assert await admin.fetchval("SELECT count(*) FROM conversations WHERE kind = 'direct'") == 1
    assert await admin.fetchval("SELECT count(*) FROM members") == 2
    assert await admin.fetchval("SELECT count(*) FROM epochs") == 1


async def test_notes_to_oneself(db: Database, admin: Admin) -> None:
    alice, her_list = await person(admin)
    opened = await open_direct(db, alice, alice)
    assert (opened.kind, opened.peer, opened.member_count) == ("self", None, 1)
    assert await roster(admin, opened.id) == (1, expected(opened.id, her_list))
    assert (await open_direct(db, alice, alice)).id == opened.id


async def test_newest_opened_stands_first_though_nothing_was_said(db: Database, admin: Admin) -> None:
    """Conversations without an entry must not fall off the end of a page."""
    alice, _ = await person(admin)
    opened = [(await open_direct(db, alice, (await person(admin))[0])).id for _ in range(5)]
    found, before = [], None
    while True:
        page = await actions.mine(db, alice, Wanted(before=before, limit=2))
        found += [one.id for one in page.conversations]
        before = page.next
        if before is None:
            break
    assert found == opened[::-1]


async def test_the_id_follows_from_both(db: Database, admin: Admin) -> None:
    (alice, _), (bob, _) = await person(admin), await person(admin)
    for wrong in (ConversationId(uuid4()), direct(alice, alice)):
        with pytest.raises(Refusal, match="bad_conversation_id"):
            await actions.open_direct(db, alice, NewDirect(wrong, bob.account))


async def test_who_cannot_be_written_to(db: Database, admin: Admin) -> None:
    (alice, _), (bob, _) = await person(admin), await person(admin)
    keyless, nobody = await rooms.person(admin), (await rooms.person(admin))._replace(account=uuid4())  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="peer_without_keys"):
        await open_direct(db, alice, keyless)
    with pytest.raises(Refusal, match="keys_needed"):
        await open_direct(db, keyless, alice)
    with pytest.raises(Refusal, match="not_found"):
        await open_direct(db, alice, nobody)
    with pytest.raises(Refusal, match="forbidden"):
        await open_direct(db, alice._replace(role="guest"), bob)
    await admin.execute("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", bob.account, alice.account)
    with pytest.raises(Refusal, match="blocked"):
        await open_direct(db, alice, bob)
    assert await admin.fetchval("SELECT count(*) FROM conversations WHERE kind = 'direct'") == 0


async def test_who_is_blocked_keeps_the_conversation(db: Database, admin: Admin) -> None:
    (alice, _), (bob, _) = await person(admin), await person(admin)
    opened = await open_direct(db, alice, bob)
    await admin.execute("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", bob.account, alice.account)
    assert (await open_direct(db, alice, bob)).id == opened.id
    assert (await messages.entries(db, alice, opened.id, FIRST_ID, 10)).entries == []


async def test_it_is_neither_left_nor_joined_nor_managed(db: Database, admin: Admin) -> None:
    two = await pair(db, admin, await rooms.person(admin), await rooms.person(admin))
    eve, here, bob = await rooms.person(admin), two.conversation, two.bob.account
    with pytest.raises(Refusal, match="forbidden"):
        await actions.leave(db, two.alice, here)
    with pytest.raises(Refusal, match="not_found"):
        await actions.join(db, eve, here)
    with pytest.raises(Refusal, match="forbidden"):
        await actions.remove(db, two.alice, here, bob)
    with pytest.raises(Refusal, match="forbidden"):
        await actions.change_member(db, two.alice, here, bob, MemberUpdate(role="admin"))
    with pytest.raises(Refusal, match="forbidden"):
        await actions.change(db, two.alice, here, ConversationChange(topic="new"))
    with pytest.raises(Refusal, match="not_member"):
        await actions.get(db, eve, here)
    found = await actions.directory(db, eve, WantedRooms(limit=100))
    assert found.rooms == []


# New devices ------------------------------------------------------------------------------------------------------


async def renew(db: Database, caller: Caller, signed: SignedList) -> int:
    """Store a new list and begin the epochs that follow from it, as linking does."""
    async with db.transaction() as tx:
        await key_actions.store_next(tx, caller.account, signed)
        return await actions.renew_epochs(tx, caller.account, caller.device, signed)


async def test_a_new_device_list_begins_an_epoch_everywhere(db: Database, admin: Admin) -> None:
    alice, her_list = await person(admin)
    phone = await add_device(admin, alice)
    others = [await person(admin) for _ in range(200)]
    for other, _ in others:
        await open_direct(db, alice, other)
    elsewhere = await pair(db, admin, others[0][0], others[1][0])
    bell = Bell(db)
    new = keys.with_device(her_list, phone.device)
    assert await renew(db, alice, new) == 200
    for other, his_list in others:
        here = direct(alice, other)
        assert await roster(admin, here) == (2, expected(here, new, his_list))
    assert (await roster(admin, elsewhere.conversation))[0] == 1
    live = [hint.frame for hint in bell.rung if isinstance(hint, ToConversation)]
    assert len(live) == 200
    frame = next(one for one in live if one.conversation == direct(alice, others[0][0]))
    [entry] = (await messages.entries(db, others[0][0], frame.conversation, FIRST_ID, 10)).entries
    assert isinstance(frame, Live)
    assert entry == frame.entry
    assert (entry.seq, entry.kind, entry.account, entry.device) == (1, kinds.DEVICES, alice.account, alice.device)
    assert entry.body == kinds.DevicesChange(new, 2, expected(frame.conversation, new, others[0][1]))
    epochs = await admin.fetch(
        "SELECT epoch, seq FROM epochs WHERE conversation_id = $1 ORDER BY epoch", frame.conversation
    )
    assert [tuple(row) for row in epochs] == [(1, 1), (2, 1)]
    ids = [row["id"] for row in await admin.fetch("SELECT id FROM entries")]
    assert len(set(ids)) == 200


async def test_two_members_who_change_at_once_end_with_both_lists(db: Database, admin: Admin) -> None:
    """Each reads the other's list under the lock of the head: an older one would leave a roster nobody computes."""
    (alice, hers), (bob, his) = await person(admin), await person(admin)
    opened = await open_direct(db, alice, bob)
    for round_ in range(1, 6):
        phone, tablet = await add_device(admin, alice), await add_device(admin, bob)
        hers, his = keys.with_device(hers, phone.device), keys.with_device(his, tablet.device)
        await asyncio.gather(renew(db, alice, hers), renew(db, bob, his))
        assert await roster(admin, opened.id) == (1 + 2 * round_, expected(opened.id, hers, his))
        assert await admin.fetchval("SELECT count(*) FROM epochs") == 1 + 2 * round_


async def test_a_list_that_changes_while_a_conversation_is_opened_is_in_its_roster(db: Database, admin: Admin) -> None:
    (alice, hers), (bob, his) = await person(admin), await person(admin)
    phone = await add_device(admin, alice)
    new = keys.with_device(hers, phone.device)
    async with db.transaction() as tx:
        await accounts.lock(tx, alice.account)
        opening = asyncio.create_task(open_direct(db, bob, alice))
        await asyncio.sleep(0.05)
        await key_actions.store_next(tx, alice.account, new)
        assert await actions.renew_epochs(tx, alice.account, alice.device, new) == 0
        assert not opening.done()
    opened = await opening
    assert await roster(admin, opened.id) == (1, expected(opened.id, new, his))


async def test_a_clock_that_is_behind_begins_no_epoch(db: Database, admin: Admin) -> None:
    (alice, hers), (bob, _) = await person(admin), await person(admin)
    await open_direct(db, alice, bob)
    phone = await add_device(admin, alice)
    await admin.execute("UPDATE heads SET last_id = id_at(now() + interval '26 hours') WHERE epoch > 0")
    with pytest.raises(Refusal, match="clock"):
        await renew(db, alice, keys.with_device(hers, phone.device))
    assert await admin.fetchval("SELECT count(*) FROM device_lists WHERE version > 1") == 0
