"""The server lies about what was said: each lie is refused or noticed by its name, and what comes after is read.

`tests/support/malice.py` stands between the devices and an honest server; `tests/support/lies.py` are the lies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import msgspec
import pytest

from aparte.client.errors import ClientError, KeyRefused
from aparte.e2ee.primitives import sha256
from aparte.wire import kinds
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.messages import Entry
from aparte.wire.sealed import Envelope
from tests.support.lies import (
    Altered,
    Held,
    InPlaceOf,
    NoPayloads,
    Stale,
    Swapped,
    Watching,
    Without,
    flipped,
    hash_of,
    sealed,
)
from tests.support.malice import Malice
from tests.support.talk import Company, Talker

change = msgspec.structs.replace


# Entries on their way to a reader -------------------------------------------------------------------------------------


@dataclass
class Talk:
    """Alice and bob, who have spoken once each way."""

    evil: Malice
    people: Company
    alice: Talker
    bob: Talker

    @property
    def conversation(self) -> ConversationId:
        """Theirs."""
        return self.bob.conversation_with(self.alice.account)

    async def say(self, text: str) -> None:
        """Alice says something."""
        await self.alice.client.send(self.bob.name, text)

    async def is_refused(self, *codes: str) -> None:
        """Bob refuses an entry by one of these names."""
        await self.bob.comes(lambda: bool(set(codes) & self.bob.named()), f"none of {codes}")

    async def goes_on(self) -> None:
        """What comes after is read, but for what says that it comes after the entry that bob has not got."""
        await self.say("after what was never there")
        await self.say("and on it goes")
        await self.bob.hears("and on it goes")


@pytest.fixture
async def talk(evil: Malice, people: Company) -> Talk:
    """Alice and bob, who have spoken."""
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    await alice.client.send(bob.name, "hello")
    await bob.hears("hello")
    await bob.client.send(alice.name, "hello yourself")
    await alice.hears("hello yourself")
    return Talk(evil, people, alice, bob)


BAD_HEADS: dict[str, Callable[[Entry], Entry]] = {
    "a byte of the sealed words": lambda e: sealed(e, sealed=flipped(e.sealed.sealed if e.sealed else b"")),
    "the kind": lambda e: change(e, kind=kinds.SETTINGS),
    "the counter": lambda e: sealed(e, counter=e.sealed.counter + 5 if e.sealed else 0),
    "the entry before": lambda e: sealed(e, prev=bytes(32)),
    "the client's id": lambda e: change(e, client_message_id=uuid4()),
    "the target": lambda e: sealed(e, target=b"\1" * 32),
}


@pytest.mark.parametrize("what", BAD_HEADS)
async def test_an_entry_that_was_changed_is_refused(talk: Talk, what: str) -> None:
    with talk.evil.doing(Altered(talk.bob, BAD_HEADS[what])):
        await talk.say("changed on its way")
        await talk.is_refused("bad_entry")
    assert "changed on its way" not in talk.bob.texts()
    await talk.goes_on()


async def test_an_entry_in_the_name_of_somebody_else_is_refused(talk: Talk) -> None:
    rule = Altered(talk.bob, lambda e: change(e, account=talk.bob.account, device=talk.bob.device))
    with talk.evil.doing(rule):
        await talk.say("did bob say this?")
        await talk.is_refused("wrong_sender", "bad_entry", "entry_forked")
    assert "did bob say this?" not in talk.bob.texts()
    await talk.goes_on()


async def test_an_entry_of_a_device_that_is_in_no_list_is_refused(talk: Talk) -> None:
    with talk.evil.doing(Altered(talk.bob, lambda e: change(e, device=DeviceId(uuid4())))):
        await talk.say("who says this?")
        await talk.is_refused("wrong_sender")
    assert "who says this?" not in talk.bob.texts()
    await talk.goes_on()


@pytest.mark.parametrize("epoch", [-1, 1])
async def test_a_false_epoch_is_refused(talk: Talk, epoch: int) -> None:
    def lied(entry: Entry) -> Entry:
        return sealed(entry, epoch=entry.sealed.epoch + epoch if entry.sealed else 0)

    with talk.evil.doing(Altered(talk.bob, lied)):
        await talk.say("in another time")
        await talk.is_refused("bad_entry", "epoch_back", "roster_mismatch", "wrong_sender")
    assert "in another time" not in talk.bob.texts()
    await talk.goes_on()


async def test_a_false_roster_is_refused(talk: Talk) -> None:
    with talk.evil.doing(Altered(talk.bob, lambda e: sealed(e, roster=b"\2" * 32))):
        await talk.say("among others")
        await talk.is_refused("bad_entry", "roster_mismatch")
    assert "among others" not in talk.bob.texts()
    await talk.goes_on()


# What a server can do with the order of things ------------------------------------------------------------------------


async def test_an_entry_that_is_left_out_leaves_a_gap_that_is_told(talk: Talk) -> None:
    with talk.evil.doing(Without(talk.bob, 1)):
        for text in ("left out", "after it"):
            await talk.say(text)
        await talk.is_refused("gap")
    assert "left out" not in talk.bob.texts()


async def test_words_that_the_server_says_were_deleted_are_told_to_be_missing(talk: Talk) -> None:
    def emptied(entry: Entry) -> Entry:
        words = entry.sealed.sealed if entry.sealed else None
        return sealed(entry, sealed=None, digest=sha256(words or b""), envelope=None)

    with talk.evil.doing(Altered(talk.bob, emptied)):
        await talk.say("kept from bob")
        await talk.is_refused("removed")
    assert "kept from bob" not in talk.bob.texts()
    await talk.say("and on it goes")
    await talk.bob.hears("and on it goes")


async def test_words_that_were_deleted_by_their_author_are_told_by_nobody(talk: Talk) -> None:
    phone = await talk.people.link(talk.bob)
    await phone.leave()
    sent = await talk.alice.client.send(talk.bob.name, "taken back")
    await talk.alice.client.delete(talk.bob.name, sent.id)
    await phone.come_back()
    await talk.say("and on it goes")
    await phone.hears("and on it goes")
    assert "removed" not in phone.named()
    assert "taken back" not in phone.texts()


async def test_two_entries_of_one_device_that_changed_places_are_noticed(talk: Talk) -> None:
    await talk.bob.leave()
    await talk.say("one")
    await talk.say("two")
    with talk.evil.doing(Swapped(talk.bob)):
        await talk.bob.come_back()
        await talk.is_refused("gap", "entry_forked", "reordered")
    await talk.goes_on()


async def test_an_answer_before_its_question_is_refused(talk: Talk) -> None:
    phone = await talk.people.link(talk.alice)
    await phone.leave()
    await talk.say("a question")
    await talk.bob.hears("a question")
    await talk.bob.client.send(talk.alice.name, "an answer")
    await talk.alice.hears("an answer")
    with talk.evil.doing(Swapped(phone)):
        await phone.come_back()
        await phone.comes(lambda: "reordered" in phone.refused())
    assert "an answer" not in phone.texts()


async def test_an_entry_again_at_another_place_is_a_replay(talk: Talk) -> None:
    watching = Watching(talk.bob)
    with talk.evil.doing(watching):
        await talk.say("once only")
        await talk.bob.hears("once only")
    [seq] = watching.found
    with talk.evil.doing(InPlaceOf(talk.bob, {seq + 1: watching.found[seq]})):
        await talk.say("replaced by a repetition")
        await talk.is_refused("replayed")
    assert talk.bob.texts().count("once only") == 1
    await talk.goes_on()


async def test_two_entries_of_one_counter_are_a_fork(talk: Talk) -> None:
    held, watching = Held(talk.alice), Watching(talk.bob)
    with talk.evil.doing(held, watching):
        await talk.say("sealed twice")
        await talk.bob.hears("sealed twice")
    [seq] = watching.found
    with talk.evil.doing(InPlaceOf(talk.bob, {seq + 1: held.as_entry(watching.found[seq], talk.bob)})):
        await talk.say("replaced by the first sealing")
        await talk.is_refused("entry_forked")
    assert talk.bob.texts().count("sealed twice") == 1
    await talk.goes_on()


async def test_an_endless_tale_of_stale_epochs_ends(talk: Talk) -> None:
    before = len(talk.evil.seen)
    rule = Stale(talk.alice.device, 1_000)
    with talk.evil.doing(rule), pytest.raises(ClientError):
        await talk.alice.client.send(talk.bob.name, "never", deadline=20)
    assert rule.done < 20, "a server can keep a device busy for ever"
    assert len(talk.evil.seen) == before


def of_nobody(entry: Entry) -> Entry:
    """Name a roster that no lists make."""
    return sealed(entry, roster=b"\2" * 32)


async def test_while_somebody_seals_for_another_roster_nothing_is_said_to_them(talk: Talk) -> None:
    with talk.evil.doing(Altered(talk.bob, of_nobody)):
        await talk.say("among others")
        await talk.is_refused("roster_mismatch")
    with pytest.raises(KeyRefused, match="roster_mismatch"):
        await talk.bob.client.send(talk.alice.name, "who else reads this?")
    await talk.goes_on()
    await talk.bob.client.send(talk.alice.name, "only the two of us again")
    await talk.alice.hears("only the two of us again")


async def test_who_has_compared_numbers_writes_on_after_a_false_roster(talk: Talk) -> None:
    with talk.evil.doing(Altered(talk.bob, of_nobody)):
        await talk.say("among others")
        await talk.is_refused("roster_mismatch")
    number = await talk.bob.client.keys.safety_number(talk.alice.name)
    await talk.bob.client.keys.verify(talk.alice.name, number)
    await talk.bob.client.send(talk.alice.name, "we have compared")
    await talk.alice.hears("we have compared")


async def test_a_roster_that_does_not_follow_from_the_lists_stops_sending(talk: Talk) -> None:
    rule = Stale(talk.alice.device, 1_000, epoch=9, roster="03" * 32)
    with talk.evil.doing(rule), pytest.raises(KeyRefused, match="roster_mismatch"):
        await talk.alice.client.send(talk.bob.name, "never", deadline=20)
    assert "never" not in talk.bob.texts()


# Envelopes: what a device cannot open it asks for, and blames nobody --------------------------------------------------


def other_envelope(entry: Entry, envelope: Envelope | None) -> Entry:
    """Put another envelope on an entry."""
    return sealed(entry, envelope=envelope)


BAD_ENVELOPES: dict[str, Callable[[Envelope], Envelope | None]] = {
    "none at all": lambda _: None,
    "a byte changed": lambda e: change(e, body=flipped(e.body, -20)),
    "another type": lambda e: change(e, type=3 if e.type == 2 else 2),
    "version 3": lambda e: change(e, type=3, body=b"\x34" + e.body[1:]),
    "cut short": lambda e: change(e, body=e.body[:40]),
    "empty": lambda e: change(e, type=0, body=b""),
}


@pytest.mark.parametrize("what", BAD_ENVELOPES)
async def test_a_spoilt_envelope_is_made_good_by_its_sender(talk: Talk, what: str) -> None:
    def spoil(entry: Entry) -> Entry:
        assert entry.sealed is not None
        assert entry.sealed.envelope is not None
        return sealed(entry, envelope=BAD_ENVELOPES[what](entry.sealed.envelope))

    with talk.evil.doing(Altered(talk.bob, spoil)):
        await talk.say("asked for again")
        await talk.bob.hears("asked for again")
    assert not talk.bob.refused(), "somebody is blamed for what the server did"
    await talk.goes_on()


async def test_words_said_while_an_envelope_is_missing_do_not_wait_for_it(talk: Talk) -> None:
    talk.evil.rules.append(Altered(talk.bob, lambda e: sealed(e, envelope=None)))
    talk.evil.rules.append(NoPayloads(talk.bob))
    await talk.say("late")
    await talk.say("in time")
    await talk.bob.hears("in time")
    assert ("waiting", None) in [(state, code) for _, state, code in talk.bob.states()]
    talk.evil.rules.clear()
    await talk.evil.disconnect()
    await talk.bob.hears("late")


# Reactions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_hash", [True, False])
async def test_a_reaction_cannot_be_moved_to_other_words(talk: Talk, with_hash: bool) -> None:
    watching = Watching(talk.bob)
    with talk.evil.doing(watching):
        await talk.say("agreed to")
        await talk.say("never agreed to")
        await talk.bob.hears("agreed to", "never agreed to")
    one, two = (entry for _, entry in sorted(watching.found.items()))
    [asked] = [seen.entry for seen in talk.evil.seen if seen.entry.client_message_id == two.client_message_id]

    def moved(entry: Entry) -> Entry:
        assert entry.target is not None
        entry = change(entry, target=change(entry.target, seq=two.seq, id=two.id))
        return sealed(entry, target=hash_of(two, talk.conversation, asked)) if with_hash else entry

    with talk.evil.doing(Altered(talk.bob, moved, lambda e: e.kind == kinds.REACTION)):
        await talk.alice.client.react(talk.bob.name, one.id, "👍")
        await talk.bob.comes(lambda: len(talk.bob.states()) == 5)
    assert talk.bob.refused() == ({"bad_entry"} if with_hash else set())
    shown = {message.text: list(message.reactions) for message in await talk.bob.client.history(talk.alice.name)}
    assert shown["never agreed to"] == []
    assert shown["agreed to"] == ([] if with_hash else ["👍"])
    await talk.goes_on()


async def test_nothing_was_seen_that_was_not_asked_for(talk: Talk) -> None:
    """The proxy changes nothing by itself: without a lie, everything is read and nobody is told of anything."""
    for text in ("one", "two"):
        await talk.say(text)
    await talk.bob.hears("one", "two")
    assert not talk.bob.named()
    assert not talk.alice.named()
    assert all(seen.status < 300 for seen in talk.evil.seen)
