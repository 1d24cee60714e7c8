"""Payloads: pairwise messages without an entry, taken in one transaction each, and sent after theirs.

Looked at when the gateway opens, when the server says that some wait, and every few minutes. One process of the
profile does it: the one that has the gateway.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from aparte.client import local_log
from aparte.client.api import payloads as api
from aparte.client.core import retry
from aparte.client.crypto import (
    disagreeing,
    key_requests,
    keyring,
    opening,
    own,
    pairwise,
    passed_on,
    passing,
    pins,
    scheduling,
    shared,
)
from aparte.client.crypto.arrivals import Reader
from aparte.client.crypto.own import now_ms
from aparte.client.errors import ClientError, KeyRefused, NotSignedIn
from aparte.client.session import Session
from aparte.client.store import payloads
from aparte.client.store.db import Tx
from aparte.client.store.payloads import PayloadRow
from aparte.e2ee import payload
from aparte.e2ee.device_list import ListedDevice
from aparte.e2ee.errors import E2eeError, NoSession
from aparte.e2ee.payload import AccountState, KeyRequest, Keys, PassedOn, SignedLists
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId
from aparte.wire.keys import NewPayload, Payload

ROUND_SECONDS = 180.0
AT_ONCE = 32
"""How many payloads are sent with one request."""
_random = random.SystemRandom()


class Mailbox:
    """The payloads of a profile, coming and going."""

    def __init__(self, session: Session, on_change: Callable[[], None]) -> None:
        """Work in the name of a session. `on_change` is called when something that waited was opened."""
        self._session = session
        self._on_change = on_change
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Look: payloads wait, or something must be asked for."""
        self._due.set()

    async def run(self) -> None:
        """Exchange payloads until cancelled; what passes is tried again soon. Raises NotSignedIn."""
        attempt = 0
        while True:
            self._due.clear()
            wait = ROUND_SECONDS
            try:
                await self.exchange()
                attempt = 0
            except NotSignedIn:
                raise
            except ClientError as error:
                if retry.is_transient(error):
                    wait = retry.delay(attempt, _random.random(), error.retry_after)
                    attempt += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._due.wait()

    async def exchange(self) -> None:
        """Take in what waits, ask for what is missing, send what must go out."""
        me = self._session.profile.account
        with self._session.store.reading() as tx:
            reader = local_log.reader_of(tx, me)
        if reader.own is None or reader.own.number is None:
            return
        await self._take_in(me)
        key_requests.answer_kept(self._session, reader)
        await key_requests.ask(self._session, reader)
        await disagreeing.answer(self._session, reader)
        await scheduling.renew(self._session, reader)
        await send_out(self._session)
        await passed_on.fetch(self._session, reader, self._on_change)
        await passing.pass_on(self._session)
        await send_out(self._session)

    async def _take_in(self, me: AccountId) -> None:
        while True:
            page = await api.waiting(self._session)
            if not page.payloads:
                return
            await self._learn_senders(page.payloads, me)
            later: list[SignedStatement] = []
            for one in page.payloads:
                with self._session.store.transaction(durable=True) as tx:
                    reader = local_log.reader_of(tx, me)
                    opened = payloads.insert_seen(tx, one.id, now_ms()) and take(tx, reader, one, later)
                if opened:
                    self._on_change()
                await asyncio.sleep(0)
            await disagreeing.settle(self._session, later)
            await api.done(self._session, [one.id for one in page.payloads])
            if not page.more:
                return

    async def _learn_senders(self, found: list[Payload], me: AccountId) -> None:
        """Fetch the lists that say who has written; one's own always, since a key must fit the newest."""
        with self._session.store.reading() as tx:
            unknown = {one.account for one in found if one.account == me or sender_of(tx, one) is None}
        with suppress(KeyRefused):
            if unknown:
                await pins.refresh(self._session, sorted(unknown))


async def send_out(session: Session) -> None:
    """Send what was kept, by account; what is refused for good is forgotten."""
    while True:
        with session.store.reading() as tx:
            rows = payloads.select_payloads(tx, AT_ONCE)
        for account in dict.fromkeys(row.account for row in rows):
            group = [row for row in rows if row.account == account]
            try:
                await api.hand_in(session, account, [new_payload(row) for row in group])
            except ClientError as error:
                if retry.is_transient(error) or isinstance(error, NotSignedIn):
                    raise
            with session.store.transaction() as tx:
                for row in group:
                    payloads.delete_payload(tx, row.payload)
        if len(rows) < AT_ONCE:
            return


def new_payload(row: PayloadRow) -> NewPayload:
    """Give a payload as it is handed in."""
    return NewPayload(row.payload, row.device, 2 if row.type == 2 else 3, row.body)


def sender_of(tx: Tx, one: Payload) -> ListedDevice | None:
    """Give the device that a payload is said to come from, if it is listed."""
    pin = pins.pinned(tx, one.account)
    return pin.list.find(one.device.bytes) if pin else None


def take(tx: Tx, reader: Reader, one: Payload, later: list[SignedStatement]) -> bool:
    """Open a payload and do what it says; tells whether an entry that waited is open now. The unsound is dropped.

    Statements that cannot be checked before lists are fetched are put to `later`.
    """
    listed = sender_of(tx, one)
    if listed is None or reader.own is None:
        return False
    try:
        found = payload.decode(pairwise.decrypt(tx, reader.own, one.account, listed, one.type, one.body))
    except E2eeError:
        return False
    match found:
        case Keys():
            waiting = keyring.take_given(tx, found, one.account, one.device)
            return sum(opening.reopen(tx, row, reader) for row in waiting) > 0
        case KeyRequest(hashes):
            with suppress(NoSession):
                key_requests.answer(tx, reader, one.account, listed, hashes)
        case AccountState() if one.account == reader.account:
            take_account_state(tx, found)
        case PassedOn():
            passed_on.take(tx, found, one.account, one.device)
        case SignedLists():
            later += disagreeing.take(tx, found, one.account)
    return False


def take_account_state(tx: Tx, found: AccountState) -> None:
    """Take what another of one's own devices tells of the account."""
    if found.account_private is not None:
        own.take_account_key(tx, found.account_private)
    shared.adopt(tx, found.pins, now_ms())
