"""Before sealed entries are stored: the lists that checking them needs are fetched, as a transaction cannot wait."""

from collections.abc import Sequence
from contextlib import suppress

from aparte.client.crypto import lists, pins
from aparte.client.crypto.own import now_ms
from aparte.client.errors import KeyRefused
from aparte.client.session import Session
from aparte.client.store import conversations, sealed
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Entry

HOUR_MS = 3_600_000


async def prepare(session: Session, conversation: ConversationId, new: Sequence[Entry]) -> bool:
    """Fetch what is missing; tells whether the conversation is encrypted. A refused list is told in a notice."""
    me = session.profile.account
    with session.store.reading() as tx:
        row = conversations.select_conversation(tx, conversation)
        if row is None or not row.is_sealed:
            return False
        wanted = lists.unknown(tx, row, new, me)
    if wanted:
        with suppress(KeyRefused):
            await pins.refresh(session, sorted(wanted))
    return True


def must_ask(session: Session) -> bool:
    """Tell whether an entry waits whose key was not asked for."""
    with session.store.reading() as tx:
        return bool(sealed.select_waiting(tx, now_ms() - HOUR_MS, 1))
