"""Linking another device to the account: the half of a device that is on the list.

Nothing secret leaves before the person has typed the digits that the new device shows, and there is one try.
"""

import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from aparte.client.api import keys as api
from aparte.client.crypto import own, passing, pins, shared
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session
from aparte.e2ee import device_list
from aparte.e2ee import linking as protocol
from aparte.e2ee.device_list import DeviceList, ListedDevice, Signed
from aparte.e2ee.errors import E2eeError
from aparte.e2ee.linking import Invitation, Link, Welcome
from aparte.wire.ids import OfferId
from aparte.wire.keys import SignedList
from aparte.wire.linking import Admission, Offer, OfferAnswer

TRIES = 3
"""How often an admission is signed anew because the list has changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """A device that asks to be linked, as the server knows it: name, place and time are its word."""

    device_name: str
    ip: str | None
    created_at: datetime
    invitation: Invitation = field(repr=False)
    offer: Offer = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """An offer that was answered; the new device shows the code now."""

    applicant: Applicant
    link: Link = field(repr=False)


async def look_at(session: Session, text: str) -> Applicant:
    """Find the offer that a new device shows. Raises KeyRefused `bad_offer`, ClientError `not_found`, `offer_gone`."""
    try:
        invitation = protocol.parse_text(text.strip())
    except E2eeError:
        raise KeyRefused("bad_offer") from None
    offer = await api.look_at_offer(session, OfferId(UUID(bytes=invitation.id)))
    try:
        protocol.read_offer(invitation, offer.offer)
    except E2eeError:
        raise KeyRefused("bad_offer") from None
    return Applicant(offer.device_name, offer.ip, offer.created_at, invitation, offer)


async def answer(session: Session, applicant: Applicant, password: str) -> Answered:
    """Answer an offer, once. Raises ClientError `bad_credentials`, `offer_gone`, `device_too_new`, KeyRefused."""
    await pins.refresh(session, [session.profile.account])
    with session.store.reading() as tx:
        mine = own.load(tx)
        pin = pins.pinned(tx, mine.account)
    if pin is None:
        raise KeyRefused("keys_needed")
    key = own.signing_key(mine, pin.list)
    try:
        data, link = protocol.reply(
            applicant.invitation, applicant.offer.offer, mine.account.bytes, key, secrets.token_bytes
        )
    except E2eeError:
        raise KeyRefused("bad_offer") from None
    await api.answer_offer(session, applicant.offer.id, OfferAnswer(password, data))
    return Answered(applicant, link)


async def admit(session: Session, answered: Answered, code: str) -> None:
    """Put the new device on the list and hand it the account key, if the code is right; a wrong one ends the offer.

    Raises KeyRefused `link_code_wrong`, ClientError `offer_gone`, `too_many_devices` …
    """
    offer = answered.applicant.offer
    if not answered.link.is_code(code):
        with suppress(ClientError):
            await api.drop_offer(session, offer.id)
        raise KeyRefused("link_code_wrong")
    account = session.profile.account
    for attempt in range(TRIES):
        admission, signed = _admission(session, answered)
        try:
            await api.admit(session, offer.id, admission)
        except ClientError as error:
            if error.code != "stale_list" or attempt == TRIES - 1:
                raise
            await pins.refresh(session, [account])
            continue
        with session.store.transaction(durable=True) as tx:
            pins.take(tx, account, [signed], own.now_ms(), is_ours=True)
            passing.owe_own_devices(tx, account)
        return


def with_device(known: DeviceList, applicant: Applicant) -> DeviceList:
    """Give the list's next version, with the device of an offer."""
    offer = protocol.read_offer(applicant.invitation, applicant.offer.offer)
    device = ListedDevice(device_list.next_number(known), offer.device, offer.registration_id, offer.identity)
    devices = tuple(sorted((*known.devices, device), key=lambda listed: listed.number))
    return replace(known, version=known.version + 1, previous=known.hash, devices=devices)


def _admission(session: Session, answered: Answered) -> tuple[Admission, SignedList]:
    """Sign the list with the new device, and seal what is for that device alone."""
    with session.store.reading() as tx:
        mine = own.load(tx)
        pin = pins.pinned(tx, mine.account)
        people = shared.shared(tx, mine.account)
    if pin is None:
        raise KeyRefused("keys_needed")
    key = own.signing_key(mine, pin.list)
    made: Signed = device_list.sign(with_device(pin.list, answered.applicant), key, secrets.token_bytes)
    welcome = Welcome(account_private=key.private, signed=made, pins=people)
    container = protocol.welcome(answered.link.box, welcome, secrets.token_bytes)
    signed = SignedList(made.list, made.signature)
    return Admission(signed, container), signed
