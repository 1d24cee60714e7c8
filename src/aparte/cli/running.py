"""Runs a command's work with the profile open, and turns what goes wrong into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 time over, 4 not signed in, 5 a key check refused, 130 interrupted.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, NoReturn

import typer

from aparte.cli.output import visible
from aparte.cli.phrases import phrase
from aparte.cli.progress import reaching
from aparte.cli.settings import Settings
from aparte.client import (
    Client,
    ClientError,
    KeyRefused,
    NotSignedIn,
    Place,
    TimeOver,
    describe,
    language_of,
)

PATIENCE = 15.0
"""Seconds for which a command repeats a request while the server does not answer."""
LOOK_SECONDS = 1.0
"""How often a command that stays looks whether there is something to be told."""
FAILED, USAGE, TIME_OVER, NOT_SIGNED_IN, KEY_REFUSED, INTERRUPTED = 1, 2, 3, 4, 5, 130
WRONG_USE = frozenset({"bad_target", "ambiguous_group", "bad_message_id", "bad_profile_name"})


def settings_of(context: typer.Context) -> Settings:
    """Give the options that came before the command."""
    settings = context.obj
    return settings if isinstance(settings, Settings) else Settings()


def place_of(settings: Settings, *, is_new: bool = False) -> Place:
    """Name the profile to open. APARTE_SERVER counts only where a profile is signed in for the first time or again."""
    server = settings.server or (settings.environ.get("APARTE_SERVER") if is_new else None)
    return Place(settings.profile, server=server or None, patience=PATIENCE)


def with_client(context: typer.Context, work: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
    """Do a command's work with the profile open."""
    settings = settings_of(context)
    place = place_of(settings)

    async def opened(place: Place) -> None:
        async with Client.open(place) as me:
            with reaching(me):
                await work(me)
            tell(settings, me)

    def attempts() -> None:
        try:
            asyncio.run(opened(place))
        except ClientError as error:
            if error.code != "passphrase_needed" or not sys.stdin.isatty():
                raise
            secret = str(typer.prompt(phrase("passphrase"), hide_input=True, err=True))
            asyncio.run(opened(replace(place, passphrase=secret)))

    ended(settings, attempts)


@asynccontextmanager
async def telling(settings: Settings, me: Client) -> AsyncIterator[None]:
    """Say what a person must know of keys and devices as it comes, for a command that stays."""
    looking = asyncio.ensure_future(_keep_telling(settings, me))
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _keep_telling(settings: Settings, me: Client) -> None:
    while True:
        tell(settings, me)
        await asyncio.sleep(LOOK_SECONDS)


def tell(settings: Settings, me: Client) -> None:
    """Say on stderr, once, what a person must know of keys and devices."""
    for notice in me.keys.notices():
        sentence = describe(ClientError(notice.code), language_of(settings.environ)).rstrip(".")
        where = notice.conversation if notice.conversation and notice.conversation.startswith("+") else None
        parts = (where, notice.username or notice.account_id, notice.device)
        about = visible(", ".join(str(part) for part in parts if part))
        if settings.json:
            row = {"notice": notice.code, "username": notice.username, "device_id": notice.device, "message": sentence}
            row |= {"conversation": notice.conversation} if notice.conversation else {}
            typer.echo(json.dumps(row, ensure_ascii=False, default=str), err=True)
        else:
            typer.echo(f"aparte: {sentence}{f' ({about})' if about else ''}.", err=True)


def run(settings: Settings, work: Coroutine[Any, Any, None]) -> None:
    """Run work that opens a profile by itself."""
    ended(settings, lambda: asyncio.run(work))


def ended(settings: Settings, action: Callable[[], None]) -> None:
    """Run to the end; whatever goes wrong ends the process with a line on stderr and its exit code."""
    try:
        action()
    except ClientError as error:
        fail(settings, error)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read the output has enough. The interpreter must not flush into the closed pipe again.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None


def fail(settings: Settings, error: ClientError) -> NoReturn:
    """Say what went wrong and end with its exit code."""
    sentence = describe(error, language_of(settings.environ))
    if settings.json:
        row: dict[str, Any] = {"error": error.code, "message": sentence}
        row |= {"retry_after": error.retry_after} if error.retry_after is not None else {}
        row |= {"data": error.data} if error.data else {}
        sentence = json.dumps(row, ensure_ascii=False, default=str)
    else:
        sentence = f"aparte: {visible(sentence)}"
    typer.echo(sentence, err=True)
    raise typer.Exit(exit_code(error))


def exit_code(error: ClientError) -> int:
    """Give the exit code of an error."""
    for kind, code in ((NotSignedIn, NOT_SIGNED_IN), (TimeOver, TIME_OVER), (KeyRefused, KEY_REFUSED)):
        if isinstance(error, kind):
            return code
    return USAGE if error.code in WRONG_USE else FAILED
