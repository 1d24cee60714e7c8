"""Accounts and logins by the slices' own actions, for tests that need no socket."""

import os
from dataclasses import replace
from typing import Any
from uuid import uuid4

from msgspec import structs

from aparte.server.accounts.passwords import Hashing, Passwords
from aparte.server.authentication import actions
from aparte.server.authentication.model import Gate
from aparte.server.keys import actions as key_actions
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Hint
from aparte.server.sessions.tokens import Tokens as Keys
from aparte.wire.accounts import LogIn, NewDevice, Register, Tokens
from aparte.wire.ids import AccountId, DeviceId
from tests.support import keys

PASSWORD = "correct horse battery staple"
HOME = Origin("192.0.2.7", "tests/1.0")
CHEAP = Hashing(memory_kib=8, passes=1)


class Bell:
    """A doorbell that only listens."""

    def __init__(self) -> None:
        self.rung: list[Hint] = []

    def ring(self, hints: Any) -> None:
        """Keep what rang."""
        self.rung.extend(hints)


def gate(db: Database, hashing: Hashing = CHEAP) -> Gate:
    """A gate with cheap passwords and a key of its own."""
    return Gate(db, Passwords(hashing), Keys(os.urandom(32)))


def registration(username: str, **fields: Any) -> Register:
    """A registration with new ids."""
    device = fields.pop("device", None) or NewDevice(DeviceId(uuid4()), "laptop")
    fields.setdefault("email", f"{username}@example.org")
    fields.setdefault("password", PASSWORD)
    account = fields.setdefault("account_id", AccountId(uuid4()))
    fields.setdefault("keys", keys.first(account, device.device_id))
    return Register(device=device, username=username, **fields)


async def register(here: Gate, username: str, **fields: Any) -> Caller:
    """Somebody new, signed in."""
    return caller(await actions.register(here, registration(username, **fields), HOME))


async def log_in(here: Gate, login: str, password: str = PASSWORD, device: DeviceId | None = None) -> Tokens:
    """Somebody on a device, a new one unless told which."""
    wanted = NewDevice(device or DeviceId(uuid4()), "phone", "android")
    return await actions.log_in(here, LogIn(login, password, wanted), HOME)


async def link(here: Gate, login: str) -> Tokens:
    """Somebody on another device that is on their list."""
    tokens = await log_in(here, login)
    async with here.db.transaction() as tx:
        known = (await key_actions.lists_of(tx, [tokens.account_id]))[tokens.account_id]
        await key_actions.store_next(tx, tokens.account_id, keys.with_device(known.signed, tokens.device_id))
    return structs.replace(tokens, standing="listed")


def caller(tokens: Tokens, role: Any = "user") -> Caller:
    """Who these tokens belong to."""
    return Caller(tokens.account_id, tokens.device_id, tokens.session_id, role, tokens.standing != "unlisted")


def cheaper(**fields: Any) -> Hashing:
    """Other cheap parameters."""
    return replace(CHEAP, **fields)
