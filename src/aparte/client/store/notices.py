"""SQL of notices: what a person must be told, once, by whatever they look at next."""

from dataclasses import dataclass
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId, ConversationId, DeviceId


@dataclass(frozen=True, slots=True)
class Notice:
    """A code of the SDK, and whom, which device or which entry it is about; `number` once it is stored."""

    code: str
    at: int
    account: AccountId | None = None
    device: DeviceId | None = None
    conversation: ConversationId | None = None
    seq: int | None = None
    number: int = 0


def insert_notice(tx: Tx, notice: Notice) -> None:
    """Write something down that must be told; the same is written once until it was shown."""
    ids = (notice.account, notice.device, notice.conversation)
    about = (notice.code, *(value.bytes if value else None for value in ids), notice.seq)
    known = tx.row(
        """
        SELECT 1 FROM notices WHERE code = ? AND account_id IS ? AND device_id IS ? AND conversation_id IS ?
           AND seq IS ? AND shown = 0
        """,
        *about,
    )
    if known is None:
        tx.run(
            "INSERT INTO notices (code, account_id, device_id, conversation_id, seq, at) VALUES (?, ?, ?, ?, ?, ?)",
            *about,
            notice.at,
        )


def select_unshown(tx: Tx) -> list[Notice]:
    """Read what was not shown yet, oldest first."""
    rows = tx.rows(
        "SELECT notice, code, account_id, device_id, conversation_id, seq, at FROM notices WHERE shown = 0 "
        "ORDER BY notice"
    )
    return [
        Notice(
            code,
            at,
            AccountId(UUID(bytes=account)) if account else None,
            DeviceId(UUID(bytes=device)) if device else None,
            ConversationId(UUID(bytes=conversation)) if conversation else None,
            seq,
            number,
        )
        for number, code, account, device, conversation, seq, at in rows
    ]


def update_shown(tx: Tx, up_to: int) -> None:
    """Everything up to this notice was shown."""
    tx.run("UPDATE notices SET shown = 1 WHERE notice <= ? AND shown = 0", up_to)
