"""Scheduled messages on a device: what is refused of one, keys that come before it, and drafts that wait."""

import secrets
from pathlib import Path
from uuid import uuid4

import pytest

from aparte.client.core import checks
from aparte.client.core.checks import EARLY_MS, Place
from aparte.client.crypto.upkeep import ANSWERED_DAYS, DAY_MS
from aparte.client.profiles import Folder
from aparte.client.store import drafts, early_keys
from aparte.client.store.content_keys import ContentKey
from aparte.client.store.db import Store
from aparte.client.store.drafts import DraftRow
from aparte.client.store.early_keys import KEPT_EACH
from aparte.e2ee.content import Deletion, Text
from aparte.e2ee.entry import ZERO_HASH, Head
from aparte.wire import kinds
from aparte.wire.ids import AccountId, ConversationId, DeviceId

DUE = 1_800_000_000_000
HASH = b"\x07" * 32


def head(counter: int = 0, kind: int = kinds.MESSAGE, prev: bytes = ZERO_HASH) -> Head:
    """A head with a place."""
    return Head(kind, b"c" * 16, b"a" * 16, b"d" * 16, 3, b"r" * 32, counter, b"i" * 16, prev)


def text(due: int | None = DUE) -> Text:
    """A message."""
    return Text(at=1, text="later", due=due)


@pytest.mark.parametrize(
    ("counter", "due", "said_at", "is_repeat", "code"),
    [
        (0, DUE, DUE, False, None),
        (0, DUE, DUE + 10**9, False, None),
        (0, DUE, DUE - EARLY_MS, False, None),
        (0, DUE, DUE - EARLY_MS - 1, False, "bad_entry"),
        (0, DUE, DUE, True, "replayed"),
        (0, None, DUE, False, "bad_entry"),
        (1, DUE, DUE, False, "bad_entry"),
        (1, None, DUE, False, None),
    ],
)
def test_a_scheduled_message_comes_once_and_not_before_its_time(
    counter: int, due: int | None, said_at: int, is_repeat: bool, code: str | None
) -> None:
    assert checks.due_code(head(counter), text(due), said_at, is_repeat=is_repeat) == code


def test_only_messages_have_a_time_of_their_own() -> None:
    content = Deletion(at=1, on=True)
    assert checks.due_code(head(0, kinds.DELETION), content, DUE, is_repeat=False) == "bad_entry"
    assert checks.due_code(head(5, kinds.DELETION), content, DUE, is_repeat=False) is None


def test_outside_of_the_chain_there_is_nothing_before_it_and_nothing_but_messages() -> None:
    place = Place(newest_epoch=3, known_roster=b"r" * 32, is_known=False, newest_counter=9)
    assert checks.place_code(head(), HASH, place) is None
    assert not checks.leaves_gap(head(), place)
    assert checks.place_code(head(prev=HASH), HASH, place) == "entry_forked"
    assert checks.place_code(head(kind=kinds.EDIT), HASH, place) == "entry_forked"
    known = Place(newest_epoch=3, known_roster=b"r" * 32, is_known=True)
    assert checks.place_code(head(), HASH, known) == "replayed"
    later = Place(newest_epoch=4, known_roster=b"r" * 32, is_known=False)
    assert checks.place_code(head(), HASH, later) == "epoch_back"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Folder.of("somebody", tmp_path).open(None, create=True)


def key(digest: bytes, device: DeviceId) -> ContentKey:
    """A key for an entry."""
    return ContentKey(digest, secrets.token_bytes(32), AccountId(uuid4()), device)


def test_of_one_device_so_many_early_keys_are_kept_and_it_takes_nobody_elses_place(store: Store) -> None:
    """A peer that sends keys for entries that never come fills its own place alone."""
    greedy, other = DeviceId(uuid4()), DeviceId(uuid4())
    with store.transaction() as tx:
        early_keys.insert_early(tx, key(b"\xff" * 32, other), 0)
        for number in range(KEPT_EACH + 1):
            early_keys.insert_early(tx, key(number.to_bytes(32, "big"), greedy), number)
        assert early_keys.select_early(tx, bytes(32)) == []
        assert len(early_keys.select_early(tx, (1).to_bytes(32, "big"))) == 1
        assert len(early_keys.select_early(tx, b"\xff" * 32)) == 1


def test_the_first_key_that_a_device_gave_stays_and_old_ones_go(store: Store) -> None:
    device = DeviceId(uuid4())
    first = key(HASH, device)
    with store.transaction() as tx:
        early_keys.insert_early(tx, first, 1_000)
        early_keys.insert_early(tx, ContentKey(HASH, bytes(32), first.account, device), 2_000)
        assert early_keys.select_early(tx, HASH) == [first]
        assert early_keys.delete_old(tx, 1_000) == 0
        assert early_keys.delete_old(tx, 1_001) == 1
    assert ANSWERED_DAYS * DAY_MS == 60 * 86_400_000


def test_of_drafts_that_wait_the_last_one_counts(store: Store) -> None:
    place = ConversationId(uuid4())
    first, second = DraftRow(place, "first", 1), DraftRow(place, "second", 2)
    with store.transaction() as tx:
        drafts.upsert_draft(tx, first)
        drafts.upsert_draft(tx, second)
        drafts.delete_saved(tx, first)
        assert drafts.select_unsaved(tx) == [second]
        drafts.delete_saved(tx, second)
        forgotten = DraftRow(place, None, 3)
        drafts.upsert_draft(tx, forgotten)
        assert drafts.select_draft(tx, place) == forgotten
        drafts.delete_saved(tx, forgotten)
        assert drafts.select_unsaved(tx) == []


def test_words_stand_in_no_representation() -> None:
    assert "secret" not in repr(DraftRow(ConversationId(uuid4()), "secret", 1))
