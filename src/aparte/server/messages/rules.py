"""What may be said and changed: pure. Sources: R-184, B-106 (blank text), C-26, G-10, G-11."""

import hashlib
from datetime import datetime, timedelta

from aparte.server.messages.model import RECOVERY_DAYS, Change, Repeat, Target
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, EntryId, time_of
from aparte.wire.kinds import Switch
from aparte.wire.messages import Entry

PAGE_BYTES = 512 * 1024
"""What one page of the log weighs at most, so that no reader's buffer is filled by one answer."""
ENTRY_BYTES = 512


def check_content(content: MessageContent) -> bytes:
    """Refuse blank text and oversized metadata; give the JSON to store."""
    if not content.text.strip():
        raise Refusal("invalid", "text is blank")
    if content.metadata and len(to_json(content.metadata)) > limits.METADATA_BYTES:
        raise Refusal("invalid", f"metadata is larger than {limits.METADATA_BYTES} bytes")
    return to_json(content)


def digest(conversation: ConversationId, kind: int, target: EntryId | None, body: bytes) -> int:
    """Stand for what was sent: first 8 bytes of SHA-256(conversation, kind, target, body), as PostgreSQL's bigint."""
    about = conversation.bytes + bytes([kind]) + (target.bytes if target else bytes(16))
    return int.from_bytes(hashlib.sha256(about + body).digest()[:8], "big", signed=True)


def digest_of(change: Change) -> int:
    """Stand for an edit, deletion or restore."""
    return digest(change.conversation, change.kind, change.message, to_json(change.body))


def check_repeat(repeat: Repeat, wanted: int) -> None:
    """The same client id for the same thing is a repeat; for another thing it is a mistake of the client."""
    if repeat.digest != wanted:
        raise Refusal("client_id_reused")


def check_edit(target: Target, author: AccountId) -> None:
    """Only the author changes words, and only words that are there."""
    if target.account != author:
        raise Refusal("forbidden", "only the author edits a message")
    if target.deletion is not None or target.is_erased:
        raise Refusal("gone")


def check_delete(target: Target) -> None:
    """What is deleted cannot be deleted again."""
    if target.deletion is not None or target.is_erased:
        raise Refusal("gone")


def check_restore(target: Target, now: datetime) -> None:
    """A deletion can be taken back for 30 days."""
    if target.deletion is None:
        raise Refusal("invalid", "the message is not deleted")
    if target.is_erased or now - time_of(target.deletion) > timedelta(days=RECOVERY_DAYS):
        raise Refusal("gone")


def page_of(entries: list[Entry]) -> list[Entry]:
    """Cut a page of the log where it grows too large for one frame; at least one entry is always there."""
    size = 0
    for count, entry in enumerate(entries):
        size += weight(entry)
        if count and size > PAGE_BYTES:
            return entries[:count]
    return entries


def weight(entry: Entry) -> int:
    """About how many bytes an entry takes on the wire: four for each character, and its ids."""
    body = entry.body.content if isinstance(entry.body, Switch) else entry.body
    if isinstance(body, MessageContent):
        return ENTRY_BYTES + 4 * len(body.text) + (limits.METADATA_BYTES if body.metadata else 0)
    return ENTRY_BYTES
