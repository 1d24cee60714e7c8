"""A worker as small as a real one can be: it answers /ready while PostgreSQL does, and notes what it was told."""

import asyncio
import os
import signal
import sys

import asyncpg
import redis.asyncio
from aiohttp import web


async def ready(_: web.Request) -> web.Response:
    """200 if the database lets the service in, else 503."""
    try:
        connection = await asyncpg.connect(os.environ["DATABASE_URL"], timeout=2)
        await connection.fetchval("SELECT count(*) FROM accounts")
        await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return web.Response(status=503)
    return web.Response()


async def worker(_: web.Request) -> web.Response:
    """Which worker, which process, and its settings."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("APARTE_")}
    return web.json_response({"pid": os.getpid(), **settings})


async def valkey(_: web.Request) -> web.Response:
    """What Valkey says to our password."""
    async with redis.asyncio.from_url(os.environ["VALKEY_URL"]) as client:
        return web.json_response({"pong": await client.ping(), **await client.config_get("maxmemory-policy", "save")})


async def main() -> None:
    """Listen until SIGTERM; then drain as long as DRAIN_SECONDS says."""
    app = web.Application()
    app.add_routes([web.get("/ready", ready), web.get("/worker", worker), web.get("/valkey", valkey)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, os.environ["APARTE_HOST"], int(os.environ["APARTE_PORT"]), reuse_port=True)
    await site.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await site.stop()
    await asyncio.sleep(float(os.environ.get("DRAIN_SECONDS", "0")))
    await runner.cleanup()


if __name__ == "__main__":
    if "WORKER_FAILS" in os.environ:
        sys.exit(3)
    asyncio.run(main())
