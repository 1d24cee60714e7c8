"""What surrounds the HTTP library: its own log says no more than it must, and silent connections do not stay."""

import asyncio
import logging
from functools import partial

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

HEADER_SECONDS = 10.0
"""Until the headers of the first request are there; later ones have the time of an idle connection (slowloris)."""
IDLE_SECONDS = 75.0


class Runner(web.AppRunner):
    """Serves an application; a connection that asks for nothing is closed."""

    @property
    def server(self) -> web.Server | None:
        """Make the protocol of each new connection, and look after a while whether it has asked anything."""
        server = super().server
        return None if server is None else partial(_watched, server)  # type: ignore[return-value] # sites call it, only


def _watched(server: web.Server) -> RequestHandler:
    handler = server()
    asyncio.get_running_loop().call_later(HEADER_SECONDS, _close_if_silent, handler)
    return handler


def _close_if_silent(handler: RequestHandler) -> None:
    if handler._request_count == 0:  # noqa: SLF001 - the library counts and does not tell; pinned in locks/
        handler.force_close()


def protocol_log() -> logging.Logger:
    """What is no HTTP is logged by the kind of its fault: the library's own words quote headers, tokens included."""
    protocol = logging.getLogger("aparte.http_protocol")
    protocol.addFilter(_say_the_kind_alone)
    return protocol


def _say_the_kind_alone(record: logging.LogRecord) -> bool:
    if record.exc_info and record.exc_info[0]:
        record.msg, record.args = "request refused by the parser: %s", (record.exc_info[0].__name__,)
        record.exc_info = None
    return True
