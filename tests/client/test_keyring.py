"""Whose word counts for the key of an entry: its own device's and one's own account's, never another's."""

from collections.abc import Callable
from uuid import UUID

from tests.client.conftest import Newcomer
from tests.client.linked import by, linking

from aparte.client import Place
from aparte.client.crypto import key_requests, own, pins
from aparte.client.crypto.arrivals import Reader
from aparte.client.store import content_keys, entries, payloads, sealed
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


async def test_a_device_linked_later_is_given_no_earlier_key(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str
) -> None:
    """Asked for by a device that breaks the rules: an honest one does not ask."""
    ann, bob = await newcomer("ann"), await newcomer("bob")
    before = await ann.send(f"@bob-{tag}", "before the phone")
    async with linking(place("phone"), f"bob-{tag}", by(bob)) as phone:
        after = await ann.send(f"@bob-{tag}", "to the phone too")
        await ann.history(f"@bob-{tag}")
        me = ann._session.profile
        with ann._session.store.transaction() as tx:
            reader = Reader(me.account, me.device, own.load(tx))
            pin = pins.pinned(tx, bob._session.profile.account)
            assert pin is not None
            listed = pin.list.find(phone.device_id.bytes)
            assert listed is not None
            for sent, given in ((before, 0), (after, 1)):
                row = sealed.select_at(tx, sent.conversation, sent.seq)
                assert row is not None
                key_requests.answer(tx, reader, pin.account, listed, [row.hash])
                assert len(payloads.select_payloads(tx, 10)) == given
