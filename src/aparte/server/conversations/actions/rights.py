"""What is derived from rights and kept for sending, made anew wherever they change."""

from collections.abc import Sequence

from aparte.server.conversations import seats
from aparte.server.conversations.rights import is_kept_from_posting
from aparte.server.kit.db import Tx
from aparte.wire.ids import AccountId, ConversationId


async def renew(tx: Tx, conversation: ConversationId, accounts: Sequence[AccountId] | None = None) -> None:
    """Keep beside members, these or all, whether they may post: a send looks there, under the lock the caller holds.

    Whoever changes a base role, a custom role, an override, or what a conversation says of bots calls this afterwards.
    """
    found = await seats.select_seats(tx, conversation, accounts)
    now = {seat.account: is_kept_from_posting(seat.place) for seat in found}
    changed = {seat.account: now[seat.account] for seat in found if now[seat.account] != seat.is_kept_from_posting}
    if changed:
        await seats.update_cannot_post(tx, conversation, changed)
