"""SQL of the conversations a profile knows: what they are called and how far their log is stored and listened to."""

from dataclasses import dataclass
from uuid import UUID

from aparte.client.core.checks import has_chain
from aparte.client.core.names import name_key
from aparte.client.store.db import Row, Tx
from aparte.wire.content import Profile
from aparte.wire.conversations import Conversation
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position

COLUMNS = (
    "conversation_id, kind, encryption_mode, name, topic, description, role, cursor_seq, cursor_id, listened_seq,"
    " peer_id"
)


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation as the store knows it; `role` is None once the account is out of it."""

    conversation: ConversationId
    kind: str
    encryption_mode: str
    name: str
    topic: str
    description: str
    role: str | None
    cursor: Position
    listened_seq: int
    peer: AccountId | None = None
    """The other person of a direct conversation."""

    @property
    def is_sealed(self) -> bool:
        """Whether it is end-to-end encrypted."""
        return self.encryption_mode == "e2ee"

    @property
    def has_chain(self) -> bool:
        """Whether who is in it follows from statements that its members have signed."""
        return has_chain(self)


def conversation_row(row: Row) -> ConversationRow:
    """Build a ConversationRow."""
    conversation, kind, mode, name, topic, description, role, seq, cursor, listened, peer = row
    here = Position(seq, EntryId(UUID(bytes=cursor)))
    known = ConversationId(UUID(bytes=conversation))
    other = AccountId(UUID(bytes=peer)) if peer else None
    return ConversationRow(known, kind, mode, name, topic, description, role, here, listened, other)


def upsert_conversation(tx: Tx, found: Conversation, start: Position) -> None:
    """Keep what the server says of a conversation. One not known before is stored and listened to from `start` on.

    What a group is called is not the server's word (`update_profile`). One that the account came back to keeps its
    log; what was said while it was away is stored, but not listened to, up to what brought it back.
    """
    tx.run(
        """
        INSERT INTO conversations (conversation_id, kind, encryption_mode, name, name_key, topic, description, role,
                                   cursor_seq, cursor_id, listened_seq, peer_id)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (conversation_id) DO UPDATE SET
          name = CASE WHEN has_chain THEN name ELSE excluded.name END,
          name_key = CASE WHEN has_chain THEN name_key ELSE excluded.name_key END,
          topic = CASE WHEN has_chain THEN topic ELSE excluded.topic END,
          description = CASE WHEN has_chain THEN description ELSE excluded.description END,
          role = excluded.role,
          listened_seq = CASE WHEN conversations.role IS NULL THEN max(conversations.listened_seq, ?)
                              ELSE conversations.listened_seq END
        """,
        found.id.bytes,
        found.kind,
        found.encryption_mode,
        found.name,
        name_key(found.name),
        found.topic,
        found.description,
        found.membership.role,
        start.seq,
        start.id.bytes,
        start.seq,
        found.peer.bytes if found.peer else None,
        found.membership.joined.seq - int(has_chain(found)),
    )


def select_conversation(tx: Tx, conversation: ConversationId) -> ConversationRow | None:
    """Read one conversation."""
    row = tx.row(f"SELECT {COLUMNS} FROM conversations WHERE conversation_id = ?", conversation.bytes)  # noqa: S608 - constant
    return conversation_row(row) if row else None


def select_named(tx: Tx, name: str) -> ConversationRow | None:
    """Find a room of the account by its name."""
    row = tx.row(
        f"SELECT {COLUMNS} FROM conversations WHERE name_key = ? AND role IS NOT NULL AND NOT has_chain",  # noqa: S608 - constant
        name_key(name),
    )
    return conversation_row(row) if row else None


def select_groups(tx: Tx, name: str) -> list[ConversationRow]:
    """Find the groups, left ones too, that are called so here; without a name, those whose name is not known."""
    rows = tx.rows(
        f"SELECT {COLUMNS} FROM conversations WHERE has_chain AND name_key = ?"  # noqa: S608 - constant
        " ORDER BY conversation_id",
        name_key(name),
    )
    return [conversation_row(row) for row in rows]


def select_cursors(tx: Tx) -> dict[ConversationId, Position]:
    """Tell how far each log is stored, for the conversations that the account is in."""
    rows = tx.rows("SELECT conversation_id, cursor_seq, cursor_id FROM conversations WHERE role IS NOT NULL")
    return {ConversationId(UUID(bytes=c)): Position(seq, EntryId(UUID(bytes=i))) for c, seq, i in rows}


def update_cursor(tx: Tx, conversation: ConversationId, cursor: Position) -> None:
    """Move the cursor."""
    tx.run(
        "UPDATE conversations SET cursor_seq = ?, cursor_id = ? WHERE conversation_id = ?",
        cursor.seq,
        cursor.id.bytes,
        conversation.bytes,
    )


def update_profile(tx: Tx, conversation: ConversationId, profile: Profile) -> None:
    """Keep what a conversation says of itself now."""
    tx.run(
        "UPDATE conversations SET name = ?, name_key = ?, topic = ?, description = ? WHERE conversation_id = ?",
        profile.name,
        name_key(profile.name),
        profile.topic,
        profile.description,
        conversation.bytes,
    )


def update_unnamed(tx: Tx, conversation: ConversationId, profile: Profile) -> None:
    """Call a group something that has no name here; what it has said of itself stays."""
    tx.run(
        """
        UPDATE conversations SET name = ?, name_key = ?, topic = ?, description = ?
         WHERE conversation_id = ? AND has_chain AND name = ''
        """,
        profile.name,
        name_key(profile.name),
        profile.topic,
        profile.description,
        conversation.bytes,
    )


def update_role(tx: Tx, conversation: ConversationId, role: str | None) -> None:
    """Keep the account's role, or that it is out."""
    tx.run("UPDATE conversations SET role = ? WHERE conversation_id = ?", role, conversation.bytes)


def update_listened(tx: Tx, conversation: ConversationId, seq: int) -> None:
    """Move the listen pointer forward: everything up to `seq` was handed to the application."""
    tx.run(
        "UPDATE conversations SET listened_seq = max(listened_seq, ?) WHERE conversation_id = ?",
        seq,
        conversation.bytes,
    )


def select_unheard(tx: Tx) -> list[ConversationRow]:
    """Read the conversations with something that the application was not given: further on, or opened late."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM conversations
         WHERE listened_seq < cursor_seq OR conversation_id IN (SELECT conversation_id FROM sealed WHERE is_late = 1)
        """  # noqa: S608 - constant
    )
    return [conversation_row(row) for row in rows]
