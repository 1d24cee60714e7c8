"""A door: how a REST route or a gateway frame reaches an action, told as data.

Slices write handlers that translate and nothing else; `routes.py` lists them; the edge decodes, authenticates, limits
and encodes around them. The OpenAPI document is generated from the same rows.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, get_args, get_type_hints
from uuid import UUID

import msgspec

from aparte.server.kit.caller import Caller, Origin
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.frames import FromServer

B = TypeVar("B")
Q = TypeVar("Q")


class Nothing(msgspec.Struct, frozen=True):
    """No body, no query, or no answer (204)."""


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """One request, decoded and authenticated. `B` is the type of the body, `Q` of the query."""

    origin: Origin
    path: dict[str, str]
    body: B
    query: Q
    request_id: UUID
    _caller: Caller | None = None
    _idempotency_keys: tuple[str, ...] = ()

    @property
    def caller(self) -> Caller:
        """Who is asking; only routes that are open to the world have nobody."""
        if self._caller is None:
            raise Refusal("unauthenticated")
        return self._caller

    @property
    def idempotency_key(self) -> str | None:
        """What stands for this request if it is repeated, from the header of that name. Raises Refusal `invalid`."""
        keys = self._idempotency_keys
        if not keys:
            return None
        if len(keys) > 1 or not 1 <= len(keys[0]) <= limits.IDEMPOTENCY_KEY or not keys[0].isprintable():
            raise Refusal("invalid", f"Idempotency-Key is given once, with 1 to {limits.IDEMPOTENCY_KEY} characters")
        return keys[0]

    def id(self, name: str) -> UUID:
        """Read an id from the path. What is no UUID names nothing: 404."""
        try:
            return UUID(self.path[name])
        except ValueError:
            raise Refusal("not_found") from None


def ids_of(text: str) -> list[UUID]:
    """Read a list of ids out of a query: UUIDs separated by commas, a page at most. Raises Refusal `invalid`."""
    parts = text.split(",", limits.PAGE_LIST)
    if len(parts) > limits.PAGE_LIST:
        raise Refusal("invalid", f"at most {limits.PAGE_LIST} ids")
    try:
        return [UUID(part) for part in parts]
    except ValueError:
        raise Refusal("invalid", "ids are UUIDs separated by commas") from None


Handler = Callable[[Call[Any, Any]], Awaitable[Any]]
Access = Literal["open", "unlisted", "signed_in", "admin"]
"""Who may come: the world; any signed-in device; a listed one (`signed_in`); a listed one of an administrator."""


@dataclass(frozen=True, slots=True)
class Route:
    """One REST route below `/api/v1`. Types come from the handler's annotations: `Call[Body, Query] -> Answer`."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    errors: str = ""
    """Codes, separated by spaces, that this route may answer beside those every route may."""
    status: int = 200
    access: Access = "signed_in"
    limit: str = "read"
    """The name of the rate limit it draws from."""
    types: tuple[Any, Any, Any] = field(init=False, default=(Nothing, Nothing, Nothing))

    def __post_init__(self) -> None:
        """Read body, query and answer types off the handler."""
        hints = get_type_hints(self.handler)
        answer = hints.pop("return")
        call = next(iter(hints.values()))
        body, query = get_args(call)
        object.__setattr__(self, "types", (body, query, Nothing if answer is type(None) else answer))

    @property
    def body(self) -> Any:
        """The struct of the body, or Nothing."""
        return self.types[0]

    @property
    def query(self) -> Any:
        """The struct of the query, or Nothing."""
        return self.types[1]

    @property
    def answer(self) -> Any:
        """The struct of the answer, or Nothing (204)."""
        return self.types[2]


Reply = Callable[[FromServer], None]
"""Sends a frame to the device that asked; may be called later than the handler returns."""
FrameHandler = Callable[[Caller, Any, Reply], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class FrameRoute:
    """How a gateway frame is answered: its handler replies at once or later; one that returns None keeps nobody."""

    handler: FrameHandler
    limit: str = "read"


FrameTable = Mapping[type[Any], FrameRoute]
