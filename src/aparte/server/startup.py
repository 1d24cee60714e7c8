"""What `app` needs at the start of a process: checks, the first account and room, the slices' doors, pages, jobs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import asyncpg
import structlog
from aiohttp import web

from aparte.server.accounts import actions as accounts
from aparte.server.accounts import http as accounts_http
from aparte.server.accounts.passwords import Hashing, Passwords
from aparte.server.authentication import http as authentication_http
from aparte.server.authentication.model import Gate
from aparte.server.config import Config, ConfigurationRefused
from aparte.server.contacts import http as contacts_http
from aparte.server.conversations import actions as conversations
from aparte.server.conversations import http as conversations_http
from aparte.server.conversations import member_http as members_http
from aparte.server.conversations import room_http as rooms_http
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.devices import http as devices_http
from aparte.server.drafts import http as drafts_http
from aparte.server.edge import openapi, pages
from aparte.server.filters import http as filters_http
from aparte.server.keys import http as keys_http
from aparte.server.kit import metrics
from aparte.server.kit.blobs import Blobs
from aparte.server.kit.db import UNREACHABLE, Database
from aparte.server.kit.door import Route
from aparte.server.kit.limits import Limiter
from aparte.server.linking import http as linking_http
from aparte.server.messages import actions as messages
from aparte.server.messages import frames as messages_frames
from aparte.server.messages import http as messages_http
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.writer import Writer
from aparte.server.moderation import http as moderation_http
from aparte.server.objects import http as objects_http
from aparte.server.preconditions import check_database
from aparte.server.preferences import http as preferences_http
from aparte.server.presence import frames as presence_frames
from aparte.server.presence import http as presence_http
from aparte.server.presence.actions import Presence
from aparte.server.receipts import frames as receipts_frames
from aparte.server.receipts import http as receipts_http
from aparte.server.receipts.coalescer import Coalescer
from aparte.server.routes import Slices
from aparte.server.scheduling import http as scheduling_http
from aparte.server.scheduling.model import Delivery
from aparte.server.search import http as search_http
from aparte.server.search.memory import Memory
from aparte.server.sessions import http as sessions_http
from aparte.server.sessions.tokens import Tokens
from aparte.server.state import frames as state_frames
from aparte.server.state import http as state_http

log = structlog.get_logger(__name__)

WAIT_SECONDS = 60.0
"""How long a process waits for PostgreSQL when it starts before it."""


async def check(config: Config) -> None:
    """Refuse to serve from a database that would break promises; wait for one that is not up yet."""
    ends = asyncio.get_running_loop().time() + WAIT_SECONDS
    while True:
        try:
            admin = await asyncpg.connect(config.database_admin_url, timeout=5)
            try:
                service = await asyncpg.connect(config.database_url, timeout=5)
                try:
                    return await check_database(admin, service)
                finally:
                    await service.close()
            finally:
                await admin.close()
        except UNREACHABLE as error:
            if asyncio.get_running_loop().time() > ends:
                raise
            log.warning("waiting_for_postgresql", error=type(error).__name__)
            await asyncio.sleep(0.5)


def check_folder(config: Config) -> None:
    """Refuse to serve without a folder for sealed objects that can be written to."""
    try:
        Blobs(config.objects).check()
    except OSError as error:
        raise ConfigurationRefused(
            f"The folder named in OBJECTS_URL, {config.objects}, cannot be used: {error.strerror}."
        ) from None


async def first_steps(db: Database) -> None:
    """Make sure of the system account and of the first room; one process does it, the others find it done."""
    async with db.transaction() as tx:
        system = await accounts.ensure_system(tx)
        await conversations.ensure_lounge(tx, system)


def passwords(config: Config) -> Passwords:
    """The hasher of passwords."""
    return Passwords(Hashing(config.password_hash, config.argon2.memory_kib, config.argon2.passes))


def keys(config: Config) -> Tokens:
    """The maker of tokens."""
    return Tokens(config.secret_key)


class Collectors(NamedTuple):
    """What lets requests wait a moment, to write those of several people together."""

    writer: Writer
    gathering: Gathering
    marks: Coalescer
    delivery: Delivery


def delivery(db: Database, writer: Writer) -> Delivery:
    """The path by which what was scheduled is said: that of messages."""
    coverage = Coverage(db)
    return Delivery(
        send=partial(messages.send, writer),
        seal=partial(messages.seal, db, writer, coverage),
        check=messages.check_ahead,
        check_sealed=partial(messages.check_sealed_ahead, db, coverage),
    )


def slices(config: Config, gate: Gate, limiter: Limiter, collectors: Collectors, presence: Presence) -> Slices:
    """Build the doors of every slice."""
    db = gate.db
    writer, gathering, marks, delivery = collectors
    coverage = Coverage(db)
    return Slices(
        accounts=accounts_http.Doors(db),
        authentication=authentication_http.Doors(gate, limiter, config.setup_token_file),
        sessions=sessions_http.Doors(db, gate.keys, limiter),
        devices=devices_http.Doors(db),
        contacts=contacts_http.Doors(db),
        keys=keys_http.Doors(db, limiter),
        linking=linking_http.Doors(gate),
        state=state_http.Doors(db),
        conversations=conversations_http.Doors(db, gathering),
        members=members_http.Doors(db),
        rooms=rooms_http.Doors(db),
        preferences=preferences_http.Doors(db),
        messages=messages_http.Doors(db, writer, coverage),
        filters=filters_http.Doors(db),
        moderation=moderation_http.Doors(db, partial(messages.send_screened, writer)),
        scheduling=scheduling_http.Doors(db, delivery),
        search=search_http.Doors(db, Memory()),
        drafts=drafts_http.Doors(db),
        objects=objects_http.Doors(db, Blobs(config.objects)),
        receipts=receipts_http.Doors(db),
        presence=presence_http.Doors(db, presence),
        message_frames=messages_frames.Frames(db, writer, coverage),
        receipt_frames=receipts_frames.Frames(marks),
        state_frames=state_frames.Frames(db),
        presence_frames=presence_frames.Frames(presence),
    )


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request."""
    metrics.REQUESTS.labels(method, route, str(status)).inc()
    metrics.REQUEST_SECONDS.labels(route).observe(seconds)


def add_pages(app: web.Application, config: Config, rest: Sequence[Route]) -> None:
    """Add the pages that people look at: the front page, set-up, the documents of the API."""
    pages.add(app, config.public_url)
    openapi.add_to(app, rest)


async def until_stopped(stop: asyncio.Event) -> None:
    """Wait for the signal, or until the process that started this one is gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            await asyncio.wait_for(stop.wait(), 1.0)
        except TimeoutError:
            continue
        return
