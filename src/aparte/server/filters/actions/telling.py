"""Tell whom it concerns of a message that waits: its author what it is, moderators how many there are."""

from aparte.server.filters import rules, store
from aparte.server.filters.model import TOLD, HeldRow
from aparte.server.kit.db import Tx
from aparte.server.state import actions as state
from aparte.wire.ids import AccountId


async def tell(tx: Tx, row: HeldRow) -> None:
    """Write it into the account states, in the order of accounts that everybody keeps.

    The head is locked, so the count is right; who becomes a moderator later asks.
    """
    count = await store.count_pending(tx, row.conversation)
    value = {"held": count} if count else None
    moderators = await store.select_moderators(tx, row.conversation, TOLD)
    before = [one for one in moderators if one <= row.account]
    after = [one for one in moderators if one > row.account]
    await _tell_moderators(tx, row, before, value)
    await tell_author(tx, row)
    await _tell_moderators(tx, row, after, value)


async def tell_author(tx: Tx, row: HeldRow) -> None:
    """Let the author's own devices know."""
    await state.put(tx, row.account, f"held:{row.id}", rules.state_of(row))


async def _tell_moderators(tx: Tx, row: HeldRow, moderators: list[AccountId], value: dict[str, int] | None) -> None:
    if moderators:
        await state.put_all(tx, f"moderation:{row.conversation}", dict.fromkeys(moderators, value))
