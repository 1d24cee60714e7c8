"""Keys at the server: device lists, prekeys, bundles, chains on their way, and offers by which a device is linked."""

from collections.abc import Iterable, Sequence

import msgspec

from aparte.client.session import Nothing, Session, decoded
from aparte.client.transport.http import Request
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.groups import BundlesOfMany, Distributions
from aparte.wire.ids import AccountId, ConversationId, DeviceId, OfferId
from aparte.wire.keys import (
    AccountKeys,
    Bundle,
    Bundles,
    BundlesWanted,
    ListQuestion,
    Lists,
    ListsOf,
    ListsWanted,
    Prekeys,
    PrekeyStock,
)
from aparte.wire.linking import Admission, NewList, NewOffer, Offer, OfferAnswer, OfferState

VERSIONS_MOST = 10_000
"""Versions of one list that are read at once: more than an account makes in a lifetime."""


async def put_account_keys(session: Session, keys: AccountKeys) -> None:
    """Give an account its first list, and this device's first prekeys. Raises ClientError `keys_exist`."""
    await session.call(Request("PUT", "/account/keys", to_json(keys)), Nothing)


async def lists(session: Session, questions: Sequence[ListQuestion]) -> list[ListsOf]:
    """Read every version of device lists after those that are known, however many there are."""
    found: dict[AccountId, ListsOf] = {}
    waiting = list(questions)
    while waiting:
        asked, waiting = waiting[: limits.PAGE_LIST], waiting[limits.PAGE_LIST :]
        body = to_json(ListsWanted(asked))
        page = await session.call(Request("POST", "/keys/lists", body), Lists)
        for after, answer in zip(asked, page.accounts, strict=False):
            known = found.get(answer.account)
            versions = [*known.versions, *answer.versions] if known else answer.versions
            found[answer.account] = msgspec.structs.replace(answer, versions=versions)
            if answer.more and answer.versions and len(versions) < VERSIONS_MOST:
                waiting.append(ListQuestion(answer.account, after.after + len(answer.versions)))
    return list(found.values())


async def bundles(session: Session, account: AccountId, devices: Iterable[DeviceId]) -> list[Bundle]:
    """Take bundles of an account's devices, to begin sessions; none for a device without usable prekeys."""
    body = to_json(BundlesWanted(account, list(devices)))
    return (await session.call(Request("POST", "/keys/bundles", body), Bundles)).bundles


async def bundles_of_many(session: Session, wanted: Sequence[BundlesWanted]) -> list[Bundle]:
    """Take bundles of devices of several people at once."""
    body = to_json(BundlesOfMany(list(wanted)))
    return (await session.call(Request("POST", "/keys/bundles/many", body), Bundles)).bundles


async def distribute(session: Session, conversation: ConversationId, part: Distributions) -> None:
    """Hand in a part of what devices need to read this device's chain of a group. Raises ClientError `stale_epoch` …"""
    await session.once(Request("POST", f"/conversations/{conversation}/distributions", to_json(part)))


async def put_prekeys(session: Session, prekeys: Prekeys) -> PrekeyStock:
    """Upload prekeys of this device; gives the stock there is then."""
    return await session.call(Request("PUT", "/keys/prekeys", to_json(prekeys)), PrekeyStock)


async def prekey_stock(session: Session) -> PrekeyStock:
    """Ask how many prekeys of this device are left."""
    return await session.call(Request("GET", "/keys/prekeys"), PrekeyStock)


async def put_list(session: Session, change: NewList) -> None:
    """Take devices off the list. Raises ClientError `stale_list`, `bad_list`, `device_too_new` …"""
    await session.call(Request("PUT", "/account/device-list", to_json(change)), Nothing)


# Linking --------------------------------------------------------------------------------------------------------------


async def make_offer(session: Session, token: str, offer: NewOffer) -> None:
    """As a new device: ask to be linked."""
    await session.call(Request("POST", "/link-offers", to_json(offer)), Nothing, token=token)


async def offer_state(session: Session, token: str, offer: OfferId) -> OfferState:
    """As a new device: see how far one's offer is."""
    request = Request("GET", "/link-offers/mine", query={"id": str(offer)})
    return await session.call(request, OfferState, token=token)


async def look_at_offer(session: Session, offer: OfferId) -> Offer:
    """As a listed device: read an offer. Raises ClientError `not_found`, `offer_gone`."""
    return decoded(await session.fetch(Request("GET", f"/link-offers/{offer}")), Offer)


async def answer_offer(session: Session, offer: OfferId, answer: OfferAnswer) -> None:
    """As a listed device: answer an offer, once. Raises ClientError `bad_credentials`, `offer_gone`."""
    await session.call(Request("POST", f"/link-offers/{offer}/answer", to_json(answer)), Nothing)


async def admit(session: Session, offer: OfferId, admission: Admission) -> None:
    """As a listed device: put the new device on the list. Raises ClientError `stale_list`, `offer_gone` …"""
    await session.call(Request("POST", f"/link-offers/{offer}/admission", to_json(admission)), Nothing)


async def drop_offer(session: Session, offer: OfferId, token: str | None = None) -> None:
    """End an offer."""
    await session.call(Request("DELETE", f"/link-offers/{offer}"), Nothing, token=token)
