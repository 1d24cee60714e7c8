"""The SDK's one object: a profile that is open, and in verbs what a person can do with it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Unpack

from aparte.client import oneself
from aparte.client.api import accounts
from aparte.client.belonging import Belonging
from aparte.client.changing import SEND_SECONDS
from aparte.client.crypto.linking import CodeShown, Offered
from aparte.client.crypto.upkeep import look_after
from aparte.client.errors import ClientError, NotSignedIn, TimeOver
from aparte.client.identity import Identity
from aparte.client.model import Credentials, Unsent, unsent_of
from aparte.client.oneself import About, Seen
from aparte.client.opening import Place, linked, logged_in, opened, place_of, registered
from aparte.client.outbox import held_of
from aparte.client.session import Progress, Session
from aparte.client.store import state
from aparte.client.talking import Talking
from aparte.wire.accounts import Account, Device
from aparte.wire.ids import ConversationId, DeviceId


class Client(Talking, Belonging):
    """A profile at work: `async with Client.open("alice") as me`.

    `target` is `"+group"`, `"#room"`, `"@person"`, `"@me"` or a conversation's id; what fails raises ClientError with a
    code.
    """

    def __init__(self, session: Session) -> None:
        """Work with an open session; use `Client.open`, `Client.register` or `Client.log_in` instead."""
        super().__init__(session)
        self._left_over: asyncio.Task[None] | None = None
        self._upkeep: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, profile: Place | str) -> "AbstractAsyncContextManager[Client]":
        """Open a profile that is signed in. Raises ClientError `no_profile`, `wrong_passphrase` …, NotSignedIn."""
        return opened(cls, place_of(profile))

    @classmethod
    def register(
        cls, profile: Place | str, who: Credentials, *, email: str, display_name: str | None = None
    ) -> "AbstractAsyncContextManager[Client]":
        """Make an account, with a new profile as its first device."""
        return registered(cls, place_of(profile), who, email, display_name)

    @classmethod
    def log_in(cls, profile: Place | str, who: Credentials) -> "AbstractAsyncContextManager[Client]":
        """Sign in with a new profile, or again with one that was signed in before."""
        return logged_in(cls, place_of(profile), who)

    @classmethod
    def link(
        cls, profile: Place | str, who: Credentials, tell: Callable[[Offered | CodeShown], None]
    ) -> "AbstractAsyncContextManager[Client]":
        """Become another device of an account: `tell` is given the offer to show there, then the code to type there."""
        return linked(cls, place_of(profile), who, tell)

    # Oneself ----------------------------------------------------------------------------------------------------------

    async def who_am_i(self) -> Account:
        """Read one's own account."""
        return await accounts.me(self._session)

    async def change_account(self, **wanted: Unpack[About]) -> Account:
        """Change what one says of oneself; what is not given stays."""
        return await oneself.change(self._session, wanted)

    async def change_privacy(self, **wanted: Unpack[Seen]) -> Account:
        """Change who may write first, add, find and see what: `everyone`, `contacts`, `nobody`; the rest stays."""
        return await oneself.change(self._session, {"privacy": wanted})

    @property
    def device_id(self) -> DeviceId:
        """The id of this profile's device."""
        return self._session.profile.device

    @property
    def server(self) -> str:
        """The address of the server that this client talks to."""
        return self._session.http.server

    async def devices(self) -> list[Device]:
        """List one's own devices."""
        return await accounts.devices(self._session)

    async def remove_device(self, device: DeviceId, password: str | None = None) -> None:
        """Take one of one's own devices off the account; one that may be in other hands with the password."""
        await self.keys.revoke(device, password)

    @property
    def keys(self) -> Identity:
        """Safety numbers, linking and removing devices, and notices about keys."""
        return Identity(self._session)

    async def log_out(self) -> None:
        """End this profile's session; what it has stored stays."""
        await accounts.log_out(self._session)

    @property
    def progress(self) -> Progress | None:
        """Told how far something long is: what (`sessions`, `distribution`), how many are done, of how many."""
        return self._session.progress

    @progress.setter
    def progress(self, told: Progress | None) -> None:
        self._session.progress = told

    def account_state(self) -> dict[str, Any]:
        """Read what this profile knows of the account's state (memberships, read marks, settings), by key."""
        with self._session.store.reading() as tx:
            return state.select_states(tx)

    def unsent(self) -> list[Unsent]:
        """List what waits in the outbox, what a moderator has to decide on, and what was refused after its sender had
        gone."""
        return [unsent_of(row, held_of(row)) for row in self._outbox.unsent()]

    def unreadable(self) -> dict[ConversationId, int]:
        """Count, by conversation, the encrypted entries whose key is not here yet."""
        return self._private.unreadable()

    @property
    def catching_up(self) -> int:
        """How many entries are known to be missing here still; 0 when not connected."""
        return self._gateway.remaining

    # Inside -----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Send what an earlier process has left in the outbox, beside everything else."""
        self._upkeep = asyncio.ensure_future(look_after(self._session))
        if self._drafts.has_unsaved or any(item.outcome is None for item in self._outbox.unsent()):
            self._left_over = asyncio.ensure_future(self._send_left_over())

    async def close(self, *, confirm: bool = True) -> None:
        """End everything; with `confirm`, the message handed out last counts as taken care of, and debts are paid."""
        if confirm:
            await self.groups.settle()
        for task in (self._line, self._left_over, self._upkeep):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, ClientError):
                    await task
        if self._stream is not None:
            if confirm:
                self._stream.confirm()
            self._stream.close()
            self._stream = None

    async def _send_left_over(self) -> None:
        with suppress(NotSignedIn, TimeOver):
            await self._outbox.deliver_left_over(SEND_SECONDS)
            await self._drafts.save_left_over()
