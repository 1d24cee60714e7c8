"""`aparte topic`, `rename`, `about`, `welcome`, `rules`, `settings`, `archive-for-all`, `delete-conversation`.

What a conversation says of itself, how it is run, and its end.
"""

# ruff: noqa: PLR0913 - typer reads the options of a command off its parameters

import sys
from typing import Annotated, Any, Literal

import typer

from aparte.cli.arguments import MaybeWords, Off, Target, Words, Yes, duration
from aparte.cli.output import as_row, done, in_a_line, is_json, put, put_json, table, visible
from aparte.cli.phrases import phrase
from aparte.cli.rooms import room_row, show
from aparte.cli.running import USAGE, with_client
from aparte.client import Client, Room

Text = Annotated[str | None, typer.Option(metavar="TEXT")]
NONE = "none"
"""What takes a setting away."""


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(topic)
    app.command()(rename)
    app.command()(about)
    app.command()(welcome)
    app.command()(rules)
    app.command("settings")(run_settings)
    app.command("archive-for-all")(archive_for_all)
    app.command("delete-conversation")(delete_conversation)


def topic(context: typer.Context, target: Target, text: MaybeWords = None) -> None:
    """Show or set the topic."""

    async def work(me: Client) -> None:
        found = await me.room(target) if text is None else await me.change_conversation(target, topic=" ".join(text))
        put_json(room_row(found)) if is_json(context) else table([(found.topic,)])

    with_client(context, work)


def rename(context: typer.Context, target: Target, name: Words) -> None:
    """Give a conversation another name."""

    async def work(me: Client) -> None:
        show(context, await me.change_conversation(target, name=" ".join(name)))

    with_client(context, work)


def about(
    context: typer.Context,
    *,
    target: Target,
    description: Text = None,
    welcome: Text = None,
    rules: Text = None,
    picture: Annotated[str | None, typer.Option(metavar="URL")] = None,
) -> None:
    """Show or change what a conversation says of itself."""
    given = {"description": description, "welcome": welcome, "rules": rules}
    wanted: dict[str, Any] = {name: text for name, text in given.items() if text is not None}
    if picture is not None:
        wanted["picture"] = None if picture == NONE else picture

    async def work(me: Client) -> None:
        room = await (me.change_conversation(target, **wanted) if wanted else me.room(target))
        found = await said_by(me, room)
        if is_json(context):
            put_json(found)
        else:
            put(visible("\n\n".join(text for text in found.values() if text)))

    with_client(context, work)


async def said_by(me: Client, room: Room) -> dict[str, str]:
    """Read what a conversation says of itself, whoever knows it."""
    if room.encryption_mode == "e2ee":
        return dict(as_row(await me.groups.profile(str(room.id))))
    found = {name: str(getattr(room, name)) for name in ("name", "topic", "description", "welcome", "rules")}
    return found | ({"picture": room.picture} if room.picture else {})


def welcome(context: typer.Context, target: Target, text: MaybeWords = None) -> None:
    """Show or set what somebody new is to read first."""
    one_text(context, target, "welcome", text)


def rules(context: typer.Context, target: Target, text: MaybeWords = None) -> None:
    """Show or set what holds among members."""
    one_text(context, target, "rules", text)


def one_text(context: typer.Context, target: str, name: Literal["welcome", "rules"], text: list[str] | None) -> None:
    """Show or set one of the texts that a conversation says of itself."""

    async def work(me: Client) -> None:
        wanted: Any = {} if text is None else {name: " ".join(text)}
        room = await (me.change_conversation(target, **wanted) if wanted else me.room(target))
        found = (await said_by(me, room)).get(name, "")
        put_json({"conversation": room.title, name: found}) if is_json(context) else put(visible(found))

    with_client(context, work)


def run_settings(
    context: typer.Context,
    *,
    target: Target,
    slow_mode: Annotated[str | None, typer.Option(metavar="TIME")] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N")] = None,
    ttl: Annotated[str | None, typer.Option(metavar="TIME")] = None,
    language: Annotated[Literal["fr", "en", "simple"] | None, typer.Option()] = None,
    nsfw: Annotated[bool | None, typer.Option("--nsfw/--not-nsfw")] = None,
    auto_moderate: Annotated[bool | None, typer.Option("--auto-moderate/--no-auto-moderate")] = None,
    bots: Annotated[bool | None, typer.Option("--bots/--no-bots")] = None,
) -> None:
    """Show or change how a conversation is run."""
    wanted: dict[str, Any] = {"max_members": limit, "language": language, "is_nsfw": nsfw}
    wanted |= {"slow_mode_seconds": seconds(slow_mode, "--slow-mode") or 0} if slow_mode is not None else {}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    wanted |= {"ttl": seconds(ttl, "--ttl")} if ttl is not None else {}
    free = {"auto_moderate": auto_moderate, "allow_bots": bots}
    free = {name: value for name, value in free.items() if value is not None}

    async def work(me: Client) -> None:
        if free:
            wanted["metadata"] = {**(await me.room(target)).settings.metadata, **free}
        found = await (me.change_conversation(target, **wanted) if wanted else me.room(target))
        if is_json(context):
            put_json({"conversation": found.title, **as_row(found.settings)})
        else:
            table([(name, in_a_line(plain(value))) for name, value in as_row(found.settings).items()])

    with_client(context, work)


def seconds(text: str, option: str) -> int | None:
    """Read a time as seconds; `none` is none."""
    return None if text == NONE else int(duration(text, option).total_seconds())


def plain(value: Any) -> str:
    """Show the value of a setting."""
    if isinstance(value, bool):
        return phrase("yes" if value else "no")
    if isinstance(value, dict):
        return ", ".join(f"{name}={plain(one)}" for name, one in value.items())
    return "" if value is None else str(value)


def archive_for_all(context: typer.Context, target: Target, off: Off = False) -> None:
    """Let a conversation be read and not written to."""

    async def work(me: Client) -> None:
        found = await me.archive_for_all(target, on=not off)
        row = {"conversation": found.title, "is_archived": found.settings.is_archived}
        done(context, "reopened" if off else "closed_for_all", row)

    with_client(context, work)


def delete_conversation(context: typer.Context, target: Target, yes: Yes = False) -> None:
    """End a conversation for everybody in it."""
    if not yes and not is_confirmed(target):
        typer.echo(phrase("not_approved"), err=True)
        raise typer.Exit(1)

    async def work(me: Client) -> None:
        await me.delete_conversation(target)
        done(context, "conversation_deleted", {"conversation": target, "deleted": True})

    with_client(context, work)


def is_confirmed(target: str) -> bool:
    """Ask once more; where nobody can be asked, `--yes` must say so."""
    if not sys.stdin.isatty():
        typer.echo(f"aparte: {phrase('yes_needed')}", err=True)
        raise typer.Exit(USAGE)
    return typer.confirm(phrase("delete_question", conversation=visible(target)), err=True)
