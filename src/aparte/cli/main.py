"""The command table of `aparte`: every command group is registered here."""

import typer

from aparte import __version__
from aparte.cli import bench, hosting

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


hosting.register(app)
bench.register(app)


@app.callback()
def options() -> None:
    """Talk, host and look after Aparté from a terminal."""


@app.command()
def version() -> None:
    """Print the version of this program."""
    typer.echo(__version__)


def run() -> None:
    """Run the command line with the arguments of this process."""
    app()
