"""Register, log in, set up, change the password, and tell who an access token belongs to."""

import asyncio
from dataclasses import replace
from pathlib import Path

from aparte.server.accounts import actions as accounts
from aparte.server.accounts.model import Credentials, NewAccount
from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.authentication import setup_token
from aparte.server.authentication.model import Gate
from aparte.server.devices import actions as devices
from aparte.server.keys import actions as keys
from aparte.server.keys.model import FirstKeys
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Database, Tx
from aparte.server.sessions import actions as sessions
from aparte.server.sessions.tokens import Tokens as Maker
from aparte.wire.accounts import Founder, LogIn, NewDevice, NewPassword, Register, Setup, Tokens
from aparte.wire.errors import Refusal
from aparte.wire.keys import AccountKeys

IN_USE = frozenset({"account_exists", "username_taken", "email_taken", "phone_taken"})


async def register(gate: Gate, given: Register, origin: Origin) -> Tokens:
    """Create an account with its first device and session.

    Asked again with the same ids, name, password and list, because an answer was lost, it opens a fresh session
    instead. Refuses with `invalid`, `bad_list`, `bad_prekeys`, `account_exists`, `username_taken`, `email_taken`,
    `phone_taken`, `device_exists`.
    """
    new = accounts.checked(given)
    first = await keys.check_first(new.account, given.device.device_id, given.keys)
    new = replace(new, password_hash=await gate.passwords.hash(given.password))
    try:
        async with gate.db.transaction() as tx:
            return await _create(tx, gate, new, given.device, first, origin)
    except Refusal as refusal:
        if refusal.code not in IN_USE:
            raise
        return await _again(gate, given, given.keys, origin, refusal)


async def set_up(gate: Gate, token_file: Path | None, given: Setup, origin: Origin) -> Tokens:
    """Create the first administrator by the one-time token. Refuses with `bad_credentials`, `setup_done` and as above.

    The page in the browser has no keys: the first device that logs in brings its own. Two at once: one waits for the
    other and is refused. A lost answer is given again as by `register`.
    """
    new = accounts.checked(given.account, role="admin")
    if not await asyncio.to_thread(setup_token.is_right, token_file, given.token):
        if await _is_setup_open(gate):
            raise Refusal("bad_credentials")
        return await _again(gate, given.account, None, origin, Refusal("setup_done"))
    new = replace(new, password_hash=await gate.passwords.hash(given.account.password))
    tokens = await _create_admin(gate, new, given.account.device, origin)
    await asyncio.to_thread(setup_token.use_up, token_file)
    return tokens or await _again(gate, given.account, None, origin, Refusal("setup_done"))


async def log_in(gate: Gate, given: LogIn, origin: Origin) -> Tokens:
    """Open a session on a device by name and password; whoever has neither learns nothing from the answer.

    Refuses with `bad_credentials`, `account_locked`, `account_closed`, `too_many_devices`, `device_exists`,
    `unavailable` (too many at once).
    """
    name_key = gate.keys.name_key(accounts.login_name(given.login))
    async with gate.db.read() as reader:
        known = await accounts.credentials(reader, given.login)
        attempts = await accounts.attempts_at(reader, name_key)
    accounts.check_not_locked(known.attempts if known else attempts)
    if known is not None:
        return await _confirm(gate, known, given.password, given.device, origin)
    await gate.passwords.matches(None, given.password)
    async with gate.db.transaction() as tx:
        refusal = await accounts.turn_away(tx, name_key)
    raise refusal


async def change_password(gate: Gate, caller: Caller, given: NewPassword, origin: Origin) -> None:
    """Replace the password and close every other session. A wrong old password counts like a failed login."""
    if given.old == given.new:
        raise Refusal("invalid", "the new password is the old one")
    known, matched = await _compared(gate, caller, given.old)
    hashed = await gate.passwords.hash(given.new) if matched else ""
    async with gate.db.transaction() as tx:
        refusal = await accounts.admit(tx, known, matched=matched, origin=origin)
        if refusal is None:
            await accounts.renew_hash(tx, known.account, known.password_hash, hashed)
            await sessions.end_all(tx, known.account, caller.session)
            await audit.record(tx, Event("password_changed", known.account, caller.session, origin=origin))
    if refusal is not None:
        raise refusal


async def confirm_password(gate: Gate, caller: Caller, password: str, origin: Origin) -> None:
    """Ask somebody who is signed in for the password again; a wrong one counts like a failed login.

    Refuses with `bad_credentials`, `account_locked`, `account_closed`, `forbidden` (there is no password).
    """
    known, matched = await _compared(gate, caller, password)
    async with gate.db.transaction() as tx:
        refusal = await accounts.admit(tx, known, matched=matched, origin=origin)
    if refusal is not None:
        raise refusal


async def authenticate(db: Database, tokens: Maker, access_token: str) -> Caller:
    """Tell who asks, or refuse with `unauthenticated`. That they are here is noted once a minute."""
    async with db.read() as reader:
        admission = await sessions.identify(reader, tokens, access_token)
    if admission.is_stale:
        async with db.transaction() as tx:
            await accounts.seen(tx, admission.caller.account)
            await devices.used(tx, admission.caller.device)
            await sessions.used(tx, admission.caller.session)
    return admission.caller


async def _compared(gate: Gate, caller: Caller, password: str) -> tuple[Credentials, bool]:
    """Compare the password of somebody who is signed in; the guess is the caller's to count."""
    async with gate.db.read() as reader:
        known = await accounts.credentials_of(reader, caller.account)
    if known is None:
        raise Refusal("forbidden", "this account has no password")
    accounts.check_not_locked(known.attempts)
    return known, await gate.passwords.matches(known.password_hash, password)


async def _create(
    tx: Tx, gate: Gate, new: NewAccount, device: NewDevice, first: FirstKeys | None, origin: Origin
) -> Tokens:
    await accounts.create(tx, new)
    await devices.register(tx, new.account, device, is_listed=True)
    if first is not None:
        await keys.store_first(tx, new.account, first)
    await accounts.logged_in(tx, new.account)
    await audit.record(tx, Event("account_created", new.account, origin=origin, details={"role": new.role}))
    return await sessions.open_(tx, gate.keys, new.account, device.device_id, origin)


async def _create_admin(gate: Gate, new: NewAccount, device: NewDevice, origin: Origin) -> Tokens | None:
    """Create the first administrator; None if there is one."""
    async with gate.db.transaction() as tx:
        if not await accounts.lock_setup(tx):
            return None
        await audit.record(tx, Event("setup_completed", new.account, severity="warning", origin=origin))
        return await _create(tx, gate, new, device, None, origin)


async def _again(
    gate: Gate, given: Founder, given_keys: AccountKeys | None, origin: Origin, refusal: Refusal
) -> Tokens:
    """Answer a registration that has already happened; whatever is not the very same one is refused."""
    async with gate.db.read() as reader:
        known = await accounts.credentials_of(reader, given.account_id)
        if known is None:
            raise refusal
        same = known.username == given.username
        same = same and await devices.belongs(reader, known.account, given.device.device_id)
        same = same and (given_keys is None or await keys.is_same_first(reader, known.account, given_keys))
    if not same:
        raise Refusal("account_exists") if refusal.code in IN_USE else refusal
    accounts.check_not_locked(known.attempts)
    try:
        return await _confirm(gate, known, given.password, given.device, origin)
    except Refusal as wrong:
        if wrong.code != "bad_credentials":
            raise
        raise (Refusal("account_exists") if refusal.code in IN_USE else refusal) from None


async def _confirm(gate: Gate, known: Credentials, password: str, device: NewDevice, origin: Origin) -> Tokens:
    """Compare the password, count the guess, and open a session if it is right."""
    matched = await gate.passwords.matches(known.password_hash, password)
    renewed = matched and gate.passwords.is_outdated(known.password_hash)
    hashed = await gate.passwords.hash(password) if renewed else known.password_hash
    async with gate.db.transaction() as tx:
        refusal = await accounts.admit(tx, known, matched=matched, origin=origin)
        if refusal is None:
            if renewed:
                await accounts.renew_hash(tx, known.account, known.password_hash, hashed)
            is_listed = await keys.is_listed(tx, known.account, device.device_id)
            await devices.register(tx, known.account, device, is_listed=is_listed)
            await accounts.logged_in(tx, known.account)
            return await sessions.open_(tx, gate.keys, known.account, device.device_id, origin)
    raise refusal


async def _is_setup_open(gate: Gate) -> bool:
    """Tell whether setup is still to be done."""
    async with gate.db.transaction() as tx:
        return await accounts.lock_setup(tx)
