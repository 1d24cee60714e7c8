"""What the world and other slices may ask of messages, by verb."""

from aparte.server.messages.actions.ahead import check_ahead, check_sealed_ahead
from aparte.server.messages.actions.change import delete, edit, hide, restore
from aparte.server.messages.actions.distribute import distribute
from aparte.server.messages.actions.housekeeping import (
    erase_deleted,
    erase_expired,
    erase_group_keys,
    forget_acknowledged,
    forget_envelopes,
    forget_pending,
    forget_sends,
)
from aparte.server.messages.actions.mentions import mentions, some
from aparte.server.messages.actions.pin import pin, pinned
from aparte.server.messages.actions.react import react, reactors
from aparte.server.messages.actions.read import changes, entries, get, history, marker, moved_since, page, place_of
from aparte.server.messages.actions.seal import enqueue_sealed, joins_a_batch, seal
from aparte.server.messages.actions.send import enqueue, post, send, send_screened
from aparte.server.messages.actions.threads import follow, repair_counts, replies, threads

__all__ = [
    "changes",
    "check_ahead",
    "check_sealed_ahead",
    "delete",
    "distribute",
    "edit",
    "enqueue",
    "enqueue_sealed",
    "entries",
    "erase_deleted",
    "erase_expired",
    "erase_group_keys",
    "follow",
    "forget_acknowledged",
    "forget_envelopes",
    "forget_pending",
    "forget_sends",
    "get",
    "hide",
    "history",
    "joins_a_batch",
    "marker",
    "mentions",
    "moved_since",
    "page",
    "pin",
    "pinned",
    "place_of",
    "post",
    "react",
    "reactors",
    "repair_counts",
    "replies",
    "restore",
    "seal",
    "send",
    "send_screened",
    "some",
    "threads",
]
