"""The command table of `aparte`: every command and the module that has it, loaded only when it is asked for.

`aparte up` does not pay for the SDK, nor `aparte send` for the supervisor.
"""

import importlib
import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aparte import __version__
from aparte.cli.settings import Settings

ACCOUNT, ROOMS, MESSAGES = "aparte.cli.account", "aparte.cli.rooms", "aparte.cli.messages"
DEVICES, GROUPS = "aparte.cli.devices", "aparte.cli.groups"
HOSTING, BENCH = "aparte.cli.hosting", "aparte.cli.bench"

COMMANDS: dict[str, str] = {
    "register": ACCOUNT,
    "login": ACCOUNT,
    "logout": ACCOUNT,
    "whoami": ACCOUNT,
    "link": DEVICES,
    "devices": DEVICES,
    "verify": DEVICES,
    "rooms": ROOMS,
    "groups": GROUPS,
    "new": GROUPS,
    "join": ROOMS,
    "leave": ROOMS,
    "members": ROOMS,
    "topic": ROOMS,
    "add": GROUPS,
    "invite": GROUPS,
    "invites": GROUPS,
    "remove": GROUPS,
    "unban": GROUPS,
    "role": GROUPS,
    "policy": GROUPS,
    "rename": GROUPS,
    "about": GROUPS,
    "send": MESSAGES,
    "listen": MESSAGES,
    "history": MESSAGES,
    "edit": MESSAGES,
    "delete": MESSAGES,
    "restore": MESSAGES,
    "react": MESSAGES,
    "pin": MESSAGES,
    "pins": MESSAGES,
    "up": HOSTING,
    "serve": HOSTING,
    "migrate": HOSTING,
    "bench": BENCH,
}
"""Each module has a `register(app)` that adds its commands."""


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name every command, in the order of the table."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load the module of a command and take the command out of it."""
        if cmd_name in COMMANDS:
            return commands_of(COMMANDS[cmd_name])[cmd_name]
        return super().get_command(ctx, cmd_name)


def commands_of(module: str) -> dict[str, Any]:
    """Import a module and give its commands by name."""
    table = typer.Typer(rich_markup_mode=None, callback=lambda: None)
    importlib.import_module(module).register(table)
    group: Any = typer.main.get_group(table)
    return dict(group.commands)


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def options(
    context: typer.Context,
    profile: Annotated[
        str, typer.Option(help="Which profile of this machine to use.", envvar="APARTE_PROFILE", metavar="NAME")
    ] = "default",
    server: Annotated[
        str | None,
        typer.Option(help="The server's address; a profile remembers its own [env: APARTE_SERVER].", metavar="URL"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Talk, host and look after Aparté from a terminal."""
    context.obj = Settings(profile=profile, server=server, json=json, environ=os.environ)


@app.command()
def version() -> None:
    """Print the version of this program."""
    typer.echo(__version__)


def run() -> None:
    """Run the command line with the arguments of this process."""
    app()
