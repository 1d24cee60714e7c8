"""Groups: begun and changed by signed statements, which the server judges as clients do and keeps as they came."""

import asyncio
import json
import os
from typing import Any

import msgspec
import pytest
from tests.support import groups, keys, rooms
from tests.support.groups import group, person, store
from tests.support.sign_in import Bell

from aparte.e2ee import device_list
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import Action, Membership
from aparte.e2ee.roster import roster
from aparte.server.conversations import actions as conversations
from aparte.server.conversations import chain
from aparte.server.conversations.model import WantedMembers
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Joined, Left, ToAccount, ToConversation
from aparte.server.log import actions as log
from aparte.wire import kinds
from aparte.wire.conversations import MemberUpdate
from aparte.wire.errors import Refusal
from aparte.wire.frames import Live, Moved
from aparte.wire.groups import NewGroup, SignedStatement

Admin = Any


async def stored(db: Database, made: groups.Group) -> Membership | None:
    async with db.read() as reader:
        return await chain.select_membership(reader, made.id)


async def roster_of(admin: Admin, made: groups.Group) -> bytes:
    """The roster by the specification, from the statements and the newest lists."""
    lists = {}
    for account in made.state.members:
        lists[account] = await admin.fetchval(
            "SELECT hash FROM device_lists WHERE account_id = $1::uuid ORDER BY version DESC LIMIT 1",
            account.hex(),
        )
    return roster(made.state.conversation, made.state.hash, lists)


async def test_a_group_begins_with_who_is_added_and_is_what_the_statements_say(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made, new = groups.founding(alice, bob, carol, policy=groups.HISTORY)
    shown = await conversations.create_group(db, alice, new)
    assert (shown.kind, shown.encryption_mode, shown.name, shown.is_public) == ("group", "e2ee", "", False)
    assert (shown.owner, shown.member_count, shown.max_members, shown.epoch) == (alice.account, 3, 500, 1)
    assert shown.head.seq == 3
    assert await stored(db, made) == made.state
    async with db.read() as reader:
        assert await log.roster_of(reader, made.id) == (1, await roster_of(admin, made))
        private = await conversations.private(reader, made.id)
    assert private is not None
    assert (private.kind, private.policy, private.statement, private.epoch) == ("group", 2, 3, 1)
    assert private.roles == {alice.account: "owner", bob.account: "member", carol.account: "member"}
    assert private.devices == {alice.device, bob.device, carol.device}
    assert private.peer_of(alice.account) is None
    by = await admin.fetch("SELECT account_id, invited_by FROM members WHERE conversation_id = $1", made.id)
    assert {row[0]: row[1] for row in by} == {
        alice.account: None,
        bob.account: alice.account,
        carol.account: alice.account,
    }
    again = await conversations.create_group(db, alice, new)
    assert again == shown


async def test_a_group_that_is_not_right_is_not_begun(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    keyless = await rooms.person(admin)
    made, new = groups.founding(alice, bob)
    other, other_new = groups.founding(alice, bob)
    forged = msgspec.structs.replace(new.statements[1], signature=bytes(64))
    left = groups.founding(alice)[0]
    late = [*left.chain, left.leave(alice)]
    for wrong, who, code in (
        (NewGroup(other.id, new.statements), alice, "bad_conversation_id"),
        (NewGroup(new.id, [new.statements[0], forged]), alice, "bad_statement"),
        (NewGroup(new.id, new.statements[1:]), alice, "bad_statement"),
        (NewGroup(left.id, late), alice, "bad_statement"),
        (new, bob, "bad_statement"),
        (NewGroup(new.id, [new.statements[0], other_new.statements[1]]), alice, "bad_statement"),
        (groups.founding(alice, keyless)[1], alice, "peer_without_keys"),
        (groups.founding(alice, keyless._replace(account=made.id))[1], alice, "not_found"),
        (groups.founding(keyless)[1], keyless, "keys_needed"),
        (groups.founding(alice, bob)[1], alice._replace(role="guest"), "forbidden"),
        (groups.founding(alice, bob, version=2)[1], alice, "stale_membership"),
    ):
        with pytest.raises(Refusal) as refused:
            await conversations.create_group(db, who, wrong)
        assert refused.value.code == code
    await admin.execute("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", bob.account, alice.account)
    with pytest.raises(Refusal, match="blocked"):
        await conversations.create_group(db, alice, new)
    assert await admin.fetchval("SELECT count(*) FROM conversations") == 0


async def test_every_action_changes_the_rows_as_it_changes_the_chain(db: Database, admin: Admin) -> None:
    alice, bob, carol, dave = [await person(admin) for _ in range(4)]
    made = await group(db, alice, bob, carol)
    await store(db, made, alice, made.give_role(alice, bob, 3))
    await store(db, made, bob, made.add(bob, dave, 2))
    await store(db, made, bob, made.set_policy(bob, 5))
    await store(db, made, dave, made.remove(dave, carol))
    assert await stored(db, made) == made.state
    await store(db, made, alice, made.leave(alice))
    assert made.state.owner == bob.account.bytes
    assert await stored(db, made) == made.state
    row = await admin.fetchrow(
        "SELECT left_at IS NOT NULL AS is_out, is_removed FROM members WHERE account_id = $1", carol.account
    )
    assert tuple(row) == (True, True)
    assert await admin.fetchval("SELECT member_count FROM conversations") == 2
    kept = await admin.fetch(
        "SELECT value FROM account_state WHERE key = $1 ORDER BY account_id", f"membership:{made.id}"
    )
    assert [row[0] for row in kept].count(None) == 2
    async with db.read() as reader:
        assert await log.roster_of(reader, made.id) == (6, await roster_of(admin, made))
        assert await log.since(reader, made.id, 2) == log.Since(frozenset({dave.device}), True)
        assert await log.since(reader, made.id, 6) == log.Since(frozenset(), False)
        at, versions = await log.versions_in(reader, made.id, 3) or (None, {})
    assert at is not None
    assert (at.epoch, at.statement) == (3, 5)
    assert versions == dict.fromkeys((alice.account, bob.account, carol.account, dave.account), 1)


async def test_the_same_statements_again_are_answered_as_the_first_time(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice, bob)
    before = made.again()
    said = made.leave(bob)
    first = await store(db, made, bob, said)
    await store(db, made, alice, made.add(alice, carol))
    assert await store(db, before, bob, said) == first
    with pytest.raises(Refusal, match="bad_statement"):
        await store(db, before.again(), alice, said)
    with pytest.raises(Refusal, match="not_member"):
        await store(db, made.again(), bob, made.leave(bob))


async def test_who_is_behind_is_told_where_the_chain_ends(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice, bob)
    late = made.again()
    await store(db, made, alice, made.give_role(alice, bob, 3))
    with pytest.raises(Refusal) as refused:
        await store(db, late, bob, late.leave(bob))
    assert refused.value.code == "stale_membership"
    assert refused.value.data == {"number": 3, "hash": made.state.hash.hex(), "pending": []}
    made.versions[alice.account] = 2
    with pytest.raises(Refusal, match="stale_membership"):
        await store(db, made.again(), alice, made.add(alice, carol))


async def test_a_wrong_statement_changes_nothing(db: Database, admin: Admin) -> None:
    alice, bob, carol, eve = [await person(admin) for _ in range(4)]
    made = await group(db, alice, bob)
    good = made.add(alice, carol)
    wrong: list[tuple[Any, SignedStatement, str]] = [
        (bob, made.add(bob, carol), "bad_statement"),
        (bob, good, "bad_statement"),
        (alice, msgspec.structs.replace(good, signature=bytes(64)), "bad_statement"),
        (alice, msgspec.structs.replace(good, statement=bytes(165)), "bad_statement"),
        (alice, msgspec.structs.replace(good, link_signature=bytes(64)), "bad_statement"),
        (alice, made.add(alice, bob), "bad_statement"),
        (bob, made.remove(bob, alice), "bad_statement"),
        (eve, made.leave(eve), "not_member"),
        (alice._replace(role="guest"), good, "forbidden"),
        (alice, made.say(alice, Action.CREATE, subject=alice.account.bytes, role=4), "bad_statement"),
    ]
    for who, said, code in wrong:
        with pytest.raises(Refusal) as refused:
            await store(db, made.again(), who, said)
        assert refused.value.code == code
    with pytest.raises(Refusal, match="invalid"):
        await store(db, made.again(), alice, good, ban=True)
    assert await stored(db, made) == made.state
    assert await admin.fetchval("SELECT epoch FROM heads WHERE conversation_id = $1", made.id) == 1
    assert await store(db, made, alice._replace(role="guest"), made.leave(alice._replace(role="guest")))


async def test_an_admin_removes_the_owner_only_once_the_account_is_gone(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice, bob)
    await store(db, made, alice, made.give_role(alice, bob, 3))
    await admin.execute("UPDATE accounts SET password_hash = 'x'")
    with pytest.raises(Refusal, match="peer_is_there"):
        await store(db, made.again(), bob, made.remove(bob, alice))
    await admin.execute("UPDATE accounts SET is_active = false WHERE account_id = $1", alice.account)
    await store(db, made, bob, made.remove(bob, alice))
    assert made.state.owner == bob.account.bytes


async def test_a_ban_keeps_out_until_a_moderator_lifts_it(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice, bob, carol)
    await store(db, made, alice, made.remove(alice, bob), ban=True)
    [ban] = (await conversations.bans(db, alice, made.id)).bans
    assert (ban.account, ban.by) == (bob.account, alice.account)
    with pytest.raises(Refusal, match="banned"):
        await store(db, made.again(), alice, made.add(alice, bob))
    for who, code in ((carol, "forbidden"), (bob, "not_member")):
        with pytest.raises(Refusal, match=code):
            await conversations.bans(db, who, made.id)
        with pytest.raises(Refusal, match=code):
            await conversations.lift_ban(db, who, made.id, bob.account)
    await conversations.lift_ban(db, alice, made.id, carol.account)
    await conversations.lift_ban(db, alice, made.id, bob.account)
    assert (await conversations.bans(db, alice, made.id)).bans == []
    await store(db, made, alice, made.add(alice, bob))
    assert await stored(db, made) == made.state


async def test_what_changes_a_room_does_not_change_a_group(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice, bob)
    change = msgspec.convert({"topic": "x"}, conversations.change.__annotations__["wanted"])
    for attempt in (
        conversations.join(db, alice, made.id),
        conversations.leave(db, bob, made.id),
        conversations.remove(db, alice, made.id, bob.account),
        conversations.change_member(db, alice, made.id, bob.account, MemberUpdate(role="admin")),
        conversations.change(db, bob, made.id, change),
    ):
        with pytest.raises(Refusal, match="mode_mismatch"):
            await attempt
    eve = await person(admin)
    with pytest.raises(Refusal, match="not_found"):
        await conversations.join(db, eve, made.id)
    assert {one.person.id for one in (await conversations.members(db, bob, made.id, WantedMembers())).members} == {
        alice.account,
        bob.account,
    }
    room = await rooms.room(admin, alice)
    for asked in (conversations.statements(db, alice, room, 0), conversations.epoch(db, alice, room, None)):
        with pytest.raises(Refusal, match="mode_mismatch"):
            await asked
    for asked in (conversations.statements(db, eve, made.id, 0), conversations.epoch(db, eve, made.id, None)):
        with pytest.raises(Refusal, match="not_member"):
            await asked


async def test_members_read_the_chain_and_the_epochs(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice, bob)
    await store(db, made, bob, made.leave(bob))
    page = await conversations.statements(db, alice, made.id, 0)
    assert (page.statements, page.more) == (made.chain, False)
    assert (await conversations.statements(db, alice, made.id, 2)).statements == made.chain[2:]
    now = await conversations.epoch(db, alice, made.id, None)
    assert (now.epoch, now.statement, [one.account for one in now.members]) == (2, 3, [alice.account])
    first = await conversations.epoch(db, alice, made.id, 1)
    assert (first.epoch, first.statement) == (1, 2)
    assert [(one.account, one.version) for one in first.members] == sorted([(alice.account, 1), (bob.account, 1)])
    with pytest.raises(Refusal, match="not_found"):
        await conversations.epoch(db, alice, made.id, 3)


async def test_the_last_one_out_leaves_it_empty_for_good(db: Database, admin: Admin) -> None:
    alice = await person(admin)
    made = await group(db, alice)
    link = groups.Link()
    await store(db, made, alice, made.open(alice, link), token=link.token)
    assert (await conversations.invite(db, link.token)).member_count == 1
    await store(db, made, alice, made.leave(alice))
    with pytest.raises(Refusal, match="invite_over"):
        await conversations.invite(db, link.token)
    with pytest.raises(Refusal, match="not_member"):
        await store(db, made.again(), alice, made.leave(alice))
    assert await admin.fetchval("SELECT count(*) FROM members WHERE left_at IS NULL") == 0
    async with db.read() as reader:
        nobody = await conversations.private(reader, made.id)
    assert nobody is not None
    assert (nobody.members, nobody.devices, nobody.statement) == ((), frozenset(), 3)


async def test_five_hundred_are_a_group_and_one_more_is_too_many(db: Database, admin: Admin) -> None:
    alice, *others = [await person(admin) for _ in range(501)]
    made = await group(db, alice, *others[:499])
    assert len(made.state.members) == 500
    assert await stored(db, made) == made.state
    with pytest.raises(Refusal) as refused:
        await store(db, made.again(), alice, made.add(alice, others[499]))
    assert refused.value.code == "room_full"


async def test_several_at_once_are_one_epoch_and_its_difference_is_their_sum(db: Database, admin: Admin) -> None:
    alice, bob, carol, dave = [await person(admin) for _ in range(4)]
    made = await group(db, alice, bob)
    ahead = made.again()
    said = []
    for make in (
        lambda: ahead.add(alice, carol),
        lambda: ahead.remove(alice, carol),
        lambda: ahead.add(alice, dave),
        lambda: ahead.remove(alice, bob),
    ):
        said.append(make())
        ahead.take(said[-1])
    await store(db, made, alice, *said)
    assert await stored(db, made) == made.state
    row = await admin.fetchrow("SELECT changed, added, has_removed, statement FROM epochs WHERE epoch = 2")
    changed = {row[0][at : at + 16]: int.from_bytes(row[0][at + 16 : at + 24]) for at in range(0, len(row[0]), 24)}
    assert changed == {bob.account.bytes: 0, dave.account.bytes: 1}
    assert (row[1], row[2], row[3]) == (dave.device.bytes, True, 6)
    assert await admin.fetchval("SELECT count(*) FROM epochs") == 2
    assert await admin.fetchval("SELECT is_removed FROM members WHERE account_id = $1", carol.account)


async def test_of_several_who_continue_the_chain_at_once_one_is_first_and_the_others_are_told(
    db: Database, admin: Admin
) -> None:
    alice, bob, *others = [await person(admin) for _ in range(8)]
    made = await group(db, alice, bob)
    attempts = [store(db, made.again(), alice, made.add(alice, other)) for other in others]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {outcome.code for outcome in refused if isinstance(outcome, Refusal)} == {"stale_membership"}
    assert all(isinstance(outcome, Refusal) for outcome in refused)


async def test_everybody_is_told_and_the_audience_follows(db: Database, admin: Admin) -> None:
    alice, bob, carol, dave = [await person(admin) for _ in range(4)]
    made = await group(db, alice, bob)
    bell = Bell()
    db.doorbell = bell
    said = made.add(alice, carol)
    await store(db, made, alice, said)
    [live] = [hint.frame for hint in bell.rung if isinstance(hint, ToConversation)]
    assert isinstance(live, Live)
    assert (live.entry.kind, live.entry.seq, live.entry.account, live.entry.device) == (
        22,
        3,
        alice.account,
        alice.device,
    )
    assert live.entry.body == kinds.StatementChange(said, 2, await roster_of(admin, made))
    assert [hint for hint in bell.rung if isinstance(hint, Joined | Left)] == [Joined(carol.account, made.id)]
    assert [hint.account for hint in bell.rung if isinstance(hint, ToAccount)] == [carol.account]
    bell.rung.clear()
    ahead = made.again()
    several = [ahead.remove(alice, carol)]
    ahead.take(*several)
    several.append(ahead.add(alice, dave))
    await store(db, made, alice, *several)
    [moved] = [hint.frame for hint in bell.rung if isinstance(hint, ToConversation)]
    assert isinstance(moved, Moved)
    assert moved.seq == 5
    assert {hint for hint in bell.rung if isinstance(hint, Joined | Left)} == {
        Left(carol.account, made.id),
        Joined(dave.account, made.id),
    }
    kept = await admin.fetch("SELECT account_id, value FROM account_state WHERE key = $1", f"membership:{made.id}")
    values = {row["account_id"]: json.loads(row["value"]) if row["value"] else None for row in kept}
    assert values == {
        alice.account: {"role": "owner"},
        bob.account: {"role": "member"},
        carol.account: None,
        dave.account: {"role": "member"},
    }


async def relisted(admin: Admin, who: Caller, key: KeyPair, *, is_reset: bool) -> None:
    """Another account key of somebody; the server itself takes no reset."""
    before = await admin.fetchval("SELECT list FROM device_lists WHERE account_id = $1", who.account)
    known = DeviceList.deserialize(before)
    new = DeviceList(known.account, key.public, 2, known.hash, known.devices)
    signed = device_list.sign(new, key, os.urandom, previous_key=None if is_reset else keys.account_key())
    await admin.execute(
        """
        INSERT INTO device_lists (account_id, version, list, signature, previous_signature, hash)
        VALUES ($1, 2, $2, $3, $4, sha256($2))
        """,
        who.account,
        signed.list,
        signed.signature,
        signed.previous_signature,
    )


async def test_nobody_is_added_with_a_key_that_is_not_their_newest(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice)
    key = KeyPair.generate(os.urandom)
    await relisted(admin, bob, key, is_reset=False)
    with pytest.raises(Refusal, match="bad_statement"):
        await store(db, made.again(), alice, made.add(alice, bob))
    made.account_keys[bob.account] = key
    await store(db, made, alice, made.add(alice, bob))
    assert await stored(db, made) == made.state


@pytest.mark.parametrize("is_reset", [True, False])
async def test_who_is_inside_is_let_in_again_only_after_a_reset(db: Database, admin: Admin, is_reset: bool) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice, bob)
    key = KeyPair.generate(os.urandom)
    await relisted(admin, bob, key, is_reset=is_reset)
    made.account_keys[bob.account], made.versions[bob.account] = key, 2
    if not is_reset:
        with pytest.raises(Refusal, match="bad_statement"):
            await store(db, made.again(), alice, made.add(alice, bob))
        await store(db, made, bob, made.leave(bob))
        return
    with pytest.raises(Refusal, match="bad_statement"):
        await store(db, made.again(), bob, made.leave(bob))
    await store(db, made, alice, made.add(alice, bob))
    assert await stored(db, made) == made.state
    row = await admin.fetchrow("SELECT has_removed, added FROM epochs WHERE epoch = 2")
    assert tuple(row) == (True, bob.device.bytes)
    assert await admin.fetchval("SELECT joined_seq FROM members WHERE account_id = $1", bob.account) == 3
    await store(db, made, bob, made.leave(bob))
