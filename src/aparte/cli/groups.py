"""`aparte add`, `invite`, `invites`, `remove`, `policy`: who gets into a group or room, and how."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from aparte.cli.arguments import People, Person, Reason, Target, duration, name_of
from aparte.cli.output import clock, done, is_json, language, put, put_json, table
from aparte.cli.phrases import phrase
from aparte.cli.running import with_client
from aparte.client import Client, InviteLink, policy_in_words

LinkRole = Literal["member", "moderator", "admin"]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(add)
    app.command()(invite)
    app.command()(invites)
    app.command()(remove)
    app.command()(policy)


def add(
    context: typer.Context,
    target: Target,
    people: People,
    history: Annotated[bool, typer.Option("--history")] = False,
) -> None:
    """Add people to a group."""

    async def work(me: Client) -> None:
        await me.groups.add_members(target, people, history=history)
        done(context, "added", {"group": target, "added": [name_of(person) for person in people]})

    with_client(context, work)


def invite(
    context: typer.Context,
    target: Target,
    role: Annotated[LinkRole, typer.Option()] = "member",
    expires: Annotated[str | None, typer.Option(metavar="TIME")] = None,
    uses: Annotated[int | None, typer.Option(min=1, max=1_000_000, metavar="N")] = None,
) -> None:
    """Make an invite link."""
    until = None if expires is None else datetime.now(UTC) + duration(expires, "--expires")

    async def work(me: Client) -> None:
        link = await me.invite(target, role=role, expires=until, uses=uses)
        put_json({"group": target, "link": link, "role": role}) if is_json(context) else put(link)

    with_client(context, work)


def invites(
    context: typer.Context,
    target: Target,
    close: Annotated[str | None, typer.Option(metavar="ID")] = None,
) -> None:
    """List the open invite links, or close one."""

    async def work(me: Client) -> None:
        if close is not None:
            await me.close_invite(target, close)
            done(context, "invite_closed", {"group": target, "closed": close})
            return
        found = await me.invites(target)
        if is_json(context):
            for link in found:
                put_json(link_row(link))
        elif found:
            table([link_cells(link) for link in found])

    with_client(context, work)


def remove(
    context: typer.Context,
    target: Target,
    person: Person,
    ban: Annotated[bool, typer.Option("--ban")] = False,
    reason: Reason = "",
) -> None:
    """Put somebody out."""

    async def work(me: Client) -> None:
        await me.remove_member(target, person, ban=ban, reason=reason)
        done(context, "banned" if ban else "removed", {"conversation": target, "removed": name_of(person), "ban": ban})

    with_client(context, work)


def policy(
    context: typer.Context,
    target: Target,
    members_add: Annotated[bool | None, typer.Option("--members-add/--admins-add")] = None,
    history: Annotated[bool | None, typer.Option("--history/--no-history")] = None,
    moderators_write: Annotated[bool | None, typer.Option("--moderators-write/--all-write")] = None,
) -> None:
    """Show or change what holds in a group."""
    given = {"members_add": members_add, "history": history, "moderators_write": moderators_write}
    wanted = {name: value for name, value in given.items() if value is not None}

    async def work(me: Client) -> None:
        found = await (me.groups.change_policy(target, **wanted) if wanted else me.groups.policy(target))
        if is_json(context):
            put_json({"group": target, **{name: name in found for name in given}})
        else:
            put(policy_in_words(found, language()))

    with_client(context, work)


def link_row(link: InviteLink) -> dict[str, Any]:
    """Show an invite link as JSON."""
    return {
        "id": link.id,
        "link": link.link,
        "role": link.role,
        "expires_at": link.expires_at,
        "uses": link.uses,
        "used": link.used,
    }


def link_cells(link: InviteLink) -> tuple[str, ...]:
    """Show an invite link to a person."""
    return (
        link.id,
        link.role,
        f"{link.used}/{link.uses}" if link.uses else str(link.used),
        clock(link.expires_at) if link.expires_at else "",
        link.link or f"({phrase('made_elsewhere')})",
    )
