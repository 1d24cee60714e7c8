"""What may be said and changed. Pure."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from aparte.server.messages import content, rules
from aparte.server.messages.model import Target
from aparte.wire import limits
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position, first_id_at

ALICE, BOB = AccountId(UUID(int=1)), AccountId(UUID(int=2))
ROOM = ConversationId(UUID(int=3))
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def message(deleted: datetime | None = None, *, is_erased: bool = False) -> Target:
    """A message of alice, possibly deleted by bob."""
    deletion = first_id_at(deleted) if deleted else None
    return Target(Position(1, EntryId(UUID(int=9))), ALICE, 1, deletion, BOB if deletion else None, is_erased)


@pytest.mark.parametrize("text", [" ", "\n\t", "\u2003\u00a0", "\r\n \r\n"])
def test_blank_text_is_refused_whatever_the_blanks(text: str) -> None:
    """B-106: a message of newlines and tabs passed."""
    with pytest.raises(Refusal, match="blank"):
        content.check(MessageContent(text))


def test_metadata_is_bounded() -> None:
    fits = {"k": "x" * (limits.METADATA_BYTES - len('{"k":""}'))}
    content.check(MessageContent("hi", metadata=fits))
    with pytest.raises(Refusal, match="metadata"):
        content.check(MessageContent("hi", metadata={"k": fits["k"] + "x"}))


def test_a_digest_tells_apart_conversation_kind_target_and_words() -> None:
    other = ConversationId(UUID(int=4))
    target = EntryId(UUID(int=5))
    digests = {
        rules.digest(ROOM, 1, None, b"a"),
        rules.digest(other, 1, None, b"a"),
        rules.digest(ROOM, 2, None, b"a"),
        rules.digest(ROOM, 1, target, b"a"),
        rules.digest(ROOM, 1, None, b"b"),
    }
    assert len(digests) == 5
    assert all(-(2**63) <= d < 2**63 for d in digests)


def test_only_the_author_edits_and_only_words_that_are_there() -> None:
    rules.check_edit(message(), ALICE)
    with pytest.raises(Refusal, match="forbidden"):
        rules.check_edit(message(), BOB)
    for gone in (message(NOW), message(is_erased=True)):
        with pytest.raises(Refusal, match="gone"):
            rules.check_edit(gone, ALICE)


def test_a_deletion_is_taken_back_within_thirty_days() -> None:
    """G-11."""
    rules.check_restore(message(NOW - timedelta(days=30) + timedelta(seconds=1)), NOW)
    with pytest.raises(Refusal, match="gone"):
        rules.check_restore(message(NOW - timedelta(days=30, seconds=1)), NOW)
    with pytest.raises(Refusal, match="invalid"):
        rules.check_restore(message(), NOW)
    with pytest.raises(Refusal, match="gone"):
        rules.check_restore(message(NOW, is_erased=True), NOW)
    with pytest.raises(Refusal, match="gone"):
        rules.check_delete(message(NOW))
