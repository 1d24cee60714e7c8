"""The sender-key chain that this device sends to a group with: when a new one begins, and who still lacks it.

A chain is given to the devices of the newest lists, in pairwise messages that are kept until an entry has committed
them. It is new once somebody who was given it is out or has another account key, and when it is worn out; a newcomer
gets it from where it is, never from before. Source: docs/protocol/e2ee.md, 3.2.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aparte.client.crypto import pairwise
from aparte.client.crypto.own import Own
from aparte.client.crypto.pins import Pin
from aparte.client.store import chains, own_chains
from aparte.client.store.db import Tx
from aparte.client.store.own_chains import GivenRow, OwnChainRow
from aparte.e2ee import group, payload
from aparte.e2ee.device_list import ListedDevice
from aparte.e2ee.group import OwnChain
from aparte.e2ee.messages import MESSAGE_TYPE
from aparte.e2ee.payload import Chain
from aparte.wire.ids import AccountId, ConversationId, DeviceId

AGAIN_MS = 86_400_000
"""When a device whose bundle was unusable is tried again."""
EMPTY = 0
"""The type of an envelope for a device whose bundle is unusable."""

Readers = Mapping[AccountId, Pin]
"""The newest lists of everybody inside."""


class ChainLacking(Exception):
    """Devices must be given the chain before anything is sealed under it."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A listed device that lacks the chain, and the account key that it is listed under."""

    account: AccountId
    listed: ListedDevice
    account_key: bytes

    @property
    def device(self) -> DeviceId:
        """The device's id."""
        return pairwise.device_of(self.listed)


def is_complete(tx: Tx, conversation: ConversationId, roster: bytes, now: int) -> bool:
    """Tell, without looking at anybody's list, whether every device of a roster has a chain that is still good."""
    row = own_chains.select_own_chain(tx, conversation)
    if row is None or row.roster != roster or (row.look_at is not None and now >= row.look_at):
        return False
    return not OwnChain.deserialize(row.record).is_worn_out(now)


def complete(tx: Tx, own: Own, conversation: ConversationId, epoch: tuple[bytes, Readers], now: int) -> None:
    """Check that every device of an epoch has the chain, and remember it. Raises ChainLacking."""
    roster, readers = epoch
    row = own_chains.select_own_chain(tx, conversation)
    if row is None or lacking(tx, own, conversation, readers, now) or _is_over(tx, conversation, row, readers, now):
        raise ChainLacking
    given = own_chains.select_given(tx, conversation).values()
    unusable = [known.made_at + AGAIN_MS for known in given if known.type == EMPTY]
    own_chains.update_complete(tx, conversation, roster, min(unusable, default=None))


def begin(tx: Tx, own: Own, conversation: ConversationId, readers: Readers, now: int) -> list[Recipient]:
    """Begin a chain where there is none that may go on; gives the devices that lack it."""
    row = own_chains.select_own_chain(tx, conversation)
    if row is None or _is_over(tx, conversation, row, readers, now):
        chain = group.start(conversation, now, secrets.token_bytes)
        counter, _ = chains.select_chain(tx, conversation, own.device) or (0, b"")
        own_chains.delete_own_chain(tx, conversation)
        own_chains.upsert_own_chain(tx, conversation, OwnChainRow(chain.chain_id, chain.serialize(), counter + 1))
        own_chains.upsert_given(tx, conversation, _made_here(own, readers, now))
    return lacking(tx, own, conversation, readers, now)


def lacking(tx: Tx, own: Own, conversation: ConversationId, readers: Readers, now: int) -> list[Recipient]:
    """Name the listed devices that lack the chain, but for those that the server has not seen for long."""
    given = own_chains.select_given(tx, conversation)
    found: list[Recipient] = []
    for account, pin in readers.items():
        key = pin.list.account_key.serialize()
        for listed in pin.list.devices:
            known = given.get(pairwise.device_of(listed))
            is_out_of_reach = listed.device == own.device.bytes or (known is None and listed.device in pin.dormant)
            if not is_out_of_reach and (known is None or _lacks(known, now)):
                found.append(Recipient(account, listed, key))
    return found


def give(tx: Tx, own: Own, conversation: ConversationId, one: Recipient, now: int) -> None:
    """Keep the chain for a device, from where it is. Raises NoSession."""
    row = own_chains.select_own_chain(tx, conversation)
    if row is None:
        raise ChainLacking
    chain = Chain(conversation.bytes, group.distribute(OwnChain.deserialize(row.record)))
    sent = pairwise.encrypt(tx, own, one.account, one.listed, payload.encode(chain))
    kept = GivenRow(sent.device, one.account, one.account_key, sent.type, sent.body, now)
    own_chains.upsert_given(tx, conversation, kept)


def give_up(tx: Tx, conversation: ConversationId, one: Recipient, now: int) -> None:
    """Keep an empty envelope for a device whose bundle is of no use: it blocks nobody."""
    row = GivenRow(one.device, one.account, one.account_key, EMPTY, b"", now)
    own_chains.upsert_given(tx, conversation, row)


def encrypt(tx: Tx, conversation: ConversationId, plaintext: bytes) -> tuple[int, bytes]:
    """Make the next message of the chain; gives the chain's id too. Raises ChainLacking."""
    row = own_chains.select_own_chain(tx, conversation)
    if row is None:
        raise ChainLacking
    advanced, message = group.encrypt(OwnChain.deserialize(row.record), plaintext, secrets.token_bytes)
    own_chains.update_record(tx, conversation, advanced.serialize())
    return row.chain_id, message


def mark_lacking(tx: Tx, conversation: ConversationId, to: tuple[AccountId, DeviceId], counter: int) -> None:
    """A device has asked for the key of our entry `counter`: if that is of the present chain, it lacks it."""
    row = own_chains.select_own_chain(tx, conversation)
    if row is None or counter < row.first_counter:
        return
    if not own_chains.update_due(tx, conversation, to[1]):
        asked = GivenRow(to[1], to[0], b"", EMPTY, b"", 0, is_committed=True, is_due=True)
        own_chains.upsert_given(tx, conversation, asked)
    own_chains.upsert_own_chain(tx, conversation, replace(row, roster=None))


def _made_here(own: Own, readers: Readers, now: int) -> GivenRow:
    """Count the device that made the chain among those that have it: its own account's key may change too."""
    pin = readers.get(own.account)
    key = pin.list.account_key.serialize() if pin is not None else b""
    return GivenRow(own.device, own.account, key, MESSAGE_TYPE, b"", now, is_committed=True)


def _is_over(tx: Tx, conversation: ConversationId, row: OwnChainRow, readers: Readers, now: int) -> bool:
    """Tell whether a chain is worn out, or known to somebody who must not read on."""
    if OwnChain.deserialize(row.record).is_worn_out(now):
        return True
    for given in own_chains.select_given(tx, conversation).values():
        pin = readers.get(given.account)
        if pin is None or pin.list.find(given.device.bytes) is None:
            return True
        if given.account_key not in {b"", pin.list.account_key.serialize()}:
            return True
    return False


def _lacks(known: GivenRow, now: int) -> bool:
    return known.is_due or (known.type == EMPTY and known.is_committed and now - known.made_at >= AGAIN_MS)
