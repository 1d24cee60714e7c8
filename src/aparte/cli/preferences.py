"""`aparte mute`, `unmute`, `level`, `top`, `archive`, `label`, `unread`, `read`: what one sets for oneself alone."""

from typing import Annotated, Literal

import typer

from aparte.cli.arguments import FOREVER, Off, Target, moment
from aparte.cli.output import as_row, clock, in_a_cell, is_json, put, put_json
from aparte.cli.phrases import phrase
from aparte.cli.running import with_client
from aparte.client import Client, Preferences

ENDLESS = 9999
"""The year until which a conversation is silent that stays so."""


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (mute, unmute, level, top, archive, label, unread, read):
        app.command()(command)


def mute(
    context: typer.Context,
    target: Target,
    until: Annotated[str, typer.Argument(metavar="[TIME]")] = FOREVER,
) -> None:
    """Be told nothing for a time, or for good."""
    end = None if until == FOREVER else moment(until, "TIME")

    async def work(me: Client) -> None:
        show(context, target, await me.mute(target, end))

    with_client(context, work)


def unmute(context: typer.Context, target: Target) -> None:
    """Be told again."""

    async def work(me: Client) -> None:
        show(context, target, await me.unmute(target))

    with_client(context, work)


def level(
    context: typer.Context,
    target: Target,
    level: Annotated[Literal["all", "mentions", "none"] | None, typer.Argument()] = None,
) -> None:
    """Show what one has set, or say of what one is told."""

    async def work(me: Client) -> None:
        found = await (me.preferences(target) if level is None else me.set_level(target, level))
        show(context, target, found)

    with_client(context, work)


def top(context: typer.Context, target: Target, off: Off = False) -> None:
    """Keep a conversation at the top of one's list."""

    async def work(me: Client) -> None:
        show(context, target, await me.pin_conversation(target, on=not off))

    with_client(context, work)


def archive(context: typer.Context, target: Target, off: Off = False) -> None:
    """Put a conversation away from one's list."""

    async def work(me: Client) -> None:
        show(context, target, await me.archive(target, on=not off))

    with_client(context, work)


def label(
    context: typer.Context,
    target: Target,
    labels: Annotated[list[str] | None, typer.Argument(metavar="[LABEL…]")] = None,
    clear: Annotated[bool, typer.Option("--clear")] = False,
) -> None:
    """Show or set a conversation's labels."""
    if clear and labels:
        raise typer.BadParameter(phrase("labels_or_clear"))

    async def work(me: Client) -> None:
        found = await (me.label(target, *(labels or ())) if labels or clear else me.preferences(target))
        show(context, target, found)

    with_client(context, work)


def unread(context: typer.Context, target: Target, off: Off = False) -> None:
    """Mark a conversation as unread."""

    async def work(me: Client) -> None:
        show(context, target, await me.mark_unread(target, on=not off))

    with_client(context, work)


def read(
    context: typer.Context,
    target: Target,
    message: Annotated[str | None, typer.Argument(metavar="[MESSAGE]")] = None,
) -> None:
    """Tell that everything up to a message, or to the end, has been read."""

    async def work(me: Client) -> None:
        await me.mark_read(target, message)

    with_client(context, work)


def show(context: typer.Context, target: str, found: Preferences) -> None:
    """Show what one has set for a conversation."""
    if is_json(context):
        put_json({"conversation": target, **as_row(found)})
        return
    said = [phrase(f"level_{found.level}")]
    if found.muted_until:
        endless = found.muted_until.year >= ENDLESS
        said.append(phrase("muted") if endless else phrase("muted_until", when=clock(found.muted_until)))
    marks = {"at_top": found.is_pinned, "put_away": found.is_archived, "marked_unread": found.is_marked_unread}
    said += [phrase(name) for name, is_so in marks.items() if is_so]
    put(", ".join([*said, *(f"[{in_a_cell(name)}]" for name in found.labels)]))
