"""Whose word counts for the key of an entry: its own device's and one's own account's, never another's."""

from uuid import UUID

from tests.client.conftest import Newcomer

from aparte.client.store import content_keys, entries, sealed
from aparte.client.store.content_keys import ContentKey
from aparte.wire.ids import AccountId, DeviceId

NOBODY = AccountId(UUID(int=0))
"""Before every other account in any order."""


async def test_a_key_that_somebody_else_has_planted_is_not_passed_on(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    sent = await ann.send(f"@bob-{tag}", "said, taken back, said again")
    await ann.history(f"@bob-{tag}")
    with ann._session.store.transaction() as tx:
        entry = entries.select_by_id(tx, sent.conversation, sent.id)
        assert entry is not None
        row = sealed.select_at(tx, sent.conversation, entry.seq)
        assert row is not None
        content_keys.insert_key(tx, ContentKey(row.hash, b"\1" * 32, NOBODY, DeviceId(UUID(int=1))), 0)
        assert content_keys.select_keys(tx, row.hash)[0].account == NOBODY
    await ann.delete(f"@bob-{tag}", sent.id)
    await ann.restore(f"@bob-{tag}", sent.id)
    [message] = await bob.history(f"@ann-{tag}")
    assert (message.kind, message.text) == ("message", "said, taken back, said again")
