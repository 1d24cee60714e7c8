"""Who passes history on may lie, and so may the server: alone neither gets anything past the newcomer.

Together they can put words into somebody's mouth, marked as passed on, until that person speaks: then they are out.
"""

import os
from dataclasses import replace

import pytest

from aparte.client.api import objects
from aparte.client.crypto import bundles, key_requests, mailbox, passed_on, pins
from aparte.client.model import Message
from aparte.e2ee import entry as entry_seal
from aparte.e2ee import grant
from aparte.e2ee.content import Text, encode
from aparte.e2ee.entry import ZERO_HASH, Head
from aparte.e2ee.grant import Triple
from aparte.e2ee.payload import PassedOn
from aparte.e2ee.primitives import sha256
from aparte.wire import kinds
from aparte.wire.ids import ConversationId, ObjectId, new_id
from aparte.wire.messages import Entry, EntryPage
from tests.support.circle import Circle, gather
from tests.support.lies import Altered, InPlaceOf, flipped, sealed
from tests.support.malice import Malice
from tests.support.talk import Company, Talker


@pytest.fixture
async def three(evil: Malice, people: Company) -> Circle:
    """Alice, bob and mallory; bob has spoken. Carol, who comes later, has been told the group's name."""
    members = [await people.newcomer(name) for name in ("alice", "bob", "mallory")]
    circle = await gather(evil, people, "three", *members)
    alice, bob, mallory = members
    await alice.client.groups.change_policy(circle.target, history=True)
    for number in range(3):
        await circle.say(bob, f"bob {number}")
    await circle.heard([alice, mallory], "bob 2")
    return circle


async def join(circle: Circle) -> Talker:
    """Alice adds carol, without history."""
    carol = await circle.people.newcomer("carol")
    await circle.add(circle.members[0], carol)
    await carol.comes(lambda: "open" in {state for _, state, _ in carol.states()})
    return carol


async def log(circle: Circle) -> list[Entry]:
    """The whole log, in truth."""
    return (await circle.evil.ask(circle.members[0].device, f"/conversations/{circle.id}/entries", EntryPage)).entries


async def said_by(circle: Circle, who: Talker) -> list[Entry]:
    """Somebody's messages, in truth."""
    return [entry for entry in await log(circle) if entry.kind == kinds.MESSAGE and entry.device == who.device]


def key_of(who: Talker, digest: bytes) -> bytes:
    """The key of an entry that somebody can read."""
    with who.client._session.store.reading() as tx:
        row = tx.row("SELECT content_key FROM content_keys WHERE hash = ?", digest)
    assert row is not None
    return bytes(row[0])


def head_of(circle: Circle, entry: Entry) -> Head:
    """The head of an entry."""
    found = entry.sealed
    assert found is not None
    assert entry.device is not None
    assert entry.client_message_id is not None
    ids = (circle.id.bytes, entry.account.bytes, entry.device.bytes)
    counted = (found.epoch, found.roster, found.counter, entry.client_message_id.bytes, found.prev)
    return Head(entry.kind, *ids, *counted, found.target or ZERO_HASH)


def triple_of(circle: Circle, who: Talker, entry: Entry) -> Triple:
    """What an honest member passes on of an entry."""
    assert entry.sealed is not None
    assert entry.sealed.sealed is not None
    digest = entry_seal.entry_hash(head_of(circle, entry), sha256(entry.sealed.sealed))
    return Triple(entry.seq, key_of(who, digest), digest)


def count(who: Talker, table: str) -> int:
    """Count the rows of a table of somebody's store."""
    with who.client._session.store.reading() as tx:
        row = tx.row(f"SELECT count(*) FROM {table}")  # noqa: S608 - named in this file
    assert row is not None
    return int(row[0])


async def pass_on(circle: Circle, by: Talker, to: Talker, *what: PassedOn) -> list[Message]:
    """Pass something on as if it were right to; gives what is shown when everything of it was looked at."""
    session, seen = by.client._session, count(to, "payloads_seen")
    await pins.refresh(session, [to.account])
    with session.store.reading() as tx:
        pin = pins.pinned(tx, to.account)
    assert pin is not None
    await bundles.begin_sessions(session, [(to.account, listed) for listed in pin.list.devices])
    with session.store.transaction() as tx:
        for one in what:
            for listed in pin.list.devices:
                key_requests.put(tx, to.account, listed, one)
    await mailbox.send_out(session)
    await to.comes(lambda: count(to, "payloads_seen") >= seen + len(what))
    await to.comes(lambda: count(to, "passed_offers") == 0)
    return await to.client.history(circle.target)


def inline(conversation: ConversationId, *triples: Triple) -> PassedOn:
    """Entries with their keys, as they travel."""
    return PassedOn(conversation=conversation.bytes, triples=grant.pack(triples))


def shown(messages: list[Message]) -> list[tuple[str | None, str | None]]:
    """What messages say, and who vouches for them."""
    return [(message.text, message.passed_by) for message in messages]


async def test_a_key_that_does_not_open_it_opens_nothing(three: Circle) -> None:
    _, bob, mallory = three.members
    carol = await join(three)
    first, second, third = [triple_of(three, mallory, entry) for entry in await said_by(three, bob)]
    false = [
        replace(first, key=os.urandom(32)),
        replace(second, hash=os.urandom(32)),
        replace(third, number=first.number + 100),
    ]
    assert shown(await pass_on(three, mallory, carol, inline(three.id, *false))) == []
    assert carol.told() == {"bad_entry"}
    found = await pass_on(three, mallory, carol, inline(three.id, first, second, third))
    assert shown(found) == [(f"bob {number}", mallory.username) for number in range(3)]


async def test_a_hash_leads_to_no_other_place(three: Circle) -> None:
    _, bob, mallory = three.members
    carol = await join(three)
    said = await said_by(three, bob)
    first = triple_of(three, mallory, said[0])
    await pass_on(three, mallory, carol, inline(three.id, first))
    second = await triple_at(three, mallory, said[0], said[1])
    with three.evil.doing(InPlaceOf(carol, {said[1].seq: said[0]})):
        found = await pass_on(three, mallory, carol, inline(three.id, second))
    assert shown(found) == [("bob 0", mallory.username)]
    assert carol.told() == {"replayed"}


async def triple_at(circle: Circle, who: Talker, entry: Entry, place: Entry) -> Triple:
    """An entry's triple with the number of another place."""
    return replace(triple_of(circle, who, entry), number=place.seq)


@pytest.mark.parametrize("field", ["sealed", "epoch", "counter", "prev", "roster"])
async def test_the_server_alone_changes_nothing(three: Circle, field: str) -> None:
    _, bob, mallory = three.members
    carol = await join(three)
    [first, *_] = await said_by(three, bob)

    def alter(entry: Entry) -> Entry:
        assert entry.sealed is not None
        old = getattr(entry.sealed, field)
        return sealed(entry, **{field: old + 1 if isinstance(old, int) else flipped(old)})

    with three.evil.doing(Altered(carol, alter, lambda entry: entry.seq == first.seq)):
        found = await pass_on(three, mallory, carol, inline(three.id, triple_of(three, mallory, first)))
    assert shown(found) == []
    assert carol.told() == {"bad_entry"}


@pytest.mark.parametrize("deed", ["other bytes", "other key", "no container", "gone"])
async def test_an_object_is_what_was_left_or_nothing(three: Circle, deed: str) -> None:
    _, bob, mallory = three.members
    carol = await join(three)
    [first, *_] = await said_by(three, bob)
    key, name = os.urandom(32), ObjectId(new_id())
    data = grant.seal(key, [triple_of(three, mallory, first)], os.urandom)
    data = os.urandom(200) if deed == "no container" else data
    if deed != "gone":
        await objects.put(mallory.client._session, three.id, name, data)
    named = sha256(data if deed != "other bytes" else b"others")
    what = PassedOn(
        conversation=three.id.bytes,
        object=name.bytes,
        key=os.urandom(32) if deed == "other key" else key,
        sha256=named,
    )
    assert shown(await pass_on(three, mallory, carol, what)) == []
    assert carol.told() == (set() if deed == "gone" else {"bad_entry"})


async def test_who_is_not_a_member_passes_nothing_on(three: Circle) -> None:
    alice, bob, mallory = three.members
    carol = await join(three)
    [first, *_] = await said_by(three, bob)
    triple = triple_of(three, mallory, first)
    await carol.client.send(mallory.name, "we can still talk")
    await mallory.hears("we can still talk")
    await three.remove(alice, mallory)
    await three.say(alice, "mallory is out")
    await carol.hears("mallory is out")
    assert shown(await pass_on(three, mallory, carol, inline(three.id, triple))) == [("mallory is out", None)]
    assert carol.told() == set()


async def test_nothing_is_passed_on_of_conversations_that_are_no_groups(three: Circle) -> None:
    _, _, mallory = three.members
    carol = await join(three)
    await carol.client.send(mallory.name, "for mallory")
    await mallory.hears("for mallory")
    conversation = carol.conversation_with(mallory.account)
    triple = Triple(1, os.urandom(32), os.urandom(32))
    await pass_on(three, mallory, carol, inline(conversation, triple))
    assert [one.text for one in await carol.client.history(mallory.name)] == ["for mallory"]
    assert carol.told() == set()


async def test_what_was_sealed_for_us_is_not_opened_by_the_word_of_others(three: Circle) -> None:
    """An entry of one's own time whose key was withheld waits for it from its own device."""
    _, bob, mallory = three.members
    carol = await join(three)
    await three.say(bob, "to carol too")
    await carol.hears("to carol too")
    await mallory.hears("to carol too")
    [entry] = (await said_by(three, bob))[-1:]
    await bob.leave()  # whose device would give the key if it was asked
    with carol.client._session.store.transaction() as tx:
        tx.run("UPDATE sealed SET state = 'waiting' WHERE seq = ?", entry.seq)
        tx.run("DELETE FROM content_keys")
    await pass_on(three, mallory, carol, inline(three.id, triple_of(three, mallory, entry)))
    with carol.client._session.store.reading() as tx:
        assert tx.rows("SELECT state, passed_by FROM sealed WHERE seq = ?", entry.seq) == [("waiting", None)]


async def test_both_together_put_words_into_bob_s_mouth_until_he_speaks(three: Circle) -> None:
    _, bob, mallory = three.members
    carol = await join(three)
    said = await said_by(three, bob)
    key = os.urandom(32)
    body = entry_seal.seal(head_of(three, said[-1]), encode(Text(at=1, text="I like mallory")), key)
    false = sealed(said[-1], sealed=body)
    true = [triple_of(three, mallory, entry) for entry in said[:-1]]
    forged = Triple(false.seq, key, entry_seal.entry_hash(head_of(three, false), sha256(body)))
    with three.evil.doing(InPlaceOf(carol, {false.seq: false})):
        found = await pass_on(three, mallory, carol, inline(three.id, *true, forged))
    assert shown(found) == [
        ("bob 0", mallory.username),
        ("bob 1", mallory.username),
        ("I like mallory", mallory.username),
    ]
    await three.say(bob, "what have I said?")
    await carol.hears("what have I said?")
    found = await carol.client.history(three.target)
    assert [(one.text, one.kind, one.code) for one in found if one.seq == false.seq] == [
        (None, "refused", "entry_forked")
    ]
    assert shown(found)[-1] == ("what have I said?", None)
    assert carol.told() == {"entry_forked"}
    [(about,)] = told_about(carol, "entry_forked")
    assert about == mallory.account.bytes, "bob is to blame for nothing"


def told_about(who: Talker, code: str) -> list[tuple[bytes, ...]]:
    """Whom a notice is about."""
    with who.client._session.store.reading() as tx:
        return tx.rows("SELECT account_id FROM notices WHERE code = ?", code)


async def test_what_was_forged_does_not_stand_in_the_way_of_what_comes(three: Circle) -> None:
    """A forged entry, and an `after` that names it: nothing that carol gets herself is held against it."""
    alice, bob, mallory = three.members
    carol = await join(three)
    said = await said_by(three, bob)
    key = os.urandom(32)
    body = entry_seal.seal(head_of(three, said[-1]), encode(Text(at=1, text="forged")), key)
    false = sealed(said[-1], sealed=body)
    forged = Triple(false.seq, key, entry_seal.entry_hash(head_of(three, false), sha256(body)))
    with three.evil.doing(InPlaceOf(carol, {false.seq: false})):
        await pass_on(three, mallory, carol, inline(three.id, forged))
    for who in (alice, carol, bob, alice):
        await three.say(who, f"{who.username} goes on")
        await three.heard([one for one in (alice, bob, carol) if one is not who], f"{who.username} goes on")
    assert carol.refused() == {"entry_forked", "passed_over"}
    assert alice.named() == bob.named() == set()


async def test_only_so_much_of_one_person_s_waits(three: Circle) -> None:
    _, bob, mallory = three.members
    carol = await join(three)
    with carol.client._session.store.transaction() as tx:
        for _ in range(passed_on.OFFERS + 5):
            triple = Triple(1, os.urandom(32), os.urandom(32))
            passed_on.take(tx, inline(three.id, triple), mallory.account, mallory.device)
        passed_on.take(tx, inline(three.id, triple), bob.account, bob.device)
        rows = tx.rows("SELECT account_id, count(*) FROM passed_offers GROUP BY account_id")
    assert dict(rows) == {mallory.account.bytes: passed_on.OFFERS, bob.account.bytes: 1}
