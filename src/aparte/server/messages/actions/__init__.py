"""What the world and other slices may ask of messages, by verb."""

from aparte.server.messages.actions.change import delete, edit, hide, restore
from aparte.server.messages.actions.distribute import distribute
from aparte.server.messages.actions.housekeeping import (
    erase_deleted,
    erase_group_keys,
    forget_acknowledged,
    forget_envelopes,
    forget_pending,
    forget_sends,
)
from aparte.server.messages.actions.read import changes, entries, get, history, marker, moved_since, page, place_of
from aparte.server.messages.actions.seal import enqueue_sealed, joins_a_batch, seal
from aparte.server.messages.actions.send import enqueue, send

__all__ = [
    "changes",
    "delete",
    "distribute",
    "edit",
    "enqueue",
    "enqueue_sealed",
    "entries",
    "erase_deleted",
    "erase_group_keys",
    "forget_acknowledged",
    "forget_envelopes",
    "forget_pending",
    "forget_sends",
    "get",
    "hide",
    "history",
    "joins_a_batch",
    "marker",
    "moved_since",
    "page",
    "place_of",
    "restore",
    "seal",
    "send",
]
