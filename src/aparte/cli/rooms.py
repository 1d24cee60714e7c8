"""`aparte conversations`, `rooms`, `groups`, `new`, `join`, `leave`, `members`: what one is in, and who is there."""

# ruff: noqa: PLR0913 - typer reads the options of a command off its parameters

import sys
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from aparte.cli.arguments import Target
from aparte.cli.output import as_row, clock, in_a_cell, is_json, put, put_json, table
from aparte.cli.phrases import phrase
from aparte.cli.running import with_client
from aparte.client import Client, Invitation, Member, Room

Mode = Literal["e2ee", "server"]
Name = Annotated[str, typer.Argument(metavar="NAME")]
Topic = Annotated[str, typer.Option(metavar="TEXT")]
Private = Annotated[bool, typer.Option("--private")]
Public = Annotated[bool, typer.Option("--public")]
HowRead = Annotated[Mode | None, typer.Option()]

ALONE = frozenset({"direct", "self"})
"""Kinds that have no name of their own."""

new = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(conversations)
    app.command()(rooms)
    app.command()(groups)
    app.add_typer(new, name="new")
    app.command()(join)
    app.command()(leave)
    app.command()(members)


@new.callback()
def anew() -> None:
    """Hold what makes something new together."""


@new.command("room")
def new_room(
    context: typer.Context,
    *,
    name: Name,
    topic: Topic = "",
    welcome: Topic = "",
    rules: Topic = "",
    private: Private = False,
    mode: HowRead = None,
) -> None:
    """Make a room: public unless said otherwise."""
    said = {key: text for key, text in (("topic", topic), ("welcome", welcome), ("rules", rules)) if text}

    async def work(me: Client) -> None:
        public = False if private or mode == "e2ee" else None
        show(context, await me.new_room(name, public=public, mode=mode, **said))  # type: ignore[arg-type]

    with_client(context, work)


@new.command("channel")
def new_channel(
    context: typer.Context,
    *,
    name: Name,
    topic: Topic = "",
    welcome: Topic = "",
    rules: Topic = "",
    public: Public = False,
    mode: HowRead = None,
) -> None:
    """Make a channel, where moderators and above write."""
    said = {key: text for key, text in (("topic", topic), ("welcome", welcome), ("rules", rules)) if text}

    async def work(me: Client) -> None:
        show(context, await me.new_channel(name, public=public or None, mode=mode, **said))  # type: ignore[arg-type]

    with_client(context, work)


@new.command("group")
def new_group(
    context: typer.Context,
    name: Name,
    people: Annotated[list[str] | None, typer.Argument(metavar="@USER…")] = None,
    topic: Topic = "",
    members_add: Annotated[bool, typer.Option("--members-add")] = False,
    history: Annotated[bool, typer.Option("--history")] = False,
) -> None:
    """Make an encrypted group."""

    async def work(me: Client) -> None:
        made = await me.groups.new_group(name, people or [], topic=topic, members_may_add=members_add, history=history)
        show(context, made)

    with_client(context, work)


def conversations(
    context: typer.Context,
    archived: Annotated[bool, typer.Option("--archived")] = False,
    label: Annotated[str | None, typer.Option(metavar="LABEL")] = None,
) -> None:
    """List everything one is in: what one keeps at the top first, what one has put away only if asked."""

    def is_wanted(room: Room) -> bool:
        own = room.preferences
        return own.is_archived == archived and (label is None or label in own.labels)

    async def work(me: Client) -> None:
        found = [room for room in await me.conversations() if is_wanted(room)]
        if any(not room.name and room.kind not in ALONE for room in found):
            told = {room.id: room for room in await me.groups.all()}
            found = [told.get(room.id, room) for room in found]
        list_rooms(context, sorted(found, key=lambda room: not room.preferences.is_pinned))

    with_client(context, work)


def rooms(context: typer.Context) -> None:
    """List the rooms and channels one is in that the server can read."""

    async def work(me: Client) -> None:
        found = await me.conversations()
        list_rooms(context, [one for one in found if one.kind not in ALONE and one.encryption_mode == "server"])

    with_client(context, work)


def groups(context: typer.Context) -> None:
    """List the groups one is in, and encrypted rooms and channels."""

    async def work(me: Client) -> None:
        list_rooms(context, await me.groups.all())

    with_client(context, work)


def list_rooms(context: typer.Context, found: list[Room]) -> None:
    """List conversations."""
    if is_json(context):
        for room in found:
            put_json(room_row(room))
    elif found:
        table([room_cells(room) for room in found])


def room_cells(room: Room) -> tuple[str, ...]:
    """Show a conversation to a person: what is unread, how many are in it, what it is about, how one has it."""
    own = room.preferences
    marks = [phrase("at_top")] if own.is_pinned else []
    marks += [phrase("muted")] if own.muted_until and own.muted_until > datetime.now(UTC) else []
    marks += [phrase("archived")] if room.settings.is_archived else []
    marks += list(own.labels)
    unread = str(room.unread or "") or ("•" if own.is_marked_unread else "")
    return (room.title, unread, str(room.member_count), room.topic, f"({', '.join(marks)})" if marks else "")


def join(
    context: typer.Context,
    target: Target,
    look: Annotated[bool, typer.Option("--look")] = False,
) -> None:
    """Enter a public room, or what an invite link leads to."""

    async def work(me: Client) -> None:
        if look:
            show_invitation(context, await me.look(target))
            return
        joined = await me.join(target)
        show(context, joined)
        if is_json(context):
            return
        if joined.welcome:
            put(in_a_cell(joined.welcome))
        if joined.encryption_mode == "e2ee" and not joined.name and sys.stderr.isatty():
            typer.echo(phrase("name_comes"), err=True)

    with_client(context, work)


def leave(context: typer.Context, target: Target) -> None:
    """Leave a room or a group."""

    async def work(me: Client) -> None:
        await me.leave(target)

    with_client(context, work)


def members(
    context: typer.Context,
    target: Target,
    role: Annotated[Literal["member", "moderator", "admin", "owner"] | None, typer.Option()] = None,
) -> None:
    """List who is in a room or group."""

    async def work(me: Client) -> None:
        found = await me.members(target, role=role)
        names = {one.id: one.name for one in (await me.room(target)).roles} if any(m.role_id for m in found) else {}
        if is_json(context):
            for member in found:
                put_json(member_row(member))
        elif found:
            table([member_cells(member, names.get(member.role_id, "") if member.role_id else "") for member in found])

    with_client(context, work)


def show(context: typer.Context, room: Room) -> None:
    """Show a room."""
    if is_json(context):
        put_json(room_row(room))
    else:
        put(in_a_cell(room.title))


def show_invitation(context: typer.Context, found: Invitation) -> None:
    """Show where an invite link leads."""
    if is_json(context):
        put_json(
            {
                "conversation": found.title,
                "id": found.conversation_id,
                "name": found.name,
                "topic": found.topic,
                "description": found.description,
                "members": found.member_count,
                "expires_at": found.expires_at,
                "uses_left": found.uses_left,
                "kind": found.kind,
                "encryption_mode": found.encryption_mode,
            }
        )
    else:
        whose = f"({phrase('link_says')})" if found.name and found.encryption_mode == "e2ee" else ""
        table([(found.title, str(found.member_count), found.topic, whose)])


def room_row(room: Room) -> dict[str, Any]:
    """Show a room as JSON."""
    return {
        "conversation": room.title,
        "id": room.id,
        "name": room.name,
        "kind": room.kind,
        "topic": room.topic,
        "description": room.description,
        "role": room.role,
        "members": room.member_count,
        "messages": room.message_count,
        "unread": room.unread,
        "last_message_at": room.last_message_at,
        "encryption_mode": room.encryption_mode,
        "is_public": room.is_public,
        "welcome": room.welcome,
        "rules": room.rules,
        "picture": room.picture,
        "settings": as_row(room.settings),
        "permissions": list(room.permissions),
        "silenced_until": room.silenced_until,
        "preferences": as_row(room.preferences),
    }


def member_cells(member: Member, role_name: str) -> tuple[str, ...]:
    """Show a member to a person; of a group also since when, and whether numbers were compared."""
    role = f"{member.role}, {role_name}" if role_name else member.role
    is_silenced = member.silenced_until is not None and member.silenced_until > datetime.now(UTC)
    silenced = (
        f"({phrase('silenced_until', when=clock(member.silenced_until))})"
        if is_silenced and member.silenced_until
        else ""
    )
    if member.is_verified is None:
        return (member.username, role, member.nickname or member.display_name, silenced)
    since = member.joined_at.astimezone().strftime("%Y-%m-%d") if member.joined_at else ""
    known = phrase("you" if member.is_me else "verified" if member.is_verified else "unverified")
    return (member.username, role, since, known, silenced)


def member_row(member: Member) -> dict[str, Any]:
    """Show a member as JSON."""
    row = {
        "username": member.username,
        "account_id": member.id,
        "display_name": member.display_name,
        "role": member.role,
        "joined_at": member.joined_at,
    }
    row |= {"verified": member.is_verified} if member.is_verified is not None else {}
    row |= {"nickname": member.nickname} if member.nickname else {}
    row |= {"role_id": member.role_id} if member.role_id else {}
    row |= {"permissions": dict(member.permissions)} if member.permissions else {}
    return row | ({"silenced_until": member.silenced_until} if member.silenced_until else {})
