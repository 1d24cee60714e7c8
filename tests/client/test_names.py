"""What names lead to; and whose they are: the server's word until somebody is verified, and theirs from then on."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.client.lists import Owner

from aparte.client import local_log
from aparte.client.core.names import GroupTarget, IdTarget, group_title, parse_target
from aparte.client.crypto import pins, verifying
from aparte.client.errors import ClientError
from aparte.client.profiles import Folder
from aparte.client.store import people
from aparte.client.store.db import Store
from aparte.wire.accounts import Person
from aparte.wire.ids import AccountId, ConversationId

MALLORY = AccountId(uuid4())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.delenv("APARTE_PASSPHRASE", raising=False)
    here = Folder.of("ann", tmp_path).open(None, create=True)
    yield here
    here.close()


@pytest.fixture
def bob(store: Store) -> AccountId:
    owner = Owner.new()
    with store.transaction() as tx:
        pins.take(tx, owner.account, [owner.signed()], 0)
    told(store, (owner.account, "bob"))
    return owner.account


def told(store: Store, *named: tuple[AccountId, str]) -> None:
    """What the server says of names."""
    local_log.keep_people(store, [Person(account, "user", name, name) for account, name in named])


def named(store: Store, username: str) -> AccountId | None:
    with store.reading() as tx:
        return people.select_account(tx, username)


def test_before_that_the_server_says_who_is_called_what(store: Store, bob: AccountId) -> None:
    told(store, (bob, "robert"), (MALLORY, "bob"))
    assert named(store, "bob") == MALLORY
    assert local_log.usernames(store, [bob, MALLORY]) == {bob: "robert", MALLORY: "bob"}


def test_whoever_was_verified_keeps_the_name(store: Store, bob: AccountId) -> None:
    with store.transaction() as tx:
        verifying.accept(tx, bob)
    told(store, (MALLORY, "Bob"), (bob, "robert"))
    assert named(store, "bob") == named(store, "BOB") == bob
    assert named(store, "robert") is None
    assert local_log.usernames(store, [bob, MALLORY]) == {bob: "bob"}
    told(store, (MALLORY, "mallory"))
    assert local_log.usernames(store, [bob, MALLORY]) == {bob: "bob", MALLORY: "mallory"}


def test_an_earlier_namesake_does_not_stand_before_whoever_is_verified(store: Store, bob: AccountId) -> None:
    told(store, (AccountId(UUID(int=0)), "bob"))
    with store.transaction() as tx:
        verifying.accept(tx, bob)
    assert named(store, "bob") == bob


def test_a_plus_names_a_group() -> None:
    group = uuid4()
    assert parse_target("+Book club ") == GroupTarget("Book club")
    assert parse_target("++") == GroupTarget("+")
    assert parse_target(f"+{group}") == parse_target(str(group)) == IdTarget(ConversationId(group))
    assert group_title("Book club", ConversationId(group)) == "+Book club"
    assert parse_target(group_title("", ConversationId(group))) == IdTarget(ConversationId(group))


@pytest.mark.parametrize("text", ["+", "+ ", "book", ""])
def test_a_plus_alone_names_nothing(text: str) -> None:
    with pytest.raises(ClientError, match="bad_target"):
        parse_target(text)
