# ruff: noqa: ARG002 - a rule names all that it could go by
"""The server lies about payloads, about whose words are whose, and about where logs end: nothing comes of it."""

from collections.abc import Callable
from uuid import uuid4

import msgspec
import pytest

from aparte.wire.ids import ConversationId, DeviceId, PayloadId
from aparte.wire.keys import Payload, PayloadPage
from aparte.wire.messages import Entry
from aparte.wire.sealed import Sealed
from tests.support.lies import Altered, flipped, sealed
from tests.support.malice import Malice, Rule
from tests.support.talk import Company, Talker

change = msgspec.structs.replace


class FalsePayloads(Rule):
    """Shows a device other payloads than wait for it."""

    def __init__(self, reader: Talker, shown: Callable[[Payload], list[Payload]]) -> None:
        """Show something else for each."""
        self.reader, self.shown = reader.device, shown

    def payloads(self, reader: DeviceId, page: PayloadPage) -> PayloadPage:
        """Show it."""
        if reader != self.reader:
            return page
        self.done += len(page.payloads)
        return change(page, payloads=[one for payload in page.payloads for one in self.shown(payload)])


class FalseEnd(Rule):
    """Says that a log reaches further than it does, or less far."""

    def __init__(self, by: int) -> None:
        """Be wrong by so much."""
        self.by = by

    def seq(self, reader: DeviceId, conversation: ConversationId, seq: int) -> int:
        """Say so."""
        self.done += 1
        return max(1, seq + self.by)


def again(payload: Payload) -> list[Payload]:
    """The same under another id."""
    return [payload, change(payload, id=PayloadId(uuid4()))]


USELESS: dict[str, Callable[[Payload], list[Payload]]] = {
    "changed": lambda payload: [change(payload, body=flipped(payload.body, -20))],
    "in the name of somebody else": lambda payload: [change(payload, device=DeviceId(uuid4()))],
    "of version 3": lambda payload: [change(payload, type=3, body=b"\x34" + payload.body[1:])],
    "of noise": lambda payload: [change(payload, body=b"\x44" + bytes(60))],
}


async def spoil_an_envelope(evil: Malice, alice: Talker, bob: Talker) -> None:
    """Let bob ask alice for a key."""
    with evil.doing(Altered(bob, lambda entry: sealed(entry, envelope=None))):
        await alice.client.send(bob.name, "whose key is asked for")
        await bob.comes(lambda: any(state == "waiting" for _, state, _ in bob.states()) or "whose" in str(bob.texts()))


@pytest.mark.parametrize("lie", USELESS)
async def test_a_false_payload_gives_no_key_and_disturbs_nothing(evil: Malice, people: Company, lie: str) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    await alice.client.send(bob.name, "hello")
    await bob.hears("hello")
    with evil.doing(FalsePayloads(bob, USELESS[lie])):
        await spoil_an_envelope(evil, alice, bob)
        await bob.comes(lambda: bool(evil.rules[0].done))
        await alice.client.send(bob.name, "and on it goes")
        await bob.hears("and on it goes")
    assert "whose key is asked for" not in bob.texts()
    assert not bob.refused()


async def test_a_payload_that_comes_again_is_used_once(evil: Malice, people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    await alice.client.send(bob.name, "hello")
    await bob.hears("hello")
    with evil.doing(FalsePayloads(bob, again)):
        await spoil_an_envelope(evil, alice, bob)
        await bob.hears("whose key is asked for")
    await alice.client.send(bob.name, "and on it goes")
    await bob.hears("and on it goes")
    assert bob.texts().count("whose key is asked for") == 1
    assert not bob.refused()


async def test_words_for_somebody_else_do_not_appear_among_ones_notes(evil: Malice, people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    phone = await people.link(alice)
    await alice.client.send(bob.name, "for bob")
    await phone.hears("for bob")
    asked = evil.sealed_by(alice.device)[-1]
    [envelope] = [envelope for envelope in asked.envelopes if envelope.device == phone.device]

    def redirected(entry: Entry) -> Entry:
        part = Sealed(asked.epoch, asked.roster, asked.counter, asked.prev, None, asked.sealed, None, envelope)
        return change(entry, client_message_id=asked.client_message_id, sealed=part)

    with evil.doing(Altered(phone, redirected)):
        await alice.client.send("@me", "for myself")
        await phone.comes(lambda: {"refused", "waiting"} & {state for _, state, _ in phone.states()} != set())
    assert phone.texts("@me") == []
    assert phone.texts().count("for bob") == 1


@pytest.mark.parametrize("by", [-2, 3])
async def test_a_false_end_of_a_log_hides_nothing_for_long(evil: Malice, people: Company, by: int) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    await alice.client.send(bob.name, "hello")
    await bob.hears("hello")
    await bob.leave()
    await alice.client.send(bob.name, "while you were away")
    with evil.doing(FalseEnd(by)):
        await bob.come_back()
        await bob.comes(lambda: bool(evil.rules[0].done))
        await alice.client.send(bob.name, "good that you are back")
        await bob.hears("while you were away", "good that you are back")
    assert not bob.named()
