"""What a server may answer about groups without harm: numbers and sizes past every limit, chains without end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import msgspec
import pytest
from tests.client.chains import Group
from tests.client.lists import Owner

from aparte.client import ClientError, KeyRefused
from aparte.client.crypto import arriving, beginning, learning, own, pins, submitting
from aparte.client.profiles import Folder
from aparte.client.session import Session
from aparte.client.store import conversations, epochs, list_versions, notices, profile, statements
from aparte.client.store.db import Store
from aparte.client.transport.http import Request
from aparte.e2ee.membership import MEMBERS_MAX, Action
from aparte.wire import kinds
from aparte.wire.groups import EpochMembers, MemberVersion, SignedStatement, StatementPage
from aparte.wire.ids import AccountId, DeviceId, EntryId
from aparte.wire.keys import Lists, ListsOf, ListsWanted
from aparte.wire.limits import SAFE_INTEGER
from aparte.wire.messages import Entry
from aparte.wire.sealed import Sealed

NOW = 1_800_000_000_000
TOO_LARGE = 2**64 - 1
BOB = Owner.new()


@dataclass
class Server:
    """A session whose server has one group, and may say something else of it than is true."""

    store: Store
    group: Group
    manifest: EpochMembers
    page: int = 500
    keeps: int = 0
    """How many of the newest statements it keeps to itself."""
    asked: list[str] = field(default_factory=list)

    @property
    def profile(self) -> Any:
        with self.store.reading() as tx:
            return profile.select_profile(tx)

    async def call(self, request: Request, kind: type[Any], **_more: Any) -> Any:
        self.asked.append(request.path)
        if kind is StatementPage:
            after = int(request.query["after"])
            chain = self.group.chain[: len(self.group.chain) - self.keeps]
            return StatementPage(list(chain[after : after + self.page]), after + self.page < len(chain))
        if kind is Lists:
            asked = msgspec.json.decode(request.body or b"", type=ListsWanted).accounts
            known = [self.group.people[one.account.bytes] for one in asked if one.account.bytes in self.group.people]
            return Lists([ListsOf(one.account, [one.signed()], False, []) for one in known])
        assert kind is EpochMembers
        return self.manifest

    @property
    def session(self) -> Session:
        return cast("Session", self)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    here = Folder.of("ann", tmp_path).open(None, create=True)
    yield here
    here.close()


@pytest.fixture
def server(store: Store) -> Server:
    account, device = AccountId(uuid4()), DeviceId(uuid4())
    with store.transaction() as tx:
        profile.upsert_profile(tx, "http://x", account, device, "ann")
        beginning.keep_new(tx, beginning.make(account, device, is_first=True))
        keys, pin = own.load(tx), pins.pinned(tx, account)
        assert keys.account_key is not None
        assert pin is not None
        group = Group.of(Owner(keys.account_key, pin.list), [BOB])
        tx.run(
            """
            INSERT INTO conversations (conversation_id, kind, encryption_mode, name, name_key, topic, description,
                                       role, cursor_seq, cursor_id, listened_seq)
            VALUES (?, 'group', 'e2ee', '', '', '', '', 'owner', 0, ?, 0)
            """,
            group.id.bytes,
            bytes(16),
        )
    members = [MemberVersion(account, 1), MemberVersion(BOB.account, 1)]
    return Server(store, group, EpochMembers(1, group.roster(), 2, members))


def told(store: Store) -> list[str]:
    with store.reading() as tx:
        return [notice.code for notice in notices.select_unshown(tx)]


async def test_a_group_is_learnt_page_by_page(server: Server) -> None:
    server.page = 1
    await learning.learn(server.session, server.group.id)
    with server.store.reading() as tx:
        assert statements.select_newest(tx, server.group.id) == (2, server.group.now.hash)
        head = epochs.select_head(tx, server.group.id, 1)
    assert head is not None
    assert (head.seq, head.roster) == (epochs.NOT_MET, server.group.roster())


UNSOUND = {
    "an epoch past the limit": (TOO_LARGE, 2, 1),
    "one past the limit": (SAFE_INTEGER + 1, 2, 1),
    "a negative epoch": (-1, 2, 1),
    "a statement past the limit": (1, TOO_LARGE, 1),
    "a version past the limit": (1, 2, TOO_LARGE),
    "a negative version": (1, 2, -1),
}


@pytest.mark.parametrize("what", UNSOUND)
async def test_numbers_past_their_limits_are_no_answer(server: Server, what: str) -> None:
    number, statement, version = UNSOUND[what]
    server.manifest = EpochMembers(number, bytes(32), statement, [MemberVersion(BOB.account, version)])
    with pytest.raises(ClientError, match="unexpected_answer"):
        await learning.learn(server.session, server.group.id)


async def test_more_members_than_there_may_be_are_no_answer(server: Server) -> None:
    crowd = [MemberVersion(AccountId(uuid4()), 1) for _ in range(MEMBERS_MAX + 1)]
    server.manifest = EpochMembers(1, bytes(32), 2, crowd)
    with pytest.raises(ClientError, match="unexpected_answer"):
        await learning.learn(server.session, server.group.id)
    server.manifest = EpochMembers(1, bytes(32), 2, crowd[:-1])
    with pytest.raises(KeyRefused, match="roster_mismatch"):
        await learning.learn(server.session, server.group.id)
    assert told(server.store) == ["roster_mismatch"]


async def test_another_epoch_than_was_asked_for_is_no_answer(server: Server) -> None:
    with pytest.raises(ClientError, match="unexpected_answer"):
        await learning.learn(server.session, server.group.id, 2)


async def test_statements_that_are_kept_from_us_are_missed(server: Server) -> None:
    server.keeps = 1
    with pytest.raises(KeyRefused, match="roster_mismatch"):
        await learning.learn(server.session, server.group.id)
    assert told(server.store) == ["roster_mismatch"]
    server.keeps = 0
    await learning.learn(server.session, server.group.id)


async def test_an_entry_of_an_epoch_past_the_limit_asks_nobody(server: Server) -> None:
    await learning.learn(server.session, server.group.id)
    server.asked.clear()
    far = Sealed(TOO_LARGE, bytes(32), 1, bytes(32), None, bytes(192))
    entry = Entry(1, EntryId(uuid4()), kinds.MESSAGE, NOW, BOB.account, sealed=far)
    assert await arriving.prepare(server.session, server.group.id, [entry])
    said = bytearray(server.group.chain[-1].statement)
    said[33:41] = b"\xff" * 8
    strange = kinds.StatementChange(SignedStatement(bytes(said), bytes(64)), TOO_LARGE, bytes(32))
    entry = Entry(1, EntryId(uuid4()), kinds.STATEMENT, NOW, BOB.account, body=strange)
    assert await arriving.prepare(server.session, server.group.id, [entry])
    assert [path for path in server.asked if path.endswith("/epoch")] == []


async def test_what_is_said_of_one_epoch_keeps_nobody_from_the_next(server: Server) -> None:
    """The server makes one up, which nothing gives; what comes after it is learnt all the same."""
    await learning.learn(server.session, server.group.id)
    false = Sealed(2, bytes(32), 1, bytes(32), None, bytes(192))
    after = server.group.by(next(iter(server.group.people.values())), Action.POLICY, policy=1)
    true = kinds.StatementChange(after.chain[-1], 3, after.roster())
    page = [
        Entry(1, EntryId(uuid4()), kinds.MESSAGE, NOW, BOB.account, sealed=false),
        Entry(2, EntryId(uuid4()), kinds.STATEMENT, NOW, BOB.account, body=true),
    ]
    server.manifest = msgspec.structs.replace(server.manifest, epoch=2)
    assert await arriving.prepare(server.session, server.group.id, page)
    with server.store.reading() as tx:
        head = epochs.select_head(tx, server.group.id, 3)
        assert epochs.select_head(tx, server.group.id, 2) is None
    assert head is not None
    assert head.roster == after.roster()
    assert told(server.store) == [], "it is named where the entry is stored"


def test_nothing_is_kept_under_numbers_past_the_limit(server: Server) -> None:
    with server.store.reading() as tx:
        assert epochs.select_head(tx, server.group.id, TOO_LARGE) is None
        assert epochs.select_before(tx, server.group.id, TOO_LARGE) is None
        assert epochs.select_hint(tx, server.group.id, TOO_LARGE) is None
        assert statements.select_hash(tx, server.group.id, TOO_LARGE) is None
        assert list_versions.select_list(tx, BOB.account, TOO_LARGE) is None
        assert list_versions.select_resets(tx, BOB.account, TOO_LARGE) is None
        assert list(list_versions.select_lists(tx, [(BOB.account, TOO_LARGE)])) == []


PENDING: dict[str, object] = {
    "nothing": None,
    "no list": "x",
    "no base64": ["%"],
    "no statement": ["AAAA"],
    "numbers": [1, None],
}


@pytest.mark.parametrize("what", PENDING)
def test_what_waits_at_the_server_and_is_nothing_is_passed_over(what: str) -> None:
    assert submitting._pending(ClientError("stale_membership", data={"pending": PENDING[what]})) == []


async def test_a_group_without_its_beginning_is_not_learnt(server: Server) -> None:
    other = Group.of(BOB, [])
    chain = (*other.chain, *server.group.chain[1:])
    server.group = Group(server.group.now, chain, {**server.group.people, **other.people})
    with pytest.raises(KeyRefused, match="bad_statement"):
        await learning.learn(server.session, server.group.id)
    with server.store.reading() as tx:
        assert statements.select_newest(tx, server.group.id) is None
        row = conversations.select_conversation(tx, server.group.id)
    assert row is not None
