"""What one's own devices tell each other of other people's keys, with linking and later: key, version and hash.

The signed lists themselves come from the server and must fit.
"""

from dataclasses import replace
from uuid import UUID

from aparte.client.store import notices
from aparte.client.store import pins as rows
from aparte.client.store.db import Tx
from aparte.client.store.notices import Notice
from aparte.client.store.pins import PinRow
from aparte.e2ee.payload import PinnedAccount
from aparte.wire.ids import AccountId

PINS_AT_ONCE = 1_500
"""More would not fit into what is left for a new device; those that were verified go first."""


def shared(tx: Tx, own_account: AccountId) -> tuple[PinnedAccount, ...]:
    """Give what this device has pinned of other people."""
    pins = [row for row in rows.select_pins(tx) if row.account != own_account]
    pins.sort(key=lambda row: (row.verified_key is None, -row.asked_at))
    return tuple(
        PinnedAccount(row.account.bytes, row.account_key, row.version, row.hash, row.verified_key)
        for row in pins[:PINS_AT_ONCE]
    )


def adopt(tx: Tx, given: tuple[PinnedAccount, ...], now: int) -> None:
    """Take what another of one's own devices has pinned: where there is no pin, and the word of who verified."""
    for one in given:
        account = AccountId(UUID(bytes=one.account))
        row = rows.select_pin(tx, account)
        if row is None:
            values = (one.account_key, one.version, one.hash, b"", b"", one.verified_key)
            rows.upsert_pin(tx, PinRow(account, *values, None, 0, b""))
            continue
        if row.version == one.version and row.hash != one.hash:
            notices.insert_notice(tx, Notice("list_forked", now, account))
        elif one.verified_key is not None and row.verified_key is None:
            changed_at = None if one.verified_key == row.account_key else now
            rows.upsert_pin(tx, replace(row, verified_key=one.verified_key, changed_at=changed_at))
