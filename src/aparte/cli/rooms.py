"""`aparte rooms`, `new room`; and of rooms and groups alike `join`, `leave`, `members`, `topic`."""

import sys
from typing import Annotated, Any

import typer

from aparte.cli.output import put, put_json, table
from aparte.cli.phrases import Phrase, phrase
from aparte.cli.running import settings_of, with_client
from aparte.client import Client, Invitation, Member, Room

RoomTarget = Annotated[str, typer.Argument(help="The room, as '#name', or the group, as +name.", metavar="TARGET")]

new = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make something new: a room or a group.")
"""`cli.groups` adds to it."""


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(rooms)
    app.command()(join)
    app.command()(leave)
    app.command()(members)
    app.command()(topic)


@new.callback()
def anew() -> None:
    """Make something new: a room or a group."""


@new.command("room")
def new_room(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the room is called.")],
    topic: Annotated[str, typer.Option(help="What it is about.")] = "",
) -> None:
    """Make a public room: everybody with an account can find and join it, and the server can read it."""

    async def work(me: Client) -> None:
        show(context, await me.new_room(name, topic=topic))

    with_client(context, work)


def rooms(context: typer.Context) -> None:
    """List the rooms you are in, newest activity first."""

    async def work(me: Client) -> None:
        found = await me.rooms()
        if settings_of(context).json:
            for room in found:
                put_json(room_row(room))
        elif found:
            table([(room.title, str(room.unread or ""), str(room.member_count), room.topic) for room in found])

    with_client(context, work)


def join(
    context: typer.Context,
    room: Annotated[str, typer.Argument(help="The room, as '#name', or an invite link in quotes.", metavar="TARGET")],
    look: Annotated[bool, typer.Option("--look", help="Only show where an invite link leads; enter nothing.")] = False,
) -> None:
    """Enter a public room, or the group that an invite link leads to."""

    async def work(me: Client) -> None:
        if look:
            show_invitation(context, await me.groups.look(room))
            return
        joined = await me.join(room)
        show(context, joined)
        if joined.kind == "group" and not joined.name and sys.stderr.isatty():
            typer.echo(phrase("name_comes"), err=True)

    with_client(context, work)


def leave(context: typer.Context, room: RoomTarget) -> None:
    """Leave a room or a group. What this profile has stored of it stays."""

    async def work(me: Client) -> None:
        await me.leave(room)

    with_client(context, work)


def members(context: typer.Context, room: RoomTarget) -> None:
    """List who is in a room or group. Of a group this follows from what its members have signed."""

    async def work(me: Client) -> None:
        found = await me.members(room)
        if settings_of(context).json:
            for member in found:
                put_json(member_row(member))
        else:
            table([member_cells(member) for member in found])

    with_client(context, work)


def topic(
    context: typer.Context,
    room: RoomTarget,
    text: Annotated[list[str] | None, typer.Argument(help="The new topic; without one, it is shown.")] = None,
) -> None:
    """Show or set what a room or group is about."""

    async def work(me: Client) -> None:
        found = await me.room(room) if text is None else await me.change_room(room, topic=" ".join(text))
        if settings_of(context).json:
            put_json(room_row(found))
        else:
            table([(found.topic,)])

    with_client(context, work)


def show(context: typer.Context, room: Room) -> None:
    """Show a room."""
    if settings_of(context).json:
        put_json(room_row(room))
    else:
        put(room.title)


def show_invitation(context: typer.Context, found: Invitation) -> None:
    """Show where an invite link leads."""
    if settings_of(context).json:
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
            }
        )
    else:
        whose = f"({phrase('link_says')})" if found.name else ""
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
    }


def member_cells(member: Member) -> tuple[str, ...]:
    """Show a member to a person; of a group also since when, and whether numbers were compared."""
    if member.is_verified is None:
        return (member.username, member.role, member.display_name)
    since = member.joined_at.astimezone().strftime("%Y-%m-%d") if member.joined_at else ""
    known: Phrase = "you" if member.is_me else "verified" if member.is_verified else "unverified"
    return (member.username, member.role, since, phrase(known))


def member_row(member: Member) -> dict[str, Any]:
    """Show a member as JSON."""
    row = {
        "username": member.username,
        "account_id": member.id,
        "display_name": member.display_name,
        "role": member.role,
        "joined_at": member.joined_at,
    }
    return row if member.is_verified is None else {**row, "verified": member.is_verified}
