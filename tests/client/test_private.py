"""Two people and their devices talk in private against a whole server: everybody reads all of it, once and in order."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.client.conftest import Newcomer
from tests.client.linked import by, linking
from tests.client.test_following import nothing_more, take

from aparte.client import Client, ClientError, KeyRefused, Message, Place
from aparte.client.crypto import own, sealing, upkeep

Places = Callable[[str], Place]


def texts(found: list[Message]) -> list[str | None]:
    return [message.text for message in found]


async def two(newcomer: Newcomer) -> tuple[Client, Client]:
    return await newcomer("ann"), await newcomer("bob")


async def test_a_message_is_read_by_whom_it_is_for(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    stream = bob.messages()
    waiting = asyncio.ensure_future(take(stream, 1))
    sent = await ann.send(f"@bob-{tag}", "salut")
    [message] = await waiting
    assert (message.text, message.sender, message.conversation) == ("salut", f"ann-{tag}", f"@ann-{tag}")
    assert (message.id, message.seq, message.device) == (sent.id, sent.seq, ann.device_id)


async def test_a_conversation_goes_both_ways_in_order(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    for number in range(5):
        await ann.send(f"@bob-{tag}", f"ann {number}")
        await bob.send(f"@ann-{tag}", f"bob {number}")
    heard = await take(ann.messages(), 5)
    assert [message.text for message in heard] == [f"bob {number}" for number in range(5)]
    assert [message.text for message in await take(bob.messages(), 5)] == [f"ann {number}" for number in range(5)]
    both = [f"{who} {number}" for number in range(5) for who in ("ann", "bob")]
    assert [message.text for message in await ann.history(f"@bob-{tag}")] == both
    assert [message.text for message in await bob.history(f"@ann-{tag}")] == both
    assert ann.unreadable() == bob.unreadable() == {}


@asynccontextmanager
async def phone_of(client: Client, place: Places, name: str, tag: str) -> AsyncIterator[Client]:
    """A second device of somebody."""
    async with linking(place(f"{name}-phone"), f"{name}-{tag}", by(client)) as phone:
        yield phone


async def test_every_device_of_both_reads_and_each_hears_its_others(
    newcomer: Newcomer, place: Places, tag: str
) -> None:
    ann, bob = await two(newcomer)
    await ann.send(f"@bob-{tag}", "before the phone")
    async with phone_of(ann, place, "ann", tag) as phone:
        await ann.send(f"@bob-{tag}", "from the desk")
        await phone.send(f"@bob-{tag}", "from the phone")
        await bob.send(f"@ann-{tag}", "from bob")
        streams = ann.messages(), phone.messages(), bob.messages()
        heard = [await take(stream, count) for stream, count in zip(streams, (2, 2, 3), strict=True)]
    assert [texts(one) for one in heard] == [
        ["from the phone", "from bob"],
        ["from the desk", "from bob"],
        ["before the phone", "from the desk", "from the phone"],
    ]
    assert {message.conversation for message in heard[0] + heard[1]} == {f"@bob-{tag}"}
    assert heard[1][0].sender == f"ann-{tag}"


async def test_notes_to_oneself_reach_ones_other_devices(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann = await newcomer("ann")
    async with phone_of(ann, place, "ann", tag) as phone:
        await ann.send("@me", "milk")
        [note] = await take(phone.messages(), 1)
        assert (note.text, note.conversation, note.sender) == ("milk", "@me", f"ann-{tag}")
        assert texts(await ann.history("@me")) == ["milk"]


async def test_a_device_that_left_reads_nothing_more(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob = await two(newcomer)
    async with phone_of(ann, place, "ann", tag) as phone:
        await bob.send(f"@ann-{tag}", "to both")
        assert texts(await take(phone.messages(), 1)) == ["to both"]
        await ann.keys.revoke(phone.device_id, None)
        await bob.send(f"@ann-{tag}", "to one")
        await ann.send(f"@bob-{tag}", "heard")
    assert texts(await take(ann.messages(), 2)) == ["to both", "to one"]
    assert texts(await take(bob.messages(), 1)) == ["heard"]


async def test_messages_are_changed_deleted_restored_and_reacted_to(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    to_bob, to_ann = f"@bob-{tag}", f"@ann-{tag}"
    sent = await ann.send(to_bob, "helo")
    await ann.edit(to_bob, sent.id, "hello")
    await bob.react(to_ann, sent.id, "👍")
    await bob.react(to_ann, sent.id, "🎉")
    await bob.react(to_ann, sent.id, "🎉", on=False)
    for client, target in ((ann, to_bob), (bob, to_ann)):
        [message] = await client.history(target)
        assert (message.text, message.edit_count) == ("hello", 1)
        assert message.reactions == {"👍": (f"bob-{tag}",)}
    with pytest.raises(ClientError) as caught:
        await bob.delete(to_ann, sent.id)
    assert caught.value.code == "forbidden"
    await ann.delete(to_bob, sent.id)
    for client, target in ((ann, to_bob), (bob, to_ann)):
        [message] = await client.history(target)
        assert message.text is None
        assert message.deleted_at is not None
    await ann.restore(to_bob, sent.id)
    [message] = await bob.history(to_ann)
    assert message.text == "hello"
    stream = bob.messages()
    assert texts(await take(stream, 1)) == ["hello"]
    await nothing_more(stream)


async def test_what_was_read_ahead_is_sent_in_order(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    sent = [one.seq async for one in ann.send_many(f"@bob-{tag}", (str(number) for number in range(40)))]
    assert sent == sorted(sent)
    assert texts(await take(bob.messages(), 40)) == [str(number) for number in range(40)]


async def test_several_processes_of_a_profile_send_in_one_chain(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob = await two(newcomer)

    async def say(client: Client, name: str) -> None:
        for number in range(6):
            await client.send(f"@bob-{tag}", f"{name} {number}")

    async with Client.open(place("ann")) as again:
        await asyncio.gather(say(ann, "one"), say(again, "two"))
    heard = texts(await take(bob.messages(), 12))
    for name in ("one", "two"):
        assert [text for text in heard if text and text.startswith(name)] == [f"{name} {n}" for n in range(6)]
    assert bob.unreadable() == {}


async def test_both_may_write_first_at_once(newcomer: Newcomer, tag: str) -> None:
    """Two sessions cross; both hold, and every message is read."""
    ann, bob = await two(newcomer)
    await asyncio.gather(
        *(ann.send(f"@bob-{tag}", f"a{n}") for n in range(3)), *(bob.send(f"@ann-{tag}", f"b{n}") for n in range(3))
    )
    assert sorted(map(str, texts(await take(bob.messages(), 3)))) == ["a0", "a1", "a2"]
    assert sorted(map(str, texts(await take(ann.messages(), 3)))) == ["b0", "b1", "b2"]
    assert ann.unreadable() == bob.unreadable() == {}


async def test_an_old_copy_of_a_profile_stops_for_good(
    newcomer: Newcomer, place: Places, tag: str, tmp_path: Path
) -> None:
    """Keys of a session used twice would be worse than a message that is not sent."""
    ann, bob = await two(newcomer)
    await ann.send(f"@bob-{tag}", "one")
    await ann.close()
    ann._session.store.settle()
    shutil.copytree(tmp_path / "ann", tmp_path / "old")
    async with Client.open(place("ann")) as again:
        await again.send(f"@bob-{tag}", "two")
    async with Client.open(place("old")) as old:
        for _ in range(2):
            with pytest.raises(KeyRefused) as caught:
                await old.send(f"@bob-{tag}", "three")
            assert caught.value.code == "state_rolled_back"
    assert texts(await take(bob.messages(), 2)) == ["one", "two"]


async def test_what_waits_for_its_key_is_handed_out_when_it_opens(newcomer: Newcomer, tag: str) -> None:
    """A device that lost its sessions asks for keys; what came after was not held up meanwhile."""
    ann, bob = await two(newcomer)
    await bob.send(f"@ann-{tag}", "hello")
    await ann.send(f"@bob-{tag}", "read")
    assert texts(await take(bob.messages(), 1)) == ["read"]
    with bob._session.store.transaction() as tx:
        tx.run("DELETE FROM sessions")
    sent = [await ann.send(f"@bob-{tag}", text) for text in ("lost at first", "and this")]
    listening = ann.messages()
    assert texts(await take(listening, 1)) == ["hello"]
    assert bob._stream is not None
    heard = await take(bob._stream, 2, 40)
    assert sorted(map(str, texts(heard))) == ["and this", "lost at first"]
    assert {message.id for message in heard} == {one.id for one in sent}
    assert bob.unreadable() == {}
    assert texts(await bob.history(f"@ann-{tag}")) == ["hello", "read", "lost at first", "and this"]


async def test_words_that_need_a_newer_aparte_are_kept_and_what_follows_them_is_read(
    newcomer: Newcomer, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await two(newcomer)
    await ann.send(f"@bob-{tag}", "one")
    with monkeypatch.context() as newer:
        newer.setattr(sealing.contents, "encode", lambda _content: msgspec.msgpack.encode({"v": 2, "hologram": b"two"}))
        await ann.send(f"@bob-{tag}", "two")
    await ann.send(f"@bob-{tag}", "three")
    shown = await bob.history(f"@ann-{tag}")
    assert [(message.text, message.code) for message in shown] == [
        ("one", None),
        (None, "needs_newer"),
        ("three", None),
    ]
    assert [notice.code for notice in bob.keys.notices()] == ["needs_newer"]


async def test_what_was_deleted_can_be_restored_for_thirty_days(newcomer: Newcomer, tag: str) -> None:
    ann, _ = await two(newcomer)
    kept, gone = [await ann.send(f"@bob-{tag}", text) for text in ("kept", "gone")]
    await ann.edit(f"@bob-{tag}", gone.id, "gone, and edited")
    await ann.delete(f"@bob-{tag}", gone.id)
    await ann.history(f"@bob-{tag}")
    day = upkeep.DAY_MS
    upkeep.forget(ann._session, own.now_ms() + 29 * day)
    await ann.restore(f"@bob-{tag}", gone.id)
    await ann.delete(f"@bob-{tag}", gone.id)
    await ann.history(f"@bob-{tag}")
    upkeep.forget(ann._session, own.now_ms() + 31 * day)
    with pytest.raises(ClientError, match="gone"):
        await ann.restore(f"@bob-{tag}", gone.id)
    assert texts(await ann.history(f"@bob-{tag}"))[0] == "kept"
    assert kept.seq == 1
