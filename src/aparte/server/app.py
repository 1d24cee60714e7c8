"""The composition root: settings → stores → slices → doors, top to bottom. Nothing else wires anything."""

import asyncio
import gc
import random
import signal
from functools import partial
from uuid import uuid4

import structlog
from aiohttp import web

from aparte.server import calendar, routes, startup
from aparte.server.authentication import actions as authentication
from aparte.server.authentication.model import Gate
from aparte.server.config import Config
from aparte.server.conversations import actions as conversations
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.edge.http import Edge, application, runner
from aparte.server.filters import actions as filters
from aparte.server.health import Health
from aparte.server.jobs.runner import Runner
from aparte.server.kit.blobs import Blobs
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Bells
from aparte.server.kit.limits import Limiter
from aparte.server.kit.tasks import TaskGroup, every
from aparte.server.kit.valkey import Valkey
from aparte.server.log import actions as log_actions
from aparte.server.log.model import Marker
from aparte.server.messages import actions as messages
from aparte.server.messages.lanes import Lanes
from aparte.server.messages.writer import Writer
from aparte.server.moderation import actions as moderation
from aparte.server.presence.actions import Presence
from aparte.server.realtime.bus import Bus
from aparte.server.realtime.gateway import Entrance, Gateway
from aparte.server.realtime.hub import Hub
from aparte.server.realtime.look import SECONDS as LOOK_SECONDS
from aparte.server.realtime.look import Look, Questions
from aparte.server.receipts.coalescer import Coalescer
from aparte.server.scheduling import actions as scheduling
from aparte.server.search.indexer import Indexer
from aparte.server.sessions import actions as sessions
from aparte.server.state import actions as state
from aparte.wire.ids import AccountId

log = structlog.get_logger(__name__)

GATEWAY = "/api/v1/gateway"
DRAIN_SECONDS = 10.0
COME_BACK_MS = (100, 3_000)
"""How long a device waits after a restart: spread, so that they do not all come at once."""


class Server:
    """One worker process."""

    def __init__(self, config: Config) -> None:
        """Wire everything; nothing is opened yet."""
        self.config = config
        self.db = Database(config.database_url, size=config.pool_size)
        self.blobs = Blobs(config.objects)
        self.valkey = Valkey(config.valkey_url)
        self.limiter = Limiter(self.valkey, factor=config.limits)
        self.bus = Bus(self.valkey, uuid4())
        self.hub = Hub(self.bus)
        self.bus.on_hint = self.hub.hear
        self.indexer = Indexer(self.db)
        bells = Bells(self.hub, self.indexer)
        self.db.doorbell = bells
        self.lanes = Lanes(config.database_url)
        self.writer = Writer(self.lanes, bells.ring, self.db, partial(filters.screen, self.db))
        self.gathering = Gathering(self.db)
        self.marks = Coalescer(self.db)
        self.health = Health(self.db, lambda: self.valkey.available)
        self.gate = Gate(self.db, startup.passwords(config), startup.keys(config))
        self.presence = Presence(self.db, self.valkey, self.bus, self.hub)
        self.delivery = startup.delivery(self.db, self.writer)
        collectors = startup.Collectors(self.writer, self.gathering, self.marks, self.delivery)
        self.slices = startup.slices(config, self.gate, self.limiter, collectors, self.presence)
        self.look = Look(self.hub, self._questions())
        self.tasks = TaskGroup()

    def _questions(self) -> Questions[Marker]:
        return Questions(
            moved=partial(messages.moved_since, self.db),
            stated=self._stated,
            conversations=partial(conversations.ids_of, self.db),
            valid=partial(sessions.valid, self.db),
        )

    async def _stated(self, since: Marker | None) -> tuple[Marker, list[tuple[AccountId, int]]]:
        async with self.db.read() as reader:
            here = await log_actions.marker(reader)
            return here, await state.moved_since(reader, here.since(str(since))) if since else []

    def application(self) -> web.Application:
        """Build the web application: REST, gateway, health, pages."""
        rest = routes.rest(self.slices)
        app = application(
            rest,
            Edge(
                authenticate=self._authenticate,
                limiter=self.limiter,
                public_url=self.config.public_url,
                allowed_origins=self.config.allowed_origins,
                trusted_proxies=self.config.trusted_proxies,
                observe=startup.observe,
            ),
        )
        gateway = Gateway(self.hub, routes.gateway(self.slices), self._entrance())
        app.router.add_get(GATEWAY, gateway.serve)
        app.router.add_get("/live", self.health.live)
        app.router.add_get("/ready", self.health.ready)
        app.router.add_get("/metrics", self.health.metrics)
        startup.add_pages(app, self.config, rest)
        return app

    async def _authenticate(self, access_token: str) -> Caller:
        return await authentication.authenticate(self.db, self.gate.keys, access_token)

    async def _welcome(self, caller: Caller) -> tuple[str, int]:
        async with self.db.read() as reader:
            return str(await log_actions.marker(reader)), await state.newest(reader, caller.account)

    def _entrance(self) -> Entrance:
        return Entrance(
            authenticate=self._authenticate,
            conversations=partial(conversations.ids_of, self.db),
            welcome=self._welcome,
            draw=self.limiter.draw,
            arrived=self.presence.arrived,
            gone=self.presence.gone,
            active=self.presence.active,
        )

    async def open(self) -> None:
        """Connect, check that it is safe to serve, and start what runs by itself."""
        await startup.check(self.config)
        startup.check_folder(self.config)
        await self.db.open()
        await startup.first_steps(self.db)
        await self.valkey.open()
        self.bus.start()
        self.writer.start()
        self.marks.start()
        self.presence.start()
        self.indexer.start()
        self.tasks.start(self.limiter.run(), "limits")
        self.tasks.start(every(1.0, self.health.probe, "health"), "health")
        self.tasks.start(every(LOOK_SECONDS, self.look.once, "look"), "look")
        send_due = partial(scheduling.send_due, self.db, self.delivery)
        self.tasks.start(every(1.0, send_due, "scheduled"), "scheduled")
        send_approved = partial(moderation.send_approved, self.db, partial(messages.send_screened, self.writer))
        self.tasks.start(every(5.0, send_approved, "approved"), "approved")
        steps = calendar.steps(self.db, self.blobs, self.config.database_admin_url)
        # What is there now stays: the collector need not walk it again and again (74 ms a time under load).
        gc.collect()
        gc.freeze()
        self.tasks.start(Runner(self.config.database_url, (), steps).run(), "jobs")

    async def close(self) -> None:
        """Finish what was taken, tell devices to come back elsewhere, close everything in the order of its use."""
        self.health.is_draining = True
        self.hub.close_all(lambda socket: socket.end(1012, str(random.randint(*COME_BACK_MS))))  # noqa: S311 - jitter
        await self.writer.close(DRAIN_SECONDS)
        await self.gathering.close()
        await self.marks.close()
        await self.indexer.close()
        await self.presence.close()
        await self.tasks.close()
        await self.bus.close()
        await self.valkey.close()
        await self.lanes.close()
        self.gate.passwords.close()
        await self.db.close()


async def serve(config: Config) -> None:
    """Run one worker until SIGTERM or SIGINT, then drain."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(config)
    await server.open()
    app = runner(server.application())
    await app.setup()
    site = web.TCPSite(app, config.host, config.port, reuse_port=True, backlog=1024)
    try:
        await site.start()
        log.info("serving", worker=config.worker, port=config.port)
        await startup.until_stopped(stop)
    finally:
        await site.stop()
        await server.close()
        await app.cleanup()
        log.info("stopped", worker=config.worker)
