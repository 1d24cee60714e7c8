"""Where somebody's entry was sealed for others than our lists and statements name, they are shown ours.

So a server that tells two stories is found out by both: what a device is shown by another is compared with what it
knows like what the server serves. A device is shown something once an hour at most.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from aparte.client.crypto import folding, key_requests, learning, lines, lists, pins
from aparte.client.crypto.arrivals import Reader
from aparte.client.crypto.bundles import begin_sessions
from aparte.client.crypto.own import now_ms
from aparte.client.errors import KeyRefused
from aparte.client.session import Session
from aparte.client.store import conversations, disagreements, list_versions, own_keys, sessions, statements
from aparte.client.store.db import Tx
from aparte.client.store.disagreements import Disagreement
from aparte.e2ee import statement
from aparte.e2ee.device_list import ListedDevice, Signed
from aparte.e2ee.errors import InvalidSignature, NoSession
from aparte.e2ee.payload import SignedLists
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, ConversationId
from aparte.wire.keys import SignedList

HOUR_MS = 3_600_000
AT_ONCE = 20
LISTS_SHOWN = 2
"""Versions of each account's list, the newest ones; with all statements they fit into one payload."""
STATEMENTS_SHOWN = 20


def is_due(tx: Tx) -> bool:
    """Tell whether a device must be shown what we know."""
    mine = own_keys.select_own_keys(tx)
    return mine is not None and bool(disagreements.select_due(tx, mine.device, now_ms() - HOUR_MS, 1))


async def answer(session: Session, reader: Reader) -> None:
    """Show the devices whose entries did not fit our lists of both accounts, and our newest statements."""
    with session.store.reading() as tx:
        due = disagreements.select_due(tx, reader.device, now_ms() - HOUR_MS, AT_ONCE)
    if not due:
        return
    with suppress(KeyRefused):
        await lines.complete(session, {reader.account, *(one.account for one in due)})
    with session.store.reading() as tx:
        listed = [(one, found) for one in due if (found := _listed(tx, one)) is not None]
        fresh = [(one.account, found) for one, found in listed if not _has_session(tx, one)]
    if fresh:
        await begin_sessions(session, fresh)
    with session.store.transaction(durable=True) as tx:
        for one, found in listed:
            with suppress(NoSession):  # without usable prekeys it cannot be reached
                key_requests.put(tx, one.account, found, _shown(tx, reader.account, one))
        for one in due:
            disagreements.upsert_told(tx, one, now_ms())


def take(tx: Tx, found: SignedLists, sender: AccountId) -> list[SignedStatement]:
    """Take what a device shows: its account's lists as if the server had served them; others' are only compared.

    Statements are taken if they continue a chain that is known here, or compared. Gives those that lists are missing
    for, to be given to `settle`.
    """
    shown = [SignedList(one.list, one.signature, one.previous_signature) for one in found.lists]
    with suppress(KeyRefused):
        pins.take(tx, sender, [one for one in shown if lists.account_of(one) == sender], now_ms())
    for one in shown:
        if lists.account_of(one) != sender:
            with suppress(KeyRefused):
                _compare(tx, lists.account_of(one), one)
    signed = [SignedStatement(one.statement, one.signature, one.link_signature) for one in found.statements]
    later: list[SignedStatement] = []
    for conversation, chain in _by_group(tx, signed).items():
        if folding.unknown_accounts(tx, chain):
            later += chain
        else:
            learning.taken(tx, conversation, chain)
    return later


async def settle(session: Session, later: Sequence[SignedStatement]) -> None:
    """Take statements whose lists had to be fetched first."""
    with session.store.reading() as tx:
        chains = _by_group(tx, later)
    for conversation, chain in chains.items():
        with suppress(KeyRefused):
            await learning.take_all(session, conversation, chain)


def _by_group(tx: Tx, signed: Iterable[SignedStatement]) -> dict[ConversationId, list[SignedStatement]]:
    """Sort statements by their group; those of groups that are not known here are left out."""
    found: dict[ConversationId, list[SignedStatement]] = {}
    for one in signed:
        conversation = folding.conversation_of(one)
        row = conversations.select_conversation(tx, conversation)
        if row is not None and row.has_chain:
            found.setdefault(conversation, []).append(one)
    return found


def _compare(tx: Tx, account: AccountId, signed: SignedList) -> None:
    """Compare a list with the one of that version that is known here; what is new is the server's to serve.

    Raises KeyRefused `list_forked` if the key of that version has signed both.
    """
    data = list_versions.select_list(tx, account, pins.version_of(signed))
    if data is None or data == signed.list:
        return
    try:
        pins.read(data).account_key.verify(signed.list, signed.signature)
    except InvalidSignature:
        return
    raise pins.refused(tx, account, "list_forked", signed, now_ms())


def _shown(tx: Tx, me: AccountId, one: Disagreement) -> SignedLists:
    newest = statements.select_newest(tx, one.conversation)
    last = newest[0] if newest else 0
    chain = statements.select_statements(tx, one.conversation, last - STATEMENTS_SHOWN + 1, last)
    signed = tuple(statement.Signed(row.statement, row.signature, row.link_signature) for row in chain)
    return SignedLists((*_versions(tx, me), *_versions(tx, one.account)), signed)


def _versions(tx: Tx, account: AccountId) -> list[Signed]:
    """Give the newest versions of an account's list whose signatures are here, the older ones first."""
    rows = list_versions.select_signed(tx, account)[:LISTS_SHOWN]
    return [Signed(row.list, row.signature, row.previous_signature) for row in reversed(rows) if row.signature]


def _listed(tx: Tx, one: Disagreement) -> ListedDevice | None:
    pin = pins.pinned(tx, one.account)
    return pin.list.find(one.device.bytes) if pin is not None else None


def _has_session(tx: Tx, one: Disagreement) -> bool:
    return sessions.select_session(tx, one.account, one.device) is not None
