"""Becoming somebody with keys: at registration, at the next login of an older account, and never by asking twice."""

from collections.abc import Callable

import pytest
from tests.client.conftest import PASSWORD, Newcomer

from aparte.client import Client, ClientError, Credentials, Place
from aparte.client.api import keys as api
from aparte.client.crypto import own, pins
from aparte.client.session import Session
from aparte.client.store import own_keys

Places = Callable[[str], Place]


def session_of(client: Client) -> Session:
    return client._session


async def test_whoever_registers_has_keys_and_a_list_that_others_believe(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    account = (await bob.who_am_i()).id
    await pins.refresh(session_of(ann), [account])
    with session_of(ann).store.reading() as tx:
        pin = pins.pinned(tx, account)
        mine = own.load(tx)
    assert pin is not None
    assert pins.devices_of(pin.list) == {bob.device_id}
    assert mine.number == 1
    assert await bob.keys.listed() == {bob.device_id}
    assert (await api.prekey_stock(session_of(ann))).one_time == 100


async def test_logging_in_again_stays_the_same_device_with_the_same_keys(newcomer: Newcomer, place: Places) -> None:
    ann = await newcomer("ann")
    before, name = ann.device_id, (await ann.who_am_i()).username
    await ann.log_out()
    async with Client.log_in(place("ann"), Credentials(name, PASSWORD)) as again:
        assert again.device_id == before
        assert await again.keys.listed() == {before}


async def test_another_profile_must_be_linked(newcomer: Newcomer, place: Places) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username
    with pytest.raises(ClientError) as caught:
        async with Client.log_in(place("phone"), Credentials(name, PASSWORD)):
            pass
    assert caught.value.code == "link_needed"
    with pytest.raises(ClientError) as after:
        async with Client.open(place("phone")):
            pass
    assert after.value.code == "not_signed_in"


async def test_prekeys_are_refilled_when_the_server_runs_low(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    session = session_of(ann)
    with session.store.transaction() as tx:
        mine = own.load(tx)
    for _ in range(2):
        await own.keep_up(session)
    assert (await api.prekey_stock(session)).one_time == 100
    taken = await api.bundles(session_of(bob), mine.account, [ann.device_id])
    assert [bundle.device for bundle in taken] == [ann.device_id]
    assert (await api.prekey_stock(session)).one_time == 99


async def test_what_was_made_and_not_uploaded_goes_up_the_next_time(newcomer: Newcomer) -> None:
    ann = await newcomer("ann")
    session = session_of(ann)
    with session.store.transaction() as tx:
        row = own_keys.select_own_keys(tx)
        assert row is not None
        tx.run("UPDATE own_keys SET uploaded_to = 0")
    await own.keep_up(session)
    with session.store.reading() as tx:
        after = own_keys.select_own_keys(tx)
    assert after is not None
    assert after.uploaded_to == own.of_row(after).prekeys.next_id
    assert after.prekeys == row.prekeys


async def test_a_person_is_verified_once_both_see_the_same_digits(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    names = {client: (await client.who_am_i()).username for client in (ann, bob)}
    one = await ann.keys.safety_number("@" + names[bob])
    other = await bob.keys.safety_number("@" + names[ann])
    assert one.digits == other.digits
    assert len(one.groups) == 12
    assert not one.is_verified
    await ann.keys.verify("@" + names[bob], one)
    assert (await ann.keys.safety_number("@" + names[bob])).is_verified
    assert not (await bob.keys.safety_number("@" + names[ann])).is_verified


async def test_nobody_can_verify_who_does_not_exist(newcomer: Newcomer) -> None:
    ann = await newcomer("ann")
    with pytest.raises(ClientError) as caught:
        await ann.keys.safety_number("@nobody-at-all")
    assert caught.value.code == "no_such_member"
