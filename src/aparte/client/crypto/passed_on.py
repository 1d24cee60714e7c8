"""Taking in what a member has passed on: entries of before one's time, opened with the keys that were given.

They are history: they move no cursor, are no news, and no entry that came to this device itself is checked against
them. Each is shown as passed on until the hashes of its sender's own later entries lead to it: the passer or the
server alone cannot forge it, together they can. Epochs of before one's time are not checked. What was passed on is
kept until it is settled, so a process may die anywhere. Source: docs/protocol/e2ee.md, 3.4.
"""

import asyncio
from collections.abc import Callable
from enum import Enum
from uuid import UUID

from aparte.client.api import objects as api
from aparte.client.core import retry
from aparte.client.core.locating import NEAR, Search
from aparte.client.crypto import folding, learning, rosters, unearthing
from aparte.client.crypto.arrivals import Reader
from aparte.client.crypto.own import now_ms
from aparte.client.errors import ClientError, NotSignedIn, Unreachable
from aparte.client.session import Session
from aparte.client.store import conversations, epochs, notices, passed_on
from aparte.client.store.db import Tx
from aparte.client.store.notices import Notice
from aparte.client.store.passed_on import OfferRow
from aparte.e2ee import grant
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.grant import Triple
from aparte.e2ee.payload import PassedOn
from aparte.e2ee.primitives import constant_time_equal, sha256
from aparte.wire.ids import FIRST_ID, START, AccountId, ConversationId, DeviceId, EntryId, ObjectId, Position
from aparte.wire.messages import Entry

OFFERS = 200
"""What of one account's may wait to be taken in: 700,000 entries."""
KEPT_MS = 7 * 86_400_000
"""How long something is kept that was passed on for a group which this device does not know yet."""
AT_ONCE = 20
"""How many entries are opened in one transaction."""
PROBES = 100
"""More questions than a search needs, whatever the server answers."""


class _Standing(Enum):
    """Whether something is taken in: it is, it may be later, it never will."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


def take(tx: Tx, found: PassedOn, account: AccountId, device: DeviceId) -> None:
    """Keep what a device has passed on, unless too much of the same account's waits."""
    if passed_on.count_offers(tx, account) < OFFERS:
        conversation = ConversationId(UUID(bytes=found.conversation))
        where = (conversation, account, device)
        passed_on.insert_offer(tx, OfferRow(0, *where, found.triples, found.object, found.key, found.sha256, now_ms()))


async def fetch(session: Session, reader: Reader, on_change: Callable[[], None]) -> None:
    """Take in what waits, in the order in which it came; what the server cannot answer now waits on.

    Raises the trouble of one only after the others had their turn.
    """
    after = 0
    trouble: ClientError | None = None
    while True:
        with session.store.reading() as tx:
            offer = passed_on.select_offer(tx, after)
        if offer is None:
            break
        after = offer.offer
        try:
            await _looked_at(session, offer, reader, on_change)
        except ClientError as error:
            if isinstance(error, NotSignedIn | Unreachable):
                raise
            trouble = trouble or error
    await _follow(session)
    if trouble is not None:
        raise trouble


async def _follow(session: Session) -> None:
    """Follow hashes into what was passed on, as far as they lead."""
    with session.store.reading() as tx:
        is_left = passed_on.has_links(tx)
    while is_left:
        with session.store.transaction() as tx:
            is_left = unearthing.go_on(tx)
        await asyncio.sleep(0)


async def _looked_at(session: Session, offer: OfferRow, reader: Reader, on_change: Callable[[], None]) -> None:
    """Settle an offer, or leave it for later. Raises ClientError for trouble that passes."""
    standing = _judged(session, offer, reader)
    if standing is _Standing.LATER:
        await _learn(session, offer.conversation)
        standing = _judged(session, offer, reader)
    if standing is _Standing.LATER:
        return
    if standing is _Standing.NOW and await _taken_in(session, offer, reader):
        on_change()
    with session.store.transaction() as tx:
        passed_on.delete_offer(tx, offer.offer)


def _judged(session: Session, offer: OfferRow, reader: Reader) -> _Standing:
    with session.store.reading() as tx:
        return _standing(tx, offer, reader)


async def _learn(session: Session, conversation: ConversationId) -> None:
    """Learn who is in a group where nothing was said yet since one came."""
    with session.store.reading() as tx:
        row = conversations.select_conversation(tx, conversation)
    if row is None:
        return
    try:
        await learning.learn(session, conversation)
    except ClientError as error:
        if isinstance(error, NotSignedIn) or retry.is_transient(error):
            raise


async def _taken_in(session: Session, offer: OfferRow, reader: Reader) -> bool:
    """Settle an offer; tells whether anything was opened. What is unsound is told, and dropped."""
    try:
        triples = await _unpacked(session, offer)
        opened = await _unearthed(session, offer, reader, triples)
    except InvalidMessage:
        with session.store.transaction() as tx:
            notices.insert_notice(tx, Notice("bad_entry", now_ms(), offer.account, offer.device, offer.conversation))
        return False
    except ClientError as error:
        if isinstance(error, NotSignedIn) or retry.is_transient(error):
            raise
        return False
    with session.store.transaction() as tx:
        numbers = [one.number for one in triples]
        unearthing.link(tx, offer.conversation, min(numbers), max(numbers))
    return opened > 0


def _standing(tx: Tx, offer: OfferRow, reader: Reader) -> _Standing:
    """Judge an offer: it must be from a device of a present member, for a group that we are in."""
    row, membership = conversations.select_conversation(tx, offer.conversation), folding.state(tx, offer.conversation)
    if row is not None and not row.has_chain:
        return _Standing.NEVER
    is_in = membership is not None and reader.account.bytes in membership.members
    if row is None or row.role is None or membership is None or not is_in:
        return _Standing.LATER if now_ms() - offer.at < KEPT_MS else _Standing.NEVER
    newest = epochs.select_newest_head(tx, offer.conversation)
    epoch = rosters.known(tx, offer.conversation, newest.epoch) if newest is not None else None
    is_listed = epoch is None or epoch.find(offer.account, offer.device) is not None
    is_member = is_listed and offer.account.bytes in membership.members
    return _Standing.NOW if is_member else _Standing.NEVER


async def _unpacked(session: Session, offer: OfferRow) -> tuple[Triple, ...]:
    """Give the triples, out of their object if they are in one. Raises InvalidMessage, ClientError."""
    if offer.triples is not None:
        return grant.unpack(offer.triples)
    if offer.object is None or offer.key is None or offer.sha256 is None:
        raise InvalidMessage
    data = await api.get(session, offer.conversation, ObjectId(UUID(bytes=offer.object)))
    if not constant_time_equal(sha256(data), offer.sha256):
        raise InvalidMessage
    triples = grant.open_(offer.key, data)
    with session.store.transaction() as tx:
        passed_on.update_fetched(tx, offer.offer, grant.pack(triples))
    return triples


async def _unearthed(session: Session, offer: OfferRow, reader: Reader, triples: tuple[Triple, ...]) -> int:
    """Go through the old log where there is something to be opened, page by page; counts what was.

    What the log has not, or has otherwise, is left out.
    """
    with session.store.reading() as tx:
        wanted = [one for one in triples if unearthing.is_wanted(tx, offer.conversation, one.number, reader)]
    left = {one.number: one for one in wanted}
    opened, last = 0, START
    while left:
        first = min(left)
        is_near = last.seq > 0 and first - last.seq <= NEAR
        after = last.id if is_near else await _located(session, offer.conversation, first)
        page = (await api.entries(session, offer.conversation, after, NEAR)).entries
        if not page or page[-1].seq <= last.seq:
            break
        for start in range(0, len(page), AT_ONCE):
            opened += _settled(session, offer, reader, page[start : start + AT_ONCE], left)
            await asyncio.sleep(0)
        last = Position(page[-1].seq, page[-1].id)
        left = {number: one for number, one in left.items() if number > last.seq}
    return opened


def _settled(session: Session, offer: OfferRow, reader: Reader, some: list[Entry], wanted: dict[int, Triple]) -> int:
    """Store what can be opened of some entries, and the places of those between; counts the former."""
    opened = 0
    with session.store.transaction() as tx:
        row = conversations.select_conversation(tx, offer.conversation)
        for entry in some if row is not None else ():
            if row is not None and entry.sealed is not None:
                opened += unearthing.take(tx, unearthing.Find(row, entry, offer.account), wanted.get(entry.seq), reader)
    return opened


async def _located(session: Session, conversation: ConversationId, seq: int) -> EntryId:
    """Find after which entry to read on in order to meet the one numbered `seq` soon."""
    with session.store.reading() as tx:
        low, high = passed_on.select_before(tx, conversation, seq), passed_on.select_from(tx, conversation, seq)
        row = conversations.select_conversation(tx, conversation)
    if low is None:
        low = await _first_after(session, conversation, FIRST_ID)
    if low is None or low.seq >= seq or row is None:
        return FIRST_ID
    search = Search(seq, low, high or row.cursor)
    for _ in range(PROBES):
        asked = search.guess()
        if asked is None:
            break
        search.heard(asked, await _first_after(session, conversation, asked))
    return search.low.id


async def _first_after(session: Session, conversation: ConversationId, after: EntryId) -> Position | None:
    page = (await api.entries(session, conversation, after, 1)).entries
    return Position(page[0].seq, page[0].id) if page else None
