"""Requests in the name of the profile: access tokens, their renewal, and trying again while the server is in trouble.

Tokens live in the store and are renewed under a lock between the profile's processes: whoever gets the lock reads the
store again first, so that one renewal serves all. The server answers the previous refresh token the same for 30 s,
which covers an answer that was lost.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from aparte.client.core import retry
from aparte.client.errors import ClientError, NotSignedIn, TimeOver
from aparte.client.locks import held
from aparte.client.profiles import Folder
from aparte.client.store import profile
from aparte.client.store.db import Store
from aparte.client.store.profile import ProfileRow, TokenRow
from aparte.client.transport.http import Http, Request
from aparte.wire.accounts import Refresh, Tokens
from aparte.wire.codec import to_json

T = TypeVar("T")
EARLY = timedelta(seconds=30)
"""How long before its end an access token is renewed."""
_random = random.SystemRandom()

Progress = Callable[[str, int, int], None]
"""Told how far something that takes its time is: what (`sessions`, `distribution`), how many are done, of how many."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """What a request without an answer gives."""


class Session:
    """The profile's place at the server."""

    def __init__(self, http: Http, store: Store, folder: Folder, patience: float) -> None:
        """Work for an open store. `patience`: seconds for which a request is tried again while there is no answer."""
        self.http = http
        self.store = store
        self.folder = folder
        self.patience = patience
        self.progress: Progress | None = None

    @property
    def profile(self) -> ProfileRow:
        """Whose profile this is. Raises NotSignedIn when it is nobody's yet."""
        with self.store.reading() as tx:
            row = profile.select_profile(tx)
        if row is None:
            raise NotSignedIn("not_signed_in")
        return row

    async def call(
        self,
        request: Request,
        answer: type[T],
        *,
        patience: float | None = None,
        signed_in: bool = True,
        token: str | None = None,
    ) -> T:
        """Make a request that may be repeated, until it is answered or patience is over. Raises ClientError.

        With a `token`, in the name of a session that is not the profile's.
        """
        body = await self.fetch(request, patience=patience, signed_in=signed_in, token=token)
        return decoded(body, answer)

    async def fetch(
        self, request: Request, *, patience: float | None = None, signed_in: bool = True, token: str | None = None
    ) -> bytes:
        """Make a request, trying again while the trouble is transient; gives the raw answer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.patience if patience is None else patience)
        attempt = 0
        while True:
            try:
                if token is not None:
                    return await self.http.ask(request, token)
                return await self.once(request, signed_in=signed_in)
            except ClientError as error:
                wait = retry.delay(attempt, _random.random(), error.retry_after)
                if not retry.is_transient(error) or loop.time() + wait >= deadline:
                    raise
            attempt += 1
            await asyncio.sleep(wait)

    async def once(self, request: Request, *, signed_in: bool = True) -> bytes:
        """Make a request once, with a fresh access token if the one at hand is refused."""
        if not signed_in:
            return await self.http.ask(request, None)
        token = await self.access_token()
        try:
            return await self.http.ask(request, token)
        except NotSignedIn as error:
            if error.code != "unauthenticated":
                raise
        return await self.http.ask(request, await self.renewed(token))

    async def access_token(self) -> str:
        """Give an access token that is good for a while yet. Raises NotSignedIn."""
        tokens = self._tokens()
        if tokens.access_expires_at - datetime.now(UTC) > EARLY:
            return tokens.access_token
        return await self.renewed(tokens.access_token)

    async def renewed(self, refused: str) -> str:
        """Give an access token other than the one that was refused or is over. Raises NotSignedIn."""
        async with held(self.folder.lock("tokens")):
            tokens = self._tokens()
            if tokens.access_token != refused:
                return tokens.access_token
            body = to_json(Refresh(tokens.refresh_token))
            try:
                fresh = decoded(await self.http.ask(Request("POST", "/sessions/refresh", body), None), Tokens)
            except NotSignedIn:
                self.sign_out()
                raise
            with self.store.transaction(durable=True) as tx:
                profile.upsert_tokens(tx, fresh)
            return fresh.access_token

    def sign_out(self) -> None:
        """Forget the tokens."""
        with self.store.transaction() as tx:
            profile.delete_tokens(tx)

    def _tokens(self) -> TokenRow:
        with self.store.reading() as tx:
            tokens = profile.select_tokens(tx)
        if tokens is None:
            raise NotSignedIn("not_signed_in")
        return tokens


def decoded(body: bytes, wanted: type[T]) -> T:
    """Read an answer as its struct; `Nothing` for those without one. Raises ClientError `unexpected_answer`."""
    if wanted is Nothing:
        return wanted()
    try:
        return msgspec.json.decode(body, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ClientError("unexpected_answer", str(error)) from None


def time_over(cause: str = "", queued: int = 0) -> TimeOver:
    """Build the error of a deadline that has passed; `queued` messages wait in the outbox."""
    return TimeOver("time_over", data={"queued": queued, "cause": cause})
