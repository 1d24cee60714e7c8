"""Whose entry did not fit is shown what we know; what is shown is compared, and proves who told two stories."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from tests.client.chains import Group
from tests.client.lists import Owner, new_key

from aparte.client.crypto import beginning, disagreeing, folding, own, pairwise, pins
from aparte.client.crypto.arrivals import Reader
from aparte.client.profiles import Folder
from aparte.client.session import Session
from aparte.client.store import disagreements, notices, payloads, profile, statements
from aparte.client.store import pins as pin_rows
from aparte.client.store.db import Store
from aparte.e2ee import payload, statement
from aparte.e2ee.device_list import Signed
from aparte.e2ee.membership import Action
from aparte.e2ee.payload import SignedLists
from aparte.wire import keys as wire
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, DeviceId

NOW = 1_800_000_000_000
BOB, EVE = Owner.new(), Owner.new()


@dataclass
class Mine:
    """The owner of the store: somebody with real keys, as others know them."""

    owner: Owner
    reader: Reader


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    here = Folder.of("ann", tmp_path).open(None, create=True)
    yield here
    here.close()


@pytest.fixture
def mine(store: Store) -> Mine:
    account, device = AccountId(uuid4()), DeviceId(uuid4())
    made = beginning.make(account, device, is_first=True)
    with store.transaction() as tx:
        profile.upsert_profile(tx, "http://x", account, device, "ann")
        beginning.keep_new(tx, made)
        keys, pin = own.load(tx), pins.pinned(tx, account)
    assert keys.account_key is not None
    assert pin is not None
    return Mine(Owner(keys.account_key, pin.list), Reader(account, device, keys))


def known(store: Store, group: Group) -> None:
    """A group that is known here, with everybody's newest list."""
    with store.transaction() as tx:
        tx.run(
            """
            INSERT INTO conversations (conversation_id, kind, encryption_mode, name, name_key, topic, description,
                                       role, cursor_seq, cursor_id, listened_seq)
            VALUES (?, 'group', 'e2ee', '', '', '', '', 'owner', 0, ?, 0)
            """,
            group.id.bytes,
            bytes(16),
        )
        for owner in group.people.values():
            pins.take(tx, owner.account, [owner.signed()], NOW)
        assert folding.take(tx, group.id, group.chain, NOW)


def mismatch(store: Store, group: Group, author: Owner, seq: int = 1) -> DeviceId:
    """An entry of somebody's device was sealed for another roster than ours."""
    device = DeviceId(UUID(bytes=author.list.devices[0].device))
    with store.transaction() as tx:
        tx.run(
            "INSERT INTO entries (conversation_id, seq, id, kind, at, account_id) VALUES (?, ?, ?, 1, 0, ?)",
            group.id.bytes,
            seq,
            seq.to_bytes(16, "big"),
            author.account.bytes,
        )
        tx.run(
            """
            INSERT INTO sealed (conversation_id, seq, hash, epoch, roster, device_id, counter, prev, target, state,
                                code)
            VALUES (?, ?, ?, 1, x'', ?, 1, x'', x'', 'refused', 'roster_mismatch')
            """,
            group.id.bytes,
            seq,
            seq.to_bytes(32, "big"),
            device.bytes,
        )
    return device


def due(store: Store, mine: Mine, before: int = NOW) -> list[DeviceId]:
    with store.reading() as tx:
        return [one.device for one in disagreements.select_due(tx, mine.reader.device, before, 10)]


class Serving:
    """A session whose server gives bundles of a device that is in the test, and nothing else."""

    def __init__(self, store: Store, bundles: list[wire.Bundle]) -> None:
        self.store, self._bundles = store, bundles

    async def call(self, _: object, kind: type[Any], **_more: Any) -> Any:
        return wire.Bundles(self._bundles) if kind is wire.Bundles else wire.Lists([])


async def test_a_device_is_shown_our_lists_and_statements_once(
    store: Store, mine: Mine, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group.of(mine.owner, [BOB])
    known(store, group)
    device = mismatch(store, group, BOB)
    sent: list[bytes] = []

    def encrypt(*about: Any) -> Any:
        sent.append(about[-1])
        return pairwise.Envelope(device, 2, b"x")

    async def begun(*_: object) -> frozenset[bytes]:
        return frozenset()

    monkeypatch.setattr(pairwise, "encrypt", encrypt)
    monkeypatch.setattr(disagreeing, "begin_sessions", begun)
    with store.reading() as tx:
        assert disagreeing.is_due(tx)
    await disagreeing.answer(cast("Session", Serving(store, [])), mine.reader)
    [plaintext] = sent
    shown = payload.decode(plaintext)
    assert isinstance(shown, SignedLists)
    assert [one.list for one in shown.lists] == [mine.owner.signed().list, BOB.signed().list]
    assert [one.statement for one in shown.statements] == [one.statement for one in group.chain]
    with store.reading() as tx:
        [kept] = payloads.select_payloads(tx, 10)
        assert not disagreeing.is_due(tx)
    assert (kept.account, kept.device) == (BOB.account, device)
    mismatch(store, group, BOB, seq=2)
    with store.reading() as tx:
        assert not disagreeing.is_due(tx), "within the hour"
    assert due(store, mine, own.now_ms() + 1) == [device], "an hour later it is told of what came since"


def test_nobody_is_shown_anything_for_what_was_cleared_or_is_ones_own(store: Store, mine: Mine) -> None:
    group = Group.of(mine.owner, [BOB])
    known(store, group)
    mismatch(store, group, mine.owner)
    device = mismatch(store, group, BOB, seq=2)
    assert due(store, mine) == [device]
    with store.transaction() as tx:
        disagreements.update_gone(tx, group.id, {device.bytes})
    assert due(store, mine) == [device]
    with store.transaction() as tx:
        disagreements.update_gone(tx, group.id, set())
    assert due(store, mine) == []


# Being shown ----------------------------------------------------------------------------------------------------------


def shown(*chain: SignedStatement, lists: tuple[Signed, ...] = ()) -> SignedLists:
    said = tuple(statement.Signed(one.statement, one.signature, one.link_signature) for one in chain)
    return SignedLists(lists, said)


def told(store: Store) -> list[str]:
    with store.reading() as tx:
        return [notice.code for notice in notices.select_unshown(tx)]


def test_what_continues_our_chain_is_taken(store: Store, mine: Mine) -> None:
    group = Group.of(mine.owner, [BOB, EVE])
    known(store, group)
    after = group.without(mine.owner, EVE)
    with store.transaction() as tx:
        assert disagreeing.take(tx, shown(*after.chain), BOB.account) == []
        assert folding.state(tx, group.id) == after.now
    assert told(store) == []


def test_another_story_is_proven(store: Store, mine: Mine) -> None:
    group = Group.of(mine.owner, [BOB, EVE])
    known(store, group.without(mine.owner, EVE))
    other = group.by(mine.owner, Action.POLICY, policy=1)
    with store.transaction() as tx:
        assert disagreeing.take(tx, shown(*other.chain), BOB.account) == []
        assert folding.is_forked(tx, group.id)
        assert [kept[1] for kept in statements.select_evidence(tx, group.id)] == [other.chain[-1].statement]
    assert told(store) == ["membership_forked"]


def test_what_cannot_be_checked_yet_is_given_back(store: Store, mine: Mine) -> None:
    group = Group.of(mine.owner, [BOB])
    known(store, group)
    after = group.with_member(mine.owner, EVE)
    with store.transaction() as tx:
        assert disagreeing.take(tx, shown(after.chain[-1]), BOB.account) == [after.chain[-1]]
        assert folding.state(tx, group.id) == group.now


def test_a_group_that_is_not_known_here_is_nobodys_to_tell(store: Store, mine: Mine) -> None:
    group = Group.of(BOB, [mine.owner])
    with store.transaction() as tx:
        assert disagreeing.take(tx, shown(*group.chain), BOB.account) == []
        assert folding.state(tx, group.id) is None


def test_a_second_list_of_ones_own_is_proven_and_a_strangers_word_changes_nothing(store: Store, mine: Mine) -> None:
    """The server serves others a list that our account key has signed, and that is not ours."""
    other = mine.owner.with_device()
    with store.transaction() as tx:
        pins.take(tx, mine.owner.account, [mine.owner.with_device().signed()], NOW)
    twin = other.signed()
    forged = mine.owner.with_key(new_key()).signed()
    for signed, codes in ((forged, []), (twin, ["list_forked"])):
        with store.transaction() as tx:
            before = pin_rows.select_pin(tx, mine.owner.account)
            disagreeing.take(tx, shown(lists=(Signed(signed.list, signed.signature),)), BOB.account)
            assert pin_rows.select_pin(tx, mine.owner.account) == before
        assert [code for code in told(store) if code != "device_added"] == codes


@pytest.mark.usefixtures("mine")
def test_nobody_makes_anothers_rotation_a_new_beginning(store: Store) -> None:
    """Lists of others are compared, not taken: whoever shows them could leave the second signature out."""
    rotated = EVE.with_key(new_key())
    with store.transaction() as tx:
        pins.take(tx, EVE.account, [EVE.signed()], NOW)
        stripped = rotated.signed(EVE.key)
        disagreeing.take(tx, shown(lists=(Signed(stripped.list, stripped.signature),)), BOB.account)
        pin = pins.pinned(tx, EVE.account)
    assert pin is not None
    assert pin.list == EVE.list
    assert told(store) == []
