"""The pages a person opens in a browser: what this is, what an invite link is for, and the setup of the first
administrator. Files of the package, read once; nothing a visitor sends becomes part of a path, and of a page only the
server's own address, escaped.
"""

import html
import re
from importlib import resources

from aiohttp import web

LANGUAGES = ("en", "fr")
"""The first one is for who asks for none of them."""
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SILENT_POLICY = PAGE_POLICY.replace("connect-src 'self'", "connect-src 'none'")
"""Of a page whose address holds a key: nothing on it can send anything anywhere."""
INVITE = "/i/{token:[0-9A-Fa-f-]{32,36}}"
HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
FILES = {"page.css": "text/css", "setup.js": "text/javascript", "invite.js": "text/javascript"}


def add(app: web.Application, public_url: str = "") -> None:
    """Add `/`, `/setup`, `/i/…` and `/static/…` to an application of this edge."""
    pages = Pages(public_url)
    app.router.add_get("/", pages.index)
    app.router.add_get("/setup", pages.setup)
    app.router.add_get(INVITE, pages.invite)
    for name in FILES:
        app.router.add_get(f"/static/{name}", pages.file)


class Pages:
    """The pages in each language, and the files they use."""

    def __init__(self, public_url: str) -> None:
        """Read everything from the package."""
        folder = resources.files("aparte.server.edge") / "static"
        self._public_url = public_url
        self._pages = {
            (name, language): (folder / f"{name}.{language}.html").read_text("utf-8")
            for name in ("index", "setup", "invite")
            for language in LANGUAGES
        }
        self._files = {name: (folder / name).read_bytes() for name in FILES}

    async def index(self, request: web.Request) -> web.Response:
        """What this is, and how to connect."""
        return self._page("index", request)

    async def setup(self, request: web.Request) -> web.Response:
        """The form of the first administrator."""
        return self._page("setup", request)

    async def invite(self, request: web.Request) -> web.Response:
        """What an invite link is, and how to join by it; whether it is good, only who signs in is told."""
        return self._page("invite", request, SILENT_POLICY)

    async def file(self, request: web.Request) -> web.Response:
        """A style sheet or a script."""
        name = request.path.rsplit("/", 1)[-1]
        return web.Response(body=self._files[name], content_type=FILES[name], charset="utf-8")

    def _page(self, name: str, request: web.Request, policy: str = PAGE_POLICY) -> web.Response:
        language = preferred(request.headers.get("Accept-Language", ""))
        text = self._pages[name, language].replace("{{server}}", html.escape(self._address(request)))
        headers = {
            "Content-Security-Policy": policy,
            "Content-Language": language,
            "Vary": "Accept-Language",
        }
        return web.Response(text=text, content_type="text/html", headers=headers)

    def _address(self, request: web.Request) -> str:
        if self._public_url:
            return self._public_url
        return f"{request.scheme}://{request.host}" if HOST.fullmatch(request.host) else "URL"


def preferred(accept_language: str) -> str:
    """Choose the language that a browser likes best (RFC 9110, 12.5.4)."""
    likes: dict[str, float] = {}
    for part in accept_language[:500].lower().split(","):
        tag, _, parameter = part.partition(";")
        language = tag.strip().split("-")[0]
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
        except ValueError:
            quality = 0.0
        likes[language] = max(quality, likes.get(language, 0.0))
    best = max(LANGUAGES, key=lambda language: likes.get(language, 0.0))
    return best if likes.get(best, 0.0) > 0 else LANGUAGES[0]
