"""Messages that disappear: by the device's own clock, with every word and key, whatever the server says."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.client.conftest import Newcomer
from tests.client.grouped import group_of
from tests.client.linked import by, linking
from tests.client.saying import Clock, everything, one, place_of, say, shown, texts
from tests.client.test_following import take
from tests.support.valkey import until

from aparte.client import Client, ClientError, Place, local_log
from aparte.client.crypto import disappearing, key_requests, upkeep
from aparte.client.opening import session_at
from aparte.client.sending import content_of
from aparte.client.store import content_keys, entries, expiring, outbox, outbox_sealed, sealed
from aparte.client.store.db import Store
from aparte.e2ee.content import TTL_MAX, Text, encode
from aparte.wire import kinds
from aparte.wire.ids import Position
from aparte.wire.messages import Sent

DAY = 86_400
SENDING, READING = ("sending", 5), ("reading", 5)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def two(newcomer: Newcomer, tag: str) -> tuple[Client, Client, str, str]:
    return await newcomer("ann"), await newcomer("bob"), f"@bob-{tag}", f"@ann-{tag}"


def secrets_of(store: Store, sent: Sent) -> list[bytes]:
    """What opens a message, and its sealed bytes."""
    with store.reading() as tx:
        kept = sealed.select_at(tx, sent.conversation, sent.seq)
        assert kept is not None
        keys = [given.key for given in content_keys.select_keys(tx, kept.hash)]
    assert keys
    assert kept.sealed is not None
    return [*keys, kept.sealed]


async def test_a_message_is_there_for_its_seconds_and_then_nothing_of_it(
    newcomer: Newcomer, tag: str, clock: Clock
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    sent = await say(ann, to_bob, "a swift word", ttl=SENDING)
    assert (await one(bob, to_ann, sent)).expires_at == clock.at(5)
    clock.go(4.999)
    for who, target in ((ann, to_bob), (bob, to_ann)):
        assert await texts(who, target) == ["a swift word"]
    hidden = [b"a swift word", *secrets_of(ann._session.store, sent), *secrets_of(bob._session.store, sent)]
    clock.go(0.001)
    for who, target in ((ann, to_bob), (bob, to_ann)):
        assert await texts(who, target) == []
        assert not any(secret in everything(who._session.store) for secret in hidden)
    with pytest.raises(ClientError, match="gone"):
        await one(bob, to_ann, sent)


async def test_who_listens_is_told_how_long_a_message_is_there(newcomer: Newcomer, tag: str, clock: Clock) -> None:
    ann, bob, to_bob, _ = await two(newcomer, tag)
    stream = bob.messages()
    waiting = asyncio.ensure_future(take(stream, 3))
    for ttl in (SENDING, READING, None):
        await say(ann, to_bob, "words", ttl=ttl)
    assert [(message.expires_at, message.lasts) for message in await waiting] == [
        (clock.at(5), None),
        (None, 5),
        (None, None),
    ]


async def test_what_is_over_before_it_was_heard_is_not_heard(newcomer: Newcomer, tag: str, clock: Clock) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    await say(ann, to_bob, "swift", ttl=SENDING)
    await ann.send(to_bob, "stays")
    await shown(bob, to_ann)
    clock.go(5)
    assert [message.text for message in await take(bob.messages(), 1)] == ["stays"]


async def test_the_chain_of_a_device_holds_over_what_has_disappeared(
    newcomer: Newcomer, tag: str, clock: Clock
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    await say(ann, to_bob, "one", ttl=SENDING)
    await shown(bob, to_ann)
    clock.go(5)
    assert await texts(bob, to_ann) == []
    await ann.send(to_bob, "two")
    assert await texts(bob, to_ann) == ["two"]
    assert bob.unreadable() == {}
    assert [notice.code for notice in bob.keys.notices()] == []


async def test_what_counts_from_reading_waits_for_each_device_to_read_it(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str, clock: Clock
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    async with linking(place("phone"), f"bob-{tag}", by(bob)) as phone:
        sent = await say(ann, to_bob, "read me", ttl=READING)
        assert [message.lasts for message in await shown(bob, to_ann)] == [5]
        assert await texts(phone, to_ann) == ["read me"]
        clock.go(DAY)
        assert await texts(ann, to_bob) == []  # its author has read it
        await bob.mark_read(to_ann, sent.id)
        clock.go(4.999)
        await bob.mark_read(to_ann)  # reading it again adds nothing
        assert await texts(bob, to_ann) == ["read me"]
        clock.go(0.001)
        assert await texts(bob, to_ann) == []
        assert await texts(phone, to_ann) == ["read me"]


async def test_what_is_over_while_a_device_is_away_is_gone_when_its_store_is_opened(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str, clock: Clock
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    await say(ann, to_bob, "a swift word", ttl=SENDING)
    assert await texts(bob, to_ann) == ["a swift word"]
    await bob.close()
    clock.go(5)
    assert b"a swift word" in everything(bob._session.store)
    async with session_at(place("bob"), create=False) as session:
        assert b"a swift word" not in everything(session.store)


async def test_time_erases_without_anybody_looking(
    newcomer: Newcomer, tag: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    monkeypatch.setattr(disappearing, "LOOK_SECONDS", 0.01)
    await say(ann, to_bob, "a swift word", ttl=SENDING)
    assert await texts(bob, to_ann) == ["a swift word"]
    assert bob._upkeep is not None
    bob._upkeep.cancel()
    clock.go(5)
    bob._upkeep = asyncio.ensure_future(upkeep.look_after(bob._session))
    await until(lambda: b"a swift word" not in everything(bob._session.store), 10)


async def test_a_process_that_dies_while_it_erases_goes_on_when_it_is_back(
    newcomer: Newcomer, tag: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    for number in range(3):
        await say(ann, to_bob, f"swift {number}", ttl=SENDING)
    await shown(bob, to_ann)
    clock.go(5)
    store, erase = bob._session.store, expiring.erase
    left = [1]

    def dying(*where: object) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        erase(*where)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(expiring, "erase", dying)
        with suppress(KeyboardInterrupt):
            disappearing.sweep(store)
    assert all(f"swift {number}".encode() in everything(store) for number in range(3))
    disappearing.sweep(store)
    assert b"swift" not in everything(store)


async def test_edits_and_reactions_go_with_their_message(newcomer: Newcomer, tag: str, clock: Clock) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    sent = await say(ann, to_bob, "a swift word", ttl=SENDING)
    await ann.edit(to_bob, sent.id, "a swifter word")
    await bob.react(to_ann, sent.id, "🦊")
    answer = await say(bob, to_ann, "really?", reply=sent.id)
    for who, target in ((ann, to_bob), (bob, to_ann)):
        assert await texts(who, target) == ["a swifter word", "really?"]
    clock.go(5)
    for who, target in ((ann, to_bob), (bob, to_ann)):
        assert await texts(who, target) == ["really?"]
        assert not any(word.encode() in everything(who._session.store) for word in ("a swift", "🦊"))
        reply = (await one(who, target, answer)).reply
        assert reply is not None
        assert reply.text is None


async def test_what_comes_too_late_for_a_message_leaves_nothing(newcomer: Newcomer, tag: str, clock: Clock) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    sent = await say(ann, to_bob, "a swift word", ttl=SENDING)
    await shown(bob, to_ann)
    clock.go(5)
    disappearing.sweep(bob._session.store)
    disappearing.sweep(ann._session.store)
    clock.go(-5)  # another device of hers, whose clock is slow
    await ann.edit(to_bob, sent.id, "a late word")
    clock.go(5)
    assert await texts(bob, to_ann) == []
    assert b"a late word" not in everything(bob._session.store)
    assert bob.unreadable() == {}


async def test_a_message_that_comes_when_it_is_over_is_never_shown(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str, clock: Clock
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    await ann.send(to_bob, "stays")
    await bob.close()
    await say(ann, to_bob, "a swift word", ttl=SENDING)
    clock.go(5)
    async with Client.open(place("bob")) as again:
        assert await texts(again, to_ann) == ["stays"]
        assert b"a swift word" not in everything(again._session.store)


async def test_what_was_deleted_disappears_all_the_same(newcomer: Newcomer, tag: str, clock: Clock) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    sent = await say(ann, to_bob, "a swift word", ttl=SENDING)
    assert await texts(bob, to_ann) == ["a swift word"]
    await ann.delete(to_bob, sent.id)
    assert await texts(bob, to_ann) == [None]
    clock.go(5)
    for who, target in ((ann, to_bob), (bob, to_ann)):
        assert await texts(who, target) == []
    with pytest.raises(ClientError, match="gone"):
        await ann.restore(to_bob, sent.id)


async def test_a_restored_message_has_no_more_time_than_it_had(newcomer: Newcomer, tag: str, clock: Clock) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    sent = await say(ann, to_bob, "a swift word", ttl=SENDING)
    await ann.delete(to_bob, sent.id)
    await shown(ann, to_bob)
    clock.go(3)
    await ann.restore(to_bob, sent.id)
    assert await texts(bob, to_ann) == ["a swift word"]
    clock.go(2)
    assert await texts(bob, to_ann) == []
    assert b"a swift word" not in everything(bob._session.store)


async def test_nobody_is_given_the_key_of_what_is_over(newcomer: Newcomer, tag: str, clock: Clock) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    sent = await say(ann, to_bob, "a swift word", ttl=SENDING)
    await shown(bob, to_ann)
    await shown(ann, to_bob)
    store, me = ann._session.store, ann._session.profile.account
    asker = (bob._session.profile.account, bob.device_id)
    with store.reading() as tx:
        reader = local_log.reader_of(tx, me)
        kept = sealed.select_at(tx, sent.conversation, sent.seq)
        assert kept is not None
        assert key_requests._key_for(tx, reader, *asker, kept.hash) is not None
    clock.go(5)
    with store.reading() as tx:
        assert key_requests._key_for(tx, reader, *asker, kept.hash) is None


# How long new messages stay -------------------------------------------------------------------------------------------


async def test_what_two_have_agreed_holds_for_both(newcomer: Newcomer, tag: str, clock: Clock) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    await ann.send(to_bob, "before")
    await ann._changing.set_ttl(to_bob, SENDING)
    await ann.send(to_bob, "hers")
    assert await texts(bob, to_ann) == ["before", "hers"]
    assert await bob._private.ttl(await place_of(bob, to_ann)) == SENDING
    await bob.send(to_ann, "his")
    await say(bob, to_ann, "his own choice", ttl=("sending", DAY))
    clock.go(5)
    assert await texts(ann, to_bob) == ["before", "his own choice"]
    await bob._changing.set_ttl(to_ann, None)
    await shown(ann, to_bob)
    await ann.send(to_bob, "for good")
    clock.go(DAY)
    assert await texts(bob, to_ann) == ["before", "for good"]
    told = [message.event for message in await bob.history(to_ann, events=True) if message.event]
    assert [event.ttl for event in told if event.deed == "settings"] == [SENDING, None]


async def test_in_a_group_admins_say_how_long_messages_stay(newcomer: Newcomer, clock: Clock) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = str(await group_of(ann, bob))
    with pytest.raises(ClientError) as refused:
        await bob._changing.set_ttl(group, SENDING)
    assert refused.value.code == "forbidden"
    await ann._changing.set_ttl(group, SENDING)
    await shown(bob, group)
    await bob.send(group, "swift")
    assert await texts(ann, group) == ["swift"]
    clock.go(5)
    assert await texts(ann, group) == []


@pytest.mark.parametrize(("seconds", "is_right"), [(4, False), (5, True), (TTL_MAX, True), (TTL_MAX + 1, False)])
async def test_limits(newcomer: Newcomer, seconds: int, is_right: bool) -> None:
    ann = await newcomer("ann")
    for beginning in ("sending", "reading"):
        with suppress(ClientError) if is_right else pytest.raises(ClientError) as refused:
            await say(ann, "@me", "words", ttl=(beginning, seconds))
        if not is_right:
            assert refused.value.code == "invalid"
        assert len(await texts(ann, "@me")) == (1 if beginning == "sending" else 2) * is_right


# What was never sent, and what the server can read --------------------------------------------------------------------


async def test_words_that_were_refused_are_not_kept_longer_than_if_they_were_sent(
    newcomer: Newcomer, tag: str, clock: Clock
) -> None:
    ann, _, to_bob, _ = await two(newcomer, tag)
    await ann.send(to_bob, "hello")
    conversation = await place_of(ann, to_bob)
    item = ann._outbox.put_sealed(conversation, _swift(), content_of("a swift word"))
    with ann._session.store.transaction() as tx:
        outbox.update_answered(tx, item, "forbidden", b"{}")
    assert [unsent.text for unsent in ann.unsent()] == ["a swift word"]
    clock.go(4)
    disappearing.sweep(ann._session.store)
    assert len(ann.unsent()) == 1
    clock.go(2)
    disappearing.sweep(ann._session.store)
    assert ann.unsent() == []
    assert b"a swift word" not in everything(ann._session.store)


def _swift() -> outbox_sealed.Unsealed:
    return outbox_sealed.Unsealed(kinds.MESSAGE, encode(Text(at=0, text="a swift word", ttl=SENDING)))


async def test_the_copy_of_a_readable_message_goes_when_the_server_says(
    newcomer: Newcomer, tag: str, clock: Clock
) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    room = await ann.new_room(f"r-{tag}")
    await bob.join(f"#r-{tag}")
    await ann.send(f"#r-{tag}", "something to begin with")
    bob._connect()
    await until(lambda: b"to begin" in everything(bob._session.store), 10)
    with bob._session.store.reading() as tx:
        [entry, *_] = [e for e in entries.select_entries(tx, room.id, 0, 100) if e.kind == kinds.MESSAGE]
        row = tx.row("SELECT cursor_seq FROM conversations WHERE conversation_id = ?", room.id.bytes)
    assert row is not None
    swift = replace(
        entry, seq=row[0] + 1, body={"text": "a swift word"}, expires_at=clock.at(5), at=entry.at + timedelta(seconds=1)
    )
    me = bob._session.profile.account
    assert local_log.append(bob._session.store, me, room.id, [swift]) == Position(swift.seq, swift.id)
    assert b"a swift word" in everything(bob._session.store)
    clock.go(5)
    disappearing.sweep(bob._session.store)
    assert b"a swift word" not in everything(bob._session.store)
    assert b"something to begin with" in everything(bob._session.store)
