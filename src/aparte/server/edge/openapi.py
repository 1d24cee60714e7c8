"""`/api/`: the descriptions of the server as JSON, and a page to browse them that asks no other host for anything."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files

from aiohttp import web

from aparte.server.kit.door import Route
from aparte.server.openapi import document, gateway
from aparte.wire.codec import to_json

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
STATIC = files("aparte.server.edge") / "static"
PAGE = {
    "/api/": ("api.html", "text/html"),
    "/api/api.js": ("api.js", "text/javascript"),
    "/api/api.css": ("api.css", "text/css"),
}
AioHandler = Callable[[web.Request], Awaitable[web.Response]]


def add_to(app: web.Application, routes: Sequence[Route]) -> None:
    """Serve the descriptions of these routes, built once, and the page."""
    app.router.add_get("/api/openapi.json", _serve(to_json(document.document(routes)), "application/json"))
    app.router.add_get("/api/frames.json", _serve(to_json(gateway.schema()), "application/json"))
    app.router.add_get("/api", _to_page)
    for path, (name, content_type) in PAGE.items():
        app.router.add_get(path, _serve((STATIC / name).read_bytes(), content_type))


def _serve(body: bytes, content_type: str) -> AioHandler:
    """Build the handler of one unchanging file: who has it already is told so."""
    etag = hashlib.sha256(body).hexdigest()[:32]

    async def handle(request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-cache", "Content-Security-Policy": PAGE_POLICY, "ETag": f'"{etag}"'}
        known = request.if_none_match or ()
        if any(tag.value in {etag, "*"} for tag in known):
            return web.Response(status=304, headers=headers)
        charset = None if content_type == "application/json" else "utf-8"
        return web.Response(body=body, content_type=content_type, charset=charset, headers=headers)

    return handle


async def _to_page(_: web.Request) -> web.Response:
    """Relative addresses of the page need its slash."""
    return web.Response(status=308, headers={"Location": "/api/"})
