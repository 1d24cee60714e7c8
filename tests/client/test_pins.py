"""Whose keys are believed: every version follows from the one before, and what is refused is kept and told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import pytest
from tests.client.lists import Owner, new_device, new_key

from aparte.client import KeyRefused
from aparte.client.api import keys as api
from aparte.client.crypto import beginning, own, pins, shared, verifying
from aparte.client.profiles import Folder
from aparte.client.session import Session
from aparte.client.store import notices, own_keys
from aparte.client.store import pins as rows
from aparte.client.store.db import Store, Tx
from aparte.e2ee.payload import PinnedAccount
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import ListQuestion, ListsOf, SignedList

Lie = Callable[[list[Owner], int], list[SignedList]]
NOW = 1_800_000_000_000


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APARTE_PASSPHRASE", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    here = Folder.of("ann", tmp_path).open(None, create=True)
    yield here
    here.close()


def take(store: Store, *versions: SignedList) -> None:
    account = AccountId(UUID(bytes=versions[0].list[18:34]))
    error = None
    with store.transaction() as tx:
        try:
            assert pins.take(tx, account, versions, NOW)
        except KeyRefused as refused:
            error = refused
    if error is not None:
        raise error


def version(store: Store, owner: Owner) -> int:
    with store.reading() as tx:
        pin = pins.pinned(tx, owner.account)
    return pin.list.version if pin else 0


def told(tx: Tx) -> list[tuple[str, AccountId | None]]:
    return [(notice.code, notice.account) for notice in notices.select_unshown(tx)]


def test_the_first_list_is_taken_and_the_next_one_told(store: Store) -> None:
    one = Owner.new()
    two = one.with_device()
    take(store, one.signed())
    with store.reading() as tx:
        assert told(tx) == []
    take(store, two.signed())
    with store.reading() as tx:
        assert [notice.device for notice in notices.select_unshown(tx)] == [
            DeviceId(UUID(bytes=two.list.devices[1].device))
        ]
        pin = pins.pinned(tx, one.account)
    assert pin is not None
    assert pin.list == two.list
    assert not pin.is_verified


def test_many_versions_are_taken_at_once_and_older_ones_passed_over(store: Store) -> None:
    one = Owner.new()
    two = one.with_device()
    three = two.without(1)
    take(store, one.signed(), two.signed(), three.signed())
    take(store, two.signed(), three.signed())
    assert version(store, one) == 3


def test_a_version_too_far_ahead_waits_for_those_between(store: Store) -> None:
    one = Owner.new()
    take(store, one.signed())
    with store.transaction() as tx:
        assert not pins.take(tx, one.account, [one.with_device().without(1).signed()], NOW)
    assert version(store, one) == 1


def unsigned(owner: Owner) -> SignedList:
    return SignedList(owner.list.serialize(), bytes(64))


def of_another_past(owner: Owner) -> SignedList:
    return replace(owner, list=replace(owner.with_device().list, previous=bytes(32))).signed()


def renamed_device(owner: Owner) -> SignedList:
    two = owner.with_device()
    other = replace(two.list.devices[0], identity=new_key().public)
    return replace(two, list=replace(two.list, devices=(other, two.list.devices[1]))).signed()


def rotated_by_a_stranger(owner: Owner) -> SignedList:
    return owner.with_key(new_key()).signed(previous=new_key())


@pytest.mark.parametrize(
    "forge", [lambda owner: unsigned(owner.with_device()), of_another_past, renamed_device, rotated_by_a_stranger]
)
def test_a_list_that_does_not_follow_is_refused_kept_and_told(store: Store, forge: object) -> None:
    owner = Owner.new()
    take(store, owner.signed())
    assert callable(forge)
    bad = forge(owner)
    with pytest.raises(KeyRefused) as caught:
        take(store, bad)
    assert caught.value.code == "bad_list"
    assert version(store, owner) == 1
    with store.reading() as tx:
        assert rows.select_evidence(tx, owner.account) == [("bad_list", bad.list, bad.signature)]
        assert told(tx) == [("bad_list", owner.account)]


def test_two_lists_of_one_version_are_a_fork(store: Store) -> None:
    owner = Owner.new()
    one, other = owner.with_device(), owner.with_device()
    take(store, owner.signed(), one.signed())
    with pytest.raises(KeyRefused) as caught:
        take(store, other.signed())
    assert caught.value.code == "list_forked"
    with store.reading() as tx:
        assert [code for code, _, _ in rows.select_evidence(tx, owner.account)] == ["list_forked"]
        pin = pins.pinned(tx, owner.account)
    assert pin is not None
    assert pin.list == one.list


def test_another_list_nobody_signed_proves_no_fork(store: Store) -> None:
    owner = Owner.new()
    take(store, owner.signed(), owner.with_device().signed())
    with pytest.raises(KeyRefused) as caught:
        take(store, unsigned(owner.with_device()))
    assert caught.value.code == "bad_list"


@pytest.mark.parametrize(("is_rotation", "code"), [(True, "key_changed"), (False, "key_reset")])
def test_another_key_of_somebody_verified_stops_sending_until_it_is_accepted(
    store: Store, is_rotation: bool, code: str
) -> None:
    owner = Owner.new()
    take(store, owner.signed())
    with store.transaction() as tx:
        verifying.accept(tx, owner.account)
        pins.check_may_send(tx, owner.account)
    after = owner.with_key(new_key())
    take(store, after.signed(previous=owner.key if is_rotation else None))
    with store.transaction() as tx:
        assert told(tx) == [(code, owner.account)]
        with pytest.raises(KeyRefused) as caught:
            pins.check_may_send(tx, owner.account)
        assert caught.value.code == "key_changed"
        verifying.accept(tx, owner.account)
        pins.check_may_send(tx, owner.account)


def test_another_key_of_somebody_else_is_told_and_stops_nothing(store: Store) -> None:
    owner = Owner.new()
    take(store, owner.signed())
    take(store, owner.with_key(new_key()).signed(previous=owner.key))
    with store.reading() as tx:
        pins.check_may_send(tx, owner.account)
        assert told(tx) == [("key_changed", owner.account)]


def test_notices_are_told_once(store: Store) -> None:
    owner = Owner.new()
    take(store, owner.signed())
    for _ in range(2):
        with pytest.raises(KeyRefused):
            take(store, unsigned(owner.with_device()))
    with store.transaction() as tx:
        [notice] = notices.select_unshown(tx)
        notices.update_shown(tx, notice.number)
        assert notices.select_unshown(tx) == []


# What the server serves -----------------------------------------------------------------------------------------------


async def refresh(
    store: Store, monkeypatch: pytest.MonkeyPatch, account: AccountId, served: Callable[[int], list[SignedList]]
) -> None:
    """Ask a server that answers a question for the versions after one with whatever it likes."""

    async def lists(_: object, questions: list[ListQuestion]) -> list[ListsOf]:
        return [ListsOf(one.account, served(one.after), False, []) for one in questions]

    monkeypatch.setattr(api, "lists", lists)
    await pins.refresh(cast("Session", SimpleNamespace(store=store)), [account])


async def test_what_is_served_is_taken_from_the_pinned_version_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Owner.new()
    await refresh(store, monkeypatch, one.account, lambda after: [one.signed()][after:])
    assert version(store, one) == 1
    two = one.with_device()
    three = two.with_device()
    versions = [owner.signed() for owner in (one, two, three)]
    await refresh(store, monkeypatch, one.account, lambda after: versions[after:])
    assert version(store, one) == 3


def nothing(_: list[Owner], __: int) -> list[SignedList]:
    return []


def the_first_alone(owners: list[Owner], after: int) -> list[SignedList]:
    return [owners[0].signed()][after:]


def the_first_whatever_is_asked(owners: list[Owner], _: int) -> list[SignedList]:
    return [owners[0].signed()]


def another_second(owners: list[Owner], after: int) -> list[SignedList]:
    return [owners[0].signed(), owners[0].with_device().signed()][after:]


def without_the_pinned_one(owners: list[Owner], _: int) -> list[SignedList]:
    return [owners[1].with_device().signed()]


@pytest.mark.parametrize(
    ("lie", "code", "evidence"),
    [
        (nothing, "list_rolled_back", 0),
        (the_first_alone, "list_rolled_back", 1),
        (the_first_whatever_is_asked, "list_rolled_back", 1),
        (another_second, "list_forked", 1),
        (without_the_pinned_one, "bad_list", 1),
    ],
)
async def test_a_server_that_serves_another_past_is_found_out(
    store: Store, monkeypatch: pytest.MonkeyPatch, lie: Lie, code: str, evidence: int
) -> None:
    one = Owner.new()
    owners = [one, one.with_device()]
    take(store, *(owner.signed() for owner in owners))
    with store.transaction() as tx:
        shown = notices.select_unshown(tx)
        notices.update_shown(tx, shown[-1].number if shown else 0)
    with pytest.raises(KeyRefused) as caught:
        await refresh(store, monkeypatch, one.account, lambda after: lie(owners, after))
    assert caught.value.code == code
    with store.reading() as tx:
        assert [found for found, _, _ in rows.select_evidence(tx, one.account)] == [code] * evidence
        assert told(tx) == [(code, one.account)]
    assert version(store, one) == 2


async def test_an_account_that_is_left_out_of_the_answer_is_no_news(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Owner.new(), Owner.new()
    take(store, one.signed())

    async def lists(*_: object) -> list[ListsOf]:
        return [ListsOf(other.account, [other.signed()], False, [])]

    monkeypatch.setattr(api, "lists", lists)
    with pytest.raises(KeyRefused) as caught:
        await pins.refresh(cast("Session", SimpleNamespace(store=store)), [one.account])
    assert caught.value.code == "list_rolled_back"
    assert version(store, other) == 0


# What another of one's own devices has pinned -------------------------------------------------------------------------


def shared_by(owner: Owner, verified: bool = False) -> tuple[PinnedAccount, ...]:
    key = owner.key.public.serialize()
    return (PinnedAccount(owner.list.account, key, owner.list.version, owner.list.hash, key if verified else None),)


def adopt(store: Store, given: tuple[PinnedAccount, ...]) -> None:
    with store.transaction() as tx:
        shared.adopt(tx, given, NOW)


async def test_a_pin_that_was_passed_on_counts_once_the_list_fits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Owner.new()
    two = one.with_device()
    adopt(store, shared_by(two, verified=True))
    assert version(store, one) == 0
    await refresh(store, monkeypatch, one.account, lambda after: [one.signed(), two.signed()][after:])
    with store.reading() as tx:
        pin = pins.pinned(tx, one.account)
    assert pin is not None
    assert pin.list == two.list
    assert pin.is_verified


async def test_a_server_cannot_tell_a_new_device_another_story(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Owner.new()
    true, false = one.with_device(), one.with_device()
    adopt(store, shared_by(true))
    with pytest.raises(KeyRefused) as caught:
        await refresh(store, monkeypatch, one.account, lambda after: [one.signed(), false.signed()][after:])
    assert caught.value.code == "list_forked"
    assert version(store, one) == 0


def test_two_own_devices_that_know_different_lists_are_told(store: Store) -> None:
    one = Owner.new()
    take(store, one.signed(), one.with_device().signed())
    adopt(store, shared_by(one.with_device()))
    with store.reading() as tx:
        assert ("list_forked", one.account) in told(tx)


def test_who_was_verified_on_one_device_is_verified_on_the_other(store: Store) -> None:
    one = Owner.new()
    take(store, one.signed())
    adopt(store, shared_by(one, verified=True))
    take(store, one.with_key(new_key()).signed(previous=one.key))
    with store.reading() as tx, pytest.raises(KeyRefused):
        pins.check_may_send(tx, one.account)


# One's own list -------------------------------------------------------------------------------------------------------


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
