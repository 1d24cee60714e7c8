"""What happened is told in both languages, from statements and entries alone."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest

from aparte.client.core import events
from aparte.client.core.events import POLICIES, ROLES, Happened, happened, policy_bits, policy_names, role_number
from aparte.client.happenings import listed, policy_in_words, tell
from aparte.client.model import Message, event_message
from aparte.client.store.conversations import ConversationRow
from aparte.e2ee.invite import link_key
from aparte.e2ee.statement import Action, Statement
from aparte.wire import kinds
from aparte.wire.content import Profile
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import START, AccountId, ConversationId, EntryId
from aparte.wire.messages import Entry

ALICE, BOB, CAROL = (AccountId(UUID(int=number)) for number in (1, 2, 3))
NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol"}
GROUP = ConversationId(uuid4())
ROW = ConversationRow(GROUP, "group", "e2ee", "salon", "", "", "member", START, 0)


def entry(kind: int, body: Any, *, seq: int = 1, account: AccountId = ALICE) -> Entry:
    return Entry(seq, EntryId(uuid4()), kind, datetime.now(UTC), account, body=body)


def stated(action: Action, *, seq: int = 1, **fields: Any) -> Entry:
    said = Statement(GROUP.bytes, 2, b"\1" * 32, action, ALICE.bytes, 1, **fields)
    body = kinds.StatementChange(SignedStatement(said.serialize(), bytes(64)), 1, bytes(32))
    return entry(kinds.STATEMENT, body, seq=seq)


def shown(found: Entry, before: Profile | None = None) -> Message:
    told = happened(found, before)
    assert told is not None
    return event_message(told, ROW, "+salon", NAMES)


def both(found: Entry, before: Profile | None = None) -> tuple[str, str]:
    message = shown(found, before)
    return tell(message, "en"), tell(message, "fr")


KEY = link_key(bytes(16)).public.serialize()
STORY = [
    (stated(Action.ADD, subject=BOB.bytes, subject_key=KEY, role=1), "alice added bob", "alice a ajouté bob"),
    (stated(Action.REMOVE, subject=BOB.bytes), "alice removed bob", "alice a retiré bob"),
    (stated(Action.LEAVE, subject=ALICE.bytes), "alice left", "alice a quitté le groupe"),
    (stated(Action.ROLE, subject=BOB.bytes, role=3), "alice made bob an admin", "alice a nommé bob administrateur"),
    (
        stated(Action.LINK, subject_key=KEY, role=1),
        "alice opened an invite link",
        "alice a ouvert un lien d'invitation",
    ),
    (stated(Action.LINK, subject_key=KEY), "alice closed an invite link", "alice a fermé un lien d'invitation"),
]


@pytest.mark.parametrize(("found", "english", "french"), STORY)
def test_a_statement_becomes_a_sentence(found: Entry, english: str, french: str) -> None:
    assert both(found) == (english, french)


def test_everything_that_can_happen_has_its_sentence() -> None:
    for deed in get_args(events.Deed):
        told = Happened(stated(Action.LEAVE), deed, ALICE, (BOB,), "owner", ("history",), "x")
        message = event_message(told, ROW, "+salon", NAMES)
        english, french = tell(message, "en"), tell(message, "fr")
        assert english != french
        assert english.startswith("alice ")
        assert french.startswith("alice ")
        assert "{" not in english + french, deed


def test_a_new_name_is_told_before_a_new_topic() -> None:
    before = Profile("salon", "tout", "")
    for after, sentence in (
        (Profile("cercle", "rien"), "alice named the group cercle"),
        (Profile("salon", "rien"), "alice set the topic: rien"),
        (Profile("salon", ""), "alice removed the topic"),
        (Profile("salon", "tout", "tout au long"), "alice changed the description"),
        (Profile("salon", "tout", rules="be kind"), "alice changed the description"),
    ):
        assert both(entry(kinds.PROFILE, after), before)[0] == sentence
    assert both(entry(kinds.PROFILE, before))[0] == "alice named the group salon"


def test_names_with_braces_stay_as_they_are() -> None:
    assert both(entry(kinds.PROFILE, Profile("{actor} {0}")))[0] == "alice named the group {actor} {0}"


def test_pins_are_told_of() -> None:
    assert [both(entry(kinds.PIN, kinds.Switch(on)))[0] for on in (True, False)] == [
        "alice pinned a message",
        "alice unpinned a message",
    ]


def test_what_cannot_be_read_is_not_told() -> None:
    bad = kinds.StatementChange(SignedStatement(bytes(165), bytes(64)), 1, bytes(32))
    assert happened(entry(kinds.STATEMENT, bad), None) is None
    assert happened(entry(kinds.PROFILE, None), None) is None
    assert happened(entry(kinds.MESSAGE, {"text": "x"}), None) is None


def test_admissions_by_one_person_are_gathered() -> None:
    added = [
        Happened(
            stated(Action.ADD, seq=seq, subject=who.bytes, subject_key=KEY, role=1), "added", ALICE, (who,), "member"
        )
        for seq, who in enumerate((BOB, CAROL), 1)
    ]
    other = replace(added[0], actor=CAROL)
    [together] = events.gathered(added)
    assert (together.subjects, together.entry.seq) == ((BOB, CAROL), 2)
    assert len(events.gathered([added[0], other, added[1]])) == 3


def test_many_people_are_counted() -> None:
    assert listed(("a",), "en") == "a"
    assert listed(("a", "b"), "fr") == "a et b"
    assert listed(("a", "b", "c", "d"), "en") == "a, b, c and d"
    assert listed(tuple("abcdefg"), "en") == "a, b, c and 4 others"
    assert listed(tuple("abcdefg"), "fr") == "a, b, c et 4 autres"


def test_policy_is_told_by_what_it_means() -> None:
    assert policy_in_words((), "en") == "admins add people, newcomers read from their arrival on, everybody writes"
    for language in ("en", "fr"):
        assert len({policy_in_words(policy_names(bits), language) for bits in range(8)}) == 8  # type: ignore[arg-type]


def test_names_of_bits_and_roles_go_both_ways() -> None:
    for bits in range(8):
        assert policy_bits(policy_names(bits)) == bits
    assert sorted(POLICIES.values()) == [1, 2, 4]
    assert [role_number(role) for role in ROLES] == [1, 2, 3, 4]


def test_what_somebody_said_is_no_event() -> None:
    message = replace(shown(stated(Action.LEAVE, subject=ALICE.bytes)), event=None, text="hello")
    assert tell(message) == ""
