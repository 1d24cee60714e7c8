"""`aparte schedule` and `draft`: what is to be said later, and what one has begun to write."""

from typing import Annotated

import typer

from aparte.cli.arguments import MaybeWords, Target, moment
from aparte.cli.messages import show_scheduled
from aparte.cli.output import done, is_json, put, put_json, visible
from aparte.cli.running import with_client
from aparte.client import Client

ScheduledId = Annotated[str, typer.Argument(metavar="ID")]

several = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(several, name="schedule")
    app.command()(draft)


@several.callback()
def schedule() -> None:
    """Hold the commands about messages that are due later together."""


@several.command("list")
def list_scheduled(context: typer.Context, target: Target) -> None:
    """List what is due later."""

    async def work(me: Client) -> None:
        for one in await me.scheduled.list(target):
            show_scheduled(context, one)

    with_client(context, work)


@several.command("change")
def change_scheduled(
    context: typer.Context,
    target: Target,
    scheduled: ScheduledId,
    text: MaybeWords = None,
    at: Annotated[str | None, typer.Option(metavar="TIME")] = None,
) -> None:
    """Give a message other words or another time."""
    due = None if at is None else moment(at, "--at")

    async def work(me: Client) -> None:
        words = None if not text else " ".join(text)
        show_scheduled(context, await me.scheduled.change(target, scheduled, text=words, at=due))

    with_client(context, work)


@several.command("cancel")
def cancel_scheduled(context: typer.Context, target: Target, scheduled: ScheduledId) -> None:
    """Take a message back that is due later."""

    async def work(me: Client) -> None:
        await me.scheduled.cancel(target, scheduled)
        done(context, "cancelled", {"conversation": target, "cancelled": scheduled})

    with_client(context, work)


def draft(
    context: typer.Context,
    target: Target,
    text: MaybeWords = None,
    clear: Annotated[bool, typer.Option("--clear")] = False,
) -> None:
    """Show, keep or forget what one has begun to write."""

    async def work(me: Client) -> None:
        if text or clear:
            await me.set_draft(target, " ".join(text or ()) or None)
        found = await me.draft(target)
        if is_json(context):
            put_json({"conversation": target, "draft": found})
        elif found:
            put(visible(found))

    with_client(context, work)
