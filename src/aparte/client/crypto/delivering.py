"""Delivering sealed entries: sealed when their turn comes, repeated byte for byte, sealed anew when lists change.

What the server answers is checked against what this device computes itself: an epoch of another roster than ours stops
sending, a chain that is longer than we know stops this device. In a group the devices that lack the chain are given it
first, by parts.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from aparte.client.api.conversations import fetch
from aparte.client.core import retry
from aparte.client.crypto import distributing, membership, own, pins, rosters, sealing
from aparte.client.crypto.bundles import begin_sessions
from aparte.client.crypto.own import now_ms
from aparte.client.crypto.sealing import BundlesNeeded, EpochUnknown, Sealing
from aparte.client.crypto.sender_keys import ChainLacking
from aparte.client.errors import ClientError, KeyRefused, NotSignedIn
from aparte.client.session import Session, decoded
from aparte.client.store import notices, outbox_sealed
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.notices import Notice
from aparte.client.store.outbox import OutboxRow
from aparte.client.store.outbox_sealed import Finished
from aparte.client.transport.http import Request
from aparte.wire.messages import Sent

ATTEMPTS = 8
"""How often an item is sealed again because lists have changed, before that is called a mismatch."""
LOOKS = 2
"""How often the epoch of the newest lists is asked for before one entry is sealed."""
AGAIN = frozenset({"stale_epoch", "missing_devices", "chain_too_old"})
_random = random.SystemRandom()


async def post(session: Session, row: ConversationRow, item: OutboxRow, trouble: Callable[[str], None]) -> bytes:
    """Send an item until it is stored; gives the answer. Raises what it is refused with for good."""
    work, attempt, sealings = Sealing(row, item), 0, 0
    stale: ClientError | None = None
    while True:
        try:
            if stale is not None:
                await renew(session, row, stale)
                with session.store.transaction() as tx:
                    sealing.again(tx, work)
                stale = None
            work, done = await ready(session, work)
            if row.has_chain:
                await distributing.hand_in(session, row, done.epoch)
            answer = await session.once(Request("POST", f"/conversations/{row.conversation}/entries", done.body))
            decoded(answer, Sent)
        except NotSignedIn:
            raise
        except ClientError as error:
            trouble(error.code)
            if error.code in AGAIN and sealings < ATTEMPTS:
                sealings += 1
                stale = error
            elif retry.is_transient(error):
                await asyncio.sleep(retry.pause(error, attempt, _random.random()))
                attempt += 1
            else:
                raise refused(session, work, error) from None
        else:
            return answer


async def ready(session: Session, work: Sealing) -> tuple[Sealing, Finished]:
    """Give the finished request, fetching what sealing it needs."""
    looks = 0
    while True:
        try:
            with session.store.transaction(durable=True) as tx:
                return work, sealing.finished(tx, work)
        except BundlesNeeded as needed:
            failed = await begin_sessions(session, needed.devices)
            work = replace(work, unusable=work.unusable | failed)
        except ChainLacking:
            await distributing.make(session, work.row)
        except EpochUnknown:
            looks += 1
            if looks > LOOKS:
                raise ClientError("stale_epoch", "no epoch is made of the newest lists") from None
            await learn_epoch(session, work.row)
        except KeyRefused as error:
            if error.code != "no_keys":
                raise
            await learn_lists(session, work.row)


async def learn_lists(session: Session, row: ConversationRow) -> None:
    """Fetch the newest lists of a conversation's members. Raises ClientError `peer_without_keys` if one has none."""
    me = session.profile.account
    if row.has_chain:
        await membership.learn(session, row.conversation)
    else:
        with session.store.reading() as tx:
            members = rosters.members_of(tx, row, me)
        await pins.refresh(session, members)
    with session.store.reading() as tx:
        try:
            rosters.newest(tx, row, me)
        except KeyRefused:
            raise ClientError("peer_without_keys") from None


async def learn_epoch(session: Session, row: ConversationRow) -> None:
    """Ask for the number of the epoch that the newest lists make."""
    await learn_lists(session, row)
    if row.has_chain:
        return
    found, me = await fetch(session, row.conversation, patience=0), session.profile.account
    with session.store.transaction() as tx:
        rosters.agree(tx, row, me, found.epoch)


def refused(session: Session, work: Sealing, error: ClientError) -> ClientError:
    """Give the error that ends an item; one that shows this device's state to be an old copy stops the device."""
    with session.store.transaction(durable=True) as tx:
        done = outbox_sealed.select_finished(tx, work.item.item)
        known = error.data.get("counter")
        if error.code == "chain_broken" and done is not None and isinstance(known, int) and known >= done.counter:
            own.stop(tx, "state_rolled_back")
            return KeyRefused("state_rolled_back")
        if error.code == "stale_epoch":
            about = Notice("roster_mismatch", now_ms(), work.row.peer, None, work.row.conversation)
            notices.insert_notice(tx, about)
            return KeyRefused("roster_mismatch")
    return error


async def renew(session: Session, row: ConversationRow, error: ClientError) -> None:
    """Look at the lists again, and agree on the epoch if the server's roster is the one that they make."""
    await learn_lists(session, row)
    me = session.profile.account
    if row.has_chain and error.code == "missing_devices":
        await _look_for_sleepers(session, row)
    with session.store.transaction() as tx:
        sealing.give_again(tx, row, error.code)
        if row.has_chain:
            return
        number, named = error.data.get("epoch"), error.data.get("roster")
        _, computed = rosters.newest(tx, row, me)
        if isinstance(number, int) and number > 0 and named == computed.hex():
            rosters.agree(tx, row, me, number)
        elif error.code == "stale_epoch":
            rosters.disagree(tx, row)


async def _look_for_sleepers(session: Session, row: ConversationRow) -> None:
    """Ask again about devices that the server had not seen for long: they get the chain once they are back."""
    me = session.profile.account
    with session.store.reading() as tx:
        readers, _ = rosters.newest(tx, row, me)
    await pins.refresh(session, [account for account, pin in readers.items() if pin.dormant])
