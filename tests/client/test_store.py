"""The store is encrypted, private, shared by processes, and whole whenever one of them dies."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aparte.client import ClientError, local_log, past
from aparte.client.profiles import Folder, home
from aparte.client.store import conversations, db, entries, profile, threads
from aparte.client.store.db import Store, migrations
from aparte.wire import kinds
from aparte.wire.accounts import Tokens
from aparte.wire.content import Profile
from aparte.wire.conversations import Conversation, Membership
from aparte.wire.ids import LAST_ID, AccountId, ConversationId, DeviceId, EntryId, Position, SessionId
from aparte.wire.messages import Entry

ME, OTHER = AccountId(UUID(int=1)), AccountId(UUID(int=2))
MY_DEVICE, THEIR_DEVICE = DeviceId(UUID(int=11)), DeviceId(UUID(int=12))
ROOM = ConversationId(UUID(int=99))
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "la phrase que personne ne lit"


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APARTE_PASSPHRASE", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.of("ann", tmp_path / "home")


@pytest.fixture
def store(folder: Folder) -> Iterator[Store]:
    here = folder.open(None, create=True)
    with here.transaction() as tx:
        profile.upsert_profile(tx, "http://x", ME, MY_DEVICE, "ann")
    yield here
    here.close()


def room(joined: int = 0, head: int = 0) -> Conversation:
    place, end = Position(joined, EntryId(UUID(int=joined))), Position(head, EntryId(UUID(int=head)))
    mine = Membership("member", place, MOMENT, place, 0)
    return Conversation(
        id=ROOM,
        kind="room",
        encryption_mode="server",
        is_public=True,
        name="salon",
        topic="",
        description="",
        owner=OTHER,
        member_count=2,
        message_count=0,
        max_members=10,
        epoch=0,
        head=end,
        floor=Position(1, EntryId(UUID(int=0))),
        last_message_at=None,
        created_at=MOMENT,
        updated_at=MOMENT,
        membership=mine,
    )


def said(seq: int, text: str, device: DeviceId = THEIR_DEVICE) -> Entry:
    account = ME if device == MY_DEVICE else OTHER
    return Entry(seq, EntryId(UUID(int=seq)), kinds.MESSAGE, MOMENT, account, device, ordinal=seq, body={"text": text})


def about(seq: int, kind: int, target: int, body: object) -> Entry:
    place = Position(target, EntryId(UUID(int=target)))
    return Entry(seq, EntryId(UUID(int=seq)), kind, MOMENT, OTHER, THEIR_DEVICE, target=place, body=body)


def heard(store: Store, limit: int = 100) -> list[str]:
    found = local_log.unheard(store, MY_DEVICE, limit)
    return [item.message.content.text for item in found if item.message and item.message.content]


def test_files_are_for_their_owner_alone(folder: Folder, store: Store) -> None:
    assert store.version() > 0
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    for file in folder.path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_nothing_in_the_files_can_be_read(folder: Folder, store: Store) -> None:
    local_log.keep(store, room())
    local_log.append(store, ME, ROOM, [said(1, SECRET)])
    for file in folder.path.iterdir():
        content = file.read_bytes()
        assert SECRET.encode() not in content
        assert not content.startswith(b"SQLite format 3")


def test_a_profile_made_with_a_passphrase_opens_with_nothing_else(tmp_path: Path) -> None:
    folder = Folder.of("ann", tmp_path)
    folder.open("correct \" horse ' battery", create=True).close()
    assert not folder.key.exists()
    folder.open("correct \" horse ' battery", create=False).close()
    with pytest.raises(ClientError) as wrong:
        folder.open("another", create=False)
    with pytest.raises(ClientError) as missing:
        folder.open(None, create=False)
    assert (wrong.value.code, missing.value.code) == ("wrong_passphrase", "passphrase_needed")


def test_the_passphrase_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APARTE_PASSPHRASE", "from outside")
    folder = Folder.of("ann", tmp_path)
    folder.open(None, create=True).close()
    monkeypatch.delenv("APARTE_PASSPHRASE")
    folder.open("from outside", create=False).close()


def test_a_store_from_the_future_is_left_alone(folder: Folder, store: Store) -> None:
    with store.transaction() as tx:
        tx.run(f"PRAGMA user_version = {len(migrations()) + 1}")
    with pytest.raises(ClientError) as caught:
        folder.open(None, create=False)
    assert caught.value.code == "store_too_new"


GROUP, PRIVATE = uuid4(), uuid4()


@pytest.fixture
def from_before(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that the version before has written in, opened again: a group and a direct conversation with words."""
    with monkeypatch.context() as before:
        before.setattr(db, "migrations", lambda: migrations()[:3])
        old = folder.open(None, create=True)
    with old.transaction() as tx:
        for conversation, kind, peer in ((GROUP, "group", None), (PRIVATE, "direct", OTHER.bytes)):
            tx.run(
                """
                INSERT INTO conversations (conversation_id, kind, encryption_mode, name, name_key, topic, description,
                                           role, cursor_seq, cursor_id, listened_seq, peer_id)
                VALUES (?, ?, 'e2ee', 'Friends', 'friends', '', '', 'member', 3, ?, 3, ?)
                """,
                conversation.bytes,
                kind,
                bytes(16),
                peer,
            )
        beside = {"reply": "11" * 32, "mentions": [ME.hex]}
        for seq, kind, body in (
            (1, kinds.MESSAGE, {"text": "hello", "metadata": beside}),
            (2, kinds.REACTION, {"emoji": "👍", "on": True}),
            (3, kinds.PIN, {"on": True}),
        ):
            written = Entry(seq, EntryId(UUID(int=seq)), kind, datetime.now(UTC), ME, body=body)
            aimed = None if seq == 1 else Position(1, EntryId(UUID(int=1)))
            entries.insert_entries(tx, ConversationId(GROUP), [msgspec.structs.replace(written, target=aimed)])
            tx.run(
                """
                INSERT INTO sealed (conversation_id, seq, hash, epoch, roster, device_id, counter, prev, target, state)
                VALUES (?, ?, ?, 1, x'', ?, ?, x'', ?, 'open')
                """,
                GROUP.bytes,
                seq,
                bytes([seq]) * 32,
                bytes(16),
                seq,
                bytes(32) if seq == 1 else bytes([1]) * 32,
            )
    old.close()
    here = folder.open(None, create=False)
    yield here
    here.close()


def test_what_the_version_before_has_written_is_read_as_it_was(from_before: Store) -> None:
    with from_before.reading() as tx:
        rows = [conversations.select_conversation(tx, ConversationId(one)) for one in (GROUP, PRIVATE)]
        [group, private] = [row for row in rows if row is not None]
        assert [row.has_chain for row in (group, private)] == [True, False]
        assert [row.conversation for row in conversations.select_groups(tx, "friends")] == [GROUP]
    [kept] = past.newest(from_before, group, 4, 10)
    assert kept.message.content is not None
    assert (kept.message.content.text, kept.mentions, kept.is_pinned) == ("hello", (ME,), True)
    assert kept.reactions == {"👍": (ME,)}
    assert (kept.thread, kept.expiring, kept.is_forwarded) == (None, None, False)
    with from_before.reading() as tx:
        named = threads.select_naming(tx, [str(ME).encode(), ME.hex.encode()], LAST_ID, 10)
        assert [(where, seq) for where, seq, _ in named] == [(GROUP, 1)]
        assert threads.select_pinned(tx, ConversationId(GROUP), 10) == [1]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "é", "x" * 65])
def test_a_profiles_name_stays_in_its_folder(name: str) -> None:
    with pytest.raises(ClientError) as caught:
        Folder.of(name)
    assert caught.value.code == "bad_profile_name"


def test_profiles_live_where_the_environment_says(tmp_path: Path) -> None:
    assert home({"APARTE_HOME": str(tmp_path)}) == tmp_path
    assert home({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "aparte"


def test_tokens_are_kept_and_never_shown(store: Store) -> None:
    tokens = Tokens(ME, MY_DEVICE, "listed", SessionId(uuid4()), "open-sesame", MOMENT, "again-sesame", MOMENT)
    with store.transaction() as tx:
        profile.upsert_tokens(tx, tokens)
        found = profile.select_tokens(tx)
    assert found is not None
    assert (found.access_token, found.refresh_token, found.access_expires_at) == ("open-sesame", "again-sesame", MOMENT)
    assert "sesame" not in repr(found)


def test_entries_come_back_as_they_were(store: Store) -> None:
    local_log.keep(store, room())
    story = [said(1, "un"), about(2, kinds.EDIT, 1, {"text": "deux"}), said(3, "x", MY_DEVICE)]
    local_log.append(store, ME, ROOM, story)
    with store.reading() as tx:
        found = entries.select_entries(tx, ROOM, 0, 10)
    assert [(e.seq, e.id, e.kind, e.at, e.account, e.device, e.target) for e in found] == [
        (e.seq, e.id, e.kind, e.at, e.account, e.device, e.target) for e in story
    ]
    assert [e.body["text"] for e in found] == ["un", "deux", "x"]


@settings(max_examples=30, deadline=None)
@given(pages=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5)), max_size=12))
def test_whatever_pages_come_the_log_has_no_hole_and_no_repeat(pages: list[tuple[int, int]]) -> None:
    path = Path(f"/tmp/aparte-store-{os.getpid()}-{uuid4().hex}")
    folder = Folder.of("ann", path)
    store = folder.open(None, create=True)
    try:
        local_log.keep(store, room())
        reached = 0
        for first, count in pages:
            cursor = local_log.append(store, ME, ROOM, [said(seq, str(seq)) for seq in range(first, first + count)])
            if first <= reached + 1:
                reached = max(reached, first + count - 1)
            assert cursor is not None
            assert cursor.seq == reached
        with store.reading() as tx:
            assert [e.seq for e in entries.select_entries(tx, ROOM, 0, 100)] == list(range(1, reached + 1))
    finally:
        store.close()
        for file in (path / "ann").iterdir():
            file.unlink()
        (path / "ann").rmdir()
        path.rmdir()


def test_only_what_others_said_is_heard_once_and_as_it_is_now(store: Store) -> None:
    local_log.keep(store, room())
    local_log.append(
        store,
        ME,
        ROOM,
        [
            said(1, "first version"),
            said(2, "mine", MY_DEVICE),
            said(3, "regretted"),
            about(4, kinds.EDIT, 1, {"text": "second version"}),
            about(5, kinds.DELETION, 3, {"on": True}),
        ],
    )
    assert heard(store) == ["second version"]
    local_log.mark_heard(store, [(ROOM, 1)])
    assert heard(store) == []
    local_log.append(store, ME, ROOM, [said(6, "new")])
    assert heard(store) == ["new"]


def test_kinds_of_the_future_are_heard_of(store: Store) -> None:
    local_log.keep(store, room())
    later = Entry(1, EntryId(UUID(int=1)), 77, MOMENT, OTHER, THEIR_DEVICE, body={"x": b"16"})
    local_log.append(store, ME, ROOM, [later])
    found = local_log.unheard(store, MY_DEVICE, 10)
    assert [item.entry.kind for item in found] == [77]


def test_words_taken_back_are_gone_from_the_files_own_rows(store: Store) -> None:
    local_log.keep(store, room())
    local_log.append(store, ME, ROOM, [said(1, "a"), about(2, kinds.EDIT, 1, {"text": "b"})])
    local_log.append(store, ME, ROOM, [about(3, kinds.DELETION, 1, {"on": True})])
    with store.reading() as tx:
        bodies = [e.body for e in entries.select_entries(tx, ROOM, 0, 10)]
    assert bodies[:2] == [None, None]


def test_a_room_is_followed_from_where_one_joined_or_logged_in(store: Store) -> None:
    assert local_log.keep(store, room(joined=5, head=9)).seq == 5
    with store.transaction() as tx:
        tx.run("DELETE FROM conversations")
    assert local_log.keep(store, room(joined=5, head=9), from_head=True).seq == 9


def test_a_rename_and_ones_own_role_follow_the_log(store: Store) -> None:
    local_log.keep(store, room())
    renamed = Entry(1, EntryId(UUID(int=1)), kinds.PROFILE, MOMENT, OTHER, body=Profile("salle", "t"))
    promoted = Entry(2, EntryId(UUID(int=2)), kinds.ROLE, MOMENT, OTHER, body=kinds.MemberChange(ME, "admin"))
    removed = Entry(3, EntryId(UUID(int=3)), kinds.REMOVED, MOMENT, OTHER, body=kinds.MemberChange(ME))
    local_log.append(store, ME, ROOM, [renamed, promoted])
    with store.reading() as tx:
        found = conversations.select_named(tx, "SALLE")
    assert found is not None
    assert (found.topic, found.role) == ("t", "admin")
    local_log.append(store, ME, ROOM, [removed])
    with store.reading() as tx:
        assert conversations.select_cursors(tx) == {}


WRITER = """
import sys
from pathlib import Path
from uuid import UUID
from tests.client.test_store import ME, ROOM, said, Folder, local_log
store = Folder.of("ann", Path(sys.argv[1])).open(None, create=False)
print("ready", flush=True)
for seq in range(1, 100000):
    local_log.append(store, ME, ROOM, [said(seq, "x" * 500)])
"""


@pytest.mark.parametrize("moment", range(5))
def test_a_killed_writer_leaves_cursor_and_log_in_step(tmp_path: Path, moment: int) -> None:
    folder = Folder.of("ann", tmp_path)
    store = folder.open(None, create=True)
    local_log.keep(store, room())
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    while True:
        with store.reading() as tx:
            if conversations.select_cursors(tx)[ROOM].seq > moment * 37:
                break
    writer.kill()
    writer.wait()
    writer.stdout.close()
    with store.reading() as tx:
        cursor = conversations.select_cursors(tx)[ROOM].seq
        assert [e.seq for e in entries.select_entries(tx, ROOM, 0, cursor + 10)] == list(range(1, cursor + 1))
    assert local_log.append(store, ME, ROOM, [said(cursor + 1, "on")]) == Position(
        cursor + 1, EntryId(UUID(int=cursor + 1))
    )
    store.close()
