"""Statements: one form for each action, and a signature over all of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.e2ee.groups import Group, with_roles
from tests.e2ee.people import seeded

from aparte.e2ee import invite, membership
from aparte.e2ee.canonical import INTEGER_MAX
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import ADMIN, MEMBER, MODERATOR, OWNER, Action, Signed, Statement
from aparte.e2ee.statement import NO_ID, STATEMENT_BYTES

ME, YOU, CONVERSATION, SEED = b"\x01" * 16, b"\x02" * 16, b"\xc0" * 16, b"\x05" * 16
KEY = KeyPair.generate(seeded(5)).public.serialize()
ARG = b"\x0a" * 16


def statement(action: Action, **fields: object) -> Statement:
    """A sound one of each action."""
    made = Statement(CONVERSATION, 2, b"\x11" * 32, action, ME, 3)
    sound = {
        Action.CREATE: replace(
            made, conversation=NO_ID, number=1, previous=bytes(32), subject=ME, subject_key=KEY, role=OWNER, arg=ARG
        ),
        Action.ADD: replace(made, subject=YOU, subject_key=KEY, role=MEMBER),
        Action.REMOVE: replace(made, subject=YOU),
        Action.LEAVE: replace(made, subject=ME),
        Action.ROLE: replace(made, subject=YOU, role=ADMIN),
        Action.LINK: replace(made, subject_key=KEY, role=MEMBER, arg=membership.link_terms(9, 9)),
        Action.JOIN: replace(made, subject=ME, subject_key=KEY, role=MEMBER, arg=ARG),
        Action.POLICY: replace(made, policy=7),
    }[action]
    return replace(sound, **fields)


@pytest.mark.parametrize("action", Action)
def test_what_is_written_is_read(action: Action) -> None:
    made = statement(action)
    data = made.serialize()
    assert len(data) == STATEMENT_BYTES
    assert Statement.deserialize(data) == made


SOUND: list[tuple[Action, dict[str, object]]] = [
    *((Action.CREATE, {"policy": policy}) for policy in range(8)),
    *((Action.ADD, {"role": role}) for role in (MEMBER, MODERATOR, ADMIN)),
    *((Action.ROLE, {"role": role}) for role in (MEMBER, MODERATOR, ADMIN, OWNER)),
    *((Action.LINK, {"role": role}) for role in (MEMBER, MODERATOR, ADMIN)),
    *((Action.JOIN, {"role": role}) for role in (MEMBER, MODERATOR, ADMIN)),
    *((Action.POLICY, {"policy": policy}) for policy in range(8)),
    (Action.LINK, {"role": 0, "arg": bytes(16)}),
    (Action.LINK, {"arg": bytes(16)}),
    (Action.LINK, {"arg": membership.link_terms(INTEGER_MAX, 2**32 - 1)}),
    (Action.ADD, {"number": INTEGER_MAX}),
    (Action.ADD, {"actor_version": INTEGER_MAX}),
    (Action.ADD, {"actor_version": 1}),
    (Action.ADD, {"previous": bytes(32)}),
]

UNUSED = {
    Action.ADD: ("policy", "arg"),
    Action.REMOVE: ("subject_key", "role", "policy", "arg"),
    Action.LEAVE: ("subject_key", "role", "policy", "arg"),
    Action.ROLE: ("subject_key", "policy", "arg"),
    Action.LINK: ("subject", "policy"),
    Action.JOIN: ("policy",),
    Action.POLICY: ("subject", "subject_key", "role", "arg"),
}
USED = {"subject": YOU, "subject_key": KEY, "role": 1, "policy": 1, "arg": ARG}

ILL_FORMED: list[tuple[Action, dict[str, object]]] = [
    *((action, {name: USED[name]}) for action, names in UNUSED.items() for name in names),
    *((action, {"role": role}) for action in (Action.ADD, Action.JOIN) for role in (0, OWNER, 5, 255)),
    *((Action.LINK, {"role": role}) for role in (0, OWNER, 5, 255)),
    *((Action.ROLE, {"role": role}) for role in (0, 5, 255)),
    *((Action.CREATE, {"role": role}) for role in (0, MEMBER, ADMIN, 5)),
    *((action, {"policy": policy}) for action in (Action.CREATE, Action.POLICY) for policy in (8, 128, 255)),
    *((action, {"subject": NO_ID}) for action in (Action.CREATE, Action.ADD, Action.REMOVE, Action.LEAVE)),
    *((action, {"subject": NO_ID}) for action in (Action.ROLE, Action.JOIN)),
    *((action, {"subject": ME}) for action in (Action.ADD, Action.REMOVE, Action.ROLE, Action.LINK, Action.POLICY)),
    *((action, {"subject": YOU}) for action in (Action.CREATE, Action.LEAVE, Action.JOIN)),
    *(
        (action, {"subject_key": key})
        for action in (Action.CREATE, Action.ADD, Action.LINK, Action.JOIN)
        for key in (bytes(33), b"\x06" + KEY[1:], b"\x05" + bytes(32), b"\x05" + b"\xff" * 32)
    ),
    *((action, {"actor": NO_ID}) for action in Action),
    *((action, {"actor_version": version}) for action in Action for version in (0, INTEGER_MAX + 1, 2**64 - 1)),
    *((action, {"number": number}) for action in (Action.ADD, Action.LINK) for number in (0, 2**53, 2**64 - 1)),
    (Action.LINK, {"arg": membership.link_terms(INTEGER_MAX + 1, 0)}),
    (Action.LINK, {"arg": membership.link_terms(9, 9)[:15] + b"\1"}),
    (Action.LINK, {"role": 0, "arg": membership.link_terms(9, 9)}),
    (Action.CREATE, {"conversation": CONVERSATION}),
    (Action.CREATE, {"number": 2}),
    (Action.CREATE, {"previous": b"\1" + bytes(31)}),
    (Action.ADD, {"conversation": NO_ID, "number": 1, "previous": bytes(32)}),
]


@pytest.mark.parametrize(("action", "fields"), SOUND)
def test_sound_statements_are_read(action: Action, fields: dict[str, object]) -> None:
    made = statement(action, **fields)
    assert Statement.deserialize(made.serialize()) == made


@pytest.mark.parametrize(("action", "fields"), ILL_FORMED)
def test_ill_formed_statements_are_refused(action: Action, fields: dict[str, object]) -> None:
    made = statement(action, **fields)
    with pytest.raises(BadStatement):
        Statement.deserialize(made.serialize())
    with pytest.raises(BadStatement):
        made.check()


@pytest.mark.parametrize(
    "fields",
    [
        {"conversation": bytes(15)},
        {"previous": bytes(33)},
        {"actor": b""},
        {"subject": bytes(17)},
        {"subject_key": bytes(32)},
        {"arg": bytes(20)},
        {"number": -1},
        {"number": 2**64},
        {"actor_version": 2**64},
        {"role": 256},
        {"policy": -1},
        {"subject": bytes(15), "subject_key": bytes(34)},
    ],
)
def test_fields_that_do_not_fit_their_places_are_not_written(fields: dict[str, object]) -> None:
    with pytest.raises(BadStatement):
        statement(Action.ADD, **fields).serialize()


@pytest.mark.parametrize(("expires", "uses"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**32)])
def test_terms_of_a_link_that_do_not_fit_are_not_written(expires: int, uses: int) -> None:
    with pytest.raises(BadStatement):
        membership.link_terms(expires, uses)


def test_terms_of_a_link_are_read_as_they_were_written() -> None:
    link = statement(Action.LINK, arg=membership.link_terms(1_800_000_000, 25))
    assert (link.expires, link.uses) == (1_800_000_000, 25)


@pytest.mark.parametrize("action", Action)
def test_a_statement_cut_off_or_under_another_label_is_refused(action: Action) -> None:
    data = statement(action).serialize()
    others = [data[:length] for length in range(STATEMENT_BYTES)] + [data + b"\0"]
    others += [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(17)]
    for other in others:
        with pytest.raises(BadStatement):
            Statement.deserialize(other)


@given(st.binary(max_size=200) | st.binary(min_size=STATEMENT_BYTES, max_size=STATEMENT_BYTES))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadStatement):
        Statement.deserialize(data)


@given(st.sampled_from(Action), st.data())
def test_changed_bytes_are_refused_or_another_statement(action: Action, data: st.DataObject) -> None:
    """What is read is written again byte for byte: no statement has two forms."""
    written = bytearray(statement(action).serialize())
    for _ in range(data.draw(st.integers(1, 4))):
        written[data.draw(st.integers(17, STATEMENT_BYTES - 1))] = data.draw(st.integers(0, 255))
    try:
        found = Statement.deserialize(bytes(written))
    except BadStatement:
        return
    assert found.serialize() == bytes(written)


def spoken(action: Action) -> tuple[Group, Signed]:
    """A group, and a statement of this kind that would be right there."""
    group, (owner, _, *_, outside) = with_roles(MODERATOR)
    group.link(owner, SEED)
    other = group.people.accounts[1]
    if action is Action.JOIN:
        link_id = invite.link_id(invite.link_key(SEED).public)
        said = group.next(outside, action, subject=outside.id, subject_key=outside.key33, role=1, arg=link_id)
        return group, group.sign(said, seed=SEED)
    said = {
        Action.ADD: group.next(owner, Action.ADD, subject=outside.id, subject_key=outside.key33, role=1),
        Action.REMOVE: group.next(owner, Action.REMOVE, subject=other.id),
        Action.LEAVE: group.next(owner, Action.LEAVE, subject=owner.id),
        Action.ROLE: group.next(owner, Action.ROLE, subject=other.id, role=3),
        Action.LINK: group.next(owner, Action.LINK, subject_key=outside.key33, role=2, arg=bytes(16)),
        Action.POLICY: group.next(owner, Action.POLICY, policy=3),
    }[action]
    return group, group.sign(said)


SPOKEN = [action for action in Action if action is not Action.CREATE]


@pytest.mark.parametrize("action", SPOKEN)
def test_no_bit_can_be_changed(action: Action) -> None:
    group, signed = spoken(action)
    for at in range(STATEMENT_BYTES * 8):
        changed = bytearray(signed.statement)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises((BadStatement, StopIteration)):  # of somebody whom nobody knows
            group.take(replace(signed, statement=bytes(changed)))
    group.take(signed)


@pytest.mark.parametrize("action", SPOKEN)
def test_no_bit_of_a_signature_can_be_changed(action: Action) -> None:
    group, signed = spoken(action)
    for at in range(0, 512, 7):
        changed = bytearray(signed.signature)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(BadStatement):
            group.take(replace(signed, signature=bytes(changed)))
    group.take(signed)


@pytest.mark.parametrize("action", SPOKEN)
def test_signatures_of_others_do_not_count(action: Action) -> None:
    group, signed = spoken(action)
    said = Statement.deserialize(signed.statement)
    stranger = KeyPair.generate(seeded(99))
    for wrong in (
        replace(signed, signature=group.sign(said, by=stranger).signature),
        replace(signed, signature=b""),
        replace(signed, signature=signed.signature + b"\0"),
        replace(signed, link_signature=None if signed.link_signature else signed.signature),
        replace(signed, link_signature=stranger.sign(signed.statement, seeded(1))),
    ):
        with pytest.raises(BadStatement):
            group.take(wrong)
    group.take(signed)


def test_the_id_of_a_group_follows_from_its_first_statement() -> None:
    first = statement(Action.CREATE)
    ids = {membership.conversation_id_of(first)}
    for fields in ({"arg": YOU}, {"policy": 1}, {"actor": YOU, "subject": YOU}, {"actor_version": 4}):
        ids.add(membership.conversation_id_of(replace(first, **fields)))
    assert len(ids) == 5
    assert all(found[6] >> 4 == 8 and found[8] >> 6 == 2 for found in ids)
    for action in SPOKEN:
        with pytest.raises(BadStatement):
            membership.conversation_id_of(statement(action))
        with pytest.raises(BadStatement):
            membership.begin(statement(action))
