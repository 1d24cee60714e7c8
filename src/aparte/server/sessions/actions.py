"""Open, refresh, check and end sessions."""

from collections.abc import Sequence
from uuid import uuid4

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.kit.doorbell import Ended
from aparte.server.sessions import rules, store, tokens
from aparte.server.sessions.model import Admission, Ending, SessionRow, Terms
from aparte.server.sessions.tokens import Tokens
from aparte.wire import accounts as wire
from aparte.wire.accounts import SessionList
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId, SessionId


async def open_(tx: Tx, keys: Tokens, account: AccountId, device: DeviceId, origin: Origin) -> wire.Tokens:
    """Open a session on a device of the account; it replaces the device's older ones."""
    await _end(tx, await store.update_ended_of_device(tx, device), "replaced")
    new = Ending(SessionId(uuid4()), account, device)
    access_id = uuid4()
    refresh_token = keys.refresh(new.session, 1)
    times = await store.insert_session(tx, new, tokens.stored(refresh_token), access_id, origin)
    await audit.record(tx, Event("session_opened", account, new.session, resource=("device", device), origin=origin))
    terms = Terms(*times, await store.select_standing(tx, device))
    return _tokens(new, keys.access(new.session, access_id), refresh_token, terms)


async def refresh(db: Database, keys: Tokens, refresh_token: str, origin: Origin) -> wire.Tokens:
    """Exchange a refresh token. The previous one gets the same answer for 30 s, in case the answer was lost.

    Later it can only be a copy: the session is closed. Refuses with `refresh_reused`, `unauthenticated`,
    `account_closed`.
    """
    said = keys.read_refresh(refresh_token)
    async with db.transaction() as tx:
        row = await store.lock_session(tx, said.session)
        verdict = rules.judge(row, tokens.stored(refresh_token))
        if row is not None and verdict == "rotate":
            return await _rotate(tx, keys, row)
        if row is not None and verdict == "repeat":
            return _same(keys, row, await store.select_standing(tx, row.device))
        if row is not None and verdict == "reused":
            await _end(tx, await store.update_ended(tx, row.account, row.session), "refresh_reused")
            event = Event("refresh_reused", row.account, row.session, severity="warning", origin=origin)
            await audit.record(tx, event)
    # Raised after COMMIT: what was closed stays closed.
    raise Refusal({"reused": "refresh_reused", "closed": "account_closed"}.get(verdict, "unauthenticated"))


async def _rotate(tx: Tx, keys: Tokens, row: SessionRow) -> wire.Tokens:
    access_id = uuid4()
    refresh_token = keys.refresh(row.session, row.generation + 1)
    times = await store.update_rotated(tx, row.session, tokens.stored(refresh_token), access_id)
    terms = Terms(*times, await store.select_standing(tx, row.device))
    whose = Ending(row.session, row.account, row.device)
    return _tokens(whose, keys.access(row.session, access_id), refresh_token, terms)


def _same(keys: Tokens, row: SessionRow, standing: wire.Standing) -> wire.Tokens:
    whose = Ending(row.session, row.account, row.device)
    terms = Terms(row.access_expires_at, row.expires_at, standing)
    return _tokens(whose, keys.access(row.session, row.access_id), keys.refresh(row.session, row.generation), terms)


def _tokens(whose: Ending, access_token: str, refresh_token: str, terms: Terms) -> wire.Tokens:
    return wire.Tokens(
        account_id=whose.account,
        device_id=whose.device,
        standing=terms.standing,
        session_id=whose.session,
        access_token=access_token,
        access_expires_at=terms.access_expires_at,
        refresh_token=refresh_token,
        refresh_expires_at=terms.expires_at,
    )


async def identify(reader: Reader, keys: Tokens, access_token: str) -> Admission:
    """Tell who an access token belongs to. Refuses with `unauthenticated` from the moment anything about it ends."""
    admission = await store.select_admission(reader, keys.read_access(access_token))
    if admission is None:
        raise Refusal("unauthenticated")
    return admission


async def used(tx: Tx, session: SessionId) -> bool:
    """Note that a session is in use, at most once a minute; False if it was noted meanwhile."""
    return await store.update_last_active(tx, session)


async def valid(db: Database, sessions: Sequence[SessionId]) -> set[SessionId]:
    """Tell which of these sessions are still open: the realtime look asks for its sockets."""
    async with db.read() as reader:
        return await store.select_valid(reader, sessions)


async def mine(db: Database, caller: Caller) -> SessionList:
    """List one's open sessions."""
    async with db.read() as reader:
        return SessionList(await store.select_open(reader, caller.account, caller.session))


async def revoke(db: Database, caller: Caller, session: SessionId) -> None:
    """End one of one's own sessions; nobody else's is ever found."""
    async with db.transaction() as tx:
        ended = await store.update_ended(tx, caller.account, session)
        if not ended:
            raise Refusal("not_found")
        await _end(tx, ended, "logged_out" if session == caller.session else "revoked")


async def end_all(tx: Tx, account: AccountId, except_session: SessionId | None = None) -> int:
    """End the sessions of an account, all but one: after a change of password, a suspension, a deletion."""
    ended = await store.update_ended_of_account(tx, account, except_session)
    await _end(tx, ended, "ended_all")
    return len(ended)


async def end_of_device(tx: Tx, device: DeviceId) -> None:
    """End the sessions of a device that is revoked."""
    await _end(tx, await store.update_ended_of_device(tx, device), "device_revoked")


async def close_gateways(tx: Tx, some: Sequence[DeviceId]) -> None:
    """Close the gateways of devices that may no longer have one; their sessions go on."""
    for session in await store.select_open_on(tx, some):
        tx.ring(Ended(session))


async def delete_expired(tx: Tx) -> int:
    """Delete a batch of sessions that are over; a job repeats it until it returns 0."""
    return await store.delete_over(tx)


async def _end(tx: Tx, ended: Sequence[Ending], why: str) -> None:
    for one in ended:
        tx.ring(Ended(one.session))
        resource = ("device", one.device)
        event = Event("session_ended", one.account, one.session, resource=resource, details={"why": why})
        await audit.record(tx, event)
