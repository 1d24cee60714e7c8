"""What a store believes of somebody's keys, and what it was told meanwhile."""

from uuid import UUID

from tests.client.lists import Owner

from aparte.client import KeyRefused
from aparte.client.crypto import pins
from aparte.client.store import notices
from aparte.client.store.db import Store, Tx
from aparte.wire.ids import AccountId
from aparte.wire.keys import SignedList

NOW = 1_800_000_000_000


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
