"""Names of a message over REST: its client id, the header Idempotency-Key, or a random number; each says it once."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.support.people import Device, Problem, World

from aparte.wire import limits


async def post(who: Device, room: str, text: str, *keys: str, **fields: Any) -> Any:
    """Send as a program does that makes no UUIDs; gives what is answered."""
    headers = [("Authorization", f"Bearer {who.tokens['access_token']}"), *(("Idempotency-Key", key) for key in keys)]
    url = f"{who.url}/api/v1/conversations/{room}/messages"
    async with who.http.post(url, json={"content": {"text": text}, **fields}, headers=headers) as response:
        answer = msgspec.json.decode(await response.read())
        if response.status >= 400:
            raise Problem(response.status, answer["code"], answer, dict(response.headers))
        return answer


async def two(world: World) -> tuple[Device, Device, str]:
    """Alice and Bob in a room."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    return alice, bob, room


async def test_a_key_of_the_header_says_it_once_for_this_device_in_this_room(world: World) -> None:
    """B-008, B-015, B-091: keys were shared by all users; a repeat was an error."""
    alice, bob, room = await two(world)
    phone = await world.log_in(alice)
    key = f"order/{uuid4()}"
    first = await post(alice, room, "salut", key)
    assert await post(alice, room, "salut", key) == first
    with pytest.raises(Problem, match="client_id_reused"):
        await post(alice, room, "something else", key)
    other = await post(bob, room, "salut", key)
    assert other["id"] != first["id"]
    elsewhere = await alice.room()
    assert (await post(alice, elsewhere, "salut", key))["conversation"] == elsewhere
    assert await alice.texts(room) == ["salut", "salut"]
    assert phone.id != alice.id


@pytest.mark.parametrize("number", [0, 7, -1, -(2**31), 2**32 - 1])
async def test_a_random_number_does_too_with_or_without_its_sign(world: World, number: int) -> None:
    """B-055: a number of 32 bits that was unique for ever and in all conversations."""
    alice, bob, room = await two(world)
    first = await post(alice, room, "salut", client_random=number)
    assert await post(alice, room, "salut", client_random=number) == first
    assert await post(alice, room, "salut", client_random=number % 2**32) == first
    assert (await post(bob, room, "salut", client_random=number))["id"] != first["id"]
    with pytest.raises(Problem, match="client_id_reused"):
        await post(alice, room, "another", client_random=number)


async def test_a_message_has_one_name(world: World) -> None:
    alice, _, room = await two(world)
    for keys, fields in (
        ((), {}),
        (("a",), {"client_random": 1}),
        ((), {"client_random": 1, "client_message_id": str(uuid4())}),
        (("a",), {"client_message_id": str(uuid4())}),
        (("a", "b"), {}),
        (("",), {}),
        (("k" * (limits.IDEMPOTENCY_KEY + 1),), {}),
        ((), {"client_random": 2**32}),
        ((), {"client_random": -(2**31) - 1}),
    ):
        with pytest.raises(Problem, match="invalid"):
            await post(alice, room, "x", *keys, **fields)
    assert (await post(alice, room, "x", "k" * limits.IDEMPOTENCY_KEY))["seq"] > 0
    assert await alice.texts(room) == ["x"]


async def test_who_sent_and_when_is_not_the_clients_to_say(world: World) -> None:
    """B-063: a message was dated and signed by whoever wrote it."""
    alice, bob, room = await two(world)
    sent = await post(bob, room, "hi", "k", account=alice.account, at="2001-01-01T00:00:00Z", sender_id=alice.account)
    message = await alice.get(f"/conversations/{room}/messages/{sent['id']}")
    assert (message["account"], message["device"]) == (bob.account, bob.id)
    assert message["at"] == sent["at"] > "2026"
