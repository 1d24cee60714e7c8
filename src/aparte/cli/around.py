"""What hangs on a message: `aparte react`, `pin`, `thread`, `follow`, `mentions`, `receipts`, `versions` …"""

from typing import Annotated

import typer

from aparte.cli.arguments import Limit, MessageId, Off, Target
from aparte.cli.messages import AboutMessage, show, show_sent
from aparte.cli.output import as_row, clock, done, in_a_line, is_json, listing, put, put_json
from aparte.cli.running import with_client
from aparte.client import Client, Message, Receipt

STORED, SEEN = "✓", "✓✓"
"""Ticks: a device has it; it was read."""


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (react, pin, pins, thread, threads, follow, replies, mentions, receipts, versions):
        app.command()(command)


def react(
    context: typer.Context,
    target: Target,
    message: MessageId,
    emoji: Annotated[str, typer.Argument(metavar="EMOJI")],
    off: Off = False,
) -> None:
    """React to a message, or take the reaction back."""

    async def work(me: Client) -> None:
        show_sent(context, target, await me.react(target, message, emoji, on=not off))

    with_client(context, work)


def pin(context: typer.Context, target: Target, message: MessageId, off: Off = False) -> None:
    """Pin a message, or unpin it."""

    async def work(me: Client) -> None:
        show_sent(context, target, await me.pin(target, message, on=not off))

    with_client(context, work)


def pins(context: typer.Context, target: Target) -> None:
    """Print the messages that are pinned."""

    async def work(me: Client) -> None:
        show_all(context, await me.pinned(target))

    with_client(context, work)


def thread(
    context: typer.Context, target: Target, root: MessageId, limit: Limit = 50, before: AboutMessage = None
) -> None:
    """Print a message and the newest of its thread."""

    async def work(me: Client) -> None:
        show(context, await me.message(target, root))
        show_all(context, await me.thread(target, root, limit, before=before))

    with_client(context, work)


def threads(
    context: typer.Context,
    target: Target,
    limit: Limit = 50,
    before: AboutMessage = None,
    followed: Annotated[bool, typer.Option("--followed")] = False,
) -> None:
    """Print the roots of threads."""

    async def work(me: Client) -> None:
        show_all(context, await me.threads(target, limit, before=before, followed=followed))

    with_client(context, work)


def follow(context: typer.Context, target: Target, root: MessageId, off: Off = False) -> None:
    """Be told of what comes in a thread, or no longer."""

    async def work(me: Client) -> None:
        await me.follow(target, root, on=not off)
        row = {"conversation": target, "root": root, "is_followed": not off}
        done(context, "unfollowed" if off else "followed", row)

    with_client(context, work)


def replies(context: typer.Context, target: Target, message: MessageId) -> None:
    """Print the messages that answer one."""

    async def work(me: Client) -> None:
        show_all(context, await me.replies(target, message))

    with_client(context, work)


def mentions(context: typer.Context, limit: Limit = 50, before: AboutMessage = None) -> None:
    """Print the newest messages that mention one."""

    async def work(me: Client) -> None:
        show_all(context, await me.mentions(limit, before=before))

    with_client(context, work)


def receipts(context: typer.Context, target: Target, message: MessageId) -> None:
    """List who has received a message and who has read it."""

    async def work(me: Client) -> None:
        found = await me.receipts(target, message)
        timed = {one.username for one in found.receipts}
        rows = [*found.receipts, *(Receipt(name, None, None) for name in found.readers if name not in timed)]
        if is_json(context):
            for row in rows:
                put_json({**as_row(row), "has_read": row.username in found.readers})
            return
        listing(context, (), [receipt_cells(row, row.username in found.readers) for row in rows])

    with_client(context, work)


def receipt_cells(one: Receipt, has_read: bool) -> tuple[str, ...]:
    """Show whether somebody has a message or has read it, and since when."""
    when = one.read_at or one.delivered_at
    ticks = SEEN if has_read or one.read_at else STORED if one.delivered_at else ""
    return (one.username, ticks, clock(when) if when else "")


def versions(context: typer.Context, target: Target, message: MessageId) -> None:
    """Print everything that a message has said."""

    async def work(me: Client) -> None:
        for one in await me.versions(target, message):
            put_json(as_row(one)) if is_json(context) else put(f"{clock(one.at)} {in_a_line(one.text)}")

    with_client(context, work)


def show_all(context: typer.Context, found: list[Message]) -> None:
    """Print messages."""
    for message in found:
        show(context, message)
