"""What the trail keeps of an event."""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from aparte.server.kit.caller import Origin
from aparte.wire.ids import AccountId, ConversationId, SessionId

Severity = Literal["debug", "info", "warning", "error", "critical"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `name` in the past tense, as `session_ended`."""

    name: str
    account: AccountId | None = None
    session: SessionId | None = None
    conversation: ConversationId | None = None
    resource: tuple[str, object] | None = None
    """Type and id of what was acted upon."""
    severity: Severity = "info"
    origin: Origin | None = None
    request_id: UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)
