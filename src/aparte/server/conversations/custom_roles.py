"""SQL of the roles that conversations define for themselves."""

import msgspec

from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire.content import CustomRole, Permissions
from aparte.wire.ids import ConversationId, RoleId


async def select_roles(reader: Reader, conversation: ConversationId) -> list[CustomRole]:
    """The roles of a conversation, the oldest first."""
    rows = await reader.fetch(
        """
        SELECT role_id, name, permissions, colour, is_default FROM conversation_roles
         WHERE conversation_id = $1 ORDER BY created_at, role_id
        """,
        conversation,
    )
    return [role_of(row) for row in rows]


async def select_role(reader: Reader, conversation: ConversationId, role: RoleId) -> CustomRole | None:
    """One role, if it is this conversation's."""
    row = await reader.fetchrow(
        """
        SELECT role_id, name, permissions, colour, is_default FROM conversation_roles
         WHERE conversation_id = $1 AND role_id = $2
        """,
        conversation,
        role,
    )
    return role_of(row) if row else None


async def select_default(reader: Reader, conversation: ConversationId) -> RoleId | None:
    """The role that newcomers are given."""
    found: RoleId | None = await reader.fetchval(
        "SELECT role_id FROM conversation_roles WHERE conversation_id = $1 AND is_default", conversation
    )
    return found


def role_of(row: Row) -> CustomRole:
    """Build a CustomRole."""
    permissions = msgspec.convert(row["permissions"], Permissions)
    return CustomRole(row["role_id"], row["name"], permissions, row["colour"], row["is_default"])


async def insert_role(tx: Tx, conversation: ConversationId, role: CustomRole) -> None:
    """Keep a new role."""
    await tx.execute(
        """
        INSERT INTO conversation_roles (conversation_id, role_id, name, permissions, colour, is_default)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        conversation,
        role.id,
        role.name,
        role.permissions,
        role.colour,
        role.is_default,
    )


async def update_role(tx: Tx, conversation: ConversationId, role: CustomRole) -> None:
    """Keep what a role is from here on."""
    await tx.execute(
        """
        UPDATE conversation_roles SET name = $3, permissions = $4, colour = $5, is_default = $6
         WHERE conversation_id = $1 AND role_id = $2
        """,
        conversation,
        role.id,
        role.name,
        role.permissions,
        role.colour,
        role.is_default,
    )


async def delete_role(tx: Tx, conversation: ConversationId, role: RoleId) -> None:
    """End a role; whoever has it has none from here on."""
    await tx.execute("DELETE FROM conversation_roles WHERE conversation_id = $1 AND role_id = $2", conversation, role)
