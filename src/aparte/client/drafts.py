"""Drafts: what one is writing, found again on one's other devices, and read by nobody else.

What was written without a server is kept and handed in later; the last one wins. A draft that was sealed under an
account key of before is not there any more.
"""

import base64
import secrets
from collections.abc import Awaitable
from contextlib import suppress

from aparte.client import local_log
from aparte.client.api import scheduled as api
from aparte.client.api import state as account_state
from aparte.client.core import retry
from aparte.client.crypto import own as own_keys
from aparte.client.crypto.own import now_ms
from aparte.client.errors import ClientError, KeyRefused, NotSignedIn, TimeOver
from aparte.client.session import Session
from aparte.client.store import drafts, profile, state
from aparte.client.store.db import Tx
from aparte.client.store.drafts import DraftRow
from aparte.e2ee import record
from aparte.e2ee.errors import E2eeError
from aparte.e2ee.record import Draft
from aparte.wire import conversations as wire
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Sent


class Drafts:
    """The drafts of an open profile."""

    def __init__(self, session: Session) -> None:
        """Work with an open session."""
        self._session = session

    async def get(self, conversation: ConversationId) -> str | None:
        """Read what was written last in a conversation, on whichever device; None if nothing is.

        Without a server, what this device knows.
        """
        try:
            await self.save()
            await self._catch_up()
        except ClientError as error:
            if isinstance(error, NotSignedIn) or not retry.is_transient(error):
                raise
        with self._session.store.reading() as tx:
            unsaved = drafts.select_draft(tx, conversation)
            return unsaved.text if unsaved is not None else _opened(tx, conversation)

    async def put(self, conversation: ConversationId, text: str | None) -> None:
        """Keep what one is writing; nothing, and it is forgotten. Raises ClientError `invalid` for too much."""
        row = DraftRow(conversation, text or None, now_ms())
        with self._session.store.transaction() as tx:
            if row.text is not None:
                _sealed(tx, row)
            drafts.upsert_draft(tx, row)
        try:
            await self.save()
        except ClientError as error:
            if isinstance(error, NotSignedIn) or not retry.is_transient(error):
                raise

    async def done_with(self, conversation: ConversationId, sending: Awaitable[Sent]) -> Sent:
        """Forget a draft once what one was writing is sent, or waits to be; while there is none nobody is asked."""
        try:
            sent = await sending
        except ClientError as error:
            if isinstance(error, TimeOver) or error.code == "held":
                self._forget(conversation)
            raise
        if self._forget(conversation):
            await self.save_left_over()
        return sent

    @property
    def has_unsaved(self) -> bool:
        """Whether something is not at the server yet."""
        with self._session.store.reading() as tx:
            return bool(drafts.select_unsaved(tx))

    async def save_left_over(self) -> None:
        """Hand in what can be; what fails stays for the next time, and is nobody's trouble."""
        with suppress(ClientError):
            await self.save()

    def _forget(self, conversation: ConversationId) -> bool:
        """Keep that a draft is to be forgotten; False if there is none."""
        with self._session.store.transaction() as tx:
            is_there = drafts.select_draft(tx, conversation) is not None or _value(tx, conversation) is not None
            if is_there:
                drafts.upsert_draft(tx, DraftRow(conversation, None, now_ms()))
        return is_there

    async def save(self) -> None:
        """Hand in what is not at the server yet; what it does not take is forgotten, and said."""
        with self._session.store.reading() as tx:
            unsaved = drafts.select_unsaved(tx)
        for row in unsaved:
            refusal: ClientError | None = None
            try:
                await self._save(row)
            except ClientError as error:
                if isinstance(error, NotSignedIn) or retry.is_transient(error):
                    raise
                refusal = error
            with self._session.store.transaction() as tx:
                drafts.delete_saved(tx, row)
            if refusal is not None:
                raise refusal

    async def _save(self, row: DraftRow) -> None:
        if row.text is None:
            await api.delete_draft(self._session, row.conversation)
        else:
            with self._session.store.reading() as tx:
                sealed = _sealed(tx, row)
            await api.put_draft(self._session, row.conversation, wire.Draft(sealed))
        await self._catch_up()

    async def _catch_up(self) -> None:
        """Take in what has changed of the account's state."""
        while True:
            with self._session.store.reading() as tx:
                mine = profile.select_profile(tx)
            page = await account_state.after(self._session, mine.rev if mine is not None else 0)
            local_log.keep_states(self._session.store, page.items, page.rev)
            if not page.more:
                return


def _sealed(tx: Tx, row: DraftRow) -> bytes:
    """Seal a draft. Raises ClientError `invalid`, KeyRefused `keys_needed`."""
    try:
        return record.seal_draft(
            _private(tx), row.conversation.bytes, Draft(at=row.at, text=row.text or ""), secrets.token_bytes
        )
    except E2eeError:
        raise ClientError("invalid", "a draft has 1 to 4,000 characters") from None


def _opened(tx: Tx, conversation: ConversationId) -> str | None:
    """Open the draft that the account's state has; None if there is none that this account's present key opens."""
    sealed = _value(tx, conversation)
    if sealed is None:
        return None
    try:
        return record.open_draft(_private(tx), conversation.bytes, sealed).text
    except (E2eeError, KeyRefused):
        return None


def _value(tx: Tx, conversation: ConversationId) -> bytes | None:
    value = state.select_value(tx, f"draft:{conversation}")
    sealed = value.get("sealed") if isinstance(value, dict) else None
    try:
        return base64.b64decode(sealed, validate=True) if isinstance(sealed, str) else None
    except ValueError:
        return None


def _private(tx: Tx) -> bytes:
    key = own_keys.load(tx).account_key
    if key is None:
        raise KeyRefused("keys_needed")
    return key.private
