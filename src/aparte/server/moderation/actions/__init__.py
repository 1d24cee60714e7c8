"""What the world may ask of moderation, by verb."""

from aparte.server.moderation.actions.deciding import decide, send_approved
from aparte.server.moderation.actions.flags import flag, flagged, unflag

__all__ = ["decide", "flag", "flagged", "send_approved", "unflag"]
