"""What ties sealed messages together, how long they stay, and what narrows beside their chain: as of readable ones."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.server.messages.conftest import Sealing
from tests.support import rooms
from tests.support.sealed_groups import Group, found
from tests.support.sealing import Pair, Sealer, give_keys, pair

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import actions
from aparte.wire import kinds, limits
from aparte.wire.codec import Decoder
from aparte.wire.errors import Refusal
from aparte.wire.ids import FIRST_ID
from aparte.wire.messages import Entry
from aparte.wire.sealed import SealedTarget, SealEntry

Admin = Any
ZERO = bytes(32)


@pytest.fixture
async def two(db: Database, admin: Admin) -> Pair:
    """Alice and Bob."""
    return await pair(db, admin, await rooms.person(admin), await rooms.person(admin))


class Circle:
    """A group of Alice, who owns it, and Bob; both have begun a chain."""

    def __init__(self, group: Group, a: Sealer, b: Sealer) -> None:
        self.group = group
        self.a, self.b = a, b
        self.alice, self.bob = a.caller, b.caller


@pytest.fixture
async def circle(db: Database, admin: Admin, sealing: Sealing) -> Circle:
    """Alice and Bob in a group."""
    people = [await rooms.person(admin) for _ in range(2)]
    for one in people:
        await give_keys(admin, one)
    group = await found(db, admin, *people)
    here = Circle(group, await group.sealer(people[0], 1), await group.sealer(people[1], 2))
    for sealer in (here.a, here.b):
        await sealing.give(sealer)
    return here


async def say(sealing: Sealing, sealer: Sealer, kind: int = 1, target: Any = None, **fields: Any) -> SealedTarget:
    """Store an entry, and give what others aim at; a refused one leaves the chain where it was."""
    before = sealer.counter, sealer.prev
    entry = sealer.seal(kind, target, **fields)
    try:
        return sealer.at(entry, await sealing.seal(sealer.caller, sealer.conversation, entry))
    except Refusal:
        sealer.counter, sealer.prev = before
        raise


async def code(sealing: Sealing, sealer: Sealer, kind: int = 1, target: Any = None, **fields: Any) -> str:
    """Why an entry is refused."""
    with pytest.raises(Refusal) as refused:
        await say(sealing, sealer, kind, target, **fields)
    return refused.value.code


async def log_of(db: Database, reader: Caller, sealer: Sealer) -> list[Entry]:
    """The log as one of them reads it, without what the server says."""
    page = await actions.entries(db, reader, sealer.conversation, FIRST_ID, 100)
    return [entry for entry in page.entries if entry.kind < kinds.CREATED]


async def end(admin: Admin, message: UUID) -> None:
    """Let a message disappear."""
    for table in ("messages", "disappearing_messages"):
        await admin.execute(f"UPDATE {table} SET expires_at = now() - interval '1 s' WHERE id = $1", message)  # noqa: S608 - of two


async def test_a_sealed_thread_counts_its_replies(admin: Admin, sealing: Sealing, two: Pair) -> None:
    root = await say(sealing, two.a)
    replies = [await say(sealing, two.b, 1, root) for _ in range(3)]
    row = await admin.fetchrow("SELECT root_id, reply_count, last_id FROM threads")
    assert tuple(row) == (root.id, 3, replies[-1].id)
    assert await code(sealing, two.a, 1, replies[0]) == "invalid"
    await say(sealing, two.b, kinds.DELETION, replies[-1])
    assert await admin.fetchval("SELECT reply_count FROM threads") == 2
    await say(sealing, two.b, kinds.DELETION, replies[-1], on=False)
    assert await admin.fetchval("SELECT reply_count FROM threads") == 3


async def test_mentions_are_kept_of_members_who_have_not_blocked_the_sender(
    admin: Admin, sealing: Sealing, circle: Circle
) -> None:
    stranger = await rooms.person(admin)
    said = await say(sealing, circle.a, mentions=[circle.bob.account, stranger.account, circle.bob.account])
    rows = await admin.fetch("SELECT account_id, id FROM mentions")
    assert [tuple(row) for row in rows] == [(circle.bob.account, said.id)]
    await admin.execute("DELETE FROM mentions")
    await admin.execute(
        "INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", circle.bob.account, circle.alice.account
    )
    await say(sealing, circle.a, mentions=[circle.bob.account])
    assert await admin.fetchval("SELECT count(*) FROM mentions") == 0
    await admin.execute("DELETE FROM blocks")
    await say(sealing, circle.a, kinds.EDIT, said, mentions=[circle.bob.account])
    assert await admin.fetchval("SELECT id FROM mentions") == said.id


async def test_what_is_said_beside_belongs_to_its_kind(sealing: Sealing, two: Pair) -> None:
    root = await say(sealing, two.a)
    for kind in (kinds.EDIT, kinds.DELETION, kinds.REACTION, kinds.PIN):
        assert await code(sealing, two.a, kind, root, ttl=60) == "invalid"
    for kind in (kinds.DELETION, kinds.REACTION, kinds.PIN):
        assert await code(sealing, two.a, kind, root, mentions=[two.bob.account]) == "invalid"
    read = Decoder(SealEntry)
    entry = two.a.seal(mentions=[two.bob.account] * limits.MENTIONS, ttl=limits.TTL_SECONDS[1])
    assert read(msgspec.json.encode(entry)) == entry
    for fields in ({"mentions": [two.bob.account] * (limits.MENTIONS + 1)}, {"ttl": 4}, {"ttl": 2_419_201}):
        with pytest.raises(Refusal, match="invalid"):
            read(msgspec.json.encode(msgspec.structs.replace(entry, **fields)))


async def test_a_sealed_message_disappears_for_everybody(
    db: Database, admin: Admin, sealing: Sealing, two: Pair
) -> None:
    """Its head stays, so that its device's chain holds; what was sealed is withheld from its end on, then erased."""
    said = await say(sealing, two.a, ttl=60)
    await say(sealing, two.a, kinds.EDIT, said)
    await say(sealing, two.b, kinds.REACTION, said, tag=bytes(16))
    kept = await say(sealing, two.a)
    [live] = [hint.frame.entry for hint in sealing.live() if hint.frame.entry.id == said.id]
    assert live.expires_at is not None
    before = await log_of(db, two.bob, two.a)
    assert before[0].expires_at == live.expires_at
    await end(admin, said.id)
    for erased in (False, True):
        if erased:
            assert await actions.erase_expired(db) == 1
        message, edit, reaction, other = await log_of(db, two.bob, two.a)
        for entry, was in zip((message, edit, reaction), before, strict=False):
            assert entry.sealed is not None
            assert entry.sealed.sealed is None
            assert entry.sealed.digest is not None
            assert (entry.sealed.counter, entry.id) == (was.sealed.counter, was.id)  # type: ignore[union-attr]
        assert other.sealed is not None
        assert other.sealed.sealed is not None
        assert other.id == kept.id
    assert await admin.fetchval("SELECT count(*) FROM reactions") == 0
    for kind in (kinds.EDIT, kinds.DELETION, kinds.PIN, kinds.MESSAGE):
        assert await code(sealing, two.a, kind, said) == "gone"
    assert await admin.fetchval("SELECT message_count FROM heads WHERE epoch > 0") == 1


@pytest.mark.parametrize("kind", [kinds.MESSAGE, kinds.EDIT])
async def test_roles_and_silence_narrow_beside_the_chain(
    admin: Admin, sealing: Sealing, circle: Circle, kind: int
) -> None:
    said = await say(sealing, circle.b)
    target = said if kind == kinds.EDIT else None
    await deny(admin, circle, post=False)
    assert await code(sealing, circle.b, kind, target) == "forbidden"
    await deny(admin, circle)
    await admin.execute(
        "UPDATE members SET silenced_until = now() + interval '1 h', silenced_by = $1, silence_reason = ''"
        " WHERE account_id = $2",
        circle.alice.account,
        circle.bob.account,
    )
    assert await code(sealing, circle.b, kind, target) == "silenced"
    assert await code(sealing, circle.b, kinds.REACTION, said, tag=bytes(16)) == "silenced"
    await say(sealing, circle.b, kinds.DELETION, said)
    await say(sealing, circle.a)


async def deny(admin: Admin, circle: Circle, **rights: bool) -> None:
    """Deny Bob rights beside the chain, as a moderator does."""
    await admin.execute(
        "UPDATE members SET overrides = $2::text::jsonb, cannot_post = $3 WHERE account_id = $1",
        circle.bob.account,
        msgspec.json.encode(rights).decode(),
        "post" in rights,
    )


async def test_who_may_not_react_does_not(admin: Admin, sealing: Sealing, circle: Circle) -> None:
    said = await say(sealing, circle.a)
    await deny(admin, circle, react=False)
    assert await code(sealing, circle.b, kinds.REACTION, said, tag=bytes(16)) == "forbidden"
    await say(sealing, circle.b)


async def test_an_archived_group_takes_nothing(admin: Admin, sealing: Sealing, circle: Circle) -> None:
    said = await say(sealing, circle.a)
    await admin.execute("UPDATE heads SET closed = 1 WHERE conversation_id = $1", circle.group.id)
    await admin.execute("UPDATE conversations SET is_archived = true WHERE conversation_id = $1", circle.group.id)
    for kind, target in ((1, None), (1, said), (kinds.DELETION, said), (kinds.PIN, said)):
        assert await code(sealing, circle.a, kind, target) == "archived"


async def test_slow_mode_holds_in_groups(admin: Admin, sealing: Sealing, circle: Circle) -> None:
    await admin.execute("UPDATE heads SET slow_seconds = 60 WHERE conversation_id = $1", circle.group.id)
    entries = [circle.b.seal() for _ in range(3)]
    done = await asyncio.gather(
        *(sealing.seal(circle.bob, circle.group.id, entry) for entry in entries), return_exceptions=True
    )
    assert [one.code if isinstance(one, Refusal) else "stored" for one in done] == ["stored", "slow_mode", "slow_mode"]  # type: ignore[union-attr]
    for _ in range(2):
        await say(sealing, circle.a)


async def test_a_message_sealed_ahead_stands_outside_of_its_devices_chain(
    admin: Admin, sealing: Sealing, two: Pair
) -> None:
    """Counter 0: what was sent meanwhile is not broken by it, nor is it by that; alone, or in a batch with others."""
    ahead = [replace(two.a).seal(counter=0, prev=ZERO, envelopes=[]) for _ in range(2)]
    entries = [two.a.seal(), ahead[0], two.a.seal(), ahead[1], two.a.seal()]
    sent = await asyncio.gather(*(sealing.seal(two.alice, two.conversation, entry) for entry in entries))
    assert [s.seq for s in sent] == [1, 2, 3, 4, 5]
    rows = await admin.fetch("SELECT counter, prev FROM messages ORDER BY id")
    assert [row["counter"] for row in rows] == [1, 0, 2, 0, 3]
    assert {row["prev"] for row in rows if not row["counter"]} == {ZERO}
    assert tuple(await admin.fetchrow("SELECT counter, hash FROM chains")) == (3, two.a.prev)
    assert await sealing.seal(two.alice, two.conversation, ahead[0]) == sent[1]
    assert await admin.fetchval("SELECT count(*) FROM message_key_sets WHERE seq IN (2, 4)") == 0
    stale = replace(two.a, epoch=2).seal(counter=0, prev=ZERO, envelopes=[])
    with pytest.raises(Refusal, match="stale_epoch"):
        await sealing.seal(two.alice, two.conversation, stale)


async def test_a_broken_chain_breaks_nothing_that_was_sealed_ahead(sealing: Sealing, two: Pair) -> None:
    entries = [two.a.seal(counter=7), two.a.seal(counter=0, prev=ZERO, envelopes=[]), two.a.seal(counter=9)]
    done = await asyncio.gather(
        *(sealing.seal(two.alice, two.conversation, entry) for entry in entries), return_exceptions=True
    )
    assert [one.code if isinstance(one, Refusal) else one.seq for one in done] == ["chain_broken", 1, "chain_broken"]  # type: ignore[union-attr]


async def test_in_a_group_it_needs_a_chain_that_all_have(admin: Admin, sealing: Sealing, circle: Circle) -> None:
    await say(sealing, circle.a)
    ahead = replace(circle.a).seal(counter=0, prev=ZERO)
    sent = await sealing.seal(circle.alice, circle.group.id, ahead)
    row = await admin.fetchrow("SELECT counter FROM messages WHERE id = $1", sent.id)
    assert row["counter"] == 0
    unknown = replace(circle.a, chain=99).seal(counter=0, prev=ZERO)
    with pytest.raises(Refusal, match="missing_devices"):
        await sealing.seal(circle.alice, circle.group.id, unknown)
    await say(sealing, circle.a)


async def test_nobody_outside_seals_with_counter_zero() -> None:
    """Of clients: what is due later is given to be scheduled."""
    body = {"client_message_id": str(UUID(int=1)), "epoch": 1, "roster": "A" * 43 + "=", "counter": 0}
    with pytest.raises(Refusal, match="invalid"):
        Decoder(SealEntry)(msgspec.json.encode(body | {"prev": "A" * 43 + "=", "sealed": "A" * 256, "envelopes": []}))


async def test_sealed_reactions_and_pins_are_kept_and_few(admin: Admin, sealing: Sealing, two: Pair) -> None:
    said = await say(sealing, two.a)
    tags = [bytes([n]) * 16 for n in range(limits.REACTIONS_EACH + 1)]
    for tag in tags[:-1]:
        await say(sealing, two.b, kinds.REACTION, said, tag=tag)
    await say(sealing, two.b, kinds.REACTION, said, tag=tags[0])
    assert await code(sealing, two.b, kinds.REACTION, said, tag=tags[-1]) == "too_many"
    await say(sealing, two.b, kinds.REACTION, said, tag=tags[0], on=False)
    await say(sealing, two.b, kinds.REACTION, said, tag=tags[-1])
    rows = await admin.fetch("SELECT mark FROM reactions WHERE account_id = $1", two.bob.account)
    assert {row["mark"] for row in rows} == set(tags[1:])
    await say(sealing, two.a, kinds.PIN, said)
    assert await admin.fetchval("SELECT message_id FROM pins") == said.id
    await say(sealing, two.b, kinds.PIN, said, on=False)
    assert await admin.fetchval("SELECT count(*) FROM pins") == 0


async def test_either_of_two_sets_how_their_conversation_is_run(sealing: Sealing, two: Pair) -> None:
    for sealer in (two.a, two.b):
        await say(sealing, sealer, kinds.SETTINGS)
