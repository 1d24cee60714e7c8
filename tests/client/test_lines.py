"""Lines of account keys: what came from the admitted key by rotations speaks for the member, and nothing before it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from tests.client.lists import Owner, new_key

from aparte.client import KeyRefused
from aparte.client.crypto import lines, pins, shared
from aparte.client.profiles import Folder
from aparte.client.session import Session
from aparte.client.store import db, list_versions, notices
from aparte.client.store import pins as rows
from aparte.client.store.db import Store
from aparte.e2ee.payload import PinnedAccount
from aparte.wire.keys import Lists, ListsOf, SignedList

NOW = 1_800_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    here = Folder.of("ann", tmp_path).open(None, create=True)
    yield here
    here.close()


def test_keys_lead_forwards(store: Store) -> None:
    """A first key, a rotation, a reset: of each pair of keys what may be said of it."""
    first = Owner.new()
    rotated = first.with_key(new_key())
    reset = rotated.with_key(new_key())
    versions = [first.signed(), rotated.signed(first.key), reset.signed()]
    keys = [owner.key.public.serialize() for owner in (first, rotated, reset)]
    strange = new_key().public.serialize()
    with store.transaction() as tx:
        assert pins.take(tx, first.account, versions, NOW)
    with store.reading() as tx:
        follows = {(a, b) for a in range(3) for b in range(3) if lines.follows(tx, first.account, keys[a], keys[b])}
        other = {(a, b) for a in range(3) for b in range(3) if lines.is_other(tx, first.account, keys[a], keys[b])}
        assert follows == {(0, 0), (1, 1), (2, 2), (0, 1)}
        assert other == {(0, 2), (1, 2)}
        for key in keys:
            assert not lines.follows(tx, first.account, key, strange)
            assert not lines.is_other(tx, first.account, key, strange)
            assert not lines.is_other(tx, first.account, strange, key)


# Versions before those that were told of ------------------------------------------------------------------------------


@dataclass
class Serving:
    """A session whose server has these versions of one list."""

    store: Store
    owner: Owner
    versions: Sequence[SignedList]
    is_asked: bool = False

    async def call(self, _: object, __: object) -> Any:
        self.is_asked = True
        return Lists([ListsOf(self.owner.account, list(self.versions), False, [])])


def known_from(store: Store, newest: Owner) -> None:
    """Another of one's own devices has told of the newest version, and the server has served that one."""
    key = newest.key.public.serialize()
    with store.transaction() as tx:
        given = PinnedAccount(newest.list.account, key, newest.list.version, newest.list.hash, None)
        shared.adopt(tx, (given,), NOW)
        assert pins.take(tx, newest.account, [newest.signed()], NOW)


def versions_of(store: Store, owner: Owner) -> list[tuple[int, int | None]]:
    with store.reading() as tx:
        return [(row.version, row.resets) for row in list_versions.select_signed(tx, owner.account)]


async def test_what_was_before_is_learnt_and_must_lead_to_what_is_known(store: Store) -> None:
    first = Owner.new()
    rotated = first.with_key(new_key())
    reset = rotated.with_key(new_key())
    newest = reset.with_device()
    chain = [first.signed(), rotated.signed(first.key), reset.signed(), newest.signed()]
    known_from(store, newest)
    assert versions_of(store, newest) == [(4, 0)]
    await lines.complete(cast("Session", Serving(store, newest, chain)), [newest.account])
    assert versions_of(store, newest) == [(4, 1), (3, 1), (2, 0), (1, 0)]
    with store.reading() as tx:
        assert lines.follows(tx, first.account, first.key.public.serialize(), rotated.key.public.serialize())
        assert lines.is_other(tx, first.account, first.key.public.serialize(), newest.key.public.serialize())
        assert lines.has_version(tx, first.account, reset.key.public.serialize(), 4)
        assert not lines.has_version(tx, first.account, rotated.key.public.serialize(), 4)
        assert not lines.has_version(tx, first.account, rotated.key.public.serialize(), 1)
        assert lines.is_lost(tx, first.account, rotated.key.public.serialize())
        assert not lines.is_lost(tx, first.account, newest.key.public.serialize())
        assert notices.select_unshown(tx) == []
    nobody = Serving(store, newest, [])
    await lines.complete(cast("Session", nobody), [newest.account])
    assert not nobody.is_asked


@pytest.mark.parametrize("lie", ["another chain", "without the first", "without the last", "nothing", "in disorder"])
async def test_a_past_that_does_not_lead_there_is_refused(store: Store, lie: str) -> None:
    first = Owner.new()
    second = first.with_device()
    third = second.with_device()
    chain = [first.signed(), second.signed(), third.signed()]
    stranger = Owner.new(first.account)
    served = {
        "another chain": [stranger.signed(), stranger.with_device().signed(), third.signed()],
        "without the first": chain[1:],
        "without the last": chain[:2],
        "nothing": [],
        "in disorder": [chain[1], chain[0], chain[2]],
    }[lie]
    known_from(store, third)
    with pytest.raises(KeyRefused, match="bad_list"):
        await lines.complete(cast("Session", Serving(store, third, served)), [third.account])
    assert versions_of(store, third) == [(3, 0)]
    with store.reading() as tx:
        assert [notice.code for notice in notices.select_unshown(tx)] == ["bad_list"]
        assert len(rows.select_evidence(tx, third.account)) == bool(served)


async def test_what_an_older_aparte_has_left_out_is_learnt_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It kept every version, but not how the account key had changed."""
    first = Owner.new()
    rotated, other = first.with_key(new_key()), Owner.new()
    known = db.migrations()
    monkeypatch.setattr(db, "migrations", lambda: known[:2])
    older = Folder.of("ann", tmp_path).open(None, create=True)
    with older.transaction() as tx:
        for owner in (first, rotated, other):
            signed = owner.signed(first.key if owner is rotated else None)
            tx.run(
                "INSERT INTO list_versions (account_id, version, hash, list) VALUES (?, ?, ?, ?)",
                owner.list.account,
                owner.list.version,
                owner.list.hash,
                signed.list,
            )
            tx.run(
                """
                INSERT OR REPLACE INTO pins (account_id, account_key, version, hash, list, signature)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                owner.list.account,
                owner.key.public.serialize(),
                owner.list.version,
                owner.list.hash,
                signed.list,
                signed.signature,
            )
    older.close()
    monkeypatch.setattr(db, "migrations", lambda: known)
    store = Folder.of("ann", tmp_path).open(None, create=False)
    admitted, now = first.key.public.serialize(), rotated.key.public.serialize()
    with store.reading() as tx:
        assert not list_versions.has_gaps(tx, other.account)
        assert list_versions.has_gaps(tx, first.account)
        assert not lines.follows(tx, first.account, admitted, now)
    chain = [first.signed(), rotated.signed(first.key)]
    await lines.complete(cast("Session", Serving(store, first, chain)), [first.account, other.account])
    with store.reading() as tx:
        assert lines.follows(tx, first.account, admitted, now)
        assert not list_versions.has_gaps(tx, first.account)
    store.close()
