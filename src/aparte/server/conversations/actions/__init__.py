"""What the world and other slices may ask of conversations, by verb."""

from aparte.server.conversations.actions.access import authorise, ids_of, move_read_mark
from aparte.server.conversations.actions.bans import ban, bans, lift_ban
from aparte.server.conversations.actions.closing import delete
from aparte.server.conversations.actions.groups import create_group, epoch, statements, submit
from aparte.server.conversations.actions.invites import invite, invite_statements, join_by_link, renew_card
from aparte.server.conversations.actions.membership import join, leave, members, remove, succeed
from aparte.server.conversations.actions.nicknames import rename_member
from aparte.server.conversations.actions.placing import change_member
from aparte.server.conversations.actions.private import lock_encrypted, open_direct, private, renew_epochs
from aparte.server.conversations.actions.roles import change_role, create_role, delete_role, list_roles
from aparte.server.conversations.actions.room_invites import close_invite, create_invite, enter_by_invite, list_invites
from aparte.server.conversations.actions.rooms import create, directory, ensure_lounge, get, mine
from aparte.server.conversations.actions.settings import change
from aparte.server.conversations.actions.silences import lift_silence, silence, silences
from aparte.server.conversations.rules import check_platform

__all__ = [
    "authorise",
    "ban",
    "bans",
    "change",
    "change_member",
    "change_role",
    "check_platform",
    "close_invite",
    "create",
    "create_group",
    "create_invite",
    "create_role",
    "delete",
    "delete_role",
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
    "lift_silence",
    "list_invites",
    "list_roles",
    "lock_encrypted",
    "members",
    "mine",
    "move_read_mark",
    "open_direct",
    "private",
    "remove",
    "rename_member",
    "renew_card",
    "renew_epochs",
    "silence",
    "silences",
    "statements",
    "submit",
    "succeed",
]
