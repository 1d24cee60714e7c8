"""Accounts, sessions and devices: becoming somebody, being somebody, and the names of others."""

from collections.abc import Iterable
from contextlib import suppress
from uuid import uuid4

from aparte.client import local_log
from aparte.client.core.retry import is_transient
from aparte.client.crypto import beginning
from aparte.client.errors import ClientError, KeyRefused, NotSignedIn
from aparte.client.model import Credentials
from aparte.client.session import Nothing, Session
from aparte.client.store import own_keys, people, profile
from aparte.client.transport.http import Request
from aparte.wire import limits
from aparte.wire.accounts import (
    Account,
    AccountChange,
    Device,
    DeviceList,
    LogIn,
    NewDevice,
    PersonPage,
    Register,
    Tokens,
)
from aparte.wire.codec import to_json
from aparte.wire.ids import AccountId, DeviceId


async def register(session: Session, who: Credentials, email: str, display_name: str | None) -> None:
    """Make an account with this profile as its first device.

    Both ids and all keys are kept before the server is asked: asking again after a lost answer is the same request.
    """
    row = begin(session, who.username, fresh_account=True)
    body = Register(
        account_id=row.account,
        device=NewDevice(row.device, who.device_name),
        username=who.username,
        password=who.password,
        keys=await beginning.first_keys(session, row.account, row.device),
        email=email,
        display_name=display_name,
    )
    keep(session, await session.call(Request("POST", "/accounts", to_json(body)), Tokens, signed_in=False))
    beginning.uploaded(session)
    await confirm(session)


async def log_in(session: Session, who: Credentials) -> None:
    """Sign in with this profile as a device of the account; one that was signed in before stays the same device.

    An account that is older than keys gets them. Raises ClientError `link_needed` for a device that is not on the
    account's list, KeyRefused `revoked` for one that was, or the code that stopped it.
    """
    row = begin(session, who.username, fresh_account=False)
    tokens = await open_session(session, row, who)
    if tokens.standing == "unlisted" or (tokens.standing == "listed" and not is_linked(session, tokens)):
        await leave(session, tokens)
        raise KeyRefused("revoked") if is_linked(session, tokens) else ClientError("link_needed")
    await enter(session, tokens)


async def enter(session: Session, tokens: Tokens) -> None:
    """Go on with a session of a device that needs no linking."""
    keep(session, tokens)
    if tokens.standing == "keyless":
        await beginning.give_keys(session, tokens.account_id, tokens.device_id)
    await confirm(session)


async def open_session(session: Session, row: profile.ProfileRow, who: Credentials) -> Tokens:
    """Ask for tokens without keeping them. Raises ClientError `profile_in_use` if they are for somebody else."""
    body = LogIn(login=who.username, password=who.password, device=NewDevice(row.device, who.device_name))
    try:
        tokens = await session.call(Request("POST", "/sessions", to_json(body)), Tokens, signed_in=False)
    except ClientError as error:
        if error.code == "device_exists":
            raise ClientError("profile_in_use", row.username) from None
        raise
    if row.is_confirmed and row.account != tokens.account_id:
        await leave(session, tokens)
        raise ClientError("profile_in_use", row.username)
    return tokens


def is_linked(session: Session, tokens: Tokens) -> bool:
    """Tell whether this profile has keys of a listed device of the account. Raises KeyRefused if it was stopped."""
    with session.store.reading() as tx:
        row = own_keys.select_own_keys(tx)
    if row is None or row.number is None or (row.account, row.device) != (tokens.account_id, tokens.device_id):
        return False
    if row.stopped is not None:
        raise KeyRefused(row.stopped)
    return True


def begin(session: Session, username: str, *, fresh_account: bool) -> profile.ProfileRow:
    """Write down who this profile asks to be. Raises ClientError `profile_in_use` if it is somebody else's."""
    with session.store.transaction(durable=True) as tx:
        row = profile.select_profile(tx)
        if row is not None and row.is_confirmed:
            if fresh_account:
                raise ClientError("profile_in_use", row.username)
            profile.update_server(tx, session.http.server)
            return row
        is_repeat = row is not None and row.username == username and row.server == session.http.server
        account = row.account if row is not None and is_repeat else AccountId(uuid4())
        device = row.device if row is not None else DeviceId(uuid4())
        profile.upsert_profile(tx, session.http.server, account, device, username)
        row = profile.select_profile(tx)
        assert row is not None  # noqa: S101 - just written
        return row


def keep(session: Session, tokens: Tokens) -> None:
    """Keep tokens: the profile is signed in."""
    with session.store.transaction() as tx:
        profile.update_account(tx, tokens.account_id)
        profile.upsert_tokens(tx, tokens)


async def confirm(session: Session) -> None:
    """Keep who the server says this is."""
    account = await me(session)
    with session.store.transaction(durable=True) as tx:
        profile.update_confirmed(tx, account.id, account.username)


async def leave(session: Session, tokens: Tokens) -> None:
    """Close a session that was opened for nothing, if the server can be reached."""
    with suppress(ClientError):
        await session.call(Request("DELETE", "/sessions/current"), Nothing, token=tokens.access_token)


async def log_out(session: Session) -> None:
    """End the session at the server and forget the tokens; what the profile has stored stays."""
    try:
        await session.call(Request("DELETE", "/sessions/current"), Nothing)
    except NotSignedIn as error:
        if error.code == "not_signed_in":
            raise
    session.sign_out()


async def me(session: Session) -> Account:
    """Read one's own account."""
    return await session.call(Request("GET", "/accounts/me"), Account)


async def change(session: Session, wanted: AccountChange) -> Account:
    """Change what one's own account says of oneself, and who may what."""
    return await session.call(Request("PATCH", "/accounts/me", to_json(wanted)), Account)


async def devices(session: Session) -> list[Device]:
    """List one's own devices."""
    return (await session.call(Request("GET", "/devices"), DeviceList)).devices


async def revoke_device(session: Session, device: DeviceId) -> None:
    """Remove one of one's own devices; its session ends at once."""
    await session.call(Request("DELETE", f"/devices/{device}"), Nothing)


async def usernames(session: Session, accounts: Iterable[AccountId], patience: float) -> dict[AccountId, str]:
    """Name accounts: from the store, else from the server. Those that are gone are left out.

    While the server is in trouble, those that are not known are left out too.
    """
    wanted = set(accounts)
    known = local_log.usernames(session.store, wanted)
    missing = sorted(wanted - known.keys())
    for start in range(0, len(missing), limits.PAGE_LIST):
        ids = ",".join(str(account) for account in missing[start : start + limits.PAGE_LIST])
        try:
            page = await session.call(Request("GET", "/accounts", query={"ids": ids}), PersonPage, patience=patience)
        except ClientError as error:
            if not is_transient(error):
                raise
            break
        local_log.keep_people(session.store, page.people)
        known = local_log.usernames(session.store, wanted)
    return known


async def account_named(session: Session, username: str) -> AccountId:
    """Find an account by its user name. Raises ClientError `no_such_member`."""
    return (await accounts_named(session, [username]))[0]


async def accounts_named(session: Session, usernames: Iterable[str]) -> list[AccountId]:
    """Find accounts by their user names, a page of them at once. Raises ClientError `no_such_member`."""
    names = [*dict.fromkeys(username.removeprefix("@") for username in usernames)]
    with session.store.reading() as tx:
        missing = [name for name in names if people.select_account(tx, name) is None]
    for start in range(0, len(missing), limits.PAGE_LIST):
        query = {"username": ",".join(missing[start : start + limits.PAGE_LIST])}
        page = await session.call(Request("GET", "/accounts", query=query), PersonPage)
        local_log.keep_people(session.store, page.people)
    with session.store.reading() as tx:
        found = [(name, people.select_account(tx, name)) for name in names]
    unknown = [name for name, account in found if account is None]
    if unknown:
        raise ClientError("no_such_member", ", ".join(unknown))
    return [account for _, account in found if account is not None]
