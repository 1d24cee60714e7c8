"""What may be asked of accounts. The world reaches them through `http`; registration and login call from above."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import structs

from aparte.server.accounts import rules, store
from aparte.server.accounts.model import Attempts, Credentials, NewAccount, PersonRow
from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.kit.names import check_name, check_text
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import Account, AccountChange, Founder, PlatformRole
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId

SYSTEM_NAME = "aparte"


async def me(db: Database, caller: Caller) -> Account:
    """One's own account (R-056)."""
    async with db.read() as reader:
        return await _own(reader, caller.account)


async def change(db: Database, caller: Caller, wanted: AccountChange) -> Account:
    """Change one's own profile; one's other devices learn it by the state keys `profile` and `privacy`."""
    fields = _checked(wanted)
    async with db.transaction() as tx:
        if "privacy" in fields:
            # Stored whole, so that what was not chosen now stays what it is for others.
            await lock(tx, caller.account)
            fields["privacy"] = structs.replace((await _own(tx, caller.account)).privacy, **_given(fields["privacy"]))
        if fields:
            await store.update_account(tx, caller.account, fields)
        account = await _own(tx, caller.account)
        if fields.keys() - {"privacy"}:
            await state.put(tx, caller.account, "profile", _profile(account))
        if "privacy" in fields:
            await state.put(tx, caller.account, "privacy", account.privacy)
        return account


async def create(tx: Tx, new: NewAccount) -> None:
    """Create an account. Refuses with `account_exists`, `username_taken`, `email_taken`, `phone_taken`."""
    await store.insert_account(tx, new)
    await state.put(tx, new.account, "profile", _profile(await _own(tx, new.account)))


async def ensure_system(tx: Tx) -> AccountId:
    """Find or create the account in whose name the server itself acts; it has no password and cannot log in."""
    await store.lock_setup(tx)
    found = await store.select_system(tx)
    if found is not None:
        return found
    account = AccountId(uuid4())
    await create(tx, NewAccount(account, SYSTEM_NAME, SYSTEM_NAME, kind="system"))
    return account


async def lock(tx: Tx, account: AccountId) -> None:
    """Lock an account's row, so that what is counted per account is counted by one transaction at a time."""
    if not await store.lock_account(tx, account):
        raise Refusal("not_found")


async def lock_all(tx: Tx, accounts: Sequence[AccountId]) -> set[AccountId]:
    """Lock several accounts as `lock` does, in the order of their ids that everybody keeps; gives those there are."""
    return await store.lock_accounts(tx, accounts)


async def lock_setup(tx: Tx) -> bool:
    """Let one setup run at a time; tell whether it is still to be done, that is whether there is no administrator."""
    await store.lock_setup(tx)
    return not await store.select_has_admin(tx)


async def people(reader: Reader, accounts: list[AccountId]) -> list[PersonRow]:
    """Read accounts before their privacy is applied: `contacts.actions.people` is what the world asks."""
    return await store.select_people(reader, accounts)


async def people_named(reader: Reader, usernames: Sequence[str]) -> list[PersonRow]:
    """Find accounts by their user names, whatever their case."""
    return await store.select_people_by_username(reader, [username.lower() for username in usernames])


async def people_at(reader: Reader, *, email: str | None, phone: str | None) -> list[PersonRow]:
    """Find who has an e-mail address or phone number, before their privacy is applied. Refuses with `invalid`."""
    if phone is not None:
        return await store.select_people_at(reader, None, rules.normal_phone(phone))
    return await store.select_people_at(reader, email.lower() if email is not None else None, None)


async def seen(tx: Tx, *who: AccountId) -> None:
    """Note that people are here; kept at most once a minute for each (C-15)."""
    await store.update_last_seen(tx, who)


async def credentials(reader: Reader, login: str) -> Credentials | None:
    """Find who logs in by user name, e-mail address or phone number."""
    return await store.select_by_login(reader, rules.read_login(login))


async def credentials_of(reader: Reader, account: AccountId) -> Credentials | None:
    """Find the credentials of an account."""
    return await store.select_by_id(reader, account)


def login_name(login: str) -> str:
    """Write what somebody logs in with so that case and Unicode variants of one name are one name."""
    by, value = rules.read_login(login)
    return f"{by}:{value}"


def check_not_locked(attempts: Attempts) -> None:
    """Refuse with `account_locked` before any password is compared."""
    rules.check_not_locked(attempts)


def checked(given: Founder, *, role: PlatformRole = "user") -> NewAccount:
    """Check a registration; the password is hashed by the caller. Refuses with `invalid`."""
    rules.check_new_id(given.account_id, "account_id")
    rules.check_new_id(given.device.device_id, "device_id")
    rules.check_reachable(given.email, given.phone)
    return NewAccount(
        account=given.account_id,
        username=given.username,
        display_name=check_name(given.display_name or given.username, limits.DISPLAY_NAME, "the display name"),
        email=given.email,
        phone=rules.normal_phone(given.phone) if given.phone is not None else None,
        language=given.language,
        time_zone=check_text(given.time_zone, limits.TIME_ZONE, "the time zone"),
        role=role,
    )


async def attempts_at(reader: Reader, name_key: bytes) -> Attempts:
    """Read what was tried on a name that nobody has."""
    return await store.select_unknown(reader, name_key)


async def admit(tx: Tx, known: Credentials, *, matched: bool, origin: Origin) -> Refusal | None:
    """Count a guess whose password was compared. Returns why it is refused: the caller raises after COMMIT.

    The row is locked and read again: guesses that were compared while others locked the account learn nothing, and
    neither does a password that was changed meanwhile.
    """
    await store.lock_account(tx, known.account)
    now = await store.select_by_id(tx, known.account)
    if now is None:
        return Refusal("bad_credentials")
    if now.attempts.locked_seconds > 0:
        return Refusal("account_locked", retry_after=now.attempts.locked_seconds)
    if matched and now.password_hash == known.password_hash:
        if not now.is_open:
            return Refusal("account_closed")
        await store.update_attempts(tx, known.account, Attempts())
        return None
    after = rules.after_failure(now.attempts)
    await store.update_attempts(tx, known.account, after)
    if after.locked_seconds:
        details = {"seconds": after.locked_seconds}
        event = Event("account_locked", known.account, severity="warning", origin=origin, details=details)
        await audit.record(tx, event)
    return Refusal("bad_credentials")


async def logged_in(tx: Tx, account: AccountId) -> None:
    """Note the time of a login (R-042)."""
    await store.update_logged_in(tx, account)


async def turn_away(tx: Tx, name_key: bytes) -> Refusal:
    """Count a guess at a name that nobody has, with the same outcomes as if somebody had it."""
    now = await store.lock_unknown(tx, name_key)
    if now.locked_seconds > 0:
        return Refusal("account_locked", retry_after=now.locked_seconds)
    await store.update_unknown(tx, name_key, rules.after_failure(now))
    return Refusal("bad_credentials")


async def renew_hash(tx: Tx, account: AccountId, old_hash: str, new_hash: str) -> bool:
    """Replace a password hash, unless it was replaced meanwhile."""
    return await store.update_password(tx, account, old_hash, new_hash)


async def forget_stale_failures(tx: Tx) -> int:
    """Forget names that nobody has and nobody tries any more; a job's work."""
    return await store.delete_stale_unknown(tx)


async def _own(reader: Reader, account: AccountId) -> Account:
    found = await store.select_account(reader, account)
    if found is None:
        raise Refusal("not_found")
    return found


def _profile(account: Account) -> dict[str, Any]:
    return {
        "username": account.username,
        "display_name": account.display_name,
        "bio": account.bio,
        "status_text": account.status_text,
        "time_zone": account.time_zone,
        "language": account.language,
        "status": account.status,
    }


def _checked(wanted: AccountChange) -> dict[str, Any]:
    fields = _given(wanted)
    if "display_name" in fields:
        fields["display_name"] = check_name(fields["display_name"], limits.DISPLAY_NAME, "the display name")
    if "time_zone" in fields:
        fields["time_zone"] = check_text(fields["time_zone"], limits.TIME_ZONE, "the time zone")
    for name, most in (("bio", limits.BIO), ("status_text", limits.STATUS_TEXT)):
        if fields.get(name) is not None:
            fields[name] = check_text(fields[name], most, name)
    return fields


def _given(wanted: msgspec.Struct) -> dict[str, Any]:
    given = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    return {name: value for name, value in given.items() if value is not msgspec.UNSET}
