"""A device that is linked while its owner is in groups: it knows what they are called, and nothing that was said."""

from tests.support.circle import gather
from tests.support.malice import Malice
from tests.support.talk import Company


async def test_a_device_that_is_linked_later_knows_its_groups_by_name(evil: Malice, people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    circle = await gather(evil, people, "friends", alice, bob)
    phone = await people.link(bob)
    for who in (bob, alice):
        await circle.say(who, f"{who.username} greets the phone")
    await phone.hears(f"{bob.username} greets the phone", f"{alice.username} greets the phone")
    for place in ("+friends", circle.target):
        assert f"{alice.username} greets the phone" in {one.text for one in await phone.client.history(place)}
    assert "welcome to friends" not in {one.text for one in await phone.client.history(circle.target)}
    await phone.client.send("+friends", "hello from the phone")
    await alice.hears("hello from the phone")
