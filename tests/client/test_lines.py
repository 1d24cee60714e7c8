"""Lines of account keys: what came from the admitted key by rotations speaks for the member, and nothing before it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.client.lists import Owner, new_key

from aparte.client.crypto import lines, pins
from aparte.client.profiles import Folder
from aparte.client.store.db import Store

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
