"""A handful of probing routes, and what stands around them over a real socket."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID, uuid4

import aiohttp
import msgspec

from aparte.server.edge import http
from aparte.server.kit.caller import Caller
from aparte.server.kit.door import Call, Nothing, Route
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId, SessionId

ALICE = Caller(AccountId(uuid4()), DeviceId(uuid4()), SessionId(uuid4()), "user", is_listed=True)
ROOT = ALICE._replace(account=AccountId(uuid4()), role="admin")
ALLOWED = "https://app.example"


class Echo(msgspec.Struct, frozen=True):
    """Something to send back."""

    text: Annotated[str, msgspec.Meta(max_length=100)]
    number: int = 0
    free: dict[str, Any] = {}


class Asked(msgspec.Struct, frozen=True):
    """A query."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    after: UUID | None = None
    name: str = ""
    deep: bool = False


async def echo(call: Call[Echo, Nothing]) -> Echo:
    return call.body


async def ask(call: Call[Nothing, Asked]) -> Asked:
    return call.query


async def address(call: Call[Nothing, Nothing]) -> dict[str, str]:
    return {"ip": call.origin.ip, "user_agent": call.origin.user_agent}


async def thing(call: Call[Nothing, Nothing]) -> dict[str, str]:
    return {"id": str(call.id("thing"))}


async def whoami(call: Call[Nothing, Nothing]) -> dict[str, str]:
    return {"account": str(call.caller.account)}


async def nothing(_: Call[Nothing, Nothing]) -> None:
    return None


async def broken(call: Call[Echo, Nothing]) -> None:
    raise RuntimeError(f"cannot store {call.body.text}")


async def busy(_: Call[Nothing, Nothing]) -> None:
    raise Refusal("unavailable")


async def locked(_: Call[Nothing, Nothing]) -> None:
    raise Refusal("account_locked", retry_after=61.5)


ROUTES = [
    Route("POST", "/echo", echo, access="open"),
    Route("GET", "/ask", ask, access="open"),
    Route("GET", "/address", address, access="open"),
    Route("GET", "/few", address, access="open", limit="setup"),
    Route("GET", "/things/{thing}", thing, access="open"),
    Route("GET", "/whoami", whoami),
    Route("GET", "/secrets", whoami, access="admin"),
    Route("DELETE", "/things/{thing}", nothing),
    Route("POST", "/broken", broken, access="open"),
    Route("GET", "/busy", busy, access="open"),
    Route("GET", "/locked", locked, access="open"),
]


async def authenticate(token: str) -> Caller:
    if token not in ("alice", "root"):
        raise Refusal("unauthenticated")
    return ALICE if token == "alice" else ROOT


@dataclass
class Server:
    """The address of a running edge, and a client for it."""

    url: str
    client: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **how: Any) -> tuple[aiohttp.ClientResponse, Any]:
        """One request below /api/v1, and its decoded answer."""
        async with self.client.request(method, self.url + http.PREFIX + path, **how) as response:
            data = await response.read()
        return response, json.loads(data) if data else None

    async def post(self, body: bytes, path: str = "/echo", **headers: str) -> tuple[aiohttp.ClientResponse, Any]:
        """Send raw bytes as JSON."""
        return await self.ask("POST", path, data=body, headers={"Content-Type": "application/json", **headers})


Serve = Callable[..., Any]
