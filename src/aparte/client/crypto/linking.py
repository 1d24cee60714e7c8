"""Linking this profile as a new device of an account that exists: its half of the exchange.

The device shows an offer, another device of the account answers it, both show the same six digits, and only then does
the other one hand over the account key. What comes is believed if key and list are those of the answer, and if the
list names exactly this device. Nothing is kept of an attempt that fails but the device's own keys, for the next one.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

from aparte.client.api import accounts
from aparte.client.api import keys as api
from aparte.client.crypto import beginning, own, pins, shared, supply
from aparte.client.crypto.own import Own
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.model import Credentials
from aparte.client.session import Session
from aparte.client.store import own_keys, profile
from aparte.client.store import pins as pin_rows
from aparte.client.store.own_keys import OwnKeysRow
from aparte.client.store.profile import ProfileRow
from aparte.e2ee import linking as protocol
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.errors import E2eeError, InvalidKey
from aparte.e2ee.linking import Beginning, Welcome
from aparte.wire.accounts import Tokens
from aparte.wire.ids import AccountId, DeviceId, OfferId
from aparte.wire.keys import SignedList
from aparte.wire.linking import NewOffer, OfferState

SECONDS = 120.0
"""How long an offer stands."""
LOOK_SECONDS = 1.0
OVER = frozenset({"offer_gone", "not_found"})


@dataclass(frozen=True, slots=True)
class Offered:
    """The offer is made: show this text to the other device, alone, and to nobody else."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeShown:
    """Another device has answered: the account it speaks for, and the digits to type there if that is right."""

    username: str
    code: str = field(repr=False)


Tell = Callable[[Offered | CodeShown], None]


async def link(session: Session, who: Credentials, tell: Tell) -> None:
    """Become a device of the account, with the help of one that is; `tell` shows what a person must carry over.

    A device that needs no linking is signed in. Raises ClientError `link_over`, KeyRefused `bad_offer`,
    `key_mismatch`, `device_not_listed`.
    """
    row = anew(session, accounts.begin(session, who.username, fresh_account=False))
    tokens = await accounts.open_session(session, row, who)
    is_listed, is_linked = tokens.standing == "listed", accounts.is_linked(session, tokens)
    if tokens.standing == "keyless" or (is_listed and is_linked):
        await accounts.enter(session, tokens)
        return
    if is_listed or is_linked:  # half a link that broke off, or a device that was taken off
        await accounts.leave(session, tokens)
        tokens = await accounts.open_session(session, as_another_device(session, row), who)
    try:
        await be_admitted(session, tokens, who.username, tell)
    except BaseException:
        await accounts.leave(session, tokens)
        raise
    await accounts.confirm(session)
    with suppress(ClientError):  # what is refused is told in a notice, what could not be asked is asked before sending
        await pins.refresh(session, known_people(session))


def anew(session: Session, row: ProfileRow) -> ProfileRow:
    """Give a profile whose device was taken off, or stopped, another device to be."""
    with session.store.reading() as tx:
        keys = own_keys.select_own_keys(tx)
    is_over = keys is not None and keys.account == row.account and keys.stopped is not None
    return as_another_device(session, row) if is_over else row


def as_another_device(session: Session, row: ProfileRow) -> ProfileRow:
    """Make the profile another device of its account: with a new id, keys of its own to come, no session of the old."""
    fresh = DeviceId(uuid4())
    with session.store.transaction(durable=True) as tx:
        profile.delete_tokens(tx)
        profile.update_device(tx, fresh)
        own_keys.delete_device(tx)
    return replace(row, device=fresh)


async def be_admitted(session: Session, tokens: Tokens, username: str, tell: Tell) -> None:
    """Offer this device, wait until it is answered and admitted, and keep what it is given."""
    keys = await device_keys(session, tokens.account_id, tokens.device_id)
    mine = own.of_row(keys)
    offer = OfferId(uuid4())
    made = protocol.begin(
        mine.device.bytes, mine.registration_id, mine.identity.public, offer.bytes, secrets.token_bytes
    )
    prekeys = await asyncio.to_thread(supply.published, mine.prekeys, 0)
    await api.make_offer(session, tokens.access_token, NewOffer(offer, made.offer, prekeys))
    tell(Offered(made.code_text))
    try:
        async with asyncio.timeout(SECONDS):
            await _wait_and_keep(session, tokens, (offer, made), mine, lambda code: tell(CodeShown(username, code)))
    except TimeoutError:
        raise ClientError("link_over") from None
    except InvalidKey:
        raise KeyRefused("key_mismatch") from None
    except E2eeError:
        raise KeyRefused("bad_offer") from None


async def device_keys(session: Session, account: AccountId, device: DeviceId) -> OwnKeysRow:
    """Give the keys of a device that is not listed yet: those of an earlier attempt, or new ones, kept first."""
    with session.store.reading() as tx:
        row = own_keys.select_own_keys(tx)
    if row is not None and (row.account, row.device, row.number) == (account, device, None):
        return row
    made = await asyncio.to_thread(beginning.make, account, device, is_first=False)
    with session.store.transaction(durable=True) as tx:
        beginning.replace_keys(tx, made)
    return made


def keep(session: Session, tokens: Tokens, given: tuple[DeviceList, Welcome], mine: Own) -> None:
    """Keep what makes this device one of the account's, all or nothing.

    Of the list the newest version alone is checked: whoever holds the account key has handed it over.
    """
    known, welcome = given
    listed = known.find(mine.device.bytes)
    if listed is None:
        raise KeyRefused("device_not_listed")
    now = own.now_ms()
    signed = SignedList(welcome.signed.list, welcome.signed.signature, welcome.signed.previous_signature)
    with session.store.transaction(durable=True) as tx:
        own_keys.update_listed(tx, mine.account, listed.number, welcome.account_private)
        own_keys.update_uploaded(tx, mine.prekeys.next_id, now)
        pin_rows.upsert_pin(tx, pins.row_of(mine.account, known, signed, now))
        shared.adopt(tx, welcome.pins, now)
        profile.update_account(tx, tokens.account_id)
        profile.upsert_tokens(tx, tokens)


def known_people(session: Session) -> list[AccountId]:
    """Name everybody of whom something is pinned."""
    with session.store.reading() as tx:
        return [row.account for row in pin_rows.select_pins(tx)]


async def _wait_and_keep(
    session: Session,
    tokens: Tokens,
    made: tuple[OfferId, Beginning],
    mine: Own,
    tell_code: Callable[[str], None],
) -> None:
    offer, offered = made
    state = await _until(session, tokens, offer, "answered")
    if state.answer is None:
        raise ClientError("unexpected_answer", "an answer without its bytes")
    link = protocol.answered(offered, state.answer)
    if link.account != tokens.account_id.bytes:
        raise KeyRefused("key_mismatch")
    tell_code(link.code)
    state = await _until(session, tokens, offer, "admitted")
    if state.container is None:
        raise ClientError("unexpected_answer", "an admission without its container")
    welcome = protocol.open_welcome(link.box, state.container)
    keep(session, tokens, (protocol.check_welcome(offered, link, welcome), welcome), mine)
    try:
        await api.drop_offer(session, offer, tokens.access_token)
    except ClientError:
        return  # it is forgotten by itself


async def _until(session: Session, tokens: Tokens, offer: OfferId, wanted: str) -> OfferState:
    """Ask now and then how far the offer is. Raises ClientError `link_over`."""
    reached = {"open": 0, "answered": 1, "admitted": 2}
    while True:
        try:
            state = await api.offer_state(session, tokens.access_token, offer)
        except ClientError as error:
            raise ClientError("link_over") if error.code in OVER else error from None
        if reached[state.state] >= reached[wanted]:
            return state
        await asyncio.sleep(LOOK_SECONDS)
