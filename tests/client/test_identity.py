"""Becoming somebody with keys: at registration, at the next login of an older account, and never by asking twice."""

from collections.abc import Callable

import asyncpg
import pytest
from tests.client.conftest import PASSWORD, Newcomer

from aparte.client import Client, ClientError, Credentials, KeyRefused, Place
from aparte.client.api import keys as api
from aparte.client.crypto import own, pins
from aparte.client.session import Session
from aparte.client.store import own_keys

Places = Callable[[str], Place]
Admin = asyncpg.Connection  # of the maintenance role


def session_of(client: Client) -> Session:
    return client._session


async def stock(session: Session) -> tuple[int, int]:
    found = await api.prekey_stock(session)
    return found.one_time, found.one_time_kem


async def drain(server_admin: Admin, client: Client) -> None:
    """Leave the server few one-time prekeys of a device, as if most had been handed out."""
    await server_admin.execute(
        """
        DELETE FROM one_time_prekeys o WHERE device_id = $1 AND key_id <
          (SELECT max(key_id) - 9 FROM one_time_prekeys WHERE device_id = o.device_id AND is_kem = o.is_kem)
        """,
        client.device_id,
    )


def look_again(session: Session) -> None:
    """Let a day pass since upkeep has looked."""
    with session.store.transaction() as tx:
        own_keys.update_uploaded(tx, 0, 0)


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


async def test_prekeys_are_refilled_when_the_server_runs_low(newcomer: Newcomer, server_admin: Admin) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    session = session_of(ann)
    with session.store.reading() as tx:
        before = own.load(tx)
    [taken] = await api.bundles(session_of(bob), before.account, [ann.device_id])
    assert taken.one_time is not None
    assert (await stock(session)) == (99, 99)
    await drain(server_admin, ann)
    look_again(session)
    await own.keep_up(session)
    assert (await stock(session)) == (100, 100)
    with session.store.reading() as tx:
        after = own.load(tx)
    assert after.prekeys.one_time[: len(before.prekeys.one_time)] == before.prekeys.one_time
    assert min(key.id for key in after.prekeys.one_time[len(before.prekeys.one_time) :]) >= before.prekeys.next_id


async def test_upkeep_asks_nothing_while_nothing_can_be_due(
    newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await newcomer("ann")
    monkeypatch.setattr(api, "prekey_stock", None)
    await own.keep_up(session_of(ann))


async def test_a_copy_of_an_older_state_stops(newcomer: Newcomer, server_admin: Admin) -> None:
    ann = await newcomer("ann")
    session = session_of(ann)
    with session.store.reading() as tx:
        copy = own_keys.select_own_keys(tx)
    assert copy is not None
    await drain(server_admin, ann)
    look_again(session)
    await own.keep_up(session)
    with session.store.transaction() as tx:
        own_keys.insert_own_keys(tx, copy)
    await drain(server_admin, ann)
    look_again(session)
    with pytest.raises(KeyRefused) as refused:
        await own.keep_up(session)
    assert refused.value.code == "state_rolled_back"
    with session.store.reading() as tx, pytest.raises(KeyRefused) as caught:
        own.load(tx)
    assert caught.value.code == "state_rolled_back"


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


async def test_an_account_older_than_keys_works_in_rooms_and_gets_keys_at_its_next_login(
    newcomer: Newcomer, place: Places, server_admin: Admin
) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    name, account = (await ann.who_am_i()).username, (await ann.who_am_i()).id
    for table in ("device_lists", "device_prekeys"):
        await server_admin.execute(f"DELETE FROM {table} WHERE account_id = $1", account)  # noqa: S608 - two words
    await server_admin.execute("DELETE FROM one_time_prekeys WHERE device_id = $1", ann.device_id)
    with session_of(ann).store.transaction() as tx:
        tx.run("DELETE FROM own_keys")
        tx.run("DELETE FROM pins")
    async with Client.open(place("ann")) as older:
        await older.new_room(f"#{name}")
        await older.send(f"#{name}", "as before")
        with pytest.raises(KeyRefused) as caught, session_of(older).store.reading() as tx:
            own.load(tx)
        assert caught.value.code == "keys_needed"
        with pytest.raises(ClientError) as missing:
            await bob.keys.safety_number(name)
        assert missing.value.code == "no_keys"
    async with Client.log_in(place("ann"), Credentials(name, PASSWORD)) as newer:
        assert await newer.keys.listed() == {newer.device_id}
        assert (await bob.keys.safety_number(name)).digits == (
            await newer.keys.safety_number((await bob.who_am_i()).username)
        ).digits
