"""SQL of the account state: the newest value of each key, and the revision they add up to."""

from typing import Any

import msgspec

from aparte.client.store.db import Tx
from aparte.wire.accounts import StateItem

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def upsert_states(tx: Tx, items: list[StateItem], rev: int) -> None:
    """Keep newer values, drop keys that are gone, and remember the revision reached."""
    tx.run_many(
        """
        INSERT INTO account_state (key, rev, value) VALUES (?, ?, ?)
        ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, value = excluded.value
         WHERE excluded.rev > account_state.rev
        """,
        [(item.key, item.rev, _encode(item.value)) for item in items],
    )
    tx.run("UPDATE profile SET state_rev = max(state_rev, ?)", rev)


def select_states(tx: Tx) -> dict[str, Any]:
    """Read the account state; keys that are gone are left out."""
    values = ((key, _decode(value)) for key, value in tx.rows("SELECT key, value FROM account_state ORDER BY key"))
    return {key: value for key, value in values if value is not None}


def select_value(tx: Tx, key: str) -> Any:
    """Read the value of a key; None if there is none."""
    row = tx.row("SELECT value FROM account_state WHERE key = ?", key)
    return _decode(row[0]) if row is not None else None


def is_gone(tx: Tx, key: str) -> bool:
    """Tell whether a key was there and is no more."""
    row = tx.row("SELECT value FROM account_state WHERE key = ?", key)
    return row is not None and _decode(row[0]) is None


def select_keys(tx: Tx, prefix: str) -> set[str]:
    """Read the keys that begin with something, but for those that are gone."""
    rows = tx.rows("SELECT key, value FROM account_state WHERE key >= ? AND key < ?", prefix, prefix + "\U0010ffff")
    return {key for key, value in rows if _decode(value) is not None}
