"""Pure rules of presence: what others see of somebody."""

from aparte.server.presence.model import Found
from aparte.wire.accounts import Status

AWAY_SECONDS = 300.0
"""Without activity for so long somebody is shown as away (G-14)."""
REPEAT_SECONDS = 2.0


def shown_status(found: Found, declared: Status, now: float) -> Status:
    """Offline without a live session or when declared so (invisible), else what is declared, else away when idle."""
    if found.connections == 0 or declared == "offline":
        return "offline"
    if declared == "away" or now - found.last_activity >= AWAY_SECONDS:
        return "away"
    return "online"


def is_news(said: tuple[bool, float] | None, *, on: bool, now: float) -> bool:
    """Tell whether typing is worth a whisper: a change, or the same again after a while, so that it does not expire."""
    return said is None or said[0] != on or (on and now - said[1] >= REPEAT_SECONDS)
