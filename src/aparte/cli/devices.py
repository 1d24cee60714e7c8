"""`aparte link`, `devices` with `approve` and `revoke`, `verify`: which devices and which keys are whose.

What a script must carry over stands alone on its line of standard output; questions and explanations go to stderr.
"""

import sys
from typing import Annotated, Literal
from uuid import UUID

import typer

from aparte.cli.account import Device, PasswordStdin, Username, credentials, password_from
from aparte.cli.output import put, put_json, table, visible
from aparte.cli.phrases import phrase
from aparte.cli.running import USAGE, place_of, run, settings_of, with_client
from aparte.client import Applicant, Client, CodeShown, Offered, SafetyNumber
from aparte.client import Device as DeviceRow

LIKE_AN_OPTION = {"ignore_unknown_options": True}
"""One offer in 64 begins with a hyphen."""
Yes = Annotated[bool, typer.Option("--yes")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(link)
    app.command()(verify)
    several = typer.Typer(rich_markup_mode=None)
    several.callback(invoke_without_command=True)(devices)
    several.command(context_settings=LIKE_AN_OPTION)(approve)
    several.command()(revoke)
    app.add_typer(several, name="devices")


def link(
    context: typer.Context, username: Username, device: Device = "", password_stdin: PasswordStdin = False
) -> None:
    """Make this profile another device of an account, with the help of one that is signed in.

    Prints the offer to give to `aparte devices approve` there, then the account and the code to type there.
    """
    settings = settings_of(context)
    who = credentials(username, device, stdin=password_stdin, confirm=False)

    def tell(event: Offered | CodeShown) -> None:
        if isinstance(event, Offered):
            if sys.stderr.isatty():
                typer.echo(phrase("link_how"), err=True)
            put_json({"offer": event.text}) if settings.json else put(event.text)
        elif settings.json:
            put_json({"account": event.username, "code": event.code})
        else:
            put(f"account: {visible(event.username)}")
            put(f"code: {event.code}")

    async def work() -> None:
        async with Client.link(place_of(settings, is_new=True), who, tell) as me:
            account = await me.who_am_i()
            if settings.json:
                put_json({"username": account.username, "account_id": account.id, "device_id": me.device_id})
            else:
                put(f"{phrase('linked')} {account.username}.")

    run(settings, work())


def devices(context: typer.Context) -> None:
    """List the devices of the account; `devices approve` links a new one, `devices revoke` takes one off."""
    if context.invoked_subcommand is not None:
        return

    async def work(me: Client) -> None:
        found, listed = await me.devices(), await me.keys.listed()
        if settings_of(context).json:
            for device in found:
                row = {name: getattr(device, name) for name in device.__struct_fields__}
                put_json({**row, "is_listed": device.device_id in listed})
            return
        table([row_of(device, listed) for device in found if device.is_active])

    with_client(context, work)


def row_of(device: DeviceRow, listed: frozenset[UUID]) -> tuple[str, ...]:
    """Show a device; `*` marks those on the signed list, which can read what is written to the account."""
    is_listed = device.device_id in listed
    return (
        str(device.device_id),
        "*" if is_listed else "",
        device.name,
        device.platform,
        device.last_active_at.astimezone().strftime("%Y-%m-%d %H:%M"),
        f"({phrase('this_device')})" if device.is_current else "" if is_listed else f"({phrase('not_listed')})",
    )


def approve(
    context: typer.Context,
    offer: Annotated[str, typer.Argument()],
    yes: Yes = False,
) -> None:
    """Link the device that shows this offer. The password is asked for, then the code that the device shows.

    Both can come from standard input, one a line.
    """

    async def work(me: Client) -> None:
        applicant = await me.keys.look_at_offer(offer)
        show_applicant(applicant)
        if not yes and not is_confirmed():
            typer.echo(phrase("not_approved"), err=True)
            raise typer.Exit(1)
        answered = await me.keys.answer(applicant, secret("password"))
        await me.keys.admit(answered, secret("code"))
        if settings_of(context).json:
            put_json({"approved": True, "device_name": applicant.device_name})
        else:
            put(phrase("approved"))

    with_client(context, work)


def revoke(
    context: typer.Context,
    device: Annotated[str, typer.Argument()],
    wiped: Annotated[bool, typer.Option("--wiped")] = False,
    password_stdin: PasswordStdin = False,
) -> None:
    """Take a device off the account: one that is lost or stolen under a new account key, which needs the password."""
    try:
        wanted = UUID(device)
    except ValueError:
        raise typer.BadParameter(device, param_hint="DEVICE") from None
    password = None if wiped else password_from(stdin=password_stdin, confirm=False)

    async def work(me: Client) -> None:
        await me.keys.revoke(wanted, password)
        put_json({"revoked": wanted}) if settings_of(context).json else put(phrase("revoked"))

    with_client(context, work)


def verify(
    context: typer.Context,
    user: Annotated[str, typer.Argument()],
    yes: Annotated[bool, typer.Option("--yes")] = False,
) -> None:
    """Show the safety number that one has with somebody, to be compared with what they see."""

    async def work(me: Client) -> None:
        number = await me.keys.safety_number(user)
        if yes:
            await me.keys.verify(user, number)
            number = await me.keys.safety_number(user)
        if settings_of(context).json:
            row = {"safety_number": number.digits, "verified": number.is_verified, "changed": number.has_changed}
            put_json({"user": user.removeprefix("@"), **row})
        else:
            put(" ".join(number.groups))
            put(phrase("now_verified") if yes else standing_of(number))

    with_client(context, work)


def standing_of(number: SafetyNumber) -> str:
    """Say what is thought of a key."""
    if number.is_verified:
        return phrase("verified")
    return phrase("key_has_changed") if number.has_changed else phrase("not_verified")


def show_applicant(applicant: Applicant) -> None:
    """Say which device asks, from where and since when, on stderr: as far as the server knows."""
    moment = applicant.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    place = f" ({applicant.ip})" if applicant.ip else ""
    typer.echo(f"{phrase('applicant')}: {visible(applicant.device_name)}{place}, {moment}", err=True)


def is_confirmed() -> bool:
    """Ask whether the device is one's own; where nobody can be asked, `--yes` must say so."""
    if not sys.stdin.isatty():
        typer.echo(f"aparte: {phrase('yes_needed')}", err=True)
        raise typer.Exit(USAGE)
    typer.echo(phrase("approve_warning"), err=True)
    return typer.confirm(phrase("approve_question"), err=True)


def secret(name: Literal["password", "code"]) -> str:
    """Read the password or the code: a line of standard input, asked for without echo on a terminal."""
    if not sys.stdin.isatty():
        return password_from(stdin=True, confirm=False)
    return str(typer.prompt(phrase(name), hide_input=name == "password", err=True))
