"""What stands beside sealed messages proves nothing: a server that drops, changes or moves it changes nothing here.

And what the server refuses although it cannot read it: what may go later waits, what may not is gone with its reason.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests.client.saying import Clock, everything, one, place_of, say, shown, texts
from tests.support.malice import Malice, Refused, Rule, malicious
from tests.support.server import Aparte
from tests.support.talk import Company, Talker, company

from aparte.client import ClientError, TimeOver, local_log
from aparte.client.crypto import disappearing, membership
from aparte.client.store import content_keys, entries, sealed
from aparte.e2ee.primitives import sha256
from aparte.wire import kinds
from aparte.wire.ids import ConversationId, DeviceId, Position
from aparte.wire.messages import Entry
from aparte.wire.sealed import Sealed, SealEntry

change = msgspec.structs.replace
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SWIFT = ("sending", 5)


@pytest.fixture
async def evil(server: Aparte) -> AsyncIterator[Malice]:
    async with malicious(server.url) as here:
        yield here


@pytest.fixture
async def people(evil: Malice, tmp_path: Path) -> AsyncIterator[Company]:
    async with company(tmp_path, evil.url) as here:
        yield here


async def two(people: Company) -> tuple[Talker, Talker]:
    return await people.newcomer("ann"), await people.newcomer("bob")


class Hints(Rule):
    """Changes what stands beside sealed entries on their way to the server."""

    def __init__(self, **fields: object) -> None:
        """Put these in place of the device's."""
        self.fields = fields

    def seal(self, sender: DeviceId, conversation: ConversationId, entry: SealEntry) -> SealEntry:
        """Change them."""
        del sender, conversation
        self.done += 1
        return change(entry, **self.fields)


class Retold(Rule):
    """Changes how entries of one kind are told to a device."""

    def __init__(self, reader: DeviceId, **fields: object) -> None:
        """Put these in place of the log's; those of `sealed` by `sealed_…`."""
        self.reader, self.fields = reader, fields

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Change them."""
        del conversation
        return [self._told(entry) if reader == self.reader and entry.sealed else entry for entry in entries]

    def _told(self, entry: Entry) -> Entry:
        self.done += 1
        inner = {name.removeprefix("sealed_"): value for name, value in self.fields.items() if "sealed_" in name}
        outer = {name: value for name, value in self.fields.items() if "sealed_" not in name}
        return change(entry, sealed=change(entry.sealed, **inner), **outer) if entry.sealed else entry


class Withheld(Rule):
    """Tells a device that every message has disappeared, and keeps its bytes."""

    def __init__(self, reader: DeviceId) -> None:
        """Tell one reader."""
        self.reader = reader

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Keep them."""
        del conversation
        return [self._emptied(entry) if reader == self.reader else entry for entry in entries]

    def _emptied(self, entry: Entry) -> Entry:
        if entry.sealed is None or entry.sealed.sealed is None:
            return entry
        self.done += 1
        rest = change(entry.sealed, sealed=None, digest=sha256(entry.sealed.sealed))
        return change(entry, expires_at=LONG_AGO, sealed=rest)


async def test_who_is_mentioned_finds_it_though_the_server_was_told_of_nobody(evil: Malice, people: Company) -> None:
    ann, bob = await two(people)
    await say(ann.client, bob.name, "for bob", mentions=(bob.account,))
    assert evil.sealed_by(ann.device)[-1].mentions == [bob.account]
    with evil.doing(Hints(mentions=[])):
        await say(ann.client, bob.name, "for bob alone", mentions=(bob.account,))
    await bob.hears("for bob", "for bob alone")
    assert [message.text for message in await bob.client._history.mentioning(10)] == ["for bob alone", "for bob"]


@pytest.mark.parametrize("lie", [None, 28 * 86_400])
async def test_a_message_ends_when_its_sender_said_whatever_the_server_was_told(
    evil: Malice, people: Company, monkeypatch: pytest.MonkeyPatch, lie: int | None
) -> None:
    ann, bob = await two(people)
    clock = Clock(monkeypatch)
    with evil.doing(Hints(ttl=lie), Retold(bob.device, expires_at=LONG_AGO + timedelta(days=9_999))):
        sent = await say(ann.client, bob.name, "swift", ttl=SWIFT)
        await bob.hears("swift")
    assert evil.sealed_by(ann.device)[-1].ttl == lie
    assert (await one(bob.client, ann.name, sent)).expires_at == clock.at(5)
    clock.go(5)
    assert await texts(bob.client, ann.name) == []
    assert b"swift" not in everything(bob.client._session.store)


async def test_the_server_is_told_when_it_may_forget_at_the_latest(evil: Malice, people: Company) -> None:
    ann, bob = await two(people)
    for ttl in (SWIFT, ("reading", 5), None):
        await say(ann.client, bob.name, "words", ttl=ttl)
    sent = await say(ann.client, bob.name, "words", ttl=("sending", 60))
    await ann.client.edit(bob.name, sent.id, "other words")
    assert [entry.ttl for entry in evil.sealed_by(ann.device)] == [5, 28 * 86_400, None, 60, None]


async def test_a_message_does_not_end_because_the_server_says_so(evil: Malice, people: Company) -> None:
    ann, bob = await two(people)
    with evil.doing(Retold(bob.device, expires_at=LONG_AGO)):
        await ann.client.send(bob.name, "here to stay")
        await bob.hears("here to stay")
    assert [(message.text, message.expires_at) for message in await shown(bob.client, ann.name)] == [
        ("here to stay", None)
    ]


async def test_a_message_that_the_server_says_has_disappeared_is_not_missed_in_silence(
    evil: Malice, people: Company
) -> None:
    ann, bob = await two(people)
    await ann.client.send(bob.name, "hello")
    await bob.hears("hello")
    with evil.doing(Withheld(bob.device)):
        await ann.client.send(bob.name, "withheld")
        await bob.comes(lambda: len(bob.states()) == 2)
    await ann.client.send(bob.name, "and on")
    await bob.hears("and on")
    assert [(message.text, message.code) for message in await shown(bob.client, ann.name)] == [
        ("hello", None),
        (None, "vanished"),
        ("and on", None),
    ]
    assert bob.told() == set()


async def test_bytes_that_are_served_again_after_their_end_open_nowhere(
    people: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await two(people)
    clock = Clock(monkeypatch)
    await ann.client.send(bob.name, "stays")
    sent = await say(ann.client, bob.name, "swift", ttl=SWIFT)
    await bob.hears("stays", "swift")
    store, conversation = bob.client._session.store, sent.conversation
    with store.reading() as tx:
        served = entries.select_entry(tx, conversation, sent.seq)
        kept = sealed.select_at(tx, conversation, sent.seq)
    assert served is not None
    assert kept is not None
    assert kept.sealed is not None
    clock.go(5)
    disappearing.sweep(store)
    local_log.reset(store, conversation, Position(1, served.id))
    same = Sealed(kept.epoch, kept.roster, kept.counter, kept.prev, sealed=kept.sealed)
    again = change(served, seq=1, body=None, sealed=same)
    local_log.append(store, bob.account, conversation, [again])
    with store.reading() as tx:
        now = sealed.select_at(tx, conversation, 1)
        assert now is not None
        assert now.state in {"waiting", "refused"}
        assert content_keys.select_keys(tx, kept.hash) == []
    assert b"swift" not in everything(store)


async def test_an_answer_stays_in_its_thread_wherever_the_server_puts_it(evil: Malice, people: Company) -> None:
    ann, bob = await two(people)
    root, other = await ann.client.send(bob.name, "root"), await ann.client.send(bob.name, "other")
    await bob.hears("root", "other")
    with evil.doing(Retold(bob.device, target=Position(other.seq, other.id))):
        answer = await say(ann.client, bob.name, "under the root", thread=root.id)
        await bob.hears("under the root")
    assert (await one(bob.client, ann.name, answer)).root == root.id
    with bob.client._session.store.reading() as tx:
        moved = sealed.select_at(tx, other.conversation, other.seq)
    assert moved is not None
    with evil.doing(Retold(bob.device, sealed_target=moved.hash, target=Position(other.seq, other.id))):
        await say(ann.client, bob.name, "under the root again", thread=root.id)
        await bob.comes(lambda: "bad_entry" in bob.told())
    conversation = await place_of(bob.client, ann.name)
    threads = await bob.client._history.threads(conversation, 10)
    assert [(found.text, found.thread.count if found.thread else 0) for found in threads] == [("root", 1)]


# What is refused ------------------------------------------------------------------------------------------------------


class Refusing(Rule):
    """Refuses messages of a device a number of times."""

    def __init__(self, sender: DeviceId, code: str, times: int) -> None:
        """Refuse with this code."""
        self.sender, self.code, self.times = sender, code, times

    def seal(self, sender: DeviceId, conversation: ConversationId, entry: SealEntry) -> SealEntry:
        """Refuse."""
        del conversation
        if sender == self.sender and self.done < self.times:
            self.done += 1
            raise Refused(self.code, until="2027-01-01T00:00:00Z")
        return entry


async def target_of(ann: Talker, bob: Talker, where: str) -> tuple[str, str]:
    """How ann, and bob, write to the place where they talk."""
    if where == "direct":
        return bob.name, ann.name
    group = str((await membership.create(ann.client._session, [bob.account], 0)).id)
    return group, group


def counters(evil: Malice, who: Talker) -> list[int]:
    return [entry.counter for entry in evil.sealed_by(who.device) if entry.kind == kinds.MESSAGE]


@pytest.mark.parametrize("where", ["direct", "group"])
@pytest.mark.parametrize("code", ["silenced", "archived", "forbidden"])
async def test_what_may_never_go_is_gone_with_its_reason_and_the_next_one_takes_its_place(
    evil: Malice, people: Company, where: str, code: str
) -> None:
    ann, bob = await two(people)
    target, back = await target_of(ann, bob, where)
    await ann.client.send(target, "one")
    with evil.doing(Refusing(ann.device, code, 1)), pytest.raises(ClientError) as refused:
        await ann.client.send(target, "refused")
    assert refused.value.code == code
    assert ann.client.unsent() == []
    for text in ("two", "three"):
        await ann.client.send(target, text)
    await bob.hears("one", "two", "three")
    assert counters(evil, ann)[-3:] == [1, 2, 3] or counters(evil, ann)[-2:] == [2, 3]
    assert await texts(bob.client, back) == ["one", "two", "three"]
    assert bob.told() == set()
    assert b"refused" not in everything(ann.client._session.store)


@pytest.mark.parametrize("where", ["direct", "group"])
async def test_what_is_too_fast_waits_and_goes_as_the_same_bytes(evil: Malice, people: Company, where: str) -> None:
    ann, bob = await two(people)
    target, _ = await target_of(ann, bob, where)
    await ann.client.send(target, "one")
    with evil.doing(Refusing(ann.device, "slow_mode", 2)):
        await ann.client.send(target, "two")
    await ann.client.send(target, "three")
    await bob.hears("one", "two", "three")
    assert bob.texts() == ["one", "two", "three"]
    assert bob.told() == set()


async def test_what_waits_for_its_turn_says_why(evil: Malice, people: Company) -> None:
    ann, bob = await two(people)
    with evil.doing(Refusing(ann.device, "slow_mode", 1_000)), pytest.raises(TimeOver) as waits:
        await ann.client.send(bob.name, "in a while", deadline=1.5)
    assert waits.value.data == {"queued": 1, "cause": "slow_mode"}
    assert [(unsent.text, unsent.state) for unsent in ann.client.unsent()] == [("in a while", "waiting")]
    await ann.client.send(bob.name, "after it")
    await bob.hears("in a while", "after it")
    assert bob.texts() == ["in a while", "after it"]
