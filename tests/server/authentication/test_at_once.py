"""Everything that one account can do at the same time, at the same time: refusals are fine, deadlocks are not."""

import asyncio
from collections.abc import Awaitable
from typing import Any
from uuid import uuid4

from tests.support.sign_in import HOME, PASSWORD, caller, gate, log_in, register

from aparte.server.accounts import actions as accounts
from aparte.server.authentication import actions as authentication
from aparte.server.contacts import actions as contacts
from aparte.server.devices import actions as devices
from aparte.server.kit.db import Database
from aparte.server.sessions import actions as sessions
from aparte.wire.accounts import AccountChange, NewPassword
from aparte.wire.errors import Refusal
from aparte.wire.ids import DeviceId


async def attempted(attempt: Awaitable[Any]) -> str:
    try:
        await attempt
    except Refusal as refusal:
        return refusal.code
    return "done"


async def test_nothing_that_an_account_does_at_once_locks_itself_out(db: Database, admin: Any) -> None:
    here = gate(db)
    alice = await register(here, "alice")
    bob = await register(here, "bob")
    phone_id, codes = DeviceId(uuid4()), set()
    for _ in range(6):
        phone = await log_in(here, "alice", device=phone_id)
        await admin.execute("UPDATE sessions SET last_active_at = last_active_at - interval '2 minutes'")
        attempts = [
            log_in(here, "alice", device=phone_id),
            log_in(here, "alice", "wrong password"),
            authentication.authenticate(db, here.keys, phone.access_token),
            authentication.authenticate(db, here.keys, phone.access_token),
            sessions.refresh(db, here.keys, phone.refresh_token, HOME),
            sessions.revoke(db, alice, phone.session_id),
            devices.revoke(db, alice, phone_id, HOME),
            devices.rename(db, alice, phone_id, "telephone"),
            contacts.add(db, alice, bob.account, None),
            contacts.block(db, bob, alice.account, None),
            accounts.change(db, caller(phone), AccountChange(bio="here")),
            authentication.change_password(here, alice, NewPassword("wrong password", PASSWORD), HOME),
        ]
        codes |= set(await asyncio.gather(*(attempted(attempt) for attempt in attempts)))
        await admin.execute("UPDATE accounts SET failed_login_attempts = 0")
    assert codes <= {"done", "unauthenticated", "not_found", "bad_credentials", "account_locked"}
    assert "done" in codes
