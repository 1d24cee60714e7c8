"""From rows to what is shown and named: entries, what they say, and the hashes of what is sealed. Pure."""

import hashlib
from typing import Any

import msgspec

from aparte.e2ee.entry import ZERO_HASH, Head, entry_hash
from aparte.server.kit.db import Row
from aparte.wire import kinds
from aparte.wire.codec import convert
from aparte.wire.content import MessageContent
from aparte.wire.ids import ConversationId, Position, time_of
from aparte.wire.messages import Entry
from aparte.wire.sealed import Sealed

_BODIES = {number: msgspec.json.Decoder(kind.body) for number, kind in kinds.KINDS.items()}


def content_of(stored: Any) -> MessageContent | None:
    """Read stored content: JSON bytes on the log's pool, already decoded on the others."""
    if stored is None:
        return None
    if isinstance(stored, bytes):
        content: MessageContent = _BODIES[kinds.MESSAGE].decode(stored)
        return content
    return convert(stored, MessageContent)


def entry_of(row: Row, sealed: Sealed | None = None) -> Entry:
    """Render an entry for the wire; a restore of a readable message carries what it says now."""
    kind = row["kind"]
    body = row["body"]
    if body is not None:
        body = _BODIES[kind].decode(body) if kind in _BODIES else msgspec.json.decode(body)
    if isinstance(body, kinds.Switch) and not body.on and row["restored"] is not None:
        body = kinds.Switch(on=False, content=content_of(row["restored"]))
    return Entry(
        seq=row["seq"],
        id=row["id"],
        kind=kind,
        at=time_of(row["id"]),
        account=row["account_id"],
        device=row["device_id"],
        client_message_id=row["client_message_id"],
        ordinal=row["ordinal"],
        target=Position(row["target_seq"], row["target_id"]) if row["target_id"] else None,
        expires_at=row["expires_at"],
        body=body,
        sealed=sealed,
    )


def digest_of(row: Row) -> bytes:
    """SHA-256 of what was sealed: kept once it is erased."""
    content: bytes | None = row["sealed"]
    digest: bytes = row["sealed_hash"] if content is None else hashlib.sha256(content).digest()
    return digest


def hash_of(conversation: ConversationId, row: Row) -> bytes:
    """Name a stored message as its readers do: its head is rebuilt from its row."""
    head = Head(
        kinds.MESSAGE,
        conversation.bytes,
        row["account_id"].bytes,
        row["device_id"].bytes,
        row["epoch"],
        row["roster"],
        row["counter"],
        row["client_message_id"].bytes,
        row["prev"],
        row["target"] or ZERO_HASH,
    )
    return entry_hash(head, digest_of(row))
