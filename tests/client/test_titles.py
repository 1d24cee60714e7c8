"""How a list of conversations names them: a person by their name, oneself as one's own notes."""

from tests.client.conftest import Newcomer

from aparte.client import Client


async def titles(me: Client) -> set[str]:
    return {room.title for room in await me.conversations()}


async def test_a_list_names_people_and_ones_own_notes(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    await ann.send(f"@bob-{tag}", "hello")
    await ann.send("@me", "a note")
    assert await titles(ann) >= {f"@bob-{tag}", "@me"}
    assert f"@ann-{tag}" in await titles(bob)
    assert (await bob.room(f"@ann-{tag}")).title == f"@ann-{tag}"
