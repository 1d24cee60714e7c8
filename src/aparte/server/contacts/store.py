"""SQL of contacts and blocks."""

from collections.abc import Sequence

from aparte.server.contacts.model import BlockRow, ContactRow
from aparte.server.kit.db import Reader, Tx
from aparte.wire.ids import AccountId


async def upsert_contact(tx: Tx, owner: AccountId, contact: AccountId, nickname: str | None) -> ContactRow:
    """Write an entry, or give the one that is there another nickname."""
    row = await tx.fetchrow(
        """
        INSERT INTO contacts (owner_id, contact_id, nickname) VALUES ($1, $2, $3)
        ON CONFLICT (owner_id, contact_id) DO UPDATE SET nickname = EXCLUDED.nickname
        RETURNING contact_id, nickname, created_at
        """,
        owner,
        contact,
        nickname,
    )
    assert row is not None  # noqa: S101 - an upsert returns its row
    return ContactRow(row["contact_id"], row["nickname"], row["created_at"])


async def delete_contact(tx: Tx, owner: AccountId, contact: AccountId) -> bool:
    """Remove an entry; False if there was none."""
    return bool(await tx.execute("DELETE FROM contacts WHERE owner_id = $1 AND contact_id = $2", owner, contact))


async def select_contacts(reader: Reader, owner: AccountId) -> list[ContactRow]:
    """Read an address book, the oldest entry first."""
    rows = await reader.fetch(
        "SELECT contact_id, nickname, created_at FROM contacts WHERE owner_id = $1 ORDER BY created_at, contact_id",
        owner,
    )
    return [ContactRow(row["contact_id"], row["nickname"], row["created_at"]) for row in rows]


async def select_contact(reader: Reader, owner: AccountId, contact: AccountId) -> ContactRow | None:
    """Read one entry."""
    row = await reader.fetchrow(
        "SELECT contact_id, nickname, created_at FROM contacts WHERE owner_id = $1 AND contact_id = $2", owner, contact
    )
    return ContactRow(row["contact_id"], row["nickname"], row["created_at"]) if row else None


async def count_contacts(tx: Tx, owner: AccountId) -> int:
    """Count the entries of an address book."""
    count: int = await tx.fetchval("SELECT count(*) FROM contacts WHERE owner_id = $1", owner)
    return count


async def select_owners(reader: Reader, owners: Sequence[AccountId], contact: AccountId) -> set[AccountId]:
    """Tell which of these accounts have somebody in their book."""
    rows = await reader.fetch(
        "SELECT owner_id FROM contacts WHERE contact_id = $2 AND owner_id = ANY($1::uuid[])", owners, contact
    )
    return {row["owner_id"] for row in rows}


async def select_known(
    reader: Reader, owners: Sequence[AccountId], wanted: Sequence[AccountId]
) -> set[tuple[AccountId, AccountId]]:
    """Tell which of these people which accounts have in their books: pairs of owner and contact."""
    rows = await reader.fetch(
        """
        SELECT owner_id, contact_id FROM contacts WHERE owner_id = ANY($1::uuid[]) AND contact_id = ANY($2::uuid[])
        """,
        owners,
        wanted,
    )
    return {(row["owner_id"], row["contact_id"]) for row in rows}


async def upsert_block(tx: Tx, blocker: AccountId, blocked: AccountId, reason: str | None) -> BlockRow:
    """Write a block, or give the one that is there another reason."""
    row = await tx.fetchrow(
        """
        INSERT INTO blocks (blocker_id, blocked_id, reason) VALUES ($1, $2, $3)
        ON CONFLICT (blocker_id, blocked_id) DO UPDATE SET reason = EXCLUDED.reason
        RETURNING blocked_id, reason, created_at
        """,
        blocker,
        blocked,
        reason,
    )
    assert row is not None  # noqa: S101 - an upsert returns its row
    return BlockRow(row["blocked_id"], row["reason"], row["created_at"])


async def delete_block(tx: Tx, blocker: AccountId, blocked: AccountId) -> bool:
    """Remove a block; False if there was none."""
    return bool(await tx.execute("DELETE FROM blocks WHERE blocker_id = $1 AND blocked_id = $2", blocker, blocked))


async def select_blocks(reader: Reader, blocker: AccountId) -> list[BlockRow]:
    """Read whom somebody has blocked, the oldest block first."""
    rows = await reader.fetch(
        "SELECT blocked_id, reason, created_at FROM blocks WHERE blocker_id = $1 ORDER BY created_at, blocked_id",
        blocker,
    )
    return [BlockRow(row["blocked_id"], row["reason"], row["created_at"]) for row in rows]


async def select_block(reader: Reader, blocker: AccountId, blocked: AccountId) -> BlockRow | None:
    """Read one block."""
    row = await reader.fetchrow(
        "SELECT blocked_id, reason, created_at FROM blocks WHERE blocker_id = $1 AND blocked_id = $2", blocker, blocked
    )
    return BlockRow(row["blocked_id"], row["reason"], row["created_at"]) if row else None


async def count_blocks(tx: Tx, blocker: AccountId) -> int:
    """Count whom somebody has blocked."""
    count: int = await tx.fetchval("SELECT count(*) FROM blocks WHERE blocker_id = $1", blocker)
    return count


async def select_blocked_either_way(reader: Reader, account: AccountId, others: Sequence[AccountId]) -> set[AccountId]:
    """Tell between which of the others and an account there is a block, whoever made it."""
    rows = await reader.fetch(
        """
        SELECT blocked_id AS other_id FROM blocks WHERE blocker_id = $1 AND blocked_id = ANY($2::uuid[])
        UNION
        SELECT blocker_id FROM blocks WHERE blocked_id = $1 AND blocker_id = ANY($2::uuid[])
        """,
        account,
        others,
    )
    return {row["other_id"] for row in rows}


async def select_blockers(reader: Reader, one: AccountId, other: AccountId) -> list[AccountId]:
    """Tell who of two people blocks the other: nobody, one of them or both."""
    rows = await reader.fetch(
        """
        SELECT blocker_id FROM blocks
         WHERE (blocker_id = $1 AND blocked_id = $2) OR (blocker_id = $2 AND blocked_id = $1)
         ORDER BY blocker_id
        """,
        one,
        other,
    )
    return [row["blocker_id"] for row in rows]


async def select_blocks_between(
    reader: Reader, accounts: Sequence[AccountId], others: Sequence[AccountId]
) -> set[tuple[AccountId, AccountId]]:
    """Tell between which of these accounts and of the others there is a block, whoever made it."""
    rows = await reader.fetch(
        """
        SELECT blocker_id AS one_id, blocked_id AS other_id FROM blocks
         WHERE blocker_id = ANY($1::uuid[]) AND blocked_id = ANY($2::uuid[])
        UNION
        SELECT blocked_id, blocker_id FROM blocks WHERE blocked_id = ANY($1::uuid[]) AND blocker_id = ANY($2::uuid[])
        """,
        accounts,
        others,
    )
    return {(row["one_id"], row["other_id"]) for row in rows}
