"""What a link says of a group on the device of who follows it: taken where nothing is known, and nowhere else."""

import pytest
from tests.client.test_disguises import GROUP, change, group, room, store

from aparte.client import local_log
from aparte.client.crypto import cards
from aparte.client.store import conversations, notices
from aparte.client.store.db import Store
from aparte.e2ee import canonical, container, invite_card
from aparte.e2ee.invite import Invite
from aparte.e2ee.invite_card import Card
from aparte.e2ee.padding import pad
from aparte.wire.content import Profile
from aparte.wire.ids import ConversationId

__all__ = ["store"]

INVITE = Invite(GROUP.bytes, b"\x05" * 16)
CARD = Card(name="Tea party", topic="every day", description="at six")


def said(store: Store, conversation: ConversationId) -> tuple[str, str, str]:
    with store.reading() as tx:
        row = conversations.select_conversation(tx, conversation)
    assert row is not None
    return row.name, row.topic, row.description


def told(store: Store) -> list[str]:
    with store.reading() as tx:
        return [notice.code for notice in notices.select_unshown(tx)]


def test_the_first_link_names_a_group_that_is_silent(store: Store) -> None:
    local_log.keep(store, group())
    for card in (CARD, Card(name="The bank")):
        with store.transaction() as tx:
            cards.take(tx, GROUP, card)
    assert said(store, GROUP) == ("Tea party", "every day", "at six")
    with store.reading() as tx:
        assert [row.conversation for row in conversations.select_groups(tx, "tea PARTY")] == [GROUP]
    with store.transaction() as tx:
        conversations.update_profile(tx, GROUP, Profile("Friends", "", ""))
    assert said(store, GROUP) == ("Friends", "", "")


def test_no_link_names_what_has_a_name_or_is_no_group(store: Store) -> None:
    nameless = change(room(), name="")
    for found in (group(), nameless):
        local_log.keep(store, found)
    with store.transaction() as tx:
        conversations.update_profile(tx, GROUP, Profile("Friends", "", ""))
        for found in (group(), nameless):
            cards.take(tx, found.id, CARD)
    assert said(store, GROUP) == ("Friends", "", "")
    assert said(store, nameless.id) == ("", "", "")


LATER = container.seal(
    invite_card.card_key(INVITE.seed), b"invite", pad(canonical.encode(Card(v=2, name="x"))), lambda _: bytes(32)
)


@pytest.mark.parametrize(
    ("given", "is_told"),
    [(None, False), (LATER, False), (b"", True), (bytes(200), True), (cards.sealed(bytes(16), CARD), True)],
)
def test_what_does_not_open_says_nothing(store: Store, given: bytes | None, is_told: bool) -> None:
    with store.transaction() as tx:
        assert cards.opened(tx, GROUP, INVITE, given) is None
        assert cards.opened(tx, GROUP, INVITE, given) is None
    assert told(store) == ["bad_invite"] * is_told


def test_what_was_sealed_for_the_link_opens(store: Store) -> None:
    with store.transaction() as tx:
        assert cards.opened(tx, GROUP, INVITE, cards.sealed(INVITE.seed, CARD)) == CARD
    assert told(store) == []
