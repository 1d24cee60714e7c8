"""Who is who, in verbs: safety numbers, linking and removing devices, and what a person must be told of keys."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from aparte.client import local_log
from aparte.client.api import accounts
from aparte.client.crypto import approving, mailbox, pins, revoking, verifying
from aparte.client.crypto.approving import Answered, Applicant
from aparte.client.crypto.revoking import Removal
from aparte.client.crypto.verifying import SafetyNumber
from aparte.client.errors import ClientError
from aparte.client.model import title_of
from aparte.client.session import Session
from aparte.client.store import conversations, notices
from aparte.wire.ids import AccountId, ConversationId, DeviceId


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be told once. `describe` of an error with this code words it."""

    code: str
    username: str | None
    account_id: AccountId | None
    device: DeviceId | None
    conversation_id: ConversationId | None
    seq: int | None
    at: datetime
    conversation: str | None = None
    """How the conversation is written that it is about."""


class Identity:
    """The keys of an open profile: `client.keys`."""

    def __init__(self, session: Session) -> None:
        """Work with an open session."""
        self._session = session

    async def safety_number(self, username: str) -> SafetyNumber:
        """Compute what to compare with somebody. Raises ClientError `no_such_member`, `no_keys`, KeyRefused."""
        return await verifying.safety_number(self._session, await accounts.account_named(self._session, username))

    async def verify(self, username: str, number: SafetyNumber) -> None:
        """Say that the number was compared and is the same, or that a changed key is accepted.

        Raises KeyRefused `key_changed` if the key has changed again since the number was computed.
        """
        account = await accounts.account_named(self._session, username)
        with self._session.store.transaction(durable=True) as tx:
            verifying.accept(tx, account, number.key)

    async def look_at_offer(self, text: str) -> Applicant:
        """Find the device that shows this offer. Raises KeyRefused `bad_offer`, ClientError `not_found`…"""
        return await approving.look_at(self._session, text)

    async def answer(self, applicant: Applicant, password: str) -> Answered:
        """Answer the offer; then the new device shows a code."""
        return await approving.answer(self._session, applicant, password)

    async def admit(self, answered: Answered, code: str) -> None:
        """Link the new device, if this is the code that it shows. Raises KeyRefused `link_code_wrong`: one try."""
        await approving.admit(self._session, answered, code)

    async def revoke(self, device: UUID, password: str | None) -> None:
        """Take a device off the account: with the password under a new account key, as a lost or stolen one must be.

        Without, the old key goes on: for a device that was wiped, or for this one.
        """
        await revoking.revoke(self._session, Removal(DeviceId(device), password))
        with suppress(ClientError):  # what is kept goes out later as well
            await mailbox.send_out(self._session)

    async def listed(self) -> frozenset[DeviceId]:
        """Name the devices on the account's list."""
        account = self._session.profile.account
        await pins.refresh(self._session, [account])
        with self._session.store.reading() as tx:
            pin = pins.pinned(tx, account)
        return pins.devices_of(pin.list) if pin else frozenset()

    def notices(self) -> list[Notice]:
        """Give what was not told yet, oldest first; it counts as told from here on."""
        with self._session.store.reading() as tx:
            if not notices.select_unshown(tx):
                return []
        with self._session.store.transaction() as tx:
            rows = notices.select_unshown(tx)
            if rows:
                notices.update_shown(tx, rows[-1].number)
            about = {row.conversation for row in rows if row.conversation}
            places = [found for one in about if (found := conversations.select_conversation(tx, one)) is not None]
        accounts = {row.account for row in rows if row.account} | {place.peer for place in places if place.peer}
        names = local_log.usernames(self._session.store, accounts)
        titles = {place.conversation: title_of(place, names) for place in places}
        return [_shown(row, names, titles) for row in rows]


def _shown(row: notices.Notice, names: Mapping[AccountId, str], titles: Mapping[ConversationId, str]) -> Notice:
    return Notice(
        row.code,
        names.get(row.account) if row.account else None,
        row.account,
        row.device,
        row.conversation,
        row.seq,
        datetime.fromtimestamp(row.at / 1000, UTC),
        titles.get(row.conversation) if row.conversation else None,
    )
