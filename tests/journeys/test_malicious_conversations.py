# ruff: noqa: ARG002 - a rule names all that it could go by
"""The server says that a private conversation is another kind of thing: nothing is said there, nothing is believed."""

from collections.abc import Callable

import msgspec
import pytest

from aparte.client.errors import ClientError
from aparte.wire import kinds
from aparte.wire.conversations import Conversation
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.messages import Entry
from tests.support.malice import Malice, Rule
from tests.support.talk import Company

change = msgspec.structs.replace


class Disguised(Rule):
    """Says something else of private conversations."""

    def __init__(self, reader: DeviceId, disguise: Callable[[Conversation], Conversation]) -> None:
        """Tell one reader, wherever they ask."""
        self.reader, self.disguise = reader, disguise

    def conversation(self, reader: DeviceId, found: Conversation) -> Conversation:
        """Change it."""
        if reader != self.reader or found.kind not in {"direct", "self"}:
            return found
        self.done += 1
        return self.disguise(found)


DISGUISES = {
    "a readable room": lambda found: change(found, kind="room", encryption_mode="server", name="x", peer=None),
    "readable": lambda found: change(found, encryption_mode="server"),
    "an encrypted room": lambda found: change(found, kind="room", name="x", peer=None),
}


@pytest.mark.parametrize("disguise", DISGUISES)
async def test_nothing_is_said_in_a_disguise(evil: Malice, people: Company, disguise: str) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    for target in (bob.name, "@me"):
        with evil.doing(Disguised(alice.device, DISGUISES[disguise])), pytest.raises(ClientError) as refused:
            await alice.client.send(target, "for bob alone")
        assert refused.value.code in {"unexpected_answer", "unsupported_target"}  # mode_mismatch: it had been said
    assert not evil.seen
    await alice.client.send(bob.name, "for bob alone")
    await bob.hears("for bob alone")


async def test_nothing_is_said_to_somebody_else_in_bobs_place(evil: Malice, people: Company) -> None:
    alice, bob, mallory = [await people.newcomer(name) for name in ("alice", "bob", "mallory")]
    lie = Disguised(alice.device, lambda found: change(found, peer=mallory.account))
    with evil.doing(lie), pytest.raises(ClientError) as refused:
        await alice.client.send(bob.name, "for bob alone")
    assert refused.value.code == "unexpected_answer"
    assert not evil.seen


class Unsealed(Rule):
    """Puts readable words in the place of what was sealed."""

    def __init__(self, reader: DeviceId, kind: int, body: object) -> None:
        """Tell one reader."""
        self.reader, self.kind, self.body = reader, kind, body

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Change what was sealed."""
        return [self._unsealed(entry) if reader == self.reader and entry.sealed else entry for entry in entries]

    def _unsealed(self, entry: Entry) -> Entry:
        self.done += 1
        return change(entry, kind=self.kind, sealed=None, body=self.body)


@pytest.mark.parametrize("kind", [kinds.MESSAGE, kinds.EDIT, kinds.PROFILE])
async def test_words_that_nobody_sealed_are_nobodys(evil: Malice, people: Company, kind: int) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    await alice.client.send(bob.name, "hers")
    await bob.hears("hers")
    body = {"name": "not hers", "topic": "", "description": ""} if kind == kinds.PROFILE else {"text": "not hers"}
    with evil.doing(Unsealed(bob.device, kind, body)):
        await alice.client.send(bob.name, "what she said")
        await bob.comes(lambda: "bad_entry" in bob.told())
    assert bob.texts() == ["hers"]
    assert not any("not hers" in (message.text or "") for message in await bob.client.history(alice.name))
