"""Whose keys are believed: every version follows from the one before, and what is refused is kept and told."""

from dataclasses import replace
from uuid import UUID

import pytest
from tests.client.lists import Owner, new_key
from tests.client.pinned import NOW, take, told, version

from aparte.client import KeyRefused
from aparte.client.crypto import pins, verifying
from aparte.client.store import notices
from aparte.client.store import pins as rows
from aparte.client.store.db import Store
from aparte.wire.ids import DeviceId
from aparte.wire.keys import SignedList


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
