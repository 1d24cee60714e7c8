"""Safety numbers: what two people compare to know that nobody sits between them, and the word that they have."""

import asyncio
from dataclasses import dataclass

from aparte.client.crypto import own, pins
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session
from aparte.client.store import pins as rows
from aparte.client.store import sealed
from aparte.client.store.db import Tx
from aparte.e2ee import fingerprint
from aparte.e2ee.fingerprint import Fingerprint, Identity
from aparte.e2ee.keys import PublicKey
from aparte.wire.ids import AccountId

GROUP_DIGITS = 5


@dataclass(frozen=True, slots=True)
class SafetyNumber:
    """What to compare with somebody: 60 digits, and whether that was done for the key they have now."""

    digits: str
    is_verified: bool
    has_changed: bool
    """Their key is another one than was verified: nothing is sent until it is accepted."""
    key: bytes
    """The account key that the number stands for."""

    @property
    def groups(self) -> list[str]:
        """The digits in twelve groups of five."""
        return [self.digits[at : at + GROUP_DIGITS] for at in range(0, len(self.digits), GROUP_DIGITS)]


async def safety_number(session: Session, account: AccountId) -> SafetyNumber:
    """Compute the number one has with somebody. Raises ClientError `no_keys`, KeyRefused."""
    await pins.refresh(session, [account])
    with session.store.reading() as tx:
        mine, theirs = own.load(tx), pins.pinned(tx, account)
        ours = pins.pinned(tx, mine.account)
    if theirs is None or ours is None:
        raise ClientError("no_keys")
    made = await asyncio.to_thread(_computed, mine.account, ours.list.account_key, account, theirs.list.account_key)
    has_changed = theirs.verified_key is not None and not theirs.is_verified
    return SafetyNumber(made.display, theirs.is_verified, has_changed, theirs.list.account_key.serialize())


def accept(tx: Tx, account: AccountId, key: bytes | None = None) -> None:
    """Take the account key for verified; with `key`, only if it is that one. Raises KeyRefused `key_changed`.

    Who has compared numbers writes on, even if an entry was sealed for another roster than ours.
    """
    row = rows.select_pin(tx, account)
    if row is None:
        raise ClientError("no_keys")
    if key is not None and key != row.account_key:
        raise KeyRefused("key_changed")
    rows.update_verified(tx, account, row.account_key)
    sealed.update_cleared(tx, account)


def _computed(mine: AccountId, my_key: PublicKey, other: AccountId, other_key: PublicKey) -> Fingerprint:
    return fingerprint.compute(Identity(mine.bytes, my_key), Identity(other.bytes, other_key))
