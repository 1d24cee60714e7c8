"""The command table of `aparte`: every command and the module that has it, loaded only when it is asked for.

`aparte up` does not pay for the SDK, nor `aparte send` for the supervisor; help pages read the catalogue alone.
"""

import importlib
import os
from typing import Annotated, Any

import typer
from typer._click.exceptions import UsageError
from typer.core import TyperGroup

from aparte import __version__
from aparte.cli.settings import Settings
from aparte.cli.wording import explain, in_words, short_help_of

ACCOUNT, DEVICES, CONTACTS = "aparte.cli.account", "aparte.cli.devices", "aparte.cli.contacts"
ROOMS, GROUPS, DESCRIBING, ROLES = "aparte.cli.rooms", "aparte.cli.groups", "aparte.cli.describing", "aparte.cli.roles"
MESSAGES, AROUND = "aparte.cli.messages", "aparte.cli.around"
SCHEDULING, SEARCHING = "aparte.cli.scheduling", "aparte.cli.searching"
PREFERENCES, MODERATION = "aparte.cli.preferences", "aparte.cli.moderation"
HOSTING, BENCH, DEMO = "aparte.cli.hosting", "aparte.cli.bench", "aparte.cli.demo.command"

SECTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "Account": {
        ACCOUNT: ("register", "login", "logout", "whoami", "privacy"),
        DEVICES: ("link", "devices", "verify"),
    },
    "Conversations": {
        ROOMS: ("conversations", "rooms", "groups", "new", "join", "leave", "members"),
        GROUPS: ("add", "invite", "invites", "remove", "policy"),
        DESCRIBING: (
            *("topic", "rename", "about", "welcome", "rules", "settings", "archive-for-all", "delete-conversation"),
        ),
        ROLES: ("role", "roles", "rights", "nickname"),
    },
    "Messages": {
        MESSAGES: ("send", "listen", "history", "edit", "delete", "restore", "forward", "outbox"),
        AROUND: (
            *("react", "pin", "pins", "thread", "threads", "follow", "replies", "mentions", "receipts", "versions"),
        ),
        SCHEDULING: ("schedule", "draft"),
        SEARCHING: ("search",),
    },
    "For yourself": {
        PREFERENCES: ("mute", "unmute", "level", "top", "archive", "label", "unread", "read"),
    },
    "People": {
        CONTACTS: ("contacts", "block", "unblock", "blocks", "find"),
    },
    "Moderation": {
        MODERATION: (
            *("silence", "unsilence", "silences", "ban", "unban", "bans", "words", "held", "flag", "unflag", "flags"),
        ),
    },
    "Hosting": {HOSTING: ("up", "serve", "migrate"), BENCH: ("bench",), DEMO: ("demo",)},
}
"""Commands under the headings of the help page; each module has a `register(app)` that adds its own."""

COMMANDS: dict[str, str] = {
    name: module for modules in SECTIONS.values() for module, names in modules.items() for name in names
}


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

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands by subject, without loading any."""
        for heading, modules in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, short_help_of(name)) for names in modules.values() for name in names])
        with formatter.section("Others"):
            formatter.write_dl([(name, short_help_of(name)) for name in super().list_commands(ctx)])

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the options before the command; help and wrong use are in the language of the environment."""
        explain(self, "")
        try:
            return super().make_context(info_name, args, parent, **extra)
        except UsageError as error:
            raise in_words(error) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command; wrong use is worded as above."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise in_words(error) from None


def commands_of(module: str) -> dict[str, Any]:
    """Import a module and give its commands by name, explained."""
    table = typer.Typer(rich_markup_mode=None, callback=lambda: None)
    importlib.import_module(module).register(table)
    group: Any = typer.main.get_group(table)
    return {name: explain(command, name) for name, command in group.commands.items()}


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def options(
    context: typer.Context,
    profile: Annotated[str, typer.Option(envvar="APARTE_PROFILE", metavar="NAME")] = "default",
    server: Annotated[str | None, typer.Option(metavar="URL")] = None,
    json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Keep the options before the command for it."""
    context.obj = Settings(profile=profile, server=server, json=json, environ=os.environ)


@app.command()
def version() -> None:
    """Print the version of this program."""
    typer.echo(__version__)


def run() -> None:
    """Run the command line with the arguments of this process."""
    app()
