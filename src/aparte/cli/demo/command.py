"""`aparte demo`: people who talk, on a server that runs."""

import asyncio
import os
import shlex
import sys
import urllib.request
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import typer

from aparte.cli.demo import circles, pairs, village
from aparte.cli.demo.cast import PEOPLE
from aparte.cli.demo.stage import Stage, is_done, mark_done
from aparte.cli.output import put, put_json
from aparte.cli.phrases import phrase
from aparte.cli.running import run, settings_of
from aparte.cli.settings import Settings
from aparte.client import DEFAULT_SERVER, Unreachable

HOME = Path("data/demo")
TRY_SECONDS = 1.0
LOOKS = (
    "conversations",
    "history '#village'",
    "threads '#village'",
    "held '#village'",
    "history '+Book club'",
    "listen",
)
"""What there is to see for alice, who runs the village."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Where the people are, and the password of those who are new."""

    folder: Path
    server: str
    password: str | None = field(default=None, repr=False)


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(demo)


def demo(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(metavar="FOLDER")] = HOME,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, max=600)] = 0,
) -> None:
    """Fill a running server with people who talk."""
    settings = settings_of(context)
    server = settings.server or settings.environ.get("APARTE_SERVER") or DEFAULT_SERVER
    run(settings, _filled(settings, folder, server, wait))


async def _filled(settings: Settings, folder: Path, server: str, wait: float) -> None:
    home = await asyncio.to_thread(folder.absolute)
    if is_done(home, server):
        _show(settings, "demo_is_there", Shown(folder, server))
        return
    await _ready(server, wait)
    async with AsyncExitStack() as stack:
        people = Stage(stack, home, server)
        _say(settings, "demo_coming", count=len(PEOPLE))
        await people.fill()
        _say(settings, "demo_talking")
        for scene in (village, circles, pairs):
            await scene.play(people)
    mark_done(home, server)
    _show(settings, "demo_done", Shown(folder, server, people.password if people.newcomers else None))


async def _ready(server: str, wait: float) -> None:
    """Wait for a server that starts: until it is there nothing is made."""
    clock = asyncio.get_running_loop().time
    ends = clock() + wait
    while not await asyncio.to_thread(_is_ready, server):
        if clock() >= ends:
            raise Unreachable("unreachable", server)
        await asyncio.sleep(TRY_SECONDS)


def _is_ready(server: str) -> bool:
    try:
        with urllib.request.urlopen(f"{server}/ready", timeout=TRY_SECONDS) as answer:  # noqa: S310 - what is given
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, ValueError):
        return False


def _say(settings: Settings, what: str, **values: Any) -> None:
    """Tell somebody who waits how far it is, beside what is printed."""
    if not settings.json:
        typer.echo(phrase(what, **values), err=True)


def _show(settings: Settings, what: str, shown: Shown) -> None:
    """Say what is there, and whom to be: the password is shown this once."""
    if settings.json:
        people = [{"username": person.username, "profiles": list(person.profiles)} for person in PEOPLE]
        row = {"server": shown.server, "home": str(shown.folder), "people": people, "password": shown.password}
        put_json(row)
        return
    put(phrase(what, server=shown.server))
    if shown.password is not None:
        put(phrase("demo_password", password=shown.password))
    put(phrase("demo_people", names=", ".join(name for person in PEOPLE for name in person.profiles)))
    put("")
    put(phrase("demo_look"))
    program = shlex.quote(os.path.relpath(sys.argv[0]))
    put(f"  export APARTE_HOME={shlex.quote(str(shown.folder))}")
    for words in LOOKS:
        put(f"  {program} --profile alice {words}")
