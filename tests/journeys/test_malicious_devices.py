"""The server lies about devices that come and go: who was taken off reads nothing more and says nothing more."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from aparte.client import Client
from aparte.client.errors import KeyRefused
from aparte.wire.messages import Entry
from tests.support.lies import Altered, Held, InPlaceOf, Stale, Watching, sealed
from tests.support.malice import Malice
from tests.support.talk import PASSWORD, Company, Talker

change = msgspec.structs.replace


@dataclass
class Trio:
    """Alice, and bob with a phone; everybody has spoken."""

    evil: Malice
    alice: Talker
    bob: Talker
    phone: Talker

    async def take_the_phone_off(self) -> None:
        """Bob has lost his phone, and everybody knows."""
        await self.bob.client.keys.revoke(self.phone.device, PASSWORD)
        await self.alice.comes(lambda: "device_removed" in self.alice.told(), "of the lost phone")


@pytest.fixture
async def trio(evil: Malice, people: Company) -> Trio:
    """The three of them."""
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    phone = await people.link(bob)
    await alice.client.send(bob.name, "hello")
    await bob.hears("hello")
    await phone.hears("hello")
    await phone.client.send(alice.name, "hello from the street")
    await alice.hears("hello from the street")
    return Trio(evil, alice, bob, phone)


async def test_envelopes_of_two_devices_that_changed_places_are_made_good(trio: Trio) -> None:
    def of_the_other(entry: Entry) -> Entry:
        asked = [seen.entry for seen in trio.evil.seen if seen.entry.client_message_id == entry.client_message_id]
        [phones] = [envelope for envelope in asked[0].envelopes if envelope.device == trio.phone.device]
        return sealed(entry, envelope=change(phones, device=trio.bob.device))

    with trio.evil.doing(Altered(trio.bob, of_the_other)):
        await trio.alice.client.send(trio.bob.name, "for each their own")
        await trio.bob.hears("for each their own")
        await trio.phone.hears("for each their own")
    assert not trio.bob.refused()


async def test_in_the_name_of_the_other_device_nothing_is_read(trio: Trio) -> None:
    watching = Watching(trio.alice)
    lie = Altered(trio.alice, lambda entry: change(entry, device=trio.phone.device))
    with trio.evil.doing(watching, lie):
        await trio.bob.client.send(trio.alice.name, "who said this?")
        await trio.alice.comes(lambda: trio.alice.states()[-1][1] in {"refused", "waiting"} and bool(lie.done))
    assert "who said this?" not in trio.alice.texts()
    for text in ("it was me", "and I say it again"):
        await trio.bob.client.send(trio.alice.name, text)
    await trio.alice.hears("and I say it again")


async def test_a_roster_of_before_the_removal_stops_sending(trio: Trio) -> None:
    roster = trio.evil.seen[-1].entry.roster
    await trio.take_the_phone_off()
    rule = Stale(trio.alice.device, 1_000, epoch=9, roster=roster.hex())
    with trio.evil.doing(rule), pytest.raises(KeyRefused, match="roster_mismatch"):
        await trio.alice.client.send(trio.bob.name, "not for the thief", deadline=20)
    envelopes = [envelope for entry in trio.evil.sealed_by(trio.alice.device)[1:] for envelope in entry.envelopes]
    assert trio.phone.device not in {envelope.device for envelope in envelopes}


async def test_a_device_that_was_taken_off_gets_nothing_more(trio: Trio) -> None:
    await trio.take_the_phone_off()
    await trio.alice.client.send(trio.bob.name, "just the two of us")
    await trio.bob.hears("just the two of us")
    last = trio.evil.sealed_by(trio.alice.device)[-1]
    assert {envelope.device for envelope in last.envelopes} == {trio.bob.device}
    assert "just the two of us" not in trio.phone.texts()


@pytest.mark.parametrize("of_now", [False, True])
async def test_an_entry_of_a_device_that_was_taken_off_is_refused(trio: Trio, of_now: bool) -> None:
    kept, watching = Held(trio.phone), Watching(trio.alice)
    with trio.evil.doing(kept):
        await trio.phone.client.send(trio.alice.name, "kept by the server")
        await trio.alice.hears("kept by the server")
    await trio.take_the_phone_off()
    with trio.evil.doing(watching):
        await trio.bob.client.send(trio.alice.name, "it is stolen")
        await trio.alice.hears("it is stolen")
    [(seq, like)] = watching.found.items()
    slipped = change(kept.as_entry(like, trio.alice), account=trio.bob.account, device=trio.phone.device)
    if of_now:
        slipped = sealed(slipped, **of(like))
    with trio.evil.doing(InPlaceOf(trio.alice, {seq + 1: slipped})):
        await trio.bob.client.send(trio.alice.name, "in its place comes something else")
        wanted = "wrong_sender" if of_now else "epoch_back"
        await trio.alice.comes(lambda: wanted in trio.alice.refused(), f"no {wanted}")
    assert trio.alice.texts().count("kept by the server") == 1


def of(entry: Entry) -> dict[str, Any]:
    """The epoch and roster of an entry."""
    assert entry.sealed is not None
    return {"epoch": entry.sealed.epoch, "roster": entry.sealed.roster}


async def test_a_hidden_removal_is_found_out_at_the_next_entry_of_who_does_not_know(trio: Trio) -> None:
    await trio.alice.leave()
    await trio.bob.client.keys.revoke(trio.phone.device, PASSWORD)
    kept, watching = Held(trio.alice), Watching(trio.bob)
    async with Client.open(trio.alice.place) as unknowing:  # it does not listen: what it sends is all it does
        with trio.evil.doing(kept, watching):
            await unknowing.send(trio.bob.name, "does he still have it?")
            await trio.bob.hears("does he still have it?")
    assert kept.kept is not None
    assert trio.phone.device in {envelope.device for envelope in kept.kept.envelopes}, "alice knew"
    seq, like = max(watching.found.items())
    await trio.alice.come_back()
    with trio.evil.doing(InPlaceOf(trio.bob, {seq + 1: kept.as_entry(like, trio.bob)})):
        await trio.alice.client.send(trio.bob.name, "another word")
        await trio.bob.comes(lambda: bool({"epoch_back", "roster_mismatch"} & trio.bob.refused()))
