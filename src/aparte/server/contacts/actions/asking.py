"""Contact requests: somebody asks, the other accepts or declines; accepted, each has the other in their book (C-19).

Both accounts are locked by whoever changes what is between them, in the order of their ids: of two people who ask each
other at once the later one accepts, and of accepting and withdrawing one comes first.
"""

from datetime import timedelta

from aparte.server.accounts import actions as accounts
from aparte.server.contacts import asked, rules, store
from aparte.server.contacts.actions.book import keep
from aparte.server.contacts.actions.people import as_seen, one
from aparte.server.contacts.model import REQUESTS_SHOWN, RequestRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Tx
from aparte.server.kit.names import check_text
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import ContactRequest, ContactRequestList
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId

FORGOTTEN_DAYS = 30
"""Decided requests are shown so long; longer than one waits to ask again."""
STEP = 100


async def requests(db: Database, caller: Caller) -> ContactRequestList:
    """Read one's requests in both directions, newest first: all that wait, and what was decided lately."""
    async with db.read() as reader:
        rows = await asked.select_of(reader, caller.account, REQUESTS_SHOWN)
        people = await as_seen(reader, caller.account, [row.other(caller.account) for row in rows])
        blocked = {row.blocked for row in await store.select_blocks(reader, caller.account)}
    rows.sort(key=lambda row: row.created_at, reverse=True)
    shown = [
        rules.request_shown(row, caller.account, people[other], blocks_other=other in blocked)
        for row in rows
        if (other := row.other(caller.account)) in people
    ]
    return ContactRequestList(shown)


async def ask(db: Database, caller: Caller, account: AccountId, note: str) -> ContactRequest:
    """Ask somebody to be contacts; whoever asks back accepts (B-140). Asking again changes nothing.

    Refuses with `not_found`, with `blocked` if there is a block or they take no requests, with `too_soon` after a
    decline, with `too_many`.
    """
    rules.check_other(caller.account, account)
    rules.check_may_ask(caller.role)
    words = check_text(note.strip(), limits.REQUEST_NOTE, "the note")
    async with db.transaction() as tx:
        row = await _locked(tx, caller.account, account)
        if row is not None and row.is_pending and row.addressee == caller.account:
            return await _accepted(tx, caller, row)
        await _check_takes_requests(tx, caller.account, account)
        if row is not None and row.is_pending:
            return await _shown(tx, caller, row)
        if row is not None and row.status == "accepted" and await store.select_contact(tx, account, caller.account):
            await keep(tx, caller.account, account)
            return await _shown(tx, caller, row)
        rules.check_may_ask_again(row, caller.account, now())
        for count in await asked.count_pending(tx, caller.account, account):
            rules.check_room_for_one(count, limits.REQUESTS)
        row = await asked.replace(tx, caller.account, account, words)
        await tell(tx, caller.account, account)
        return await _shown(tx, caller, row)


async def accept(db: Database, caller: Caller, account: AccountId) -> ContactRequest:
    """Accept what somebody asked: from now on each has the other in their book. Again changes nothing.

    Refuses with `not_found` if they ask nothing, `over` if it was declined, `too_many` if a book is full.
    """
    async with db.transaction() as tx:
        row = rules.asked_of(await _locked(tx, caller.account, account), caller.account, but_not="declined")
        return await (_accepted(tx, caller, row) if row.is_pending else _shown(tx, caller, row))


async def decline(db: Database, caller: Caller, account: AccountId) -> ContactRequest:
    """Decline what somebody asked; they may ask again a week later. Again changes nothing.

    Refuses with `not_found` if they ask nothing, `over` if it was accepted.
    """
    async with db.transaction() as tx:
        row = rules.asked_of(await _locked(tx, caller.account, account), caller.account, but_not="accepted")
        if row.is_pending:
            row = await asked.update_decided(tx, row, "declined")
            await tell(tx, caller.account, account)
        return await _shown(tx, caller, row)


async def withdraw(db: Database, caller: Caller, account: AccountId) -> None:
    """Take one's own request back; where there is none, nothing happens. Refuses with `over` once it is decided."""
    async with db.transaction() as tx:
        await accounts.lock_all(tx, [caller.account, account])
        row = await asked.select_between(tx, caller.account, account)
        if row is None or row.requester != caller.account:
            return
        if not row.is_pending:
            raise Refusal("over")
        await asked.delete(tx, row)
        await tell(tx, caller.account, account)


async def close_between(tx: Tx, blocker: AccountId, blocked: AccountId) -> None:
    """Close what waits between two people of whom one blocks the other from now on; both accounts are locked (R-105).

    What the blocker asked is withdrawn; what was asked of them looks declined to who asked.
    """
    row = await asked.select_between(tx, blocker, blocked)
    if row is None or not row.is_pending:
        await tell(tx, blocker, blocked, only=blocker)
        return
    if row.requester == blocker:
        await asked.delete(tx, row)
    else:
        await asked.update_decided(tx, row, "declined")
    await tell(tx, blocker, blocked)


async def forget_old(tx: Tx) -> int:
    """Forget some requests that were decided long ago; a job's work."""
    rows = await asked.delete_old(tx, now() - timedelta(days=FORGOTTEN_DAYS), STEP)
    sides = [(row.requester, row.addressee) for row in rows] + [(row.addressee, row.requester) for row in rows]
    for viewer, other in sorted(sides):
        await state.put(tx, viewer, f"request:{other}", None)
    return len(rows)


async def tell(tx: Tx, account: AccountId, other: AccountId, *, only: AccountId | None = None) -> None:
    """Let the devices of both, or of one of them, know what is between the two."""
    row = await asked.select_between(tx, account, other)
    if row is None and only is not None:
        return
    blockers = await store.select_blockers(tx, account, other)
    for viewer in sorted({account, other}) if only is None else [only]:
        value = rules.request_value(row, viewer, blocks_other=viewer in blockers) if row else None
        await state.put(tx, viewer, f"request:{other if viewer == account else account}", value)


async def _locked(tx: Tx, account: AccountId, other: AccountId) -> RequestRow | None:
    if other not in await accounts.lock_all(tx, [account, other]):
        raise Refusal("not_found")
    return await asked.select_between(tx, account, other)


async def _check_takes_requests(tx: Tx, account: AccountId, other: AccountId) -> None:
    rows = await accounts.people(tx, [other])
    blockers = await store.select_blockers(tx, account, other)
    if blockers or not all(rules.takes_requests(row) for row in rows):
        raise Refusal("blocked")


async def _accepted(tx: Tx, caller: Caller, row: RequestRow) -> ContactRequest:
    for owner, contact in sorted([(row.requester, row.addressee), (row.addressee, row.requester)]):
        await keep(tx, owner, contact)
    row = await asked.update_decided(tx, row, "accepted")
    await tell(tx, row.requester, row.addressee)
    return await _shown(tx, caller, row)


async def _shown(tx: Tx, caller: Caller, row: RequestRow) -> ContactRequest:
    other = row.other(caller.account)
    blockers = await store.select_blockers(tx, caller.account, other)
    person = await one(tx, caller.account, other)
    return rules.request_shown(row, caller.account, person, blocks_other=caller.account in blockers)
