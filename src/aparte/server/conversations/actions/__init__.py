"""What the world and other slices may ask of conversations, by verb."""

from aparte.server.conversations.actions.access import authorise, ids_of, move_read_mark
from aparte.server.conversations.actions.bans import bans, lift_ban
from aparte.server.conversations.actions.closing import delete
from aparte.server.conversations.actions.groups import create_group, epoch, statements, submit
from aparte.server.conversations.actions.invites import invite, invite_statements, join_by_link, renew_card
from aparte.server.conversations.actions.membership import change_role, join, leave, members, remove
from aparte.server.conversations.actions.private import lock_encrypted, open_direct, private, renew_epochs
from aparte.server.conversations.actions.room_invites import close_invite, create_invite, enter_by_invite, list_invites
from aparte.server.conversations.actions.rooms import create, directory, ensure_lounge, get, mine
from aparte.server.conversations.actions.settings import change
from aparte.server.conversations.rules import check_platform

__all__ = [
    "authorise",
    "bans",
    "change",
    "change_role",
    "check_platform",
    "close_invite",
    "create",
    "create_group",
    "create_invite",
    "delete",
    "directory",
    "ensure_lounge",
    "enter_by_invite",
    "epoch",
    "get",
    "ids_of",
    "invite",
    "invite_statements",
    "join",
    "join_by_link",
    "leave",
    "lift_ban",
    "list_invites",
    "lock_encrypted",
    "members",
    "mine",
    "move_read_mark",
    "open_direct",
    "private",
    "remove",
    "renew_card",
    "renew_epochs",
    "statements",
    "submit",
]
