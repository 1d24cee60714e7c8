"""Against a whole server: every message reaches every profile once, whatever happens to sockets, servers, processes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.client.conftest import PASSWORD, Newcomer
from tests.client.linked import by, linking
from tests.support.server import Aparte

from aparte.client import Client, ClientError, Credentials, Message, MessageStream, NotSignedIn, Place, Sent
from aparte.client.store import profile
from aparte.client.transport.http import Request
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent
from aparte.wire.ids import ClientMessageId
from aparte.wire.messages import SendMessage

Places = Callable[[str], Place]


async def take(stream: MessageStream, count: int, seconds: float = 20) -> list[Message]:
    async with asyncio.timeout(seconds):
        return [await anext(stream) for _ in range(count)]


async def nothing_more(stream: MessageStream) -> None:
    with pytest.raises(TimeoutError):
        await take(stream, 1, 1.2)


async def room_of_two(newcomer: Newcomer, tag: str) -> tuple[Client, Client, str]:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    room = await ann.new_room(f"salon-{tag}")
    await bob.join(room.title)
    return ann, bob, room.title


async def test_a_message_is_heard_live_with_its_sender(newcomer: Newcomer, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    stream = ann.messages()
    waiting = asyncio.ensure_future(take(stream, 1))
    sent = await bob.send(room, "salut")
    [message] = await waiting
    assert (message.text, message.sender, message.conversation) == ("salut", f"bob-{tag}", room)
    assert (message.seq, message.id, message.kind) == (sent.seq, sent.id, "message")
    assert message.device == bob.device_id


async def test_each_message_is_heard_once_over_many_listens(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    await ann.close()
    heard: list[str | None] = []
    for round_ in range(4):
        for number in range(3):
            await bob.send(room, f"{round_}.{number}")
        async with Client.open(place("ann")) as again:
            heard += [message.text for message in await take(again.messages(), 2 if round_ < 3 else 6)]
    assert heard == [f"{round_}.{number}" for round_ in range(4) for number in range(3)]


async def test_one_hears_ones_other_devices_and_not_oneself(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    async with linking(place("ann-phone"), f"ann-{tag}", by(ann)) as phone:
        await ann.send(room, "from the desk")
        await phone.send(room, "from the phone")
        await bob.send(room, "from bob")
        assert [m.text for m in await take(ann.messages(), 2)] == ["from the phone", "from bob"]
        assert [m.text for m in await take(phone.messages(), 2)] == ["from the desk", "from bob"]


async def test_a_new_device_hears_what_is_said_from_its_login_on(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    await bob.send(room, "before")
    async with linking(place("ann-phone"), f"ann-{tag}", by(ann)) as phone:
        await bob.send(room, "after")
        assert [m.text for m in await take(phone.messages(), 1)] == ["after"]
        assert [m.text for m in await phone.history(room)] == ["before", "after"]


async def test_long_absence_is_caught_up_in_order(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    await take_nothing(ann)
    await ann.close()
    seqs = await send_at_once(bob, room, 1_200)
    async with Client.open(place("ann")) as again:
        assert [m.seq for m in await take(again.messages(), 1_200, 60)] == seqs


async def send_at_once(client: Client, room: str, count: int) -> list[int]:
    """Send many messages in no order, past the outbox, so that the server writes them together; gives their seqs."""
    conversation = await client._rooms.resolve(room)

    async def post(number: int) -> int:
        body = to_json(SendMessage(ClientMessageId(uuid4()), MessageContent(str(number))))
        return (await client._session.call(Request("POST", f"/conversations/{conversation}/messages", body), Sent)).seq

    return sorted(await asyncio.gather(*map(post, range(count))))


async def take_nothing(client: Client) -> None:
    with pytest.raises(TimeoutError):
        await take(client.messages(), 1, 0.5)


async def test_a_catch_up_that_is_cut_goes_on_where_it_was(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    await ann.close()
    seqs = await send_at_once(bob, room, 700)
    heard: list[int] = []
    for _ in range(5):
        async with Client.open(place("ann")) as again:
            heard += [m.seq for m in await take(again.messages(), 140)]
    assert heard == seqs


async def test_what_was_changed_meanwhile_is_heard_as_it_is(newcomer: Newcomer, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    first, second = await bob.send(room, "frist"), await bob.send(room, "regretted")
    third = await bob.send(room, "hidden by ann")
    await bob.edit(room, first.id, "first")
    await bob.delete(room, second.id)
    await ann.delete(room, third.id, for_me=True)
    await bob.send(room, "last")
    stream = ann.messages()
    assert [m.text for m in await take(stream, 2)] == ["first", "last"]
    await nothing_more(stream)


async def test_a_room_joined_on_another_device_is_heard_at_once(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    other = await bob.new_room(f"autre-{tag}")
    stream = ann.messages()
    waiting = asyncio.ensure_future(take(stream, 2))
    await bob.send(room, "one")
    async with linking(place("ann-phone"), f"ann-{tag}", by(ann)) as phone:
        await phone.join(other.title)
    await asyncio.sleep(0.5)
    await bob.send(other.title, "two")
    assert [(m.conversation, m.text) for m in await waiting] == [(room, "one"), (other.title, "two")]
    assert f"membership:{other.id}" in ann.account_state()


async def test_a_room_that_was_left_is_silent_and_speaks_again_after_a_return(newcomer: Newcomer, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    stream = bob.messages()
    await ann.send(room, "one")
    assert [m.text for m in await take(stream, 1)] == ["one"]
    await bob.leave(room)
    await ann.send(room, "unheard")
    with pytest.raises(ClientError) as caught:
        await bob.send(room, "nobody hears me")
    assert caught.value.code == "not_member"
    await bob.join(room)
    await ann.send(room, "two")
    assert [m.text for m in await take(stream, 1)] == ["two"]


async def test_names_lead_to_where_they_lead_now(newcomer: Newcomer, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    await bob.send(room, "old name")
    await ann.change_room(room, name=f"renamed-{tag}")
    other = await ann.new_room(f"salon-{tag}")
    bob._rooms._checked.clear()
    with pytest.raises(ClientError) as caught:
        await bob.send(other.title, "to whom?")
    assert caught.value.code == "not_member"
    await bob.send(f"#RENAMED-{tag}", "new name")
    assert [m.text for m in await ann.history(f"#renamed-{tag}")] == ["old name", "new name"]


async def test_a_second_stream_of_a_profile_waits_and_goes_on(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    first = ann.messages()
    await bob.send(room, "one")
    assert [m.text for m in await take(first, 1)] == ["one"]
    async with Client.open(place("ann")) as other:
        second = other.messages()
        waiting = asyncio.ensure_future(take(second, 2))
        await bob.send(room, "two")
        assert [m.text for m in await take(first, 1)] == ["two"]
        assert second.is_waiting
        await bob.send(room, "three")
        await ann.close()
        await bob.send(room, "four")
        assert [m.text for m in await waiting] == ["three", "four"]


async def test_a_follower_reads_what_the_process_with_the_gateway_stores(
    newcomer: Newcomer, place: Places, tag: str
) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    ann._connect()
    await ann._gateway.connected.wait()
    async with Client.open(place("ann")) as other:
        stream = other.messages()
        await bob.send(room, "through the other's line")
        assert [m.text for m in await take(stream, 1)] == ["through the other's line"]
        assert not other._gateway.connected.is_set()


async def test_a_server_that_is_killed_is_waited_for(server: Aparte, newcomer: Newcomer, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    stream = ann.messages()
    await bob.send(room, "before")
    assert [m.text for m in await take(stream, 1)] == ["before"]
    waiting = asyncio.ensure_future(take(stream, 20, 60))
    sending = asyncio.ensure_future(collect(bob, room))
    await asyncio.sleep(0.05)
    server.kill("aparte.server")
    await sending
    assert [m.text for m in await waiting] == [str(number) for number in range(20)]


async def collect(client: Client, room: str) -> None:
    async for _ in client.send_many(room, map(str, range(20))):
        await asyncio.sleep(0.01)


async def test_an_unheard_message_is_heard_again_after_a_failure(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    await ann.close()
    await bob.send(room, "one")
    await bob.send(room, "two")
    with pytest.raises(ZeroDivisionError):
        await fail_after_two(place("ann"))
    async with Client.open(place("ann")) as client:
        assert [m.text for m in await take(client.messages(), 1)] == ["two"]


async def fail_after_two(place: Place) -> None:
    async with Client.open(place) as client:
        await take(client.messages(), 2)
        raise ZeroDivisionError


async def test_tokens_are_renewed_once_for_all_who_need_them(newcomer: Newcomer, place: Places) -> None:
    ann = await newcomer("ann")
    async with Client.open(place("ann")) as other:
        end_access(ann)
        accounts = await asyncio.gather(*(client.who_am_i() for client in (ann, other) * 5))
    assert len({account.id for account in accounts}) == 1


def end_access(client: Client) -> None:
    """Let the access token be over by the profile's own clock."""
    with client._session.store.transaction() as tx:
        tx.run("UPDATE tokens SET access_expires_at = ?", int((datetime.now(UTC) - timedelta(1)).timestamp() * 1000))


async def test_a_refused_access_token_is_renewed(newcomer: Newcomer) -> None:
    ann = await newcomer("ann")
    with ann._session.store.transaction() as tx:
        tx.run("UPDATE tokens SET access_token = 'x' || substr(access_token, 2)")
    assert (await ann.who_am_i()).username.startswith("ann")


async def test_a_device_that_was_removed_is_not_signed_in_any_more(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann = await newcomer("ann")
    async with linking(place("ann-phone"), f"ann-{tag}", by(ann)) as phone:
        stream = phone.messages()
        waiting = asyncio.ensure_future(take(stream, 1, 60))
        await asyncio.wait_for(phone._gateway.connected.wait(), 10)
        await ann.remove_device(phone.device_id)
        with pytest.raises(NotSignedIn):
            await waiting
    with pytest.raises(NotSignedIn):
        async with Client.open(place("ann-phone")):
            pass


async def test_a_profile_keeps_its_device_over_logout_and_login(newcomer: Newcomer, place: Places, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    device = ann.device_id
    await ann.log_out()
    with pytest.raises(NotSignedIn):
        await ann.who_am_i()
    await bob.send(room, "while you were out")
    async with Client.log_in(place("ann"), Credentials(f"ann-{tag}", PASSWORD)) as again:
        assert again.device_id == device
        assert [m.text for m in await take(again.messages(), 1)] == ["while you were out"]


async def test_a_profile_is_one_accounts_alone(newcomer: Newcomer, place: Places, tag: str) -> None:
    await newcomer("ann")
    await newcomer("bob")
    with pytest.raises(ClientError) as caught:
        async with Client.log_in(place("ann"), Credentials(f"bob-{tag}", PASSWORD)):
            pass
    assert caught.value.code == "profile_in_use"
    async with Client.open(place("ann")) as ann:
        assert (await ann.who_am_i()).username == f"ann-{tag}"


async def test_registering_again_after_a_lost_answer_is_the_same_account(
    place: Places, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, email = Credentials(f"ann-{tag}", PASSWORD), f"ann-{tag}@example.org"
    lost = ClientError("unexpected_answer", "lost on the way")

    async def lose(*_: object) -> None:
        raise lost

    with monkeypatch.context() as patched:
        patched.setattr(profile, "upsert_tokens", lambda *_: (_ for _ in ()).throw(lost))
        with pytest.raises(ClientError):
            async with Client.register(place("ann"), who, email=email):
                pass
    async with Client.register(place("ann"), who, email=email) as ann:
        assert (await ann.who_am_i()).username == f"ann-{tag}"


async def test_a_wrong_password_is_not_signed_in(newcomer: Newcomer, place: Places, tag: str) -> None:
    await newcomer("ann")
    with pytest.raises(NotSignedIn) as caught:
        async with Client.log_in(place("other"), Credentials(f"ann-{tag}", "not this one")):
            pass
    assert caught.value.code == "bad_credentials"


async def test_roles_and_removal(newcomer: Newcomer, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    await ann.change_role(room, f"bob-{tag}", "moderator")
    assert {m.username: m.role for m in await ann.members(room)} == {f"ann-{tag}": "owner", f"bob-{tag}": "moderator"}
    await ann.remove_member(room, f"@bob-{tag}")
    assert [m.username for m in await ann.members(room)] == [f"ann-{tag}"]
    assert await bob.rooms() == []


async def test_read_marks_count_down_what_is_unread(newcomer: Newcomer, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    await bob.send(room, "one")
    last = await bob.send(room, "two")
    assert [found.unread for found in await ann.rooms()] == [2]
    await ann.mark_read(room, last.id)
    assert [found.unread for found in await ann.rooms()] == [0]


async def test_what_is_stored_is_acknowledged(newcomer: Newcomer, tag: str) -> None:
    ann, bob, room = await room_of_two(newcomer, tag)
    sent = await bob.send(room, "salut")
    await take(ann.messages(), 1)
    path = f"/conversations/{sent.conversation}/messages/{sent.id}/receipts"
    async with asyncio.timeout(10):
        while b"delivered_at" not in await bob._session.fetch(Request("GET", path)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)
