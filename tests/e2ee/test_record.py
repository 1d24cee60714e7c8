"""Records: opened under the account's key and their own name, and not otherwise; drafts at their longest too."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee import record
from aparte.e2ee.content import TEXT_MAX
from aparte.e2ee.errors import InvalidMessage, NeedsNewer
from aparte.e2ee.record import DRAFT, DRAFT_BYTES_MAX, Draft
from aparte.wire import limits

PRIVATE, CONVERSATION = b"\x48" * 32, b"\xc0" * 16
pack = msgspec.msgpack.encode
written_characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


def salt(length: int) -> bytes:
    return b"\x07" * length


def sealed(data: bytes) -> bytes:
    """What nobody would write."""
    return record.seal(PRIVATE, DRAFT + CONVERSATION, data, salt)


@given(st.binary(max_size=1_000), st.binary(max_size=40))
def test_a_record_is_opened_as_it_was_sealed(data: bytes, name: bytes) -> None:
    assert record.open_(PRIVATE, name, record.seal(PRIVATE, name, data, salt)) == data


@given(st.text(written_characters, min_size=1, max_size=TEXT_MAX), st.integers(0, 2**53 - 1))
def test_a_draft_is_read_as_it_was_written(text: str, at: int) -> None:
    draft = Draft(at=at, text=text)
    assert record.open_draft(PRIVATE, CONVERSATION, record.seal_draft(PRIVATE, CONVERSATION, draft, salt)) == draft


def test_the_longest_draft_fits_and_no_longer_container_is_looked_at() -> None:
    longest = Draft(at=2**53 - 1, text="👋" * TEXT_MAX)
    assert len(record.seal_draft(PRIVATE, CONVERSATION, longest, salt)) == 16_245 < DRAFT_BYTES_MAX
    assert limits.DRAFT_BYTES == DRAFT_BYTES_MAX
    with pytest.raises(InvalidMessage):
        record.open_draft(PRIVATE, CONVERSATION, sealed(pack({"v": 1, "at": 1, "text": "x", "later": bytes(16_384)})))


def test_how_long_a_draft_is_shows_in_steps_alone() -> None:
    lengths = {len(record.seal_draft(PRIVATE, CONVERSATION, Draft(at=1, text="x" * n), salt)) for n in range(1, 141)}
    assert len(lengths) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"at": 1, "text": ""},
        {"at": 1, "text": "x" * (TEXT_MAX + 1)},
        {"at": 1, "text": "\0"},
        {"at": -1, "text": "x"},
        {"text": "x"},
        {"at": 1},
        {"at": 1, "text": b"x"},
    ],
)
def test_what_is_no_draft_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage):
        record.open_draft(PRIVATE, CONVERSATION, sealed(pack({"v": 1, **fields})))


def test_white_space_is_a_draft() -> None:
    assert record.open_draft(PRIVATE, CONVERSATION, sealed(pack({"v": 1, "at": 1, "text": "\n"}))).text == "\n"


@pytest.mark.parametrize(
    "draft", [Draft(at=1, text=""), Draft(at=1, text="x" * (TEXT_MAX + 1)), Draft(v=2, at=1, text="x")]
)
def test_what_would_not_be_read_is_not_written(draft: Draft) -> None:
    with pytest.raises(InvalidMessage):
        record.seal_draft(PRIVATE, CONVERSATION, draft, salt)


def test_a_later_version_is_named_as_one() -> None:
    with pytest.raises(NeedsNewer):
        record.open_draft(PRIVATE, CONVERSATION, sealed(pack({"v": 2, "at": 1, "text": "x"})))


def test_another_key_another_name_another_bit() -> None:
    written = record.seal_draft(PRIVATE, CONVERSATION, Draft(at=1, text="x"), salt)
    for private, conversation in ((b"\x49" * 32, CONVERSATION), (PRIVATE, b"\xc1" * 16)):
        with pytest.raises(InvalidMessage):
            record.open_draft(private, conversation, written)
    for place in range(0, len(written), 7):
        with pytest.raises(InvalidMessage):
            record.open_draft(
                PRIVATE, CONVERSATION, written[:place] + bytes([written[place] ^ 1]) + written[place + 1 :]
            )
    for short in (b"", PRIVATE[1:]):
        with pytest.raises(InvalidMessage):
            record.record_key(short)
