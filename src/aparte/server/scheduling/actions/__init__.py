"""What the world may ask of scheduled messages, by verb; and what happens to them by the clock."""

from aparte.server.scheduling.actions.due import mark_stale, send_due
from aparte.server.scheduling.actions.own import add, cancel, change, forget_over, mine

__all__ = ["add", "cancel", "change", "forget_over", "mark_stale", "mine", "send_due"]
