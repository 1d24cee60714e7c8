"""Taking devices off the account's list.

A device that is lost or stolen may have the account key, so the list goes on under a new one, which the account's other
devices are told. The new key is saved before it is named to anybody: if the answer is lost, the next list that the
server serves says whether it counts.
"""

import secrets
from dataclasses import dataclass, replace

from aparte.client.api import accounts
from aparte.client.api import keys as api
from aparte.client.crypto import own, pins
from aparte.client.errors import ClientError
from aparte.client.session import Session
from aparte.client.store import own_keys
from aparte.e2ee import device_list
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.keys import KeyPair
from aparte.wire.ids import DeviceId
from aparte.wire.keys import SignedList
from aparte.wire.linking import NewList

TRIES = 3
"""How often a list is signed anew because it has changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What a device is taken off with: a list, the account key that signs it, the password of a rotation."""

    device: DeviceId
    password: str | None
    """With a password the account key is replaced; without, the device must be known to be wiped."""

    def __repr__(self) -> str:
        """Keep the password out of logs and tracebacks."""
        return f"Removal(device={self.device})"


async def revoke(session: Session, removal: Removal) -> None:
    """Take a device off the list; one that is not on it is signed out for good.

    Raises ClientError `not_found`, `device_too_new`, `bad_credentials`, KeyRefused.
    """
    account = session.profile.account
    for attempt in range(TRIES):
        await pins.refresh(session, [account])
        with session.store.reading() as tx:
            pin = pins.pinned(tx, account)
        if pin is None or pin.list.find(removal.device.bytes) is None:
            if attempt == 0:
                await accounts.revoke_device(session, removal.device)
            return  # on a repeat the list says that it is done
        try:
            await _sign_without(session, removal, pin.list)
        except ClientError as error:
            if error.code != "stale_list" or attempt == TRIES - 1:
                raise
        else:
            return


async def _sign_without(session: Session, removal: Removal, known: DeviceList) -> None:
    with session.store.reading() as tx:
        mine = own.load(tx)
    key = own.signing_key(mine, known)
    left = tuple(listed for listed in known.devices if listed.device != removal.device.bytes)
    new = replace(known, version=known.version + 1, previous=known.hash, devices=left)
    if removal.password is None:
        made = device_list.sign(new, key, secrets.token_bytes)
    else:
        fresh = fresh_key(session)
        new = replace(new, account_key=fresh.public)
        made = device_list.sign(new, fresh, secrets.token_bytes, previous_key=key)
    signed = SignedList(made.list, made.signature, made.previous_signature)
    await api.put_list(session, NewList(signed, removal.password))
    with session.store.transaction(durable=True) as tx:
        pins.take(tx, mine.account, [signed], own.now_ms(), is_ours=True)


def fresh_key(session: Session) -> KeyPair:
    """Give an account key that is saved and that no list names yet: that of an earlier try, if one is open."""
    with session.store.transaction(durable=True) as tx:
        row = own_keys.select_own_keys(tx)
        if row is not None and row.next_account_private is not None:
            return KeyPair.from_private(row.next_account_private)
        fresh = KeyPair.generate(secrets.token_bytes)
        own_keys.update_next_account_key(tx, fresh.private)
        return fresh
