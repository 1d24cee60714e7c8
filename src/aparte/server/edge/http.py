"""Every REST request on its way in and out: origin, token, rights, rate limit, body, handler, answer, one log line."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from aparte.server.edge import answer, origin
from aparte.server.edge import request as came
from aparte.server.edge.origin import Network
from aparte.server.edge.runner import IDLE_SECONDS, Runner, protocol_log
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.door import Call, Nothing, Route
from aparte.server.kit.limits import Limiter
from aparte.wire import limits
from aparte.wire.codec import Decoder
from aparte.wire.errors import Refusal

log = structlog.get_logger(__name__)

PREFIX = "/api/v1"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUEST_ID = web.RequestKey("request_id", UUID)
ORIGIN = web.RequestKey("origin", Origin)
CALLER = web.RequestKey("caller", Caller)

Authenticate = Callable[[str], Awaitable[Caller]]
Observe = Callable[[str, str, int, float], None]
AioHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Edge:
    """What the edge needs to know and whom it asks."""

    authenticate: Authenticate
    """Access token → caller, or Refusal."""
    limiter: Limiter
    public_url: str = ""
    """The server's own origin as browsers see it; empty: whatever Host says."""
    allowed_origins: frozenset[str] = frozenset()
    """Other web origins that may call, as `https://example.org`."""
    trusted_proxies: tuple[Network, ...] = ()
    observe: Observe | None = None
    """Told method, route pattern, status and seconds of each request, for metrics."""


def application(routes: Sequence[Route], edge: Edge) -> web.Application:
    """Build the web application with the routes below `/api/v1`.

    Further handlers (pages, gateway, `/live`) are added to its router; they get the same request id, origin check,
    headers, errors and log line, find `REQUEST_ID` and `ORIGIN` in the request, and do the rest themselves.
    """
    app = web.Application(middlewares=[_surrounding(edge)], client_max_size=limits.BODY_BYTES)
    app.on_response_prepare.append(answer.set_headers)
    for route in routes:
        app.router.add_route(route.method, PREFIX + route.path, _handler(route, edge))
    return app


def runner(app: web.Application) -> web.AppRunner:
    """Run an application as this edge expects it: bodies are never inflated, handlers never cancelled."""
    return Runner(
        app,
        access_log=None,
        logger=protocol_log(),
        auto_decompress=False,
        handler_cancellation=False,
        keepalive_timeout=IDLE_SECONDS,
        lingering_time=2.0,
        shutdown_timeout=10.0,
    )


def _handler(route: Route, edge: Edge) -> AioHandler:
    """Build the way of one route."""
    decoder = None if route.body is Nothing else Decoder(route.body)

    async def handle(request: web.Request) -> web.StreamResponse:
        came.check_accept(request.headers.get("Accept"))
        caller = await _caller(route, edge, request)
        key = f"account:{caller.account}" if caller else f"ip:{origin.limit_key(request[ORIGIN].ip)}"
        await edge.limiter.draw(route.limit, key)
        call = Call(
            origin=request[ORIGIN],
            path=came.path_values(request),
            query=came.query(request, route.query),
            body=await came.body(request, route.body, decoder),
            request_id=request[REQUEST_ID],
            _caller=caller,
            _idempotency_keys=tuple(request.headers.getall("Idempotency-Key", ())),
        )
        return answer.answered(await route.handler(call), route.status)

    return handle


async def _caller(route: Route, edge: Edge, request: web.Request) -> Caller | None:
    if route.access == "open":
        return None
    caller = await edge.authenticate(came.bearer(request))
    request[CALLER] = caller
    if route.access != "unlisted" and not caller.is_listed:
        raise Refusal("link_needed")
    if route.access == "admin" and caller.role != "admin":
        raise Refusal("forbidden")
    return caller


def _surrounding(edge: Edge) -> Middleware:
    """Build the middleware around everything that this port answers."""
    allowed = frozenset(origin.normal_origin(url) for url in edge.allowed_origins)

    @web.middleware
    async def surround(request: web.Request, handler: AioHandler) -> web.StreamResponse:
        started = time.perf_counter()
        request[REQUEST_ID] = uuid4()
        ip = origin.client_address(request.remote, request.headers.getall("X-Forwarded-For", []), edge.trusted_proxies)
        request[ORIGIN] = Origin(ip, came.user_agent(request))
        foreign = False
        try:
            foreign = origin.check_origin(request.headers.get("Origin"), request.host, edge.public_url, allowed)
            preflight = foreign and request.method == "OPTIONS"
            response = web.Response(status=204) if preflight else await handler(request)
        except Refusal as refusal:
            response = answer.refused(refusal)
        except web.HTTPException as error:
            response = answer.translated(error)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - the one place where a bug becomes `internal`
            reference = str(request[REQUEST_ID])
            log.error("internal_error", reference=reference, **answer.described(error))
            response = answer.refused(Refusal("internal"), reference)
        if not response.prepared:
            _finish(request, response, foreign=foreign)
        _tell(edge, request, response.status, time.perf_counter() - started)
        return response

    return surround


def _finish(request: web.Request, response: web.StreamResponse, *, foreign: bool) -> None:
    response.headers["X-Request-Id"] = str(request[REQUEST_ID])
    response.headers.add("Vary", "Origin")
    if foreign:
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Idempotency-Key"
        response.headers["Access-Control-Expose-Headers"] = "Retry-After, X-Request-Id"
        response.headers["Access-Control-Max-Age"] = "600"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def _tell(edge: Edge, request: web.Request, status: int, seconds: float) -> None:
    """Write the access log: the pattern of the route, never the address that was asked, its query or its body."""
    resource = request.match_info.route.resource
    pattern = resource.canonical if resource is not None else "unmatched"
    caller = request.get(CALLER)
    method = request.method if request.method in METHODS else "other"
    # What went well is for those who look for it: at full rate these lines would cost more than the requests.
    say = log.info if status >= 400 else log.debug
    say(
        "request",
        method=method,
        route=pattern,
        status=status,
        ms=round(seconds * 1000, 1),
        request_id=str(request[REQUEST_ID]),
        account=str(caller.account) if caller else None,
    )
    if edge.observe is not None:
        edge.observe(method, pattern, status, seconds)
