"""The server lies about sender keys: whose chain it is, which key belongs to which entry, what was given to whom."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest

from aparte.wire.ids import DeviceId
from aparte.wire.messages import Entry
from aparte.wire.sealed import Envelope
from tests.support.circle import Circle, gather
from tests.support.group_lies import Spoilt, Withheld
from tests.support.lies import Altered, NoPayloads, flipped, sealed
from tests.support.malice import Malice
from tests.support.talk import Company, Talker

change = msgspec.structs.replace


@dataclass
class Trio:
    """A group of three who have not spoken, but for alice's welcome."""

    circle: Circle
    alice: Talker
    bob: Talker
    carol: Talker
    others: list[Talker] = field(default_factory=list)

    async def goes_on(self) -> None:
        """Everybody reads everybody, and nobody is told of anything that was not."""
        for number, who in enumerate((self.alice, self.bob, self.carol)):
            await self.circle.say(who, f"and on it goes, {number}")
            rest = [one for one in (self.alice, self.bob, self.carol) if one is not who]
            await self.circle.heard(rest, f"and on it goes, {number}")


@pytest.fixture
async def trio(evil: Malice, people: Company) -> Trio:
    """The three of them."""
    alice, bob, carol = [await people.newcomer(name) for name in ("alice", "bob", "carol")]
    return Trio(await gather(evil, people, "three", alice, bob, carol), alice, bob, carol)


def waiting(talker: Talker) -> bool:
    """Whether an entry is here whose key is not."""
    return "waiting" in {state for _, state, _ in talker.states()}


# Given, and not handed out --------------------------------------------------------------------------------------------


async def test_a_chain_that_is_withheld_is_asked_for(trio: Trio) -> None:
    with trio.circle.evil.doing(Withheld(trio.carol)):
        await trio.circle.say(trio.bob, "bob's first word")
        await trio.carol.hears("bob's first word")
    assert not trio.carol.named()
    await trio.goes_on()
    assert trio.carol.texts().count("bob's first word") == 1


async def test_while_everything_is_withheld_words_wait_and_are_read_once_it_ends(trio: Trio) -> None:
    with trio.circle.evil.doing(Withheld(trio.carol), NoPayloads(trio.carol)):
        for text in ("one", "two"):
            await trio.circle.say(trio.bob, text)
        await trio.alice.hears("one", "two")
        await trio.carol.comes(lambda: waiting(trio.carol))
        await trio.circle.say(trio.alice, "alice is read meanwhile")
        await trio.carol.hears("alice is read meanwhile")
    assert "one" not in trio.carol.texts()
    await trio.circle.evil.disconnect()
    await trio.carol.hears("one", "two")
    assert sorted(str(text) for text in trio.carol.texts() if text in {"one", "two"}) == ["one", "two"]
    await trio.goes_on()


SPOILT: dict[str, Callable[[Envelope], Envelope]] = {
    "changed": lambda envelope: change(envelope, body=flipped(envelope.body, -20)),
    "empty": lambda envelope: change(envelope, type=0, body=b""),
    "of noise": lambda envelope: change(envelope, type=2, body=b"\x44" + bytes(80)),
}


@pytest.mark.parametrize("how", SPOILT)
async def test_a_chain_that_is_spoilt_on_its_way_is_made_good(trio: Trio, how: str) -> None:
    with trio.circle.evil.doing(Spoilt(trio.carol, SPOILT[how])):
        await trio.circle.say(trio.bob, "bob's first word")
        await trio.alice.hears("bob's first word")
        await trio.carol.hears("bob's first word")
    assert not trio.carol.refused()
    await trio.goes_on()


async def test_an_old_chain_that_comes_again_disturbs_nothing(trio: Trio) -> None:
    [old] = [one for _, given in trio.circle.evil.given for one in given.envelopes if one.device == trio.carol.device]
    with trio.circle.evil.doing(Altered(trio.carol, lambda entry: sealed(entry, envelope=old))):
        await trio.circle.say(trio.alice, "with the first chain beside it")
        await trio.carol.comes(lambda: bool(trio.circle.evil.rules[0].done))
    await trio.carol.hears("with the first chain beside it")
    await trio.goes_on()


# Another's ------------------------------------------------------------------------------------------------------------


async def test_a_chain_of_another_device_opens_nothing(trio: Trio) -> None:
    """With bob's entry comes the chain that alice gave, and with alice's words bob's name."""
    await trio.circle.say(trio.alice, "whose words are these?")
    await trio.circle.heard([trio.bob, trio.carol], "whose words are these?")
    asked = trio.circle.evil.sealed_by(trio.alice.device)[-1]

    def as_bobs(entry: Entry) -> Entry:
        part = {"key": asked.key, "sealed": asked.sealed, "epoch": asked.epoch, "roster": asked.roster}
        return sealed(change(entry, client_message_id=asked.client_message_id), **part)

    with trio.circle.evil.doing(Altered(trio.carol, as_bobs, of(trio.bob.device))):
        await trio.circle.say(trio.bob, "bob says something else")
        await trio.carol.comes(lambda: bool(trio.carol.refused()) or waiting(trio.carol), "neither refused nor waiting")
    said = {message.text: message.sender_id for message in trio.carol.heard}
    assert said["whose words are these?"] == trio.alice.account
    assert trio.carol.texts().count("whose words are these?") == 1
    for text in ("after what carol has not got", "and on it goes"):
        await trio.circle.say(trio.alice, text)
    await trio.carol.hears("and on it goes")


@pytest.mark.parametrize("who", ["another member", "another device"])
async def test_words_in_the_name_of_somebody_else_are_nobodys(trio: Trio, who: str) -> None:
    if who == "another device":
        other = await trio.circle.people.link(trio.bob)
        await trio.circle.say(other, "from bob's other device")
        await trio.carol.hears("from bob's other device")
        name = {"device": other.device}
    else:
        name = {"device": trio.alice.device, "account": trio.alice.account}
    lie = Altered(trio.carol, lambda entry: change(entry, **name), of(trio.bob.device))
    with trio.circle.evil.doing(lie):
        await trio.circle.say(trio.bob, "who said this?")
        await trio.carol.comes(lambda: bool(trio.carol.refused()) or waiting(trio.carol))
    assert "who said this?" not in trio.carol.texts()
    for text in ("it was bob", "and he says it again"):
        await trio.circle.say(trio.bob, text)
    await trio.carol.hears("and he says it again")


BAD_KEYS: dict[str, Callable[[bytes], bytes]] = {
    "changed": lambda key: flipped(key, 60),
    "of another chain": lambda key: key[:30] + b"\x01" + key[31:],
    "of noise": lambda _: b"\x33" + bytes(120),
    "empty": lambda _: b"\x00",
}


@pytest.mark.parametrize("how", BAD_KEYS)
async def test_a_false_key_beside_an_entry_opens_nothing(trio: Trio, how: str) -> None:
    await trio.circle.say(trio.bob, "bob has a chain")
    await trio.carol.hears("bob has a chain")

    def spoilt(entry: Entry) -> Entry:
        assert entry.sealed is not None
        return sealed(entry, key=BAD_KEYS[how](entry.sealed.key or b""))

    with trio.circle.evil.doing(Altered(trio.carol, spoilt, of(trio.bob.device))):
        await trio.circle.say(trio.bob, "with a false key")
        await trio.carol.comes(lambda: bool(trio.circle.evil.rules[0].done))
        await trio.circle.say(trio.alice, "alice is read meanwhile")
        await trio.carol.hears("alice is read meanwhile")
    assert trio.carol.texts().count("with a false key") <= 1
    assert waiting(trio.carol) or trio.carol.refused() or "with a false key" in trio.carol.texts()
    await trio.circle.say(trio.bob, "and on it goes")
    await trio.carol.hears("and on it goes")


async def test_the_key_of_one_entry_does_not_open_another(trio: Trio) -> None:
    await trio.circle.say(trio.bob, "the first")
    await trio.carol.hears("the first")
    first, known = trio.circle.evil.sealed_by(trio.bob.device)[-1], len(trio.carol.states())
    with trio.circle.evil.doing(Altered(trio.carol, lambda e: sealed(e, key=first.key), of(trio.bob.device))):
        await trio.circle.say(trio.bob, "the second")
        await trio.carol.comes(lambda: len(trio.carol.states()) > known)
    assert trio.carol.texts().count("the first") == 1
    await trio.circle.say(trio.bob, "the third")
    await trio.carol.hears("the third")


def of(device: DeviceId) -> Callable[[Entry], bool]:
    """Entries of one device."""
    return lambda entry: entry.device == device
