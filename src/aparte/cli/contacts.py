"""`aparte contacts`, `block`, `unblock`, `blocks`, `find`: the people one knows, and those one would rather not."""

from typing import Annotated

import typer

from aparte.cli.arguments import Person, Reason, name_of
from aparte.cli.output import as_row, clock, done, is_json, listing, put_json
from aparte.cli.phrases import phrase
from aparte.cli.running import with_client
from aparte.client import Client, ContactRequest

several = typer.Typer(rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(several, name="contacts")
    for command in (block, unblock, blocks, find):
        app.command()(command)


@several.callback(invoke_without_command=True)
def contacts(context: typer.Context) -> None:
    """List one's address book."""
    if context.invoked_subcommand is None:
        list_contacts(context)


@several.command("list")
def list_contacts(context: typer.Context) -> None:
    """List one's address book."""

    async def work(me: Client) -> None:
        found = await me.contacts.list()
        cells = [
            (
                f"@{one.person.username}",
                one.nickname or one.person.display_name,
                f"({phrase('blocked')})" if one.is_blocked else "",
            )
            for one in found
        ]
        listing(context, found, cells)

    with_client(context, work)


@several.command("add")
def add_contact(
    context: typer.Context,
    person: Person,
    name: Annotated[str | None, typer.Option(metavar="NAME")] = None,
) -> None:
    """Put somebody into one's address book."""

    async def work(me: Client) -> None:
        found = await me.contacts.add(person, nickname=name)
        done(context, "contact_added", dict(as_row(found)))

    with_client(context, work)


@several.command("remove")
def remove_contact(context: typer.Context, person: Person) -> None:
    """Take somebody out of one's address book."""

    async def work(me: Client) -> None:
        await me.contacts.remove(person)
        done(context, "contact_removed", {"removed": name_of(person)})

    with_client(context, work)


@several.command("request")
def request_contact(context: typer.Context, person: Person, note: Reason = "") -> None:
    """Ask somebody to be contacts."""

    async def work(me: Client) -> None:
        found = await me.contacts.request(person, note)
        done(context, "request_accepted" if found.status == "accepted" else "requested", dict(as_row(found)))

    with_client(context, work)


@several.command("requests")
def list_requests(context: typer.Context) -> None:
    """List the requests from oneself and to oneself."""

    async def work(me: Client) -> None:
        found = await me.contacts.requests()
        listing(context, found, [request_cells(one) for one in found])

    with_client(context, work)


def request_cells(one: ContactRequest) -> tuple[str, ...]:
    """Show a request: who asks whom, what became of it, and what was said with it."""
    arrow = "→" if one.is_mine else "←"
    return (arrow, f"@{one.person.username}", phrase(f"status_{one.status}"), clock(one.created_at), one.note)


@several.command("accept")
def accept_request(context: typer.Context, person: Person) -> None:
    """Accept somebody's request."""

    async def work(me: Client) -> None:
        done(context, "request_accepted", dict(as_row(await me.contacts.accept(person))))

    with_client(context, work)


@several.command("decline")
def decline_request(context: typer.Context, person: Person) -> None:
    """Decline somebody's request."""

    async def work(me: Client) -> None:
        done(context, "request_declined", dict(as_row(await me.contacts.decline(person))))

    with_client(context, work)


@several.command("withdraw")
def withdraw_request(context: typer.Context, person: Person) -> None:
    """Take one's own request back."""

    async def work(me: Client) -> None:
        await me.contacts.withdraw(person)
        done(context, "withdrawn", {"withdrawn": name_of(person)})

    with_client(context, work)


def block(context: typer.Context, person: Person, reason: Reason = "") -> None:
    """Let nothing come from somebody any more."""

    async def work(me: Client) -> None:
        found = await me.contacts.block(person, reason or None)
        done(context, "person_blocked", dict(as_row(found)))

    with_client(context, work)


def unblock(context: typer.Context, person: Person) -> None:
    """Block somebody no longer."""

    async def work(me: Client) -> None:
        await me.contacts.unblock(person)
        done(context, "person_unblocked", {"unblocked": name_of(person)})

    with_client(context, work)


def blocks(context: typer.Context) -> None:
    """List whom one blocks."""

    async def work(me: Client) -> None:
        found = await me.contacts.blocks()
        listing(context, found, [(f"@{one.person.username}", clock(one.blocked_at), one.reason or "") for one in found])

    with_client(context, work)


def find(
    context: typer.Context,
    email: Annotated[str | None, typer.Option(metavar="ADDRESS")] = None,
    phone: Annotated[str | None, typer.Option(metavar="NUMBER")] = None,
) -> None:
    """Find somebody by a whole address."""
    if (email is None) is (phone is None):
        raise typer.BadParameter(phrase("email_or_phone"))

    async def work(me: Client) -> None:
        found = await me.contacts.find(email=email, phone=phone)
        put_json(as_row(found)) if is_json(context) else listing(
            context, (), [(f"@{found.username}", found.display_name)]
        )

    with_client(context, work)
