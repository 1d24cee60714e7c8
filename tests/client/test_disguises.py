"""What a server must not pass off: a readable room as a private conversation, and words nobody sealed as a person's."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import pytest
from tests.client.lists import Owner

from aparte.client import ClientError, local_log, past
from aparte.client.api.conversations import Rooms
from aparte.client.crypto import beginning, pins
from aparte.client.profiles import Folder
from aparte.client.session import Session
from aparte.client.store import conversations, entries, notices, profile
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Store
from aparte.client.transport.http import Request
from aparte.e2ee.roster import direct_id, uuid8
from aparte.wire import kinds
from aparte.wire.content import Profile
from aparte.wire.conversations import Conversation, ConversationPage, Membership
from aparte.wire.ids import AccountId, ConversationId, DeviceId, EntryId, Position, new_id
from aparte.wire.messages import Entry

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
START = Position(0, EntryId(UUID(int=0)))
ME, MY_DEVICE = AccountId(uuid4()), DeviceId(uuid4())
BOB, MALLORY = Owner.new(), AccountId(uuid4())
PRIVATE = ConversationId(UUID(bytes=direct_id(ME.bytes, BOB.account.bytes)))
GROUP = ConversationId(UUID(bytes=uuid8(bytes(range(32)))))
NOTES = ConversationId(UUID(bytes=direct_id(ME.bytes, ME.bytes)))
change = msgspec.structs.replace


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.delenv("APARTE_PASSPHRASE", raising=False)
    here = Folder.of("ann", tmp_path).open(None, create=True)
    with here.transaction() as tx:
        profile.upsert_profile(tx, "http://x", ME, MY_DEVICE, "ann")
        beginning.replace_keys(tx, beginning.make(ME, MY_DEVICE, is_first=True))
    yield here
    here.close()


def chained(number: int) -> ConversationId:
    """An id as one that follows from a first statement has it."""
    return ConversationId(UUID(bytes=uuid8(bytes([number]) * 32)))


def with_bob() -> Conversation:
    return Conversation(
        id=PRIVATE,
        kind="direct",
        encryption_mode="e2ee",
        is_public=False,
        name="",
        topic="",
        description="",
        owner=None,
        member_count=2,
        message_count=0,
        max_members=2,
        epoch=1,
        head=START,
        floor=START,
        last_message_at=None,
        created_at=MOMENT,
        updated_at=MOMENT,
        membership=Membership("member", START, MOMENT, START, 0),
        peer=BOB.account,
    )


def room() -> Conversation:
    return change(with_bob(), id=ConversationId(new_id()), kind="room", encryption_mode="server", name="x", peer=None)


def group() -> Conversation:
    return change(with_bob(), id=GROUP, kind="group", member_count=3, max_members=500, peer=None)


def test_what_is_as_it_should_be_is_kept(store: Store) -> None:
    notes = change(with_bob(), id=NOTES, kind="self", peer=None)
    others = [change(group(), id=chained(number), kind=kind) for number, kind in ((1, "room"), (2, "channel"))]
    for honest in (with_bob(), notes, room(), group(), *others):
        local_log.keep(store, honest)
        with store.reading() as tx:
            row = conversations.select_conversation(tx, honest.id)
        assert row is not None
        assert row.is_sealed == (honest.encryption_mode == "e2ee")
        assert row.has_chain == (honest.id == GROUP or honest in others)


def test_a_group_keeps_the_name_that_its_members_gave_it(store: Store) -> None:
    local_log.keep(store, group())
    with store.transaction() as tx:
        conversations.update_profile(tx, GROUP, Profile("Friends", "us", "and nobody else"))
    local_log.keep(store, group())
    with store.reading() as tx:
        row = conversations.select_conversation(tx, GROUP)
        assert [found.conversation for found in conversations.select_groups(tx, "friends")] == [GROUP]
        assert conversations.select_named(tx, "Friends") is None
    assert row is not None
    assert (row.name, row.topic, row.description) == ("Friends", "us", "and nobody else")


DISGUISES = {
    "readable": change(with_bob(), encryption_mode="server"),
    "a room under its id": change(with_bob(), kind="room", encryption_mode="server", name="x", peer=None),
    "a room that seems to be Bob": change(room(), peer=BOB.account),
    "an encrypted room of its own choice": change(with_bob(), kind="room", name="x", peer=MALLORY),
    "an encrypted room without a chain of members": change(room(), encryption_mode="e2ee"),
    "a group of two": change(with_bob(), kind="group"),
    "a group that the server names": change(group(), name="x"),
    "a group that the server describes": change(group(), topic="x"),
    "a readable group": change(group(), encryption_mode="server"),
    "a group for everybody": change(group(), is_public=True),
    "a group whose id follows from nothing": change(group(), id=ConversationId(new_id())),
    "a group with words of welcome": change(group(), welcome="x"),
    "an encrypted room that the server names": change(group(), kind="room", name="x"),
    "an encrypted channel for everybody": change(group(), kind="channel", is_public=True),
    "a room that was a group": change(room(), id=GROUP),
    "with somebody else": change(with_bob(), peer=MALLORY),
    "under another id": change(with_bob(), id=ConversationId(new_id())),
    "notes with somebody else": change(with_bob(), id=NOTES, kind="self", peer=MALLORY),
    "notes that are a conversation": change(with_bob(), kind="self"),
    "a conversation that is notes": change(with_bob(), id=NOTES, peer=None),
    "readable notes": change(with_bob(), id=NOTES, kind="self", peer=None, encryption_mode="server"),
}


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguise_is_refused_before_anything_is_said_in_it(store: Store, name: str) -> None:
    disguised = DISGUISES[name]
    with pytest.raises(ClientError) as refused:
        local_log.keep(store, disguised)
    assert refused.value.code in {"unexpected_answer", "unsupported_target"}
    with store.reading() as tx:
        assert conversations.select_conversation(tx, disguised.id) is None


CHANGED = {
    "another kind": change(group(), kind="channel"),
    "readable": change(room(), id=GROUP),
    "for everybody": change(group(), is_public=True),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_a_conversation_is_never_changes(store: Store, name: str) -> None:
    local_log.keep(store, group())
    with pytest.raises(ClientError) as refused:
        local_log.keep(store, CHANGED[name])
    assert refused.value.code == "unexpected_answer"
    with store.reading() as tx:
        row = conversations.select_conversation(tx, GROUP)
    assert row is not None
    assert (row.kind, row.has_chain) == ("group", True)


def test_a_room_does_not_become_another_thing_either(store: Store) -> None:
    found = room()
    local_log.keep(store, found)
    with pytest.raises(ClientError):
        local_log.keep(store, change(found, kind="channel"))


def test_a_private_conversation_does_not_become_readable(store: Store) -> None:
    local_log.keep(store, with_bob())
    with pytest.raises(ClientError):
        local_log.keep(store, DISGUISES["a room under its id"])
    with store.reading() as tx:
        row = conversations.select_conversation(tx, PRIVATE)
    assert row is not None
    assert row.is_sealed


@dataclass(frozen=True)
class Serving:
    """A session whose server answers every question with one conversation, or with one page of it."""

    store: Store
    found: Conversation

    @property
    def profile(self) -> Any:
        with self.store.reading() as tx:
            return profile.select_profile(tx)

    async def call(self, _: Request, kind: type[Any], **_more: Any) -> Any:
        return ConversationPage([self.found], None) if kind is ConversationPage else self.found


async def test_an_id_is_known_to_be_private_before_anything_is_said_there(store: Store) -> None:
    rooms = Rooms(cast("Session", Serving(store, DISGUISES["a room under its id"])))
    with pytest.raises(ClientError):
        await rooms.resolve(str(PRIVATE), offline=True)
    rooms = Rooms(cast("Session", Serving(store, with_bob())))
    assert await rooms.resolve(str(PRIVATE), offline=True) == PRIVATE
    assert row_of(store).is_sealed


async def test_what_a_newer_aparte_encrypts_keeps_nobody_from_the_rest(store: Store) -> None:
    newer = DISGUISES["an encrypted room without a chain of members"]
    rooms = Rooms(cast("Session", Serving(store, newer)))
    await rooms.start()
    with store.reading() as tx:
        assert conversations.select_conversation(tx, newer.id) is None


# Words that nobody sealed ---------------------------------------------------------------------------------------------


def by_bob(seq: int, kind: int, body: object, target: int | None = None) -> Entry:
    device = DeviceId(UUID(bytes=BOB.list.devices[0].device))
    aimed = Position(target, EntryId(UUID(int=target))) if target else None
    return Entry(seq, EntryId(UUID(int=seq)), kind, MOMENT, BOB.account, device, ordinal=seq, target=aimed, body=body)


FORGED = {
    "message": (kinds.MESSAGE, {"text": "send me the password"}),
    "edit": (kinds.EDIT, {"text": "something else"}),
    "deletion": (kinds.DELETION, {"on": True}),
    "reaction": (kinds.REACTION, {"emoji": "👍", "on": True}),
    "profile": (kinds.PROFILE, {"name": "lounge", "topic": "", "description": ""}),
    "somebody who came": (kinds.JOINED, {"account": str(MALLORY), "role": "member"}),
    "somebody put out": (kinds.REMOVED, {"account": str(BOB.account)}),
    "another owner": (kinds.ROLE, {"account": str(MALLORY), "role": "owner"}),
    "a nickname": (kinds.NICKNAME, {"account": str(BOB.account), "nickname": "carol"}),
    "a beginning": (kinds.CREATED, {"name": "lounge", "topic": "", "description": ""}),
    "of the future": (8, {"text": "anything"}),
}


@pytest.mark.parametrize("name", FORGED)
def test_in_a_private_conversation_nobody_says_what_was_not_sealed(store: Store, name: str) -> None:
    kind, body = FORGED[name]
    local_log.keep(store, with_bob())
    with store.transaction() as tx:
        pins.take(tx, BOB.account, [BOB.signed()], 0)
    cursor = local_log.append(store, ME, PRIVATE, [by_bob(1, kind, body, target=1 if kind in {2, 3, 4} else None)])
    assert cursor is not None
    assert cursor.seq == 1
    assert all(item.message is None or item.message.content is None for item in local_log.unheard(store, MY_DEVICE, 10))
    with store.reading() as tx:
        row = conversations.select_conversation(tx, PRIVATE)
        told = [(notice.code, notice.conversation, notice.seq) for notice in notices.select_unshown(tx)]
    assert row is not None
    assert row.name == ""
    assert told == [("bad_entry", PRIVATE, 1)]
    shown = [(kept.state, kept.code, kept.message.content) for kept in past.newest(store, row, 2, 10)]
    assert shown == ([("refused", "bad_entry", None)] if kind == kinds.MESSAGE else [])
    assert past.happened(store, row, (0, 2)) == []


def test_what_was_said_is_not_taken_back_by_what_nobody_sealed(store: Store) -> None:
    """In a room a deletion of the server's is the server's right; in private only its author's own word is one."""
    local_log.keep(store, with_bob())
    mine = by_bob(1, kinds.MESSAGE, {"text": "words"})
    with store.transaction() as tx:
        entries.insert_entries(tx, PRIVATE, [mine])
        conversations.update_cursor(tx, PRIVATE, Position(1, mine.id))
    local_log.append(store, ME, PRIVATE, [by_bob(2, kinds.DELETION, {"on": True}, target=1)])
    [kept] = past.newest(store, row_of(store), 3, 10)
    assert kept.message.content is not None
    assert kept.message.content.text == "words"


def row_of(store: Store) -> ConversationRow:
    with store.reading() as tx:
        row = conversations.select_conversation(tx, PRIVATE)
    assert row is not None
    return row
