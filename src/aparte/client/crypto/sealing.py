"""Sealing entries: one transaction makes the key, the envelopes and the finished request, before anything is sent.

In a group the key goes in one sender-key message, once every device has the chain that it is made with.

What it needs from the server, bundles and epoch numbers, it asks for by exceptions, and is tried again; the request
that it leaves is sent byte for byte until it is answered.
"""

import secrets
from dataclasses import dataclass, field
from typing import Literal, cast
from uuid import UUID

from msgspec.structs import replace

from aparte.client.crypto import disappearing, pairwise, pins, rosters, sender_keys
from aparte.client.crypto import own as own_keys
from aparte.client.crypto.own import Own, now_ms
from aparte.client.errors import KeyRefused
from aparte.client.store import chains, content_keys, entries, epochs, outbox_sealed, own_chains, profile, sealed
from aparte.client.store.content_keys import ContentKey
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.expiring import EXPIRED
from aparte.client.store.outbox import OutboxRow
from aparte.client.store.outbox_sealed import Finished, Unsealed
from aparte.e2ee import content as contents
from aparte.e2ee import entry as entry_seal
from aparte.e2ee import payload
from aparte.e2ee.content import Content, Reaction, Text
from aparte.e2ee.device_list import ListedDevice
from aparte.e2ee.entry import ZERO_HASH, Head, entry_hash
from aparte.e2ee.errors import NoSession
from aparte.e2ee.payload import Keys
from aparte.e2ee.primitives import NO_SALT, hkdf, hmac_sha256, sha256
from aparte.wire import kinds
from aparte.wire.codec import to_json
from aparte.wire.ids import AccountId
from aparte.wire.sealed import Envelope, SealedTarget, SealEntry

EDITS_AT_ONCE = 20
"""How many edits' keys go with a restore: what an envelope has room for."""
TAG_LABEL = b"aparte-reaction-tag-v1"


class EpochUnknown(Exception):
    """The number of the epoch that the newest lists make is not known: the server must be asked."""


class BundlesNeeded(Exception):
    """Sessions must be begun with these devices first."""

    def __init__(self, devices: list[tuple[AccountId, ListedDevice]]) -> None:
        super().__init__(f"{len(devices)} devices")
        self.devices = devices


@dataclass(frozen=True, slots=True)
class Sealing:
    """An item of the outbox whose turn has come. `unusable`: devices whose bundle was of no use."""

    row: ConversationRow
    item: OutboxRow
    unusable: frozenset[bytes] = field(default=frozenset())


def finished(tx: Tx, work: Sealing) -> Finished:
    """Give the request of an item, sealing it if that was not done before.

    Raises KeyRefused, the two above, and ChainLacking.
    """
    own = own_keys.load(tx)
    done = outbox_sealed.select_finished(tx, work.item.item)
    if done is None:
        what = outbox_sealed.select_unsealed(tx, work.item.item)
        assert what is not None  # noqa: S101 - the caller has seen it
        done = _sealed(tx, work, what, own)
        outbox_sealed.update_finished(tx, work.item.item, done)
    return done


def again(tx: Tx, work: Sealing) -> None:
    """Forget a request that the server refused because lists have changed: its key was for those of before."""
    done = outbox_sealed.select_finished(tx, work.item.item)
    if done is not None:
        outbox_sealed.update_unfinished(tx, work.item.item)


def give_again(tx: Tx, row: ConversationRow, code: str) -> None:
    """Give a chain up that the server says is over, or look again at who lacks it."""
    if code == "chain_too_old":
        own_chains.delete_own_chain(tx, row.conversation)
    elif code == "missing_devices":
        own_chains.update_incomplete(tx, row.conversation)


def accepted(tx: Tx, work: Sealing) -> None:
    """The server has the entry: move this device's chain, and keep the key, unless it came back and is over already."""
    mine, done = profile.select_profile(tx), outbox_sealed.select_finished(tx, work.item.item)
    if done is None or mine is None:
        return
    chains.upsert_chain(tx, work.row.conversation, mine.device, done.counter, done.hash)
    known = sealed.select_hashed(tx, work.row.conversation, done.hash)
    if known is None or known.code != EXPIRED:
        content_keys.insert_key(tx, ContentKey(done.hash, done.key, mine.account, mine.device), now_ms())
    outbox_sealed.update_accepted(tx, work.item.item)
    own_chains.update_committed(tx, work.row.conversation)


def _sealed(tx: Tx, work: Sealing, what: Unsealed, own: Own) -> Finished:
    epoch, readers = epoch_of(tx, work.row, own)
    head = _head(tx, work, what, own, epoch)
    content = _content(tx, work, what)
    key = secrets.token_bytes(entry_seal.KEY_BYTES)
    body = entry_seal.seal(head, contents.encode(content), key)
    digest = entry_hash(head, sha256(body))
    plaintext = payload.encode(Keys(((key, digest), *_restored(tx, work, what))))
    request = SealEntry(
        client_message_id=work.item.client_message_id,
        epoch=head.epoch,
        roster=head.roster,
        counter=head.counter,
        prev=head.prev,
        sealed=body,
        envelopes=[] if readers is None else _envelopes(tx, work, own, readers, plaintext),
        kind=cast("Literal[1, 2, 3, 4, 5, 6, 7]", what.kind),
        target=SealedTarget(what.target, head.target) if what.target is not None else None,
        on=what.is_on,
        tag=_tag(own, head, content) if isinstance(content, Reaction) else None,
        mentions=mentions_of(content),
        ttl=disappearing.hint(content) if what.kind == kinds.MESSAGE else None,
    )
    if readers is None:
        chain, message = sender_keys.encrypt(tx, work.row.conversation, plaintext)
        request = replace(request, chain=chain, key=message)
    return Finished(to_json(request), head.epoch, head.counter, digest, key)


def epoch_of(tx: Tx, row: ConversationRow, own: Own) -> tuple[tuple[int, bytes], dict[AccountId, pins.Pin] | None]:
    """Give number and roster of the epoch to seal for, and whose devices get an envelope: None if all have a chain."""
    if row.has_chain:
        return _group_epoch(tx, row, own), None
    found, roster = rosters.newest(tx, row, own.account)
    for account in found:
        pins.check_may_send(tx, account)
    if sealed.select_mismatched(tx, row.conversation):
        raise KeyRefused("roster_mismatch")
    epoch = epochs.select_newest(tx, row.conversation)
    if epoch is None or epoch.roster != roster:
        raise EpochUnknown
    return (epoch.epoch, roster), found


def _group_epoch(tx: Tx, row: ConversationRow, own: Own) -> tuple[int, bytes]:
    """Give the epoch of a group once every device has the chain; while nothing has changed nobody is looked at.

    A device that sealed for other readers than ours stops us for as long as it is inside.
    """
    was_ready, now = epochs.select_ready(tx, row.conversation) is not None, now_ms()
    epoch = rosters.ready(tx, row)
    if epoch is None:
        raise EpochUnknown
    odd = sealed.select_mismatched(tx, row.conversation)
    if odd and any(found.find(device.bytes) is not None for found in epoch.lists.values() for device in odd):
        raise KeyRefused("roster_mismatch")
    if not was_ready or not sender_keys.is_complete(tx, row.conversation, epoch.roster, now):
        readers, _ = rosters.newest(tx, row, own.account)
        sender_keys.complete(tx, own, row.conversation, (epoch.roster, readers), now)
    return epoch.number, epoch.roster


def _head(tx: Tx, work: Sealing, what: Unsealed, own: Own, epoch: tuple[int, bytes]) -> Head:
    counter, prev = chains.select_chain(tx, work.row.conversation, own.device) or (0, ZERO_HASH)
    return Head(
        kind=what.kind,
        conversation=work.row.conversation.bytes,
        account=own.account.bytes,
        device=own.device.bytes,
        epoch=epoch[0],
        roster=epoch[1],
        counter=counter + 1,
        client_id=work.item.client_message_id.bytes,
        prev=prev,
        target=what.target_hash or ZERO_HASH,
    )


def _content(tx: Tx, work: Sealing, what: Unsealed) -> Content:
    """Give the content with the newest entry that was read here.

    A message that names no time of its own is there as long as the settings say now; one that disappears counts from
    here, however long it has waited to be sent.
    """
    content = contents.decode(what.kind, what.content)
    if isinstance(content, Text) and what.kind == kinds.MESSAGE:
        ttl = content.ttl or disappearing.default(tx, work.row.conversation)
        content = replace(content, ttl=ttl, at=content.at if ttl is None else now_ms())
    return replace(content, after=sealed.select_newest(tx, work.row.conversation))


def mentions_of(content: Content) -> list[AccountId]:
    """Name to the server whom a message mentions, so that it can tell them."""
    said = content.mentions if isinstance(content, Text) else ()
    return [AccountId(UUID(bytes=account)) for account in said]


def _envelopes(tx: Tx, work: Sealing, own: Own, found: dict[AccountId, pins.Pin], plaintext: bytes) -> list[Envelope]:
    """Encrypt for every listed device but this one and those that the server has not seen for long."""
    envelopes: list[Envelope] = []
    missing: list[tuple[AccountId, ListedDevice]] = []
    for account, pin in found.items():
        for listed in pin.list.devices:
            if listed.device in pin.dormant or listed.device == own.device.bytes:
                continue
            if listed.device in work.unusable:
                envelopes.append(Envelope(pairwise.device_of(listed), 0))
                continue
            try:
                envelopes.append(pairwise.encrypt(tx, own, account, listed, plaintext))
            except NoSession:
                missing.append((account, listed))
    if missing:
        raise BundlesNeeded(missing)
    return envelopes


def _restored(tx: Tx, work: Sealing, what: Unsealed) -> list[tuple[bytes, bytes]]:
    """With a restore go the keys of the message's newest edits, which the others had to forget too."""
    if what.kind != kinds.DELETION or what.is_on or what.target_hash is None:
        return []
    target = sealed.select_hashed(tx, work.row.conversation, what.target_hash)
    about = entries.select_about(tx, work.row.conversation, target.seq, target.seq) if target else []
    edits = [sealed.select_at(tx, work.row.conversation, entry.seq) for entry in about if entry.kind == kinds.EDIT]
    found = [keys[0] for edit in edits if edit is not None and (keys := content_keys.select_keys(tx, edit.hash))]
    return [(given.key, given.hash) for given in found[-EDITS_AT_ONCE:]]


def _tag(own: Own, head: Head, content: Reaction) -> bytes:
    """Mark which reactions of one person are the same, so that only their own devices can tell which."""
    if own.account_key is None:
        raise KeyRefused("keys_needed")
    key = hkdf(NO_SALT, own.account_key.private, TAG_LABEL, 32)
    return hmac_sha256(key, head.target + content.emoji.encode())[:16]
