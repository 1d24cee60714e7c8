"""`aparte search messages|people|rooms`: the server's search, in what it can read."""

# ruff: noqa: PLR0913 - typer reads the options of a command off its parameters

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import typer

from aparte.cli.arguments import Limit, MaybeWords, Words, moment
from aparte.cli.output import as_row, highlighted, is_json, listing, message_line, message_row, put, put_json
from aparte.cli.phrases import phrase
from aparte.cli.running import with_client
from aparte.client import Client, DirectoryRow, FoundMessage

Wanted = Literal["link", "code", "mention", "reply", "reaction", "pin", "thread"]
ID_LENGTH = 36


class Has(StrEnum):
    """What a message can have, as it is typed."""

    LINK = "link"
    CODE = "code"
    MENTION = "mention"
    REPLY = "reply"
    REACTION = "reaction"
    PIN = "pin"
    THREAD = "thread"


search = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(search, name="search")


@search.callback()
def searching() -> None:
    """Hold the three searches together."""


@search.command("messages")
def search_messages(
    context: typer.Context,
    *,
    words: MaybeWords = None,
    where: Annotated[str | None, typer.Option("--in", metavar="TARGET")] = None,
    sender: Annotated[str | None, typer.Option("--from", metavar="@USER")] = None,
    before: Annotated[str | None, typer.Option(metavar="DATE")] = None,
    after: Annotated[str | None, typer.Option(metavar="DATE")] = None,
    has: Annotated[list[Has] | None, typer.Option()] = None,
    limit: Limit = 20,
) -> None:
    """Find messages, newest first."""
    wanted: list[Wanted] = [one.value for one in has or ()]
    end, begin = place(before, "--before"), place(after, "--after")

    async def work(me: Client) -> None:
        found = await me.search.messages(
            " ".join(words or ()), where=where, sender=sender, before=end, after=begin, has=wanted, limit=limit
        )
        for one in found:
            show_found(context, one)

    with_client(context, work)


@search.command("people")
def search_people(
    context: typer.Context,
    words: Words,
    contacts: Annotated[bool, typer.Option("--contacts")] = False,
    limit: Limit = 20,
) -> None:
    """Find people, the best match first."""

    async def work(me: Client) -> None:
        found = await me.search.people(" ".join(words), only_contacts=contacts, limit=limit)
        listing(context, found, [(f"@{one.username}", one.display_name) for one in found])

    with_client(context, work)


@search.command("rooms")
def search_rooms(
    context: typer.Context,
    words: MaybeWords = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON")] = None,
    nsfw: Annotated[bool, typer.Option("--nsfw")] = False,
    limit: Limit = 20,
) -> None:
    """Find rooms and channels, the best match first."""
    wanted = None if metadata is None else object_of(metadata)

    async def work(me: Client) -> None:
        found = await me.search.rooms(" ".join(words or ()), metadata=wanted, nsfw=nsfw, limit=limit)
        listing(context, found, [room_cells(one) for one in found])

    with_client(context, work)


def show_found(context: typer.Context, one: FoundMessage) -> None:
    """Print a message that was found, what was looked for in bold."""
    if is_json(context):
        put_json({**message_row(one.message), "highlights": as_row(one.highlights)})
    else:
        put(message_line(one.message, highlighted(one.message.text or "", one.highlights)))


def room_cells(one: DirectoryRow) -> tuple[str, ...]:
    """Show a room that was found."""
    return (f"#{one.name}", str(one.member_count), one.topic, f"({phrase('you')})" if one.is_member else "")


def place(text: str | None, option: str) -> datetime | str | None:
    """Read a time, or the id of a message."""
    return text if text is None or len(text) == ID_LENGTH else moment(text, option)


def object_of(text: str) -> dict[str, Any]:
    """Read an object of JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter(phrase("bad_json"), param_hint="--metadata")
    return found
