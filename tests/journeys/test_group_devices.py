"""Devices of people in groups: what one that comes later knows, and what happens when one is lost."""

import pytest

from aparte.client.crypto import verifying
from aparte.client.errors import KeyRefused
from tests.support.circle import gather, is_in, name_of
from tests.support.malice import Malice
from tests.support.talk import PASSWORD, Company


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


async def test_so_does_a_device_of_somebody_who_was_told_the_name_by_others(evil: Malice, people: Company) -> None:
    alice, bob, carol = [await people.newcomer(name) for name in ("alice", "bob", "carol")]
    circle = await gather(evil, people, "friends", alice, bob)
    await circle.add(alice, carol)
    await carol.comes(lambda: name_of(carol, circle.id) == "friends")
    phone = await people.link(carol)
    await circle.say(carol, "greetings to the phone")
    await phone.hears("greetings to the phone")
    await phone.comes(lambda: name_of(phone, circle.id) == "friends")


async def test_so_does_one_that_was_linked_while_its_owner_was_out(evil: Malice, people: Company) -> None:
    alice, bob, carol = [await people.newcomer(name) for name in ("alice", "bob", "carol")]
    circle = await gather(evil, people, "friends", alice, bob)
    await circle.add(alice, carol)
    await carol.comes(lambda: name_of(carol, circle.id) == "friends")
    await circle.remove(alice, carol)
    await carol.comes(lambda: not is_in(carol, circle.id))
    phone = await people.link(carol)
    await circle.add(alice, carol)
    await phone.comes(lambda: name_of(phone, circle.id) == "friends")


async def test_another_key_of_somebody_verified_stops_speaking_in_a_group_until_it_is_accepted(
    evil: Malice, people: Company
) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    circle = await gather(evil, people, "friends", alice, bob)
    await circle.say(bob, "hello")
    await alice.hears("hello")
    phone = await people.link(bob)
    with alice.client._session.store.transaction() as tx:
        verifying.accept(tx, bob.account)
    await bob.client.keys.revoke(phone.device, PASSWORD)
    await alice.comes(lambda: "device_removed" in alice.told())
    with pytest.raises(KeyRefused, match="key_changed"):
        await circle.say(alice, "is that bob?")
    with alice.client._session.store.transaction() as tx:
        verifying.accept(tx, bob.account)
    await circle.say(alice, "it is bob")
    await bob.hears("it is bob")
