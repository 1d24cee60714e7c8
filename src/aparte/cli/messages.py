"""`aparte send`, `listen`, `history`, `edit`, `delete`, `restore`, `forward`, `outbox`."""

# ruff: noqa: PLR0913 - typer reads the options of a command off its parameters

import asyncio
import sys
from typing import Annotated, Literal

import typer

from aparte.cli.arguments import Ids, Limit, MessageId, Target, Words, duration, moment
from aparte.cli.output import as_row, clock, in_a_line, is_json, message_line, message_row, put, put_json
from aparte.cli.phrases import phrase
from aparte.cli.progress import catching_up, counted
from aparte.cli.reading import lines_of_stdin, whole_stdin
from aparte.cli.running import TIME_OVER, settings_of, telling, with_client
from aparte.client import Client, ClientError, Message, MessageStream, ScheduledMessage, Sent, describe, language_of

Format = Literal["text", "markdown", "html", "code"]
TextFormat = Annotated[Format, typer.Option("--format")]
Mentions = Annotated[list[str] | None, typer.Option(metavar="@USER")]
AboutMessage = Annotated[str | None, typer.Option(metavar="ID")]
Time = Annotated[str | None, typer.Option(metavar="TIME")]
SHOWN_BESIDE = frozenset({"reacted", "unreacted"})
"""What history shows behind the message that it happened to, not on a line of its own."""


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (send, listen, history, edit, delete, restore, forward, outbox):
        app.command()(command)


def send(
    context: typer.Context,
    *,
    target: Target,
    text: Words,
    lines: Annotated[bool, typer.Option("--lines")] = False,
    reply: AboutMessage = None,
    thread: AboutMessage = None,
    mention: Mentions = None,
    ttl: Time = None,
    after_reading: Annotated[bool, typer.Option("--after-reading")] = False,
    text_format: TextFormat = "text",
    at: Time = None,
) -> None:
    """Send a message, or many, now or later."""
    if lines and text != ["-"]:
        raise typer.BadParameter(phrase("lines_need_dash"))
    if lines and (reply or thread or mention or ttl or at):
        raise typer.BadParameter(phrase("lines_alone"))
    if after_reading and not ttl:
        raise typer.BadParameter(phrase("reading_needs_ttl"))
    due = None if at is None else moment(at, "--at")
    lasts = None if ttl is None else lasting(ttl, after_reading=after_reading)

    async def work(me: Client) -> None:
        if lines:
            many = me.send_many(target, lines_of_stdin(), text_format=text_format)
            async for sent in counted(many, phrase("sending")):
                show_sent(context, target, sent)
            return
        words = whole_stdin() if text == ["-"] else " ".join(text)
        if due is None:
            sent = await me.send(
                target, words, text_format=text_format, reply=reply, thread=thread, ttl=lasts, mentions=mention or ()
            )
            show_sent(context, target, sent)
            return
        given = {"reply": reply, "thread": thread, "ttl": lasts, "mentions": mention}
        beside = {name: value for name, value in given.items() if value is not None}
        show_scheduled(context, await me.scheduled.add(target, words, due, text_format=text_format, **beside))  # type: ignore[arg-type]

    with_client(context, work)


def lasting(ttl: str, *, after_reading: bool) -> tuple[Literal["sending", "reading"], int]:
    """Read how long a message is there."""
    return "reading" if after_reading else "sending", int(duration(ttl, "--ttl").total_seconds())


def listen(
    context: typer.Context,
    count: Annotated[int | None, typer.Option(min=1, metavar="N")] = None,
    timeout: Annotated[float | None, typer.Option(min=0, metavar="SECONDS")] = None,
    ids: Ids = False,
) -> None:
    """Print what has arrived since the last `listen`, then what arrives."""

    async def work(me: Client) -> None:
        try:
            async with asyncio.timeout(timeout), catching_up(me):
                await print_messages(context, me, count, ids=ids)
        except TimeoutError:
            raise typer.Exit(TIME_OVER) from None

    with_client(context, work)


async def print_messages(context: typer.Context, me: Client, count: int | None, *, ids: bool = False) -> None:
    """Print messages as they come, and what happens beside; each is confirmed once it is written."""
    stream = me.messages(events=True)
    notice = asyncio.get_running_loop().call_later(1, say_that_it_waits, stream)
    try:
        seen = 0
        async with telling(settings_of(context), me):
            async for message in stream:
                show(context, message, ids=ids)
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
    limit: Limit = 50,
    before: AboutMessage = None,
    ids: Ids = False,
) -> None:
    """Print the newest messages, oldest first, and what happened."""

    async def work(me: Client) -> None:
        for message in await me.history(target, limit, before=before, events=True):
            if message.event is None or message.event.deed not in SHOWN_BESIDE:
                show(context, message, ids=ids)

    with_client(context, work)


def edit(
    context: typer.Context, target: Target, message: MessageId, text: Words, text_format: TextFormat = "text"
) -> None:
    """Change one of one's messages."""

    async def work(me: Client) -> None:
        show_sent(context, target, await me.edit(target, message, " ".join(text), text_format=text_format))

    with_client(context, work)


def delete(
    context: typer.Context,
    target: Target,
    message: MessageId,
    for_me: Annotated[bool, typer.Option("--for-me")] = False,
) -> None:
    """Delete a message for everyone, or only for oneself."""

    async def work(me: Client) -> None:
        show_sent(context, target, await me.delete(target, message, for_me=for_me))

    with_client(context, work)


def restore(context: typer.Context, target: Target, message: MessageId) -> None:
    """Take back a deletion for everyone, within 30 days."""

    async def work(me: Client) -> None:
        show_sent(context, target, await me.restore(target, message))

    with_client(context, work)


def forward(
    context: typer.Context,
    target: Target,
    message: MessageId,
    to: Annotated[str, typer.Argument(metavar="TO")],
) -> None:
    """Send the words of a message on to another conversation."""

    async def work(me: Client) -> None:
        show_sent(context, to, await me.forward(target, message, to))

    with_client(context, work)


def outbox(context: typer.Context) -> None:
    """List what has not been sent yet, and what was refused."""

    async def work(me: Client) -> None:
        tongue = language_of(settings_of(context).environ)
        for one in me.unsent():
            if is_json(context):
                put_json(as_row(one))
            else:
                why = describe(ClientError(one.code), tongue) if one.code else phrase("waits")
                put(f"{clock(one.queued_at)} {in_a_line(one.text)} ({why})")

    with_client(context, work)


def show(context: typer.Context, message: Message, *, ids: bool = False) -> None:
    """Print a message; to a person with its id before it where that is asked for."""
    if is_json(context):
        put_json(message_row(message))
    else:
        put(f"{message.id} {message_line(message)}" if ids else message_line(message))


def show_sent(context: typer.Context, target: str, sent: Sent | None) -> None:
    """Print where a message is, if anything was written; a person needs its id to change it later."""
    if sent is None:
        return
    if is_json(context):
        put_json({"conversation": target, "seq": sent.seq, "id": sent.id, "at": sent.at})
    else:
        put(str(sent.id))


def show_scheduled(context: typer.Context, found: ScheduledMessage) -> None:
    """Print a message that is due later: its id to change or cancel it by, when, and what it will say."""
    if is_json(context):
        put_json(as_row(found))
        return
    status = phrase(f"status_{found.status}")
    if found.refused:
        status = describe(ClientError(found.refused), language_of(settings_of(context).environ))
    put(f"{found.id} {clock(found.due)} {in_a_line(found.text or '…')} ({status})")
