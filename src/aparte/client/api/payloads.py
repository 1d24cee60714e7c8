"""Payloads at the server: pairwise messages without an entry, fetched, acknowledged, and handed in."""

from collections.abc import Sequence

from aparte.client.session import Nothing, Session
from aparte.client.transport.http import Request
from aparte.wire.codec import to_json
from aparte.wire.ids import AccountId, PayloadId
from aparte.wire.keys import NewPayload, NewPayloads, PayloadPage, PayloadsDone


async def waiting(session: Session) -> PayloadPage:
    """Read the payloads that wait for this device, the oldest first."""
    return await session.call(Request("GET", "/payloads"), PayloadPage)


async def done(session: Session, ids: Sequence[PayloadId]) -> None:
    """Tell that these are stored here."""
    await session.call(Request("POST", "/payloads/done", to_json(PayloadsDone(list(ids)))), Nothing)


async def hand_in(session: Session, account: AccountId, payloads: Sequence[NewPayload]) -> None:
    """Send payloads to devices of an account; a repeat is stored once."""
    await session.call(Request("POST", "/payloads", to_json(NewPayloads(account, list(payloads)))), Nothing)
