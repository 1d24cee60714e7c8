"""Is it alive, can it serve: `/live`, `/ready`, `/metrics`, for supervisors and monitoring.

`/ready` follows PostgreSQL within five seconds and stays true without Valkey, saying `degraded` (R3, R21). `/metrics`
answers the machine itself alone; a proxy in front does not pass it on unless told to.
"""

import asyncio
import time
from collections.abc import Callable
from ipaddress import ip_address

from aiohttp import web

from aparte.server.kit import metrics
from aparte.server.kit.db import Database
from aparte.wire.codec import to_json
from aparte.wire.errors import Refusal

PROBE_SECONDS = 2.0
STALE_SECONDS = 5.0


class Health:
    """What this process knows of its stores."""

    def __init__(self, db: Database, valkey_available: Callable[[], bool]) -> None:
        """Ask this database and this Valkey."""
        self._db = db
        self._valkey_available = valkey_available
        self._seen_at = float("-inf")
        self.is_draining = False

    async def probe(self) -> None:
        """Ask PostgreSQL a trivial question."""
        try:
            async with asyncio.timeout(PROBE_SECONDS), self._db.read() as reader:
                await reader.fetchval("SELECT 1")
            self._seen_at = time.monotonic()
        except (Refusal, TimeoutError):
            return

    @property
    def is_ready(self) -> bool:
        """Did PostgreSQL answer lately, and is this process staying?"""
        return not self.is_draining and time.monotonic() - self._seen_at < STALE_SECONDS

    async def live(self, _: web.Request) -> web.Response:
        """This process runs."""
        return answer({"status": "live"}, 200)

    async def ready(self, _: web.Request) -> web.Response:
        """This process can serve."""
        if not self.is_ready:
            return answer({"status": "draining" if self.is_draining else "unavailable"}, 503)
        degraded = [] if self._valkey_available() else ["valkey"]
        return answer({"status": "degraded" if degraded else "ready", "without": degraded}, 200)

    async def metrics(self, request: web.Request) -> web.Response:
        """Figures for Prometheus, to the machine itself only."""
        if request.remote is None or not ip_address(request.remote).is_loopback or "X-Forwarded-For" in request.headers:
            raise Refusal("not_found")
        text, content_type = metrics.render()
        return web.Response(body=text, headers={"Content-Type": content_type})


def answer(body: dict[str, object], status: int) -> web.Response:
    """A small JSON answer; 503 says when to ask again."""
    headers = {"Retry-After": "1"} if status == 503 else {}
    return web.Response(body=to_json(body), status=status, content_type="application/json", headers=headers)
