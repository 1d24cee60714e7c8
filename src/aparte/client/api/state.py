"""The account state at the server: what one's own devices must see, by key."""

from aparte.client.session import Session
from aparte.client.transport.http import Request
from aparte.wire.accounts import StatePage


async def after(session: Session, rev: int) -> StatePage:
    """Read what changed after a revision."""
    return await session.call(Request("GET", "/account/state", query={"after": str(rev)}), StatePage)
