"""`aparte up`, `aparte serve`, `aparte migrate`: what a host runs.

The server's packages are imported inside the commands: whoever installs only the client has none of them.
"""

# ruff: noqa: PLC0415 - see above

import asyncio
import logging
import os
import shlex
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from aparte.cli.phrases import phrase

Host = Annotated[str, typer.Option(envvar="APARTE_HOST")]
Port = Annotated[int, typer.Option(envvar="APARTE_PORT", min=1, max=65535)]
Workers = Annotated[int, typer.Option(min=1, max=256)]
PublicUrl = Annotated[str, typer.Option(envvar="APARTE_PUBLIC_URL")]
Data = Annotated[Path, typer.Option()]
FollowParent = Annotated[bool, typer.Option("--follow-parent")]

_SERVE_NEEDS = ("DATABASE_URL", "DATABASE_ADMIN_URL", "VALKEY_URL", "OBJECTS_URL")

migrations = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of a host to the command line."""
    app.command()(up)
    app.command()(serve)
    app.add_typer(migrations, name="migrate")


def up(
    data: Data = Path("data"),
    host: Host = "127.0.0.1",
    port: Port = 8787,
    workers: Workers = 1,
    public_url: PublicUrl = "",
    follow_parent: FollowParent = False,
) -> None:
    """Start a whole Aparté on this machine: database, cache, server. Stop it with Ctrl-C."""
    with _worded():
        from aparte.embedded import folder, supervisor
        from aparte.embedded.stopping import Parent, Stop

        url = public_url or _local_url(host, port)
        service = supervisor.Service(host=host, port=port, workers=workers, public_url=url)
        stop = Stop(Parent() if follow_parent else None)
        with folder.opened(data) as here:
            _run(stop.listening(supervisor.up(here, service, stop, lambda token: _greet(url, token))))


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8787,
    workers: Workers = 1,
    public_url: PublicUrl = "",
) -> None:
    """Start the server alone; DATABASE_URL, VALKEY_URL and the rest come from the environment."""
    with _worded():
        missing = [name for name in _SERVE_NEEDS if not os.environ.get(name)]
        if not os.environ.get("APARTE_SECRET_KEY") and not os.environ.get("APARTE_SECRET_KEY_FILE"):
            missing.append("APARTE_SECRET_KEY_FILE")
        if missing:
            _refuse(phrase("serve_needs", names=", ".join(missing)))
        from aparte.embedded import supervisor
        from aparte.embedded.stopping import Stop
        from aparte.server import migrate

        migrate.status(os.environ["DATABASE_ADMIN_URL"]).require_current()
        url = public_url or _local_url(host, port)
        service = supervisor.Service(host=host, port=port, workers=workers, public_url=url)
        stop = Stop()
        _run(stop.listening(supervisor.serve(service, stop, lambda: _say(phrase("ready", url=url) + "\n"))))


@migrations.command("up")
def migrate_up() -> None:
    """Apply every pending migration."""
    with _worded():
        from aparte.server import migrate

        applied = migrate.up(_admin_url())
        _say("".join(f"{phrase('applied')} {name}\n" for name in applied) or f"{phrase('nothing_to_apply')}\n")


@migrations.command("down")
def migrate_down() -> None:
    """Undo the newest migration."""
    with _worded():
        from aparte.server import migrate

        undone = migrate.down(_admin_url())
        _say(f"{phrase('undone')} {undone}\n" if undone else f"{phrase('nothing_to_undo')}\n")


@migrations.command("status")
def migrate_status() -> None:
    """List applied, pending and unknown migrations."""
    with _worded():
        from aparte.server import migrate

        status = migrate.status(_admin_url())
        for names, word in ((status.applied, "applied"), (status.pending, "pending"), (status.unknown, "unknown")):
            _say("".join(f"{phrase(word)} {name}\n" for name in names))


def _admin_url() -> str:
    url = os.environ.get("DATABASE_ADMIN_URL")
    return url or _refuse(phrase("admin_url_missing"))


def _local_url(host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - compared, not bound
    return f"http://{reachable}:{port}"


def _greet(url: str, setup_token: str | None) -> None:
    program = shlex.quote(os.path.relpath(sys.argv[0]))
    lines = [phrase("ready", url=url), ""]
    if setup_token:
        lines += [phrase("become_administrator"), f"  {url}/setup#{setup_token}", ""]
    lines += [
        phrase("from_a_terminal"),
        f"  {program} --server {url} register alice --email alice@example.org",
        f"  {program} join '#lounge'",
        f"  {program} send '#lounge' '{phrase('hello')}'",
        f"  {program} listen",
        "",
        phrase("how_to_stop"),
        "",
    ]
    _say("\n".join(lines))


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads it any more
        typer.echo(text, nl=False)


def _run(work: Coroutine[Any, Any, None]) -> None:
    logging.basicConfig(level=logging.INFO, format="aparte: %(message)s")
    asyncio.run(work)


@contextmanager
def _worded() -> Iterator[None]:
    """Turn what stops a command into one sentence and exit code 1."""
    try:
        from aparte.embedded.errors import CannotStart
        from aparte.server.migrate import MigrationRefused
    except ModuleNotFoundError as error:
        _refuse(phrase("package_missing", name=error.name))
    try:
        yield
    except (CannotStart, MigrationRefused) as error:
        _refuse(str(error))


def _refuse(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
