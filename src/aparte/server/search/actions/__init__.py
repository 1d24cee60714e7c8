"""What the world may ask of search, by verb, and what its indexer and its jobs do."""

from aparte.server.search.actions.indexing import (
    ACCOUNTS,
    forget_closed,
    forget_expired,
    missed,
    read_accounts,
    read_behind,
    read_conversation,
    unread_accounts,
    unread_conversations,
)
from aparte.server.search.actions.messages import messages
from aparte.server.search.actions.people import people
from aparte.server.search.actions.rooms import rooms

__all__ = [
    "ACCOUNTS",
    "forget_closed",
    "forget_expired",
    "messages",
    "missed",
    "people",
    "read_accounts",
    "read_behind",
    "read_conversation",
    "rooms",
    "unread_accounts",
    "unread_conversations",
]
