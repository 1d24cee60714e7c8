"""Disappearing messages: when each is over, by this device's own clock, and that nothing of it stays then.

A message counts from the earlier of its sender's clock and its receipt, or from being read on this device; the server's
word changes neither. One's own counts from sending. It is looked at when the store is opened, before anything is read
out of it, and every few seconds. Source: docs/protocol/e2ee.md, 3.6.
"""

import asyncio

from aparte.client.core.bodies import body_of
from aparte.client.core.opened import Agreed
from aparte.client.crypto.arrivals import Arrival, Reader
from aparte.client.crypto.own import now_ms
from aparte.client.session import Session
from aparte.client.store import entries, expiring, outbox, outbox_sealed, sealed
from aparte.client.store.db import Store, Tx
from aparte.client.store.expiring import EXPIRED, ExpiringRow
from aparte.client.store.outbox_sealed import RefusedRow
from aparte.client.store.sealed import SealedRow
from aparte.e2ee import content as contents
from aparte.e2ee.content import TTL_MAX, Content, Text, Ttl
from aparte.e2ee.errors import E2eeError
from aparte.wire import kinds
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Entry

AT_ONCE = 100
"""How many messages are erased in one transaction."""
LOOK_SECONDS = 5.0
"""How late at most something is erased that was not known when the clock was last looked at."""


def is_over(tx: Tx, arrival: Arrival, content: Content, reader: Reader) -> bool:
    """Tell whether an entry is opened too late to be kept; else remember until when it is there."""
    if arrival.entry.kind in {kinds.EDIT, kinds.REACTION}:
        aimed = sealed.select_hashed(tx, arrival.row.conversation, arrival.head.target)
        return aimed is not None and aimed.code == EXPIRED
    if arrival.entry.kind != kinds.MESSAGE or not isinstance(content, Text) or content.ttl is None:
        return False
    now, (beginning, seconds) = now_ms(), content.ttl
    is_counting = beginning == "sending" or arrival.entry.account == reader.account
    ends = min(sent_at(content), now) + seconds * 1000 if is_counting else None
    row = ExpiringRow(seconds * 1000, ends, beginning == "reading")
    expiring.insert_expiring(tx, arrival.row.conversation, arrival.entry.seq, row)
    kept = expiring.select_expiring(tx, arrival.row.conversation, arrival.entry.seq) or row
    return kept.expires_at is not None and kept.expires_at <= now


def is_said_to_be_over(entry: Entry) -> bool:
    """Tell whether the server says that an entry has disappeared: of use only where nothing else is left of it."""
    return entry.expires_at is not None and entry.expires_at.timestamp() * 1000 <= now_ms()


def sent_at(content: Text) -> int:
    """Give when a message was sent, by its sender's clock: one that was scheduled when it was due."""
    return content.at if content.due is None else content.due


def note_readable(tx: Tx, conversation: ConversationId, entry: Entry) -> None:
    """Remember until when the server lets a message be there that it can read itself: its copy here goes with it."""
    if entry.expires_at is not None and entry.kind == kinds.MESSAGE:
        ends = round(entry.expires_at.timestamp() * 1000)
        expiring.insert_expiring(tx, conversation, entry.seq, ExpiringRow(0, ends))


def default(tx: Tx, conversation: ConversationId) -> Ttl | None:
    """Give how long new messages stay that name no time of their own, as the newest settings have it."""
    found = entries.select_settings(tx, conversation)
    body = body_of(found) if found is not None else None
    if not isinstance(body, Agreed) or body.ttl is None:
        return None
    return ("reading" if body.ttl[0] == "reading" else "sending", body.ttl[1])


def ttl_of(tx: Tx, conversation: ConversationId, seq: int) -> Ttl | None:
    """Give how long a message is there that is here; None if it stays."""
    found = expiring.select_expiring(tx, conversation, seq)
    if found is None:
        return None
    return ("reading" if found.is_from_reading else "sending", found.lasts // 1000)


def hint(content: Content) -> int | None:
    """Give after how many seconds the server may forget a message: what counts from reading stays as long as can be."""
    if not isinstance(content, Text) or content.ttl is None:
        return None
    beginning, seconds = content.ttl
    return seconds if beginning == "sending" else TTL_MAX


def has_ended(tx: Tx, row: SealedRow) -> bool:
    """Tell whether a message, or the one that an entry is about, is over, erased or not."""
    target = sealed.select_hashed(tx, row.conversation, row.target) if any(row.target) else None
    for kept in (row, target):
        found = expiring.select_expiring(tx, row.conversation, kept.seq) if kept is not None else None
        if found is not None and found.expires_at is not None and found.expires_at <= now_ms():
            return True
    return False


def read(store: Store, conversation: ConversationId, up_to_seq: int) -> None:
    """Let what counts from being read count from now, unless it was read here before."""
    with store.transaction() as tx:
        expiring.update_read(tx, conversation, up_to_seq, now_ms())


def sweep(store: Store) -> None:
    """Erase what is over, and what was refused to be sent and would be over by now."""
    while True:
        with store.reading() as tx:
            refused, is_due = _refused_over(tx), bool(expiring.select_over(tx, now_ms(), 1))
        if not refused and not is_due:
            return
        with store.transaction() as tx:
            sweep_some(tx)
            for item in refused:
                outbox.delete_item(tx, item)


def sweep_some(tx: Tx) -> None:
    """Erase some of what is over, the earliest first."""
    for conversation, seq in expiring.select_over(tx, now_ms(), AT_ONCE):
        expiring.erase(tx, conversation, seq)


async def keep_time(session: Session) -> None:
    """Erase what is over as time goes by, until cancelled."""
    while True:
        sweep(session.store)
        with session.store.reading() as tx:
            ends = expiring.select_next(tx)
        left = LOOK_SECONDS if ends is None else (ends - now_ms()) / 1000
        await asyncio.sleep(min(max(left, 0.0), LOOK_SECONDS))


def _refused_over(tx: Tx) -> list[int]:
    """Name the messages that were never sent, because they were refused, and would be gone by now."""
    return [row.item for row in outbox_sealed.select_refused(tx) if _is_old(tx, row)]


def _is_old(tx: Tx, row: RefusedRow) -> bool:
    try:
        content = contents.decode(row.kind, row.content)
    except E2eeError:
        return False
    ttl = (content.ttl or default(tx, row.conversation)) if isinstance(content, Text) else None
    return ttl is not None and row.queued_at + ttl[1] * 1000 <= now_ms()
