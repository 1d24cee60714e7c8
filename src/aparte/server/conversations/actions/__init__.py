"""What the world and other slices may ask of conversations, by verb."""

from aparte.server.conversations.actions.access import authorise, ids_of, move_read_mark
from aparte.server.conversations.actions.membership import change_role, join, leave, members, remove
from aparte.server.conversations.actions.private import open_direct, private, renew_epochs
from aparte.server.conversations.actions.rooms import change, create, directory, ensure_lounge, get, mine
from aparte.server.conversations.rules import check_platform

__all__ = [
    "authorise",
    "change",
    "change_role",
    "check_platform",
    "create",
    "directory",
    "ensure_lounge",
    "get",
    "ids_of",
    "join",
    "leave",
    "members",
    "mine",
    "move_read_mark",
    "open_direct",
    "private",
    "remove",
    "renew_epochs",
]
