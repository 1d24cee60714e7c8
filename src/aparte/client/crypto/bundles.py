"""Beginning sessions: bundles asked for in batches, checked against the list, several begun in one transaction.

A bundle that is of no use is told in a notice and blocks nobody else: whoever sends gets to know which devices these
are, and leaves them out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from aparte.client.api import keys as api
from aparte.client.crypto import own, pairwise
from aparte.client.crypto.own import Own, now_ms
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session
from aparte.client.store import notices
from aparte.client.store.db import Tx
from aparte.client.store.notices import Notice
from aparte.e2ee.device_list import ListedDevice
from aparte.e2ee.errors import E2eeError
from aparte.wire import limits
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import Bundle, BundlesWanted

AT_ONCE = 20
"""How many sessions are begun in one transaction, before others have a turn."""
FEW = 2
"""So many people's bundles are asked for one by one: those of a direct conversation."""

Device = tuple[AccountId, ListedDevice]


def unheard(_: int) -> None:
    """Tell nobody how far it is."""


async def begin_sessions(
    session: Session, devices: Sequence[Device], tell: Callable[[int], None] = unheard
) -> frozenset[bytes]:
    """Begin sessions with devices; gives those whose bundle is of no use, each with a notice.

    `tell` is called with how many were looked at.
    """
    failed: set[bytes] = set()
    looked_at = 0
    for part in parts(devices):
        found = await _fetched(session, part)
        for start in range(0, len(part), AT_ONCE):
            some = part[start : start + AT_ONCE]
            with session.store.transaction() as tx:
                failed |= _begun(tx, own.load(tx), some, found)
            looked_at += len(some)
            tell(looked_at)
            await asyncio.sleep(0)
    return frozenset(failed)


def parts(devices: Sequence[Device]) -> Iterator[list[Device]]:
    """Divide devices into what one request may ask for; those of one account stay together."""
    part: list[Device] = []
    people = 0
    for account in dict.fromkeys(account for account, _ in devices):
        theirs = [(owner, listed) for owner, listed in devices if owner == account]
        if people == limits.BUNDLE_ACCOUNTS or len(part) + len(theirs) > limits.BUNDLES:
            yield part
            part, people = [], 0
        part += theirs
        people += 1
    if part:
        yield part


async def _fetched(session: Session, part: list[Device]) -> dict[bytes, Bundle]:
    """Ask for bundles, by device."""
    wanted: dict[AccountId, list[DeviceId]] = {}
    for account, listed in part:
        wanted.setdefault(account, []).append(pairwise.device_of(listed))
    if len(wanted) > FEW:
        found = await _readable(api.bundles_of_many(session, [BundlesWanted(*one) for one in wanted.items()]))
    else:
        found = [one for asked in wanted.items() for one in await _readable(api.bundles(session, *asked))]
    return {bundle.device.bytes: bundle for bundle in found}


async def _readable(answer: Awaitable[list[Bundle]]) -> list[Bundle]:
    """Wait for an answer; one without a part of a bundle is one without bundles."""
    try:
        return await answer
    except ClientError as error:
        if error.code != "unexpected_answer" or error.status is not None:
            raise
        return []


def _begun(tx: Tx, mine: Own, devices: Sequence[Device], found: dict[bytes, Bundle]) -> set[bytes]:
    """Begin sessions; gives the devices whose bundle is of no use, and tells what is wrong with each."""
    failed: set[bytes] = set()
    for account, listed in devices:
        code = _begun_code(tx, mine, (account, listed), found.get(listed.device))
        if code is not None:
            failed.add(listed.device)
            notices.insert_notice(tx, Notice(code, now_ms(), account, pairwise.device_of(listed)))
    return failed


def _begun_code(tx: Tx, mine: Own, device: Device, found: Bundle | None) -> str | None:
    """Begin a session; gives the code of what is wrong with the bundle, and has changed nothing then."""
    if found is None:
        return "no_keys"
    try:
        pairwise.begin(tx, mine, *device, found)
    except KeyRefused as error:
        if error.code != "device_not_listed":
            raise
        return error.code
    except E2eeError:
        return "bad_prekeys"
    return None
