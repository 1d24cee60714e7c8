"""Messages that are due later, as an application schedules them: readable ones by their words, sealed ones sealed now.

Scheduling needs the server, which sends what is due: nothing of it is kept in the outbox.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Unpack
from uuid import UUID

import msgspec

from aparte.client import local_log
from aparte.client.api import accounts
from aparte.client.api import scheduled as api
from aparte.client.api.conversations import Rooms
from aparte.client.crypto import mailbox, scheduling
from aparte.client.crypto.arrivals import Reader
from aparte.client.crypto.own import now_ms
from aparte.client.crypto.scheduling import Plan
from aparte.client.errors import ClientError
from aparte.client.places import Places
from aparte.client.private import Beside, Private
from aparte.client.sending import How, content_of, wanted_of
from aparte.client.session import Session
from aparte.client.store.conversations import ConversationRow
from aparte.e2ee.content import Text, Ttl
from aparte.wire.content import Format, MessageContent
from aparte.wire.ids import ClientMessageId, ScheduledId, new_id
from aparte.wire.messages import NewScheduled, ScheduledChange, ScheduledSeal, SendMessage
from aparte.wire.messages import Scheduled as Found


@dataclass(frozen=True, slots=True)
class ScheduledMessage:
    """A message that is due later.

    `status`: `waiting`; `stale`, in encrypted conversations, until a device seals it for those who can read now;
    `refused`, with the code in `refused`; `sent`. `text` is None where its key is not on this device.
    """

    id: ScheduledId
    target: str
    due: datetime
    status: str
    text: str | None
    text_format: Format
    refused: str | None = None


class Scheduled:
    """`client.scheduled`: add, list, change and cancel."""

    def __init__(self, session: Session, rooms: Rooms, places: Places, private: Private) -> None:
        """Work with an open session."""
        self._session = session
        self._rooms = rooms
        self._places = places
        self._private = private

    async def add(self, target: str, text: str, at: datetime, **how: Unpack[How]) -> ScheduledMessage:
        """Schedule a message for a moment from a second to a year ahead, in encrypted conversations to three weeks.

        Raises ClientError `invalid`, `too_many`, `forbidden` …
        """
        content = content_of(text, how.get("text_format", "text"))
        row = await self._rooms.row(await self._places.resolve(target))
        wanted = wanted_of(how)
        named = wanted.mentions if row.is_sealed else ()
        people = tuple(await accounts.accounts_named(self._session, named))
        beside = Beside(wanted.reply, people, wanted.thread, _checked(wanted.ttl, row))
        key, due = ClientMessageId(new_id()), _moment(at)
        if row.is_sealed:
            plan = await self._plan(row, key, content, due, beside)
            found = await self._post(row, plan)
        else:
            message = SendMessage(key, _readable(content, beside), beside.thread)
            found = await api.add(self._session, row.conversation, NewScheduled(key, due, message))
        return self._shown(found, target)

    async def list(self, target: str) -> list[ScheduledMessage]:
        """Read what one has scheduled and was not sent, by its time; what was refused until one cancels it."""
        conversation = await self._places.resolve(target)
        return [self._shown(one, target) for one in await api.mine(self._session, conversation)]

    async def cancel(self, target: str, scheduled: UUID | str) -> None:
        """Take a message back, or put one away that was refused. Raises ClientError `over` once it is due."""
        conversation, wanted = await self._places.resolve(target), _id(scheduled)
        found = [one for one in await api.mine(self._session, conversation) if one.id == wanted]
        await api.cancel(self._session, conversation, wanted)
        for one in found:
            scheduling.forget(self._session, self._reader(), one)

    async def change(
        self,
        target: str,
        scheduled: UUID | str,
        *,
        text: str | None = None,
        at: datetime | None = None,
        text_format: Format | None = None,
    ) -> ScheduledMessage:
        """Give a message other words or another time. Raises ClientError `over` once it is due, `not_found`."""
        row, wanted = await self._rooms.row(await self._places.resolve(target)), _id(scheduled)
        one = next((one for one in await api.mine(self._session, row.conversation) if one.id == wanted), None)
        if one is None:
            raise ClientError("not_found")
        due = _moment(at) if at is not None else None
        if row.is_sealed:
            found = await self._change_sealed(row, one, (text, text_format, due))
        else:
            message = _reworded(one, text, text_format)
            found = await api.change(self._session, row.conversation, wanted, ScheduledChange(due, message))
        return self._shown(found, target)

    async def _change_sealed(
        self, row: ConversationRow, one: Found, wanted: tuple[str | None, Format | None, datetime | None]
    ) -> Found:
        reader = self._reader()
        with self._session.store.reading() as tx:
            known = scheduling.opened(tx, reader, one)
        if known is None:
            raise ClientError("waiting")
        text, text_format, due = wanted
        content = content_of(text if text is not None else known.text.text, text_format or known.text.format)
        at = scheduling.milliseconds(due) if due is not None else known.text.due
        said = msgspec.structs.replace(known.text, text=content.text, format=content.format, due=at)
        plan = Plan(one.client_message_id, said, known.thread)
        found = await scheduling.change(self._session, row, one.id, plan, due)
        await mailbox.send_out(self._session)
        return found

    async def _plan(
        self, row: ConversationRow, key: ClientMessageId, content: MessageContent, due: datetime, beside: Beside
    ) -> Plan:
        reply, thread = await self._private.aims(row.conversation, beside)
        text = Text(
            at=now_ms(),
            text=content.text,
            format=content.format,
            reply=reply.hash if reply is not None else None,
            mentions=tuple(account.bytes for account in beside.mentions),
            ttl=beside.ttl,
            due=scheduling.milliseconds(due),
        )
        return Plan(key, text, thread)

    async def _post(self, row: ConversationRow, plan: Plan) -> Found:
        assert plan.text.due is not None  # noqa: S101 - a plan has its time
        due = scheduling.moment(plan.text.due)

        async def send(seal: ScheduledSeal) -> Found:
            new = NewScheduled(plan.client_message_id, due, sealed=seal)
            return await api.add(self._session, row.conversation, new)

        found = await scheduling.post(self._session, row, plan, send)
        await mailbox.send_out(self._session)
        return found

    def _shown(self, one: Found, target: str) -> ScheduledMessage:
        said: Text | MessageContent | None = one.message.content if one.message is not None else None
        due = one.due
        if one.sealed is not None:
            reader = self._reader()
            with self._session.store.reading() as tx:
                plan = scheduling.opened(tx, reader, one)
            if plan is not None and plan.text.due is not None:
                said, due = plan.text, scheduling.moment(plan.text.due)
        text = said.text if said is not None else None
        text_format = said.format if said is not None else "text"
        return ScheduledMessage(one.id, target, due, one.status, text, text_format, one.refused)

    def _reader(self) -> Reader:
        me = self._session.profile.account
        with self._session.store.reading() as tx:
            return local_log.reader_of(tx, me)


def _moment(at: datetime) -> datetime:
    """Give a time in milliseconds, as contents have it; one without a zone is of this machine's."""
    return scheduling.moment(scheduling.milliseconds(at.astimezone()))


def _checked(ttl: Ttl | None, row: ConversationRow) -> Ttl | None:
    """Refuse a time that nothing can have: the server counts from sending alone."""
    if ttl is not None and ttl[0] == "reading" and not row.is_sealed:
        raise ClientError("invalid", "the server counts from sending")
    return ttl


def _readable(content: MessageContent, beside: Beside) -> MessageContent:
    ttl = beside.ttl[1] if beside.ttl is not None else None
    return msgspec.structs.replace(content, reply=beside.reply, ttl=ttl)


def _reworded(one: Found, text: str | None, text_format: Format | None) -> SendMessage | None:
    """Give a readable message with other words, or None if they stay."""
    if one.message is None or (text is None and text_format is None):
        return None
    known = one.message.content
    content = content_of(known.text if text is None else text, text_format or known.format)
    said = msgspec.structs.replace(known, text=content.text, format=content.format)
    return msgspec.structs.replace(one.message, content=said)


def _id(scheduled: UUID | str) -> ScheduledId:
    """Read the id of a scheduled message. Raises ClientError `bad_message_id`."""
    try:
        return ScheduledId(scheduled if isinstance(scheduled, UUID) else UUID(scheduled))
    except ValueError:
        raise ClientError("bad_message_id", str(scheduled)) from None
