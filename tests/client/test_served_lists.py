"""Lists as the server serves them, and as another of one's own devices has pinned them: one story is believed."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from tests.client.lists import Owner, new_key
from tests.client.pinned import NOW, take, told, version

from aparte.client import KeyRefused
from aparte.client.api import keys as api
from aparte.client.crypto import pins, shared
from aparte.client.session import Session
from aparte.client.store import notices
from aparte.client.store import pins as rows
from aparte.client.store.db import Store
from aparte.e2ee.payload import PinnedAccount
from aparte.wire.ids import AccountId
from aparte.wire.keys import ListQuestion, ListsOf, SignedList

Lie = Callable[[list[Owner], int], list[SignedList]]
Lie = Callable[[list[Owner], int], list[SignedList]]


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
