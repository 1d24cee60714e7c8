"""What the server denies or has forgotten in private, though it reads nothing: the SDK says why and loses nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.client.conftest import Newcomer
from tests.client.grouped import Admin, account_of, group_of
from tests.client.saying import say, texts

from aparte.client import Client, ClientError, Place
from aparte.client.session import Nothing
from aparte.client.transport.http import Request
from aparte.wire.codec import to_json
from aparte.wire.conversations import Conversation, ConversationChange, MemberUpdate, Silence
from aparte.wire.ids import ConversationId


async def change(who: Client, group: ConversationId, **fields: object) -> None:
    wanted = to_json(ConversationChange(**fields))  # type: ignore[arg-type]
    await who._session.call(Request("PATCH", f"/conversations/{group}", wanted), Conversation)


async def test_who_is_silenced_is_told_until_when_and_speaks_again_afterwards(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    await bob.send(str(group), "one")
    path = f"/conversations/{group}/members/{account_of(bob)}/silence"
    until = datetime.now(UTC) + timedelta(hours=1)
    await ann._session.call(Request("PUT", path, to_json(Silence(until, "enough"))), Nothing)
    with pytest.raises(ClientError) as refused:
        await bob.send(str(group), "two")
    assert refused.value.code == "silenced"
    assert "until" in refused.value.data
    assert bob.unsent() == []
    await ann._session.call(Request("DELETE", path), Nothing)
    await bob.send(str(group), "three")
    assert await texts(ann, str(group)) == ["one", "three"]
    assert bob.keys.notices() == ann.keys.notices() == []


async def test_an_archived_group_is_read_and_not_written_to(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    await ann.send(str(group), "one")
    await change(ann, group, is_archived=True)
    for one in (ann, bob):
        with pytest.raises(ClientError) as refused:
            await one.send(str(group), "two")
        assert refused.value.code == "archived"
    assert await texts(bob, str(group)) == ["one"]
    await change(ann, group, is_archived=False)
    await bob.send(str(group), "three")
    assert await texts(ann, str(group)) == ["one", "three"]


async def test_in_slow_mode_what_is_too_fast_waits_for_its_turn(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    await change(ann, group, slow_mode_seconds=1)
    for text in ("one", "two"):
        await bob.send(str(group), text)
    assert await texts(ann, str(group)) == ["one", "two"]


async def test_who_may_not_post_by_an_override_is_refused_and_their_chain_goes_on(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    await bob.send(str(group), "one")
    path = f"/conversations/{group}/members/{account_of(bob)}"
    for may in (False, True):
        await ann._session.call(Request("PATCH", path, to_json(MemberUpdate(permissions={"post": may}))), Nothing)
        if not may:
            with pytest.raises(ClientError) as refused:
                await bob.send(str(group), "two")
            assert refused.value.code == "forbidden"
    await bob.send(str(group), "three")
    assert await texts(ann, str(group)) == ["one", "three"]


async def test_what_the_server_has_erased_in_time_is_shown_as_gone_and_alarms_nobody(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str, server_admin: Admin
) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    await ann.send(f"@bob-{tag}", "hello")
    assert await texts(bob, f"@ann-{tag}") == ["hello"]
    await bob.close()
    swift = await say(ann, f"@bob-{tag}", "swift", ttl=("sending", 60))
    await ann.edit(f"@bob-{tag}", swift.id, "swifter")
    await ann.send(f"@bob-{tag}", "and on")
    await server_admin.execute(
        "UPDATE messages SET expires_at = now() - interval '1 second' WHERE conversation_id = $1 AND id = $2",
        swift.conversation,
        swift.id,
    )
    async with Client.open(place("bob")) as again:
        shown = await again.history(f"@ann-{tag}")
        assert [(message.text, message.code) for message in shown] == [
            ("hello", None),
            (None, "vanished"),
            ("and on", None),
        ]
        assert again.keys.notices() == []
        assert again.unreadable() == {}
