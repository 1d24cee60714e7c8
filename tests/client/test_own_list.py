"""One's own list: a device that is taken off stops, and nobody gives it another account key but itself."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest
from tests.client.lists import Owner, new_device, new_key
from tests.client.pinned import NOW, take, version

from aparte.client import KeyRefused
from aparte.client.crypto import beginning, own, pins
from aparte.client.session import Session
from aparte.client.store import own_keys
from aparte.client.store import pins as rows
from aparte.client.store.db import Store
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import SignedList

Lie = Callable[[list[Owner], int], list[SignedList]]


@pytest.fixture
def me(store: Store) -> Owner:
    """This profile's own account, with its first list."""
    account, device = AccountId(uuid4()), DeviceId(uuid4())
    made = beginning.make(account, device, is_first=True)
    with store.transaction() as tx:
        own_keys.insert_own_keys(tx, made)
        rows.upsert_pin(tx, beginning.signed_first(made, NOW))
        pin = pins.pinned(tx, account)
        keys = own.load(tx)
    assert pin is not None
    assert keys.account_key is not None
    return Owner(keys.account_key, pin.list)


def test_a_device_that_is_taken_off_stops_for_good(store: Store, me: Owner) -> None:
    two = me.with_device()
    take(store, two.signed(), two.without(1).signed())
    with store.reading() as tx, pytest.raises(KeyRefused) as caught:
        own.load(tx)
    assert caught.value.code == "revoked"


def test_ones_own_account_begins_anew_by_nobodys_word(store: Store, me: Owner) -> None:
    with pytest.raises(KeyRefused) as caught:
        take(store, me.with_key(new_key()).signed())
    assert caught.value.code == "key_mismatch"
    assert version(store, me) == 1


def test_a_rotation_of_this_device_takes_its_key_into_use(store: Store, me: Owner) -> None:
    fresh = new_key()
    with store.transaction() as tx:
        own_keys.update_next_account_key(tx, fresh.private)
        keys = own.load(tx)
    assert keys.account_key == me.key
    take(store, me.with_key(fresh).signed(previous=me.key))
    with store.reading() as tx:
        keys = own.load(tx)
        row = own_keys.select_own_keys(tx)
    assert keys.account_key == fresh
    assert row is not None
    assert own.is_untold(row)


def test_the_account_key_another_device_passes_on_counts_only_if_the_list_names_it(store: Store, me: Owner) -> None:
    fresh = new_key()
    assert not given(store, fresh.private)
    take(store, me.with_key(fresh).signed(previous=me.key))
    with store.reading() as tx:
        keys, pin = own.load(tx), pins.pinned(tx, me.account)
    assert pin is not None
    with pytest.raises(KeyRefused) as caught:
        own.signing_key(keys, pin.list)
    assert caught.value.code == "key_mismatch"
    assert not given(store, new_key().private)
    assert given(store, fresh.private)
    with store.reading() as tx:
        assert own.signing_key(own.load(tx), pin.list) == fresh


def given(store: Store, private: bytes) -> bool:
    with store.transaction() as tx:
        return own.take_account_key(tx, private)


async def test_a_server_that_denies_the_accounts_keys_does_not_make_this_device_give_them_up(
    store: Store, me: Owner
) -> None:
    session = cast("Session", SimpleNamespace(store=store))
    with store.reading() as tx:
        keys = own.load(tx)
    first = await beginning.first_keys(session, keys.account, keys.device)
    assert first.devices.list == me.list.serialize()
    take(store, me.with_device().signed())
    with pytest.raises(KeyRefused) as caught:
        await beginning.first_keys(session, keys.account, keys.device)
    assert caught.value.code == "list_rolled_back"
    with store.reading() as tx:
        assert own.load(tx) == keys


def test_numbers_of_new_devices_go_on() -> None:
    assert [device.number for device in Owner.new().with_device().with_device().list.devices] == [1, 2, 3]
    assert new_device(4).number == 4
