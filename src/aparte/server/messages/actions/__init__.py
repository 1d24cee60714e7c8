"""What the world and other slices may ask of messages, by verb."""

from aparte.server.messages.actions.change import delete, edit, hide, restore
from aparte.server.messages.actions.housekeeping import erase_deleted, forget_sends
from aparte.server.messages.actions.read import changes, entries, get, history, marker, moved_since, page, place_of
from aparte.server.messages.actions.send import enqueue, send

__all__ = [
    "changes",
    "delete",
    "edit",
    "enqueue",
    "entries",
    "erase_deleted",
    "forget_sends",
    "get",
    "hide",
    "history",
    "marker",
    "moved_since",
    "page",
    "place_of",
    "restore",
    "send",
]
