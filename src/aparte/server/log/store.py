"""SQL of the log: `heads`, `entries`, `epochs`."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.log.model import (
    Begun,
    Difference,
    Epoch,
    Head,
    Marker,
    NewEntry,
    NewEpoch,
    NewStatements,
    Since,
    Terms,
)
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, DeviceId, EntryId, Position
from aparte.wire.kinds import StatementChange

CLOCK_BEHIND = "AP001"
CHANGED_BYTES = 24
"""A member and a list version in `epochs.changed`."""


def head_of(row: Row) -> Head:
    """Build a Head from a row of `heads`."""
    return Head(
        conversation=row["conversation_id"],
        epoch=row["epoch"],
        last=Position(row["last_seq"], row["last_id"]),
        ordinal=row["last_ordinal"],
        message_count=row["message_count"],
        floor=Position(row["floor_seq"], row["floor_id"]),
        last_message_at=row["last_message_at"],
        roster=row["roster"],
    )


async def insert_head(tx: Tx, conversation: ConversationId) -> None:
    """Begin a log."""
    await tx.execute("INSERT INTO heads (conversation_id) VALUES ($1)", conversation)


async def insert_sealed_head(tx: Tx, conversation: ConversationId, roster: bytes) -> None:
    """Begin a log whose entries are sealed, in epoch 1. It counts as active from here on, though it has no entry."""
    await tx.execute(
        """
        INSERT INTO heads (conversation_id, epoch, roster, last_id) VALUES ($1, 1, $2, id_now(clock_timestamp()))
        """,
        conversation,
        roster,
    )
    await tx.execute(
        "INSERT INTO epochs (conversation_id, epoch, roster, seq) VALUES ($1, 1, $2, 1)", conversation, roster
    )


async def select_roster(reader: Reader, conversation: ConversationId) -> tuple[int, bytes] | None:
    """The epoch and roster of an encrypted conversation; None of any other."""
    row = await reader.fetchrow(
        "SELECT epoch, roster FROM heads WHERE conversation_id = $1 AND roster IS NOT NULL", conversation
    )
    return (row["epoch"], row["roster"]) if row else None


async def lock_heads(tx: Tx, conversations: Sequence[ConversationId]) -> None:
    """Lock many conversations, in id order as every writer does."""
    await tx.fetch(
        """
        SELECT 1 FROM heads WHERE conversation_id = ANY ($1::uuid[]) ORDER BY conversation_id FOR NO KEY UPDATE
        """,
        conversations,
    )


async def insert_epochs(
    tx: Tx, rosters: Mapping[ConversationId, bytes], new: NewEpoch, difference: Difference
) -> list[Begun]:
    """Begin an epoch in each conversation, all in one statement. Refuses with `clock` as `insert_entry` does."""
    try:
        rows = await tx.fetch(
            "SELECT o_conversation, o_id, o_seq, o_epoch FROM raise_epochs_v2($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            list(rosters),
            list(rosters.values()),
            *_packed(difference),
            new.kind,
            new.account,
            new.device,
            new.body,
        )
    except asyncpg.PostgresError as error:
        raise clock_or(error) from None
    return [
        Begun(
            row["o_conversation"],
            Position(row["o_seq"], row["o_id"]),
            row["o_epoch"],
            rosters[row["o_conversation"]],
        )
        for row in rows
    ]


async def insert_statements(tx: Tx, new: NewStatements) -> tuple[int, list[Position]]:
    """Append statements and begin the epoch of the last one. Refuses with `clock` as `insert_entry` does."""
    try:
        rows = await tx.fetch(
            "SELECT o_id, o_seq, o_epoch FROM append_statements_v1($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            new.conversation,
            [account for account, _, _ in new.said],
            [device for _, device, _ in new.said],
            [StatementChange(signed, epoch=0, roster=b"") for _, _, signed in new.said],
            new.number,
            new.roster,
            *_packed(new.difference),
        )
    except asyncpg.PostgresError as error:
        raise clock_or(error) from None
    return rows[0]["o_epoch"], [Position(row["o_seq"], row["o_id"]) for row in rows]


def _packed(difference: Difference) -> tuple[bytes, bytes, bool]:
    """A difference as `epochs` keeps it, in the order of ids."""
    changed = b"".join(account.bytes + version.to_bytes(8) for account, version in sorted(difference.changed.items()))
    added = b"".join(device.bytes for device in sorted(difference.added))
    return changed, added, difference.has_removed


async def select_since(reader: Reader, conversation: ConversationId, epoch: int) -> Since:
    """Add up how the epochs after one differ from each other."""
    row = await reader.fetchrow(
        """
        SELECT coalesce(string_agg(added, ''), '') AS added, coalesce(bool_or(has_removed), false) AS has_removed
          FROM epochs WHERE conversation_id = $1 AND epoch > $2
        """,
        conversation,
        epoch,
    )
    assert row is not None  # noqa: S101 - an aggregate returns its row
    added = row["added"]
    devices = frozenset(DeviceId(UUID(bytes=added[at : at + 16])) for at in range(0, len(added), 16))
    return Since(devices, row["has_removed"])


async def select_epoch(reader: Reader, conversation: ConversationId, epoch: int) -> Epoch | None:
    """One epoch, if it began with an entry."""
    row = await reader.fetchrow(
        """
        SELECT epoch, roster, statement, seq, id FROM epochs
         WHERE conversation_id = $1 AND epoch = $2 AND id IS NOT NULL
        """,
        conversation,
        epoch,
    )
    return epoch_of(row) if row else None


async def select_versions(
    reader: Reader, conversation: ConversationId, epoch: int | None
) -> tuple[Epoch, dict[AccountId, int]] | None:
    """Fold what changed from the first epoch to one, all in one statement: what is read belongs together."""
    row = await reader.fetchrow(
        """
        SELECT e.epoch, e.roster, e.statement, e.seq, e.id, f.changed
          FROM heads h
          JOIN epochs e ON e.conversation_id = h.conversation_id AND e.epoch = coalesce($2, h.epoch)
          CROSS JOIN LATERAL (SELECT string_agg(x.changed, '' ORDER BY x.epoch) AS changed FROM epochs x
                               WHERE x.conversation_id = h.conversation_id AND x.epoch <= e.epoch) f
         WHERE h.conversation_id = $1 AND e.id IS NOT NULL
        """,
        conversation,
        epoch,
    )
    if row is None:
        return None
    changed, versions = row["changed"], dict[AccountId, int]()
    for at in range(0, len(changed), CHANGED_BYTES):
        account = AccountId(UUID(bytes=changed[at : at + 16]))
        versions[account] = int.from_bytes(changed[at + 16 : at + CHANGED_BYTES])
    return epoch_of(row), {account: version for account, version in versions.items() if version}


def epoch_of(row: Row) -> Epoch:
    """Build an Epoch."""
    return Epoch(row["epoch"], row["roster"], row["statement"], Position(row["seq"], row["id"]))


def clock_or(error: asyncpg.PostgresError) -> Exception:
    """Turn the clock that is behind into its refusal; anything else stays a bug."""
    return Refusal("clock", retry_after=60) if error.sqlstate == CLOCK_BEHIND else error


async def lock_head(tx: Tx, conversation: ConversationId) -> Head | None:
    """Lock a conversation for writing; what follows in this transaction sees all that was committed before.

    None if it was deleted, also while the lock was waited for.
    """
    row = await tx.fetchrow(
        """
        SELECT conversation_id, epoch, last_seq, last_id, last_ordinal, message_count, floor_seq, floor_id,
               last_message_at, roster
          FROM heads WHERE conversation_id = $1 AND closed < 2 FOR NO KEY UPDATE
        """,
        conversation,
    )
    return head_of(row) if row else None


async def update_terms(tx: Tx, conversation: ConversationId, terms: Terms) -> None:
    """Keep what decides over a send beside what it locks."""
    await tx.execute(
        """
        UPDATE heads SET slow_seconds = $2, ttl_seconds = $3, closed = $4, is_screened = $5 WHERE conversation_id = $1
        """,
        conversation,
        terms.slow_seconds,
        terms.ttl_seconds,
        terms.closed,
        terms.is_screened,
    )


async def insert_entry(tx: Tx, entry: NewEntry) -> Position:
    """Give an entry the next position of its conversation. Refuses with `clock` when time runs backwards by a day."""
    target = entry.target
    try:
        row = await tx.fetchrow(
            "SELECT o_id, o_seq FROM append_v1($1, $2, $3, $4, $5, $6, $7, $8)",
            entry.conversation,
            entry.kind,
            entry.account,
            entry.device,
            entry.client_message_id,
            target.seq if target else None,
            target.id if target else None,
            entry.body,
        )
    except asyncpg.PostgresError as error:
        raise clock_or(error) from None
    assert row is not None  # noqa: S101 - the function returns one row or raises
    return Position(row["o_seq"], row["o_id"])


async def update_message_count(tx: Tx, conversation: ConversationId, change: int) -> None:
    """Correct the number of messages that are there (a deletion takes one off, a restore gives it back)."""
    await tx.execute(
        "UPDATE heads SET message_count = message_count + $2 WHERE conversation_id = $1", conversation, change
    )


async def update_erased(tx: Tx, conversation: ConversationId, target: EntryId) -> int:
    """Empty every edit of a message and every reaction to it, leaving skeletons; of what was sealed its digest."""
    return await tx.execute(
        """
        UPDATE entries SET body = NULL, sealed = NULL, sealed_hash = sha256(sealed), erased_at = clock_timestamp()
         WHERE conversation_id = $1 AND target_id = $2 AND kind IN (2, 4) AND erased_at IS NULL
        """,
        conversation,
        target,
    )


async def select_marker(reader: Reader) -> Marker:
    """Name this moment of the log."""
    row = await reader.fetchrow(
        "SELECT generation, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin FROM log_generation"
    )
    assert row is not None  # noqa: S101 - migration 1 inserts the row
    return Marker(row["generation"], row["xmin"])
