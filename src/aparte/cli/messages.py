"""`aparte send`, `listen`, `history`, `edit`, `delete`, `restore`, `react`, `pin`, `pins`."""

import asyncio
import sys
from typing import Annotated

import typer

from aparte.cli.output import message_line, message_row, put, put_json
from aparte.cli.phrases import phrase
from aparte.cli.progress import catching_up, counted
from aparte.cli.reading import lines_of_stdin, whole_stdin
from aparte.cli.running import TIME_OVER, settings_of, telling, with_client
from aparte.client import Client, Message, MessageStream, Sent

Target = Annotated[
    str, typer.Argument(help="Where: a group, as +name, a person, as @name, a room, as '#name', or @me for your notes.")
]
MessageId = Annotated[str, typer.Argument(help="The message's id, as `send` or `--json` shows it.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(send)
    app.command()(listen)
    app.command()(history)
    app.command()(edit)
    app.command()(delete)
    app.command()(restore)
    app.command()(react)
    app.command()(pin)
    app.command()(pins)


def send(
    context: typer.Context,
    target: Target,
    text: Annotated[list[str], typer.Argument(help="What to say; `-` reads it from standard input.")],
    lines: Annotated[bool, typer.Option("--lines", help="With `-`: send each line as a message, in order.")] = False,
    reply: Annotated[
        str | None, typer.Option(help="The id of the message that this answers (not in rooms).", metavar="ID")
    ] = None,
    mention: Annotated[
        list[str] | None, typer.Option(help="Whom it mentions; can be repeated (not in rooms).", metavar="@USER")
    ] = None,
) -> None:
    """Send a message, or many."""
    if lines and text != ["-"]:
        raise typer.BadParameter("--lines reads standard input: give - as the text.")
    if lines and (reply or mention):
        raise typer.BadParameter("--reply and --mention go with one message.")

    async def work(me: Client) -> None:
        if not lines:
            words = whole_stdin() if text == ["-"] else " ".join(text)
            show_sent(context, target, await me.send(target, words, reply=reply, mentions=mention or ()))
        else:
            async for sent in counted(me.send_many(target, lines_of_stdin()), phrase("sending")):
                show_sent(context, target, sent)

    with_client(context, work)


def listen(
    context: typer.Context,
    count: Annotated[int | None, typer.Option(help="Stop after so many messages.", min=1, metavar="N")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Stop after so many seconds, with exit code 3.", min=0, metavar="SECONDS")
    ] = None,
) -> None:
    """Print what has arrived since the last `listen`, then what arrives."""

    async def work(me: Client) -> None:
        try:
            async with asyncio.timeout(timeout), catching_up(me):
                await print_messages(context, me, count)
        except TimeoutError:
            raise typer.Exit(TIME_OVER) from None

    with_client(context, work)


async def print_messages(context: typer.Context, me: Client, count: int | None) -> None:
    """Print messages as they come, and what happens beside; each is confirmed once it is written."""
    stream = me.messages(events=True)
    notice = asyncio.get_running_loop().call_later(1, say_that_it_waits, stream)
    try:
        seen = 0
        async with telling(settings_of(context), me):
            async for message in stream:
                show(context, message)
                stream.confirm()
                seen += message.event is None
                if seen == count:
                    return
    finally:
        notice.cancel()


def say_that_it_waits(stream: MessageStream) -> None:
    """Explain why nothing comes while another `listen` has the stream."""
    if stream.is_waiting and sys.stderr.isatty():
        typer.echo(phrase("waiting_for_listener"), err=True)


def history(
    context: typer.Context,
    target: Target,
    limit: Annotated[int, typer.Option(help="How many of the newest messages.", min=1, metavar="N")] = 50,
) -> None:
    """Print the newest messages of a group, person or room or of your notes, oldest first, and what happened."""

    async def work(me: Client) -> None:
        for message in await me.history(target, limit, events=True):
            show(context, message)

    with_client(context, work)


def edit(
    context: typer.Context,
    target: Target,
    message: MessageId,
    text: Annotated[list[str], typer.Argument(help="What it says from now on.")],
) -> None:
    """Change one of your messages."""

    async def work(me: Client) -> None:
        show_sent(context, target, await me.edit(target, message, " ".join(text)))

    with_client(context, work)


def delete(
    context: typer.Context,
    target: Target,
    message: MessageId,
    for_me: Annotated[bool, typer.Option("--for-me", help="Only for yourself.")] = False,
) -> None:
    """Delete a message for everyone, or only for yourself."""

    async def work(me: Client) -> None:
        done = await me.delete(target, message, for_me=for_me)
        if done is not None:
            show_sent(context, target, done)

    with_client(context, work)


def restore(context: typer.Context, target: Target, message: MessageId) -> None:
    """Take back a deletion for everyone, within 30 days."""

    async def work(me: Client) -> None:
        show_sent(context, target, await me.restore(target, message))

    with_client(context, work)


def react(
    context: typer.Context,
    target: Target,
    message: MessageId,
    emoji: Annotated[str, typer.Argument(help="The reaction.")],
    off: Annotated[bool, typer.Option("--off", help="Take it back.")] = False,
) -> None:
    """React to a message, or take the reaction back."""

    async def work(me: Client) -> None:
        show_sent(context, target, await me.react(target, message, emoji, on=not off))

    with_client(context, work)


def pin(
    context: typer.Context,
    target: Target,
    message: MessageId,
    off: Annotated[bool, typer.Option("--off", help="Unpin it.")] = False,
) -> None:
    """Pin a message of a group, person or your notes, or unpin it."""

    async def work(me: Client) -> None:
        show_sent(context, target, await me.pin(target, message, on=not off))

    with_client(context, work)


def pins(context: typer.Context, target: Target) -> None:
    """Print the messages that are pinned."""

    async def work(me: Client) -> None:
        for message in await me.pinned(target):
            show(context, message)

    with_client(context, work)


def show(context: typer.Context, message: Message) -> None:
    """Print a message."""
    if settings_of(context).json:
        put_json(message_row(message))
    else:
        put(message_line(message))


def show_sent(context: typer.Context, target: str, sent: Sent) -> None:
    """Print where a message is; a person needs its id to change it later."""
    if settings_of(context).json:
        put_json({"conversation": target, "seq": sent.seq, "id": sent.id, "at": sent.at})
    else:
        put(str(sent.id))
