"""SQL of signed membership: the statements of a group, and the rows that follow from them.

Its rows are written under the head's lock alone, from the difference between two folds of the chain.
"""

from collections.abc import Mapping, Sequence

from aparte.e2ee.members import Link, Member, Membership
from aparte.server.conversations.model import Bounds, Entered, Inside, Said
from aparte.server.conversations.rules import NUMBERS, ROLES
from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire import limits
from aparte.wire.content import ConversationKind
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, ConversationId, Position


async def select_membership(reader: Reader, conversation: ConversationId) -> Membership | None:
    """Read the state of a group, in one statement: what is read belongs together. None of any other conversation."""
    rows = await reader.fetch(
        """
        SELECT s.number, s.hash, s.policy, r.*
          FROM memberships s
          JOIN conversations c USING (conversation_id)
         CROSS JOIN LATERAL (
            SELECT false AS is_link, uuid_send(m.account_id) AS id, m.role, m.account_key AS key,
                   m.statement AS first, m.list_version AS second, m.left_at IS NULL AS is_in, m.is_removed,
                   0::bigint AS used
              FROM members m WHERE m.conversation_id = s.conversation_id
             UNION ALL
            SELECT true, l.link_id, l.role, l.link_key, l.expires, l.uses, true, false, l.used
              FROM invite_links l WHERE l.conversation_id = s.conversation_id AND l.is_open) r
         WHERE s.conversation_id = $1 AND c.deleted_at IS NULL
        """,
        conversation,
    )
    return membership_of(conversation, rows) if rows else None


def membership_of(conversation: ConversationId, rows: Sequence[Row]) -> Membership:
    """Build a Membership."""
    people = [row for row in rows if not row["is_link"]]
    inside = (row for row in people if row["is_in"])
    return Membership(
        conversation.bytes,
        rows[0]["number"],
        rows[0]["hash"],
        rows[0]["policy"],
        {row["id"]: Member(row["id"], NUMBERS[row["role"]], row["first"], row["key"]) for row in inside},
        {row["id"]: row["second"] for row in people if row["second"]},
        frozenset(row["id"] for row in people if row["is_removed"]),
        {
            row["id"]: Link(row["key"], NUMBERS[row["role"]], row["first"], row["second"], row["used"])
            for row in rows
            if row["is_link"]
        },
    )


async def select_chain_ends(reader: Reader, conversations: Sequence[ConversationId]) -> dict[ConversationId, bytes]:
    """The hash of the newest statement of each of these conversations that has any."""
    rows = await reader.fetch(
        "SELECT conversation_id, hash FROM memberships WHERE conversation_id = ANY ($1::uuid[])", conversations
    )
    return {row["conversation_id"]: row["hash"] for row in rows}


async def select_end(reader: Reader, conversation: ConversationId) -> tuple[int, bytes] | None:
    """The number and hash of a group's newest statement."""
    row = await reader.fetchrow("SELECT number, hash FROM memberships WHERE conversation_id = $1", conversation)
    return (row["number"], row["hash"]) if row else None


async def select_inside(reader: Reader, conversation: ConversationId) -> Inside | None:
    """Who is in an encrypted conversation in which role, and the policy, number and hash of a group's chain."""
    rows = await reader.fetch(
        """
        SELECT c.kind, m.account_id, m.role, coalesce(s.policy, 0) AS policy, coalesce(s.number, 0) AS number, s.hash
          FROM conversations c
          LEFT JOIN members m ON m.conversation_id = c.conversation_id AND m.left_at IS NULL
          LEFT JOIN memberships s ON s.conversation_id = c.conversation_id
         WHERE c.conversation_id = $1 AND c.encryption_mode = 'e2ee'
        """,
        conversation,
    )
    if not rows:
        return None
    first = rows[0]
    roles = {row["account_id"]: row["role"] for row in rows if row["account_id"]}
    return Inside(first["kind"], roles, first["policy"], first["number"], first["hash"])


async def select_bounds(reader: Reader, conversation: ConversationId) -> Bounds | None:
    """What beside its statements bounds a conversation; None while there is none."""
    row = await reader.fetchrow("SELECT kind, max_members FROM conversations WHERE conversation_id = $1", conversation)
    return Bounds(row["kind"], row["max_members"]) if row else None


async def insert_group(tx: Tx, conversation: ConversationId, kind: ConversationKind, creator: AccountId) -> None:
    """Create a group, or an encrypted room or channel, that nobody is in yet; it has no name here."""
    await tx.execute(
        """
        INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, creator_id, max_members)
        VALUES ($1, $2, 'e2ee', false, $3, $4)
        """,
        conversation,
        kind,
        creator,
        limits.GROUP_MEMBERS,
    )


# Statements -----------------------------------------------------------------------------------------------------------


async def insert_statements(tx: Tx, conversation: ConversationId, said: Sequence[Said], epoch: int) -> None:
    """Keep statements for ever, with the epoch that they begin."""
    await tx.execute(
        """
        INSERT INTO statements (conversation_id, number, statement, signature, link_signature, epoch)
        SELECT $1, s.number, s.statement, s.signature, s.link_signature, $6
          FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[])
               AS s (number, statement, signature, link_signature)
        """,
        conversation,
        [one.statement.number for one in said],
        [one.signed.statement for one in said],
        [one.signed.signature for one in said],
        [one.signed.link_signature for one in said],
        epoch,
    )


async def select_statements(
    reader: Reader, conversation: ConversationId, after: int, limit: int
) -> list[SignedStatement]:
    """Statements after a number, in order."""
    rows = await reader.fetch(
        """
        SELECT statement, signature, link_signature FROM statements
         WHERE conversation_id = $1 AND number > $2 ORDER BY number LIMIT $3
        """,
        conversation,
        after,
        limit,
    )
    return [SignedStatement(row["statement"], row["signature"], row["link_signature"]) for row in rows]


async def select_stored(reader: Reader, conversation: ConversationId, said: Sequence[bytes], first: int) -> int | None:
    """Find statements that are there byte for byte, from a number on; gives the epoch of the last of them."""
    rows = await reader.fetch(
        """
        SELECT statement, epoch FROM statements
         WHERE conversation_id = $1 AND number >= $2 ORDER BY number LIMIT $3
        """,
        conversation,
        first,
        len(said),
    )
    return rows[-1]["epoch"] if rows and [row["statement"] for row in rows] == list(said) else None


# What follows from them -----------------------------------------------------------------------------------------------


async def upsert_end(tx: Tx, after: Membership, conversation: ConversationId) -> None:
    """Keep where the chain ends and what it says of the group as a whole; count who is in."""
    await tx.execute(
        """
        INSERT INTO memberships (conversation_id, number, hash, policy) VALUES ($1, $2, $3, $4)
        ON CONFLICT (conversation_id) DO UPDATE
           SET number = excluded.number, hash = excluded.hash, policy = excluded.policy
        """,
        conversation,
        after.number,
        after.hash,
        after.policy,
    )
    await tx.execute(
        "UPDATE conversations SET member_count = $2 WHERE conversation_id = $1", conversation, len(after.members)
    )


async def upsert_members(
    tx: Tx, conversation: ConversationId, entered: Sequence[Entered], at: Mapping[int, Position], ordinal: int
) -> None:
    """Let people in, each at the position of the statement that did it; who comes back keeps the row.

    Their roles are written with those of everybody else: only one can be the owner at a time.
    """
    await tx.execute(
        """
        INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, read_seq, read_id, read_ordinal,
                             statement, account_key, invited_by)
        SELECT $1, e.account_id, e.seq, e.id, e.seq, e.id, $8, e.number, e.account_key,
               coalesce(e.invited_by, l.account_id)
          FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::bigint[], $6::bytea[], $7::uuid[], $9::bytea[])
               AS e (account_id, seq, id, number, account_key, invited_by, link_id)
          LEFT JOIN invite_links l ON l.conversation_id = $1 AND l.link_id = e.link_id
        ON CONFLICT (conversation_id, account_id) DO UPDATE
           SET role = 'member', joined_seq = excluded.joined_seq, joined_id = excluded.joined_id,
               joined_at = clock_timestamp(), left_seq = NULL, left_id = NULL, left_at = NULL,
               read_seq = excluded.read_seq, read_id = excluded.read_id, read_ordinal = excluded.read_ordinal,
               statement = excluded.statement, account_key = excluded.account_key, invited_by = excluded.invited_by
        """,
        conversation,
        [one.account for one in entered],
        [at[one.number].seq for one in entered],
        [at[one.number].id for one in entered],
        [one.number for one in entered],
        [one.account_key for one in entered],
        [one.invited_by for one in entered],
        ordinal,
        [one.link_id for one in entered],
    )


async def update_out(
    tx: Tx, conversation: ConversationId, out: Mapping[AccountId, int], at: Mapping[int, Position]
) -> None:
    """End memberships, each at the position of the statement that did it; the rows stay."""
    await tx.execute(
        """
        UPDATE members m SET left_seq = o.seq, left_id = o.id, left_at = clock_timestamp(), role = 'member',
                             role_id = NULL
          FROM unnest($2::uuid[], $3::bigint[], $4::uuid[]) AS o (account_id, seq, id)
         WHERE m.conversation_id = $1 AND m.account_id = o.account_id
        """,
        conversation,
        list(out),
        [at[number].seq for number in out.values()],
        [at[number].id for number in out.values()],
    )


async def update_standings(
    tx: Tx, conversation: ConversationId, after: Membership, touched: Sequence[AccountId]
) -> None:
    """Write where people stand in the chain. Nobody owns the group meanwhile, so that the index takes any order."""
    await tx.execute(
        """
        UPDATE members SET role = 'admin' WHERE conversation_id = $1 AND role = 'owner' AND left_at IS NULL
           AND account_id = ANY ($2::uuid[])
        """,
        conversation,
        touched,
    )
    await tx.execute(
        """
        UPDATE members m SET role = t.role::base_role, list_version = t.list_version, is_removed = t.is_removed
          FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::boolean[])
               AS t (account_id, role, list_version, is_removed)
         WHERE m.conversation_id = $1 AND m.account_id = t.account_id
        """,
        conversation,
        touched,
        [ROLES[max(1, after.role_of(account.bytes))] for account in touched],
        [after.versions.get(account.bytes, 0) for account in touched],
        [account.bytes in after.removed for account in touched],
    )
