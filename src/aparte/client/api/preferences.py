"""One's own preferences for a conversation, at the server."""

from aparte.client.session import Session
from aparte.client.transport.http import Request
from aparte.wire.codec import to_json
from aparte.wire.conversations import Preferences, PreferencesChange
from aparte.wire.ids import ConversationId


async def get(session: Session, conversation: ConversationId) -> Preferences:
    """Read them."""
    return await session.call(Request("GET", f"/conversations/{conversation}/preferences"), Preferences)


async def change(session: Session, conversation: ConversationId, wanted: PreferencesChange) -> Preferences:
    """Change some of them; those left out stay."""
    path = f"/conversations/{conversation}/preferences"
    return await session.call(Request("PATCH", path, to_json(wanted)), Preferences)
