"""`aparte register`, `login`, `logout`, `whoami`, `privacy`."""

import platform
import sys
from typing import Annotated, Any, Literal

import typer

from aparte.cli.output import as_row, in_a_cell, is_json, put, put_json, table
from aparte.cli.phrases import phrase
from aparte.cli.running import USAGE, place_of, run, settings_of, with_client
from aparte.cli.settings import Settings
from aparte.client import Client, Credentials

PASSWORD_BYTES = 4_096

Field = Literal[
    "may_write",
    "may_add",
    "see_last_seen",
    "see_presence",
    "see_receipts",
    "find_by_name",
    "find_by_email",
    "find_by_phone",
]
Audience = Literal["everyone", "contacts", "nobody"]
Username = Annotated[str, typer.Argument()]
Device = Annotated[str, typer.Option(metavar="NAME")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("register")(register_account)
    app.command()(login)
    app.command()(logout)
    app.command()(whoami)
    app.command()(privacy)


def register_account(
    context: typer.Context,
    username: Username,
    email: Annotated[str, typer.Option(metavar="ADDRESS")],
    device: Device = "",
    password_stdin: PasswordStdin = False,
) -> None:
    """Make an account, with this profile as its first device."""
    settings = settings_of(context)
    who = credentials(username, device, stdin=password_stdin, confirm=True)

    async def work() -> None:
        async with Client.register(place_of(settings, is_new=True), who, email=email) as me:
            await greet(settings, me)

    run(settings, work())


def login(
    context: typer.Context, username: Username, device: Device = "", password_stdin: PasswordStdin = False
) -> None:
    """Sign in with this profile as a device of the account."""
    settings = settings_of(context)
    who = credentials(username, device, stdin=password_stdin, confirm=False)

    async def work() -> None:
        async with Client.log_in(place_of(settings, is_new=True), who) as me:
            await greet(settings, me)

    run(settings, work())


def logout(context: typer.Context) -> None:
    """End this profile's session. What it has stored stays on this machine."""

    async def work(me: Client) -> None:
        await me.log_out()
        if not settings_of(context).json:
            put(phrase("signed_out"))

    with_client(context, work)


def whoami(context: typer.Context) -> None:
    """Show who this profile is."""

    async def work(me: Client) -> None:
        account = await me.who_am_i()
        if not settings_of(context).json:
            put(in_a_cell(account.username))
            return
        row: dict[str, Any] = {
            "username": account.username,
            "account_id": account.id,
            "device_id": me.device_id,
            "display_name": account.display_name,
            "email": account.email,
            "role": account.role,
            "server": me.server,
        }
        put_json(row)

    with_client(context, work)


def privacy(
    context: typer.Context,
    field: Annotated[Field | None, typer.Argument(metavar="[WHAT]")] = None,
    audience: Annotated[Audience | None, typer.Argument(metavar="[WHO]")] = None,
) -> None:
    """Show or change who may write to one first, add one, find one and see what."""
    if (field is None) is not (audience is None):
        raise typer.BadParameter(phrase("what_and_who"))

    async def work(me: Client) -> None:
        if field is not None and audience is not None:
            await me.change_privacy(**{field: audience})
        found = as_row((await me.who_am_i()).privacy)
        if is_json(context):
            put_json(found)
        else:
            table([(name, who, phrase(f"privacy_{name}")) for name, who in found.items()])

    with_client(context, work)


async def greet(settings: Settings, me: Client) -> None:
    """Say who is signed in."""
    account = await me.who_am_i()
    if settings.json:
        put_json({"username": account.username, "account_id": account.id, "device_id": me.device_id})
    else:
        put(f"{phrase('signed_in')} {in_a_cell(account.username)}.")


def credentials(username: str, device: str, *, stdin: bool, confirm: bool) -> Credentials:
    """Put together who signs in; the password comes from standard input or from the keyboard, never from arguments."""
    name = device or platform.node() or "command line"
    return Credentials(username, password_from(stdin=stdin, confirm=confirm), name[:100])


def password_from(*, stdin: bool, confirm: bool) -> str:
    """Read the password. On a terminal it is asked for without echo."""
    if stdin:
        line = sys.stdin.buffer.readline(PASSWORD_BYTES)
        return line.decode(errors="replace").removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        typer.echo(f"aparte: {phrase('password_needed')}", err=True)
        raise typer.Exit(USAGE)
    return str(typer.prompt(phrase("password"), hide_input=True, confirmation_prompt=confirm, err=True))
