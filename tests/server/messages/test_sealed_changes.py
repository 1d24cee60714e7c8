"""What aims at a sealed message: edits, deletions, reactions, pins. The server checks whose and which, never what."""

from typing import Any

import pytest
from tests.server.messages.conftest import Sealing
from tests.support import rooms
from tests.support.sealing import Pair, Sealer, pair

from aparte.server.kit.db import Database
from aparte.server.messages import actions
from aparte.server.messages.pages import Where
from aparte.wire import kinds
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import FIRST_ID, ClientMessageId, EntryId, new_id
from aparte.wire.messages import ChangeMessage, Entry, SendMessage
from aparte.wire.sealed import SealedTarget, SealEntry

Admin = Any


@pytest.fixture
async def two(db: Database, admin: Admin) -> Pair:
    """Alice and Bob."""
    return await pair(db, admin, await rooms.person(admin), await rooms.person(admin))


async def say(sealing: Sealing, sealer: Sealer, entry: SealEntry | None = None) -> SealedTarget:
    """Store an entry and give what others aim at."""
    entry = entry or sealer.seal()
    sent = await sealing.seal(sealer.caller, sealer.conversation, entry)
    return sealer.at(entry, sent)


async def log_of(sealing: Sealing, two: Pair, reader: Any = None) -> list[Entry]:
    """The log as one of them reads it."""
    page = await actions.entries(sealing.db, reader or two.bob, two.conversation, FIRST_ID, 100)
    return page.entries


async def change(sealing: Sealing, sealer: Sealer, kind: int, target: SealedTarget, **fields: Any) -> Any:
    """Aim an entry at a message; a refused one leaves the chain where it was."""
    before = sealer.counter, sealer.prev
    try:
        return await sealing.seal(sealer.caller, sealer.conversation, sealer.seal(kind, target, **fields))
    except Refusal:
        sealer.counter, sealer.prev = before
        raise


@pytest.mark.parametrize("kind", [kinds.EDIT, kinds.DELETION, kinds.REACTION, kinds.PIN, kinds.MESSAGE])
async def test_what_aims_at_a_message_names_its_hash(sealing: Sealing, two: Pair, kind: int) -> None:
    said = await say(sealing, two.a)
    other = await say(sealing, two.a)
    with pytest.raises(Refusal, match="target_mismatch"):
        await change(sealing, two.a, kind, SealedTarget(said.id, other.hash))
    with pytest.raises(Refusal, match="not_found"):
        await change(sealing, two.a, kind, SealedTarget(EntryId(new_id()), said.hash))
    sent = await change(sealing, two.a, kind, said)
    assert sent.seq == 3
    entry = (await log_of(sealing, two))[2]
    assert entry.kind == kind
    assert entry.target is not None
    assert (entry.target.seq, entry.target.id) == (1, said.id)
    assert entry.sealed is not None
    assert entry.sealed.target == said.hash


async def test_only_a_message_is_aimed_at(sealing: Sealing, two: Pair) -> None:
    """An edit of an edit would be lost to everybody who asks what a message says now."""
    said = await say(sealing, two.a)
    edit = two.a.seal(kinds.EDIT, said)
    edited = two.a.at(edit, await sealing.seal(two.alice, two.conversation, edit))
    with pytest.raises(Refusal, match="not_found"):
        await change(sealing, two.a, kinds.EDIT, edited)


@pytest.mark.parametrize("kind", [kinds.EDIT, kinds.DELETION])
async def test_in_a_direct_conversation_the_author_alone_changes_words(sealing: Sealing, two: Pair, kind: int) -> None:
    said = await say(sealing, two.a)
    with pytest.raises(Refusal, match="forbidden"):
        await change(sealing, two.b, kind, said)
    assert [entry.kind for entry in await log_of(sealing, two)] == [kinds.MESSAGE]


async def test_both_react_pin_and_change_settings(admin: Admin, sealing: Sealing, two: Pair) -> None:
    said = await say(sealing, two.a)
    await change(sealing, two.b, kinds.REACTION, said, tag=b"t" * 16)
    await change(sealing, two.b, kinds.REACTION, said, tag=b"t" * 16, on=False)
    await change(sealing, two.b, kinds.PIN, said)
    sent = await sealing.seal(two.bob, two.conversation, two.b.seal(kinds.SETTINGS))
    assert sent.seq == 5
    rows = await admin.fetch("SELECT kind, tag, is_on FROM entries ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (4, b"t" * 16, True),
        (4, b"t" * 16, False),
        (5, None, True),
        (7, None, None),
    ]
    head = await admin.fetchrow("SELECT last_seq, last_ordinal, message_count FROM heads WHERE epoch > 0")
    assert tuple(head) == (5, 1, 1)


async def test_a_deleted_message_keeps_its_digest_and_comes_back(admin: Admin, sealing: Sealing, two: Pair) -> None:
    entry = two.a.seal()
    said = await say(sealing, two.a, entry)
    edit = await change(sealing, two.a, kinds.EDIT, said)
    await change(sealing, two.a, kinds.DELETION, said)
    deleted = await log_of(sealing, two)
    for withheld in deleted[:2]:
        assert withheld.sealed is not None
        assert withheld.sealed.sealed is None
        assert withheld.sealed.digest is not None
    assert await admin.fetchval("SELECT message_count FROM heads WHERE epoch > 0") == 0
    with pytest.raises(Refusal, match="gone"):
        await change(sealing, two.a, kinds.DELETION, said)
    with pytest.raises(Refusal, match="gone"):
        await change(sealing, two.a, kinds.EDIT, said)
    with pytest.raises(Refusal, match="gone"):
        await change(sealing, two.b, kinds.REACTION, said)
    with pytest.raises(Refusal, match="forbidden"):
        await change(sealing, two.b, kinds.DELETION, said, on=False)
    await change(sealing, two.a, kinds.DELETION, said, on=False)
    restored = await log_of(sealing, two)
    assert restored[0].sealed is not None
    assert restored[0].sealed.sealed == entry.sealed
    assert restored[0].sealed.digest is None
    assert restored[1].id == edit.id
    assert await admin.fetchval("SELECT message_count FROM heads WHERE epoch > 0") == 1


async def test_erased_words_leave_what_the_chain_of_hashes_needs(admin: Admin, sealing: Sealing, two: Pair) -> None:
    """After 30 days the words are gone from the table; the hash of the message can still be computed."""
    said = await say(sealing, two.a)
    await change(sealing, two.a, kinds.EDIT, said)
    await change(sealing, two.b, kinds.REACTION, said)
    before = await log_of(sealing, two)
    await change(sealing, two.a, kinds.DELETION, said)
    await admin.execute("UPDATE entries SET id = id_at(now() - interval '31 days') WHERE kind = 3")
    await admin.execute("UPDATE messages SET deletion_id = (SELECT id FROM entries WHERE kind = 3)")
    assert await actions.erase_deleted(sealing.db) == 1
    rows = await admin.fetch(
        "SELECT sealed, sealed_hash FROM messages UNION ALL SELECT sealed, sealed_hash FROM entries WHERE kind <> 3"
    )
    assert len(rows) == 3  # the message, its edit and the reaction to it
    assert all(row["sealed"] is None and row["sealed_hash"] for row in rows)
    after = [entry for entry in await log_of(sealing, two) if entry.kind != kinds.DELETION]
    for old, now in zip(before, after, strict=True):
        assert old.sealed is not None and now.sealed is not None  # noqa: PT018
        assert (now.sealed.epoch, now.sealed.roster, now.sealed.counter, now.sealed.prev, now.sealed.target) == (
            old.sealed.epoch,
            old.sealed.roster,
            old.sealed.counter,
            old.sealed.prev,
            old.sealed.target,
        )
    with pytest.raises(Refusal, match="gone"):
        await change(sealing, two.a, kinds.DELETION, said, on=False)


async def test_a_change_that_is_repeated_is_done_once(admin: Admin, sealing: Sealing, two: Pair) -> None:
    said = await say(sealing, two.a)
    deletion = two.a.seal(kinds.DELETION, said)
    first = await sealing.seal(two.alice, two.conversation, deletion)
    assert await sealing.seal(two.alice, two.conversation, deletion) == first
    assert await admin.fetchval("SELECT count(*) FROM entries") == 1
    assert len(sealing.live()) == 2


@pytest.mark.parametrize("fields", [{"epoch": 2}, {"counter": 9}, {"envelopes": []}])
async def test_a_change_is_checked_as_a_message_is_and_changes_nothing_when_refused(
    admin: Admin, sealing: Sealing, two: Pair, fields: dict[str, Any]
) -> None:
    said = await say(sealing, two.a)
    with pytest.raises(Refusal, match=r"stale_epoch|chain_broken|missing_devices"):
        await change(sealing, two.a, kinds.DELETION, said, **fields)
    assert await admin.fetchval("SELECT deletion_id FROM messages") is None
    assert await admin.fetchval("SELECT count(*) FROM entries") == 0
    assert len(sealing.live()) == 1


async def test_a_change_waits_for_the_message_before_it(sealing: Sealing, two: Pair) -> None:
    """A message and its edit sent at once: the edit must not come first and break the chain."""
    said = await say(sealing, two.a)
    message = two.a.seal()
    under_way = await actions.enqueue_sealed(sealing.writer, sealing.coverage, two.alice, two.conversation, message)
    reaction = await change(sealing, two.a, kinds.REACTION, said)
    assert (await under_way).position.seq == 2
    assert reaction.seq == 3


async def test_nothing_readable_is_done_in_an_encrypted_conversation(sealing: Sealing, two: Pair) -> None:
    said = await say(sealing, two.a)
    db, caller, here = sealing.db, two.alice, two.conversation
    key, words = ClientMessageId(new_id()), MessageContent("in the clear")
    asked = [
        actions.send(sealing.writer, caller, here, SendMessage(key, words)),
        actions.edit(db, caller, here, said.id, ChangeMessage(key, words)),
        actions.delete(db, caller, here, said.id, key),
        actions.restore(db, caller, here, said.id, key),
        actions.page(db, caller, here, Where(), 10),
        actions.get(db, caller, here, said.id),
        actions.history(db, caller, here, said.id),
    ]
    for one in asked:
        with pytest.raises(Refusal, match="mode_mismatch"):
            await one
    assert len(await log_of(sealing, two)) == 1


async def test_nothing_sealed_is_done_in_a_readable_room(admin: Admin, sealing: Sealing, two: Pair) -> None:
    room = await rooms.room(admin, two.alice)
    said = await actions.send(
        sealing.writer, two.alice, room, SendMessage(ClientMessageId(new_id()), MessageContent("x"))
    )
    sealer = Sealer(two.alice, room, 1, bytes(32), [])
    for entry in (
        sealer.seal(),
        sealer.seal(kinds.EDIT, SealedTarget(said.id, bytes(32))),
        sealer.seal(kinds.SETTINGS),
    ):
        with pytest.raises(Refusal, match="mode_mismatch"):
            await sealing.seal(two.alice, room, entry)


async def test_hiding_is_for_oneself_in_either_kind(admin: Admin, sealing: Sealing, two: Pair) -> None:
    said = await say(sealing, two.a)
    await actions.hide(sealing.db, two.bob, two.conversation, said.id)
    assert await admin.fetchval("SELECT account_id FROM hidden_messages") == two.bob.account
