"""`aparte groups`, `new group`, `add`, `invite`, `invites`, `remove`, `unban`, `role`, `policy`, `rename`, `about`."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import typer

from aparte.cli.output import language, put, put_json, table, visible
from aparte.cli.phrases import phrase
from aparte.cli.rooms import new, room_row, show
from aparte.cli.running import settings_of, with_client
from aparte.client import Client, InviteLink, policy_in_words

GroupTarget = Annotated[str, typer.Argument(help="The group, as +name.", metavar="+GROUP")]
People = Annotated[list[str], typer.Argument(help="Whom: @user …", metavar="@USER…")]
Person = Annotated[str, typer.Argument(help="Whom: @user.", metavar="@USER")]
LinkRole = Literal["member", "moderator", "admin"]
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(groups)
    app.add_typer(new, name="new")
    app.command()(add)
    app.command()(invite)
    app.command()(invites)
    app.command()(remove)
    app.command()(unban)
    app.command()(role)
    app.command()(policy)
    app.command()(rename)
    app.command()(about)


@new.command("group")
def new_group(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the group is called; the server does not learn it.")],
    people: Annotated[list[str] | None, typer.Argument(help="Who is in it: @user …", metavar="@USER…")] = None,
    topic: Annotated[str, typer.Option(help="What it is about.")] = "",
    members_add: Annotated[bool, typer.Option("--members-add", help="Every member may add people.")] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Earlier messages may be passed on to people who are added.")
    ] = False,
) -> None:
    """Make an encrypted group: only its members read what is said there, and they alone admit others."""

    async def work(me: Client) -> None:
        made = await me.groups.new_group(name, people or [], topic=topic, members_may_add=members_add, history=history)
        show(context, made)

    with_client(context, work)


def groups(context: typer.Context) -> None:
    """List the groups you are in, newest activity first."""

    async def work(me: Client) -> None:
        found = await me.groups.all()
        if settings_of(context).json:
            for group in found:
                put_json(room_row(group))
        elif found:
            table([(group.title, str(group.unread or ""), str(group.member_count), group.topic) for group in found])

    with_client(context, work)


def add(
    context: typer.Context,
    group: GroupTarget,
    people: People,
    history: Annotated[
        bool, typer.Option("--history", help="Pass on to them what you can read here, if the group's policy allows it.")
    ] = False,
) -> None:
    """Add people to a group. They read what is said from here on."""

    async def work(me: Client) -> None:
        await me.groups.add_members(group, people, history=history)
        done(context, "added", {"group": group, "added": [name.removeprefix("@") for name in people]})

    with_client(context, work)


def invite(
    context: typer.Context,
    group: GroupTarget,
    role: Annotated[LinkRole, typer.Option(help="As what people join.")] = "member",
    expires: Annotated[
        str | None, typer.Option(help="For how long: 30m, 12h, 7d, 4w. Without it, until it is closed.", metavar="TIME")
    ] = None,
    uses: Annotated[int | None, typer.Option(help="For how many people.", min=1, max=1_000_000, metavar="N")] = None,
) -> None:
    """Make an invite link: whoever has it joins the group, visibly for all. Give it to nobody else."""
    until = None if expires is None else datetime.now(UTC) + duration(expires)

    async def work(me: Client) -> None:
        link = await me.groups.invite(group, role=role, expires=until, uses=uses)
        put_json({"group": group, "link": link, "role": role}) if settings_of(context).json else put(link)

    with_client(context, work)


def invites(
    context: typer.Context,
    group: GroupTarget,
    close: Annotated[
        str | None, typer.Option(help="Close this link: its id, or the link itself.", metavar="ID")
    ] = None,
) -> None:
    """List the open invite links of a group, or close one."""

    async def work(me: Client) -> None:
        if close is not None:
            await me.groups.close_invite(group, close)
            done(context, "invite_closed", {"group": group, "closed": close})
            return
        found = await me.groups.invites(group)
        if settings_of(context).json:
            for link in found:
                put_json(link_row(link))
        elif found:
            table([link_cells(link) for link in found])

    with_client(context, work)


def remove(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="From where: +group or '#room'.")],
    person: Person,
    ban: Annotated[bool, typer.Option("--ban", help="And do not admit them again (groups).")] = False,
) -> None:
    """Put somebody out of a group or room. What they have read they keep; of what follows they read nothing."""

    async def work(me: Client) -> None:
        await me.remove_member(target, person, ban=ban)
        done(context, "banned" if ban else "removed", {"conversation": target, "removed": name_of(person), "ban": ban})

    with_client(context, work)


def unban(
    context: typer.Context,
    group: GroupTarget,
    person: Annotated[
        str | None, typer.Argument(help="Whom: @user. Without, who is banned is listed.", metavar="@USER")
    ] = None,
) -> None:
    """Lift a ban, so that somebody can be added again; or list who is banned."""

    async def work(me: Client) -> None:
        if person is not None:
            await me.groups.unban(group, person)
            done(context, "unbanned", {"group": group, "unbanned": name_of(person)})
            return
        found = await me.groups.bans(group)
        if settings_of(context).json:
            for one in found:
                put_json({"username": one.username, "by": one.by, "at": one.at})
        elif found:
            table([(one.username, moment(one.at), f"({phrase('by')} {one.by})") for one in found])

    with_client(context, work)


def role(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="Where: +group or '#room'.")],
    person: Person,
    role: Annotated[
        Literal["member", "moderator", "admin", "owner"],
        typer.Argument(help="What they are from here on; `owner` hands it over to them."),
    ],
) -> None:
    """Give a member another role."""

    async def work(me: Client) -> None:
        await me.change_role(target, person, role)
        done(context, "role_given", {"conversation": target, "username": name_of(person), "role": role})

    with_client(context, work)


def policy(
    context: typer.Context,
    group: GroupTarget,
    members_add: Annotated[bool | None, typer.Option("--members-add/--admins-add", help="Who may add people.")] = None,
    history: Annotated[
        bool | None, typer.Option("--history/--no-history", help="Whether earlier messages may be passed on.")
    ] = None,
    moderators_write: Annotated[
        bool | None, typer.Option("--moderators-write/--all-write", help="Who may write.")
    ] = None,
) -> None:
    """Show or change what holds in a group."""
    given = {"members_add": members_add, "history": history, "moderators_write": moderators_write}
    wanted = {name: value for name, value in given.items() if value is not None}

    async def work(me: Client) -> None:
        found = await (me.groups.change_policy(group, **wanted) if wanted else me.groups.policy(group))
        if settings_of(context).json:
            put_json({"group": group, **{name: name in found for name in given}})
        else:
            put(policy_in_words(found, language()))

    with_client(context, work)


def rename(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="What: +group or '#room'.")],
    name: Annotated[list[str], typer.Argument(help="What it is called from here on.")],
) -> None:
    """Give a group or room another name."""

    async def work(me: Client) -> None:
        show(context, await me.change_room(target, name=" ".join(name)))

    with_client(context, work)


def about(
    context: typer.Context,
    group: GroupTarget,
    description: Annotated[str | None, typer.Option(help="What it is for, at length.", metavar="TEXT")] = None,
    welcome: Annotated[str | None, typer.Option(help="What somebody new is to read first.", metavar="TEXT")] = None,
    rules: Annotated[str | None, typer.Option(help="What holds among its members.", metavar="TEXT")] = None,
) -> None:
    """Show or change what a group says of itself; the server learns none of it."""
    wanted = {"description": description, "welcome": welcome, "rules": rules}

    async def work(me: Client) -> None:
        is_given = any(text is not None for text in wanted.values())
        found = await (me.groups.change_profile(group, **wanted) if is_given else me.groups.profile(group))
        if settings_of(context).json:
            put_json(asdict(found))
        else:
            put(visible("\n\n".join(text for text in asdict(found).values() if text)))

    with_client(context, work)


def done(
    context: typer.Context,
    what: Literal["added", "removed", "banned", "unbanned", "role_given", "invite_closed"],
    row: dict[str, Any],
) -> None:
    """Say that it was done."""
    put_json(row) if settings_of(context).json else put(phrase(what))


def duration(text: str) -> timedelta:
    """Read 30m, 12h, 7d, 4w."""
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not number.isascii() or not number.isdigit() or not 0 < int(number[:6]) == int(number):
        raise typer.BadParameter(text, param_hint="--expires")
    return timedelta(**{UNITS[unit]: int(number)})


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
        moment(link.expires_at) if link.expires_at else "",
        link.link or f"({phrase('made_elsewhere')})",
    )


def moment(at: datetime) -> str:
    """Show a time of day here."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def name_of(person: str) -> str:
    """Give a user name without its sign."""
    return person.removeprefix("@")
