"""What other slices and the world may ask of the account state."""

from collections.abc import Mapping
from typing import Any

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.kit.doorbell import ToAccount
from aparte.server.state import store
from aparte.wire.accounts import StatePage
from aparte.wire.frames import States
from aparte.wire.ids import AccountId

PAGE = 500


async def put(tx: Tx, account: AccountId, key: str, value: Any) -> int:
    """Set a key for an account's own devices (None: gone) and tell them after COMMIT. Returns the new revision."""
    rev = await store.update_rev(tx, account)
    await store.upsert_value(tx, account, key, value, rev)
    tx.ring(ToAccount(account, States(rev=rev)))
    return rev


async def put_all(tx: Tx, key: str, values: Mapping[AccountId, Any]) -> None:
    """Set one key of several accounts, each to its own value (None: gone), in one round trip."""
    for account, rev in (await store.upsert_values(tx, key, values)).items():
        tx.ring(ToAccount(account, States(rev=rev)))


async def get(reader: Reader, account: AccountId, key: str) -> Any:
    """Read a key's value; None where there is none, or none any more."""
    return await store.select_value(reader, account, key)


async def page(db: Database, caller: Caller, after: int) -> StatePage:
    """Read what changed after a revision."""
    async with db.read() as reader:
        items = await store.select_after(reader, caller.account, after, PAGE + 1)
    kept = items[:PAGE]
    # The revision of what was read, never a newer one: that would skip what is committed in between.
    return StatePage(kept[-1].rev if kept else after, kept, len(items) > PAGE)


async def newest(reader: Reader, account: AccountId) -> int:
    """Tell an account's newest revision."""
    return await store.select_rev(reader, account)


async def moved_since(reader: Reader, xmin: int) -> list[tuple[AccountId, int]]:
    """Name the accounts whose state changed since a transaction id, for the look."""
    return await store.select_moved(reader, xmin)
