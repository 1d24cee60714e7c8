"""What an object is to the server."""

from dataclasses import dataclass
from uuid import UUID

from aparte.wire.ids import AccountId, ConversationId, ObjectId


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object: `blob` names its file, under a name that is never used again."""

    conversation: ConversationId
    object: ObjectId
    account: AccountId
    blob: UUID
    size: int
    sha256: bytes
