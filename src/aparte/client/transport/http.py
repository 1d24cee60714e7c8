"""HTTP requests to the server: bytes out, bytes in, and its problems as errors of the SDK."""

from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import msgspec

from aparte import __version__
from aparte.client.errors import ClientError, Unreachable, error_for
from aparte.wire.errors import CODES, Problem

API = "/api/v1"
PROBLEM = "application/problem+json"
"""What says that something was not done, whatever the status: a message that is held is accepted, and not sent."""
SECONDS = 10.0
"""How long one request may take; whatever hangs longer is tried again by whoever asked."""
PING_SECONDS = 20.0
"""Between pings of the gateway; one that is not answered in half that time ends the connection."""
USER_AGENT = f"aparte/{__version__}"
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_problem = msgspec.json.Decoder(Problem).decode


@dataclass(frozen=True, slots=True)
class Request:
    """One request; the path is below `/api/v1`."""

    method: Method
    path: str
    body: bytes | None = field(default=None, repr=False)
    query: dict[str, str] = field(default_factory=dict)


class Http:
    """The connections to one server."""

    def __init__(self, server: str) -> None:
        """Address the server, for instance `https://chat.example.org`. Call inside the event loop."""
        self.server = server.rstrip("/")
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=SECONDS, sock_connect=5),
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=32),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def ask(self, request: Request, token: str | None) -> bytes:
        """Make one request, once. Raises ClientError for a refusal, Unreachable when there is no answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                request.method,
                f"{self.server}{API}{request.path}",
                params=request.query,
                data=request.body,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                if answer.status < 300 and answer.content_type != PROBLEM:
                    return body
                raise refused(answer.status, answer.headers.get("Retry-After"), body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable("unreachable", f"{self.server}: {type(error).__name__}") from None
        except ValueError as error:  # an address that is none
            raise ClientError("unreachable", f"{self.server}: {error}") from None

    async def open_socket(self, path: str, subprotocol: str, limit: int) -> "aiohttp.ClientWebSocketResponse":
        """Open a WebSocket that notices a dead peer within 30 s. Raises ClientError."""
        try:
            return await self._session.ws_connect(
                f"{self.server}{API}{path}",
                protocols=(subprotocol,),
                heartbeat=PING_SECONDS,
                max_msg_size=limit,
                compress=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=2),
            )
        except aiohttp.WSServerHandshakeError as error:
            wait = seconds(error.headers.get("Retry-After") if error.headers else None)
            raise error_for("unavailable", f"HTTP {error.status}", retry_after=wait, status=error.status) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable("unreachable", f"{self.server}: {type(error).__name__}") from None


def refused(status: int, retry_after: str | None, body: bytes) -> ClientError:
    """Turn an answer that is not a success into an error; a proxy's page has no code of ours."""
    wait = seconds(retry_after)
    try:
        problem = _problem(body)
    except (msgspec.DecodeError, ValueError):
        if status in {502, 503, 504}:
            return error_for("unavailable", f"HTTP {status}", retry_after=wait, status=status)
        return error_for("unexpected_answer", f"HTTP {status}", retry_after=wait, status=status)
    data: dict[str, Any] = dict(problem.data)
    if problem.reference:
        data["reference"] = problem.reference
    code = problem.code if problem.code in CODES else "unexpected_answer"
    exact = problem.retry_after if problem.retry_after is not None else wait
    return error_for(code, problem.detail, retry_after=exact, data=data, status=status)


def seconds(header: str | None) -> float | None:
    """Read a Retry-After header; dates are not used here."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
