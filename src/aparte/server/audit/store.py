"""SQL of the audit trail."""

from aparte.server.audit.model import Event
from aparte.server.kit.db import Tx


async def insert_event(tx: Tx, event: Event) -> None:
    """Append an event."""
    kind, identity = event.resource or (None, None)
    await tx.execute(
        """
        INSERT INTO audit_entries (event, severity, account_id, session_id, request_id, conversation_id,
                                   resource_type, resource_id, ip, user_agent, details)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        event.name,
        event.severity,
        event.account,
        event.session,
        event.request_id,
        event.conversation,
        kind,
        None if identity is None else str(identity),
        event.origin.ip if event.origin else None,
        event.origin.user_agent if event.origin else None,
        event.details,
    )
