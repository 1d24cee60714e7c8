"""The vectors of membership, from fixed seeds: chains, their lies, heirs; `layer_vectors.py` writes them."""

from itertools import pairwise
from typing import Any

import pytest
from tests.e2ee.groups import Account, Group, people
from tests.e2ee.people import seeded

from aparte.e2ee import invite, membership
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import ADMIN, MEMBER, MODERATOR, OWNER, Action, Member, Membership, Signed, Statement

SEED, SECOND_SEED = b"\x05" * 16, b"\x06" * 16
EXPIRES = 1_900_000_000


class Story:
    """A group whose every statement is written down, and beside it what is refused there."""

    def __init__(self) -> None:
        self.people = people(8)
        self.alice, self.bob, self.carol, self.dave, self.erin, self.frank, self.grace, _ = self.people.accounts
        self.group = Group(self.people, self.alice, membership.POLICY_MEMBERS_ADD)
        self.rows = [self._row(0)]
        self.refused: list[dict[str, Any]] = []

    def note(self, _: Membership) -> None:
        """Write down what was just said."""
        self.rows.append(self._row(len(self.rows)))

    def refuse(self, why: str, actor: Account, action: Action, **fields: Any) -> None:
        """A statement that is signed as it should be, and yet not the actor's to make."""
        seed = fields.pop("seed", None)
        self.refuse_signed(why, self.group.sign(self.group.next(actor, action, **fields), seed=seed))

    def refuse_signed(self, why: str, signed: Signed, key: KeyPair | None = None) -> None:
        actor = self.people.find(signed.statement[74:90])
        with pytest.raises(BadStatement):
            self.group.take(signed)
        actor_key = (key or actor.key).public.serialize().hex()
        self.refused.append({"after": self.group.state.number, "why": why} | _signed(signed) | {"actor_key": actor_key})

    def refuse_changed(self, why: str, statement: Statement, **change: Any) -> None:
        """Signed over other bytes than `serialize` would write of a sound statement."""
        data = bytearray(statement.serialize())
        at, new = change["at"], change["new"]
        data[at : at + len(new)] = new
        key = self.people.find(statement.actor).key
        self.refuse_signed(why, Signed(bytes(data), key.sign(bytes(data), self.group.random)))

    def _row(self, at: int) -> dict[str, Any]:
        signed, state = self.group.chain[at], self.group.states[at]
        said = Statement.deserialize(signed.statement)
        actor_key = self.people.find(said.actor).keys[said.actor_version - 1].public.serialize().hex()
        named = {"number": said.number, "action": said.action.name.lower(), "actor_key": actor_key}
        return named | _signed(signed) | {"hash": said.hash.hex(), "after": _state(state)}


def memberships() -> dict[str, Any]:
    story = Story()
    _begin(story)
    _links(story)
    _keys(story)
    _owners(story)
    return {
        "accounts": [_account(account) for account in story.people.accounts],
        "conversation": story.group.state.conversation.hex(),
        "statements": story.rows,
        "refused": story.refused,
        "refused_first": _bad_beginnings(story),
        "heirs": _heirs(),
    }


def _begin(story: Story) -> None:
    """Statements 1 to 9: adding, roles, removing."""
    group, alice, bob, carol, dave = story.group, story.alice, story.bob, story.carol, story.dave
    key = {"subject": bob.id, "subject_key": bob.key33}
    story.refuse("an owner given by adding", alice, Action.ADD, **key, role=OWNER)
    story.refuse("an actor outside", carol, Action.ADD, **key, role=MEMBER)
    story.refuse("removing somebody outside", alice, Action.REMOVE, subject=bob.id)
    story.refuse("a field that is not used", alice, Action.ADD, **key, role=MEMBER, policy=1)
    story.note(group.add(alice, bob, ADMIN))
    story.refuse("somebody inside", alice, Action.ADD, **key, role=MEMBER)
    key = {"subject": carol.id, "subject_key": carol.key33}
    story.refuse("an admin given by an admin", bob, Action.ADD, **key, role=ADMIN)
    story.refuse("an admin promoting themselves", bob, Action.ROLE, subject=bob.id, role=OWNER)
    story.refuse("an admin putting down the owner", bob, Action.ROLE, subject=alice.id, role=MEMBER)
    story.refuse("the owner giving up the role to nobody", alice, Action.ROLE, subject=alice.id, role=MEMBER)
    story.refuse(
        "an admin admitting the owner again", bob, Action.ADD, subject=alice.id, subject_key=alice.key33, role=1
    )
    story.note(group.add(bob, carol, MODERATOR))
    key = {"subject": dave.id, "subject_key": dave.key33}
    story.refuse("a moderator given by a moderator", carol, Action.ADD, **key, role=MODERATOR)
    story.note(group.add(carol, dave))
    story.refuse("a moderator removing an admin", carol, Action.REMOVE, subject=bob.id)
    story.refuse("a member removing", dave, Action.REMOVE, subject=carol.id)
    story.refuse("a moderator giving a role", carol, Action.ROLE, subject=dave.id, role=MODERATOR)
    story.refuse("a member setting the policy", dave, Action.POLICY, policy=0)
    story.refuse("a policy bit that is not known", alice, Action.POLICY, policy=8)
    story.note(group.set_policy(bob, membership.POLICY_HISTORY))
    erin = {"subject": story.erin.id, "subject_key": story.erin.key33}
    story.refuse("a member adding against the policy", dave, Action.ADD, **erin, role=MEMBER)
    story.note(group.remove(carol, dave))
    story.refuse("somebody removed who leaves", dave, Action.LEAVE, subject=dave.id)
    story.note(group.add(alice, dave))
    story.note(group.leave(dave))
    story.note(group.give(alice, carol, ADMIN))
    _forms(story)


def _forms(story: Story) -> None:
    """What is wrong in form, place or signature."""
    group, alice, bob = story.group, story.alice, story.bob
    sound = group.next(alice, Action.POLICY, policy=7)
    signed = group.sign(sound)
    story.refuse_signed("an altered signature", Signed(signed.statement, flipped(signed.signature, 5)))
    story.refuse_signed("the signature of another", group.sign(sound, by=bob.key))
    story.refuse_signed("a signature too many", Signed(signed.statement, signed.signature, signed.signature))
    story.refuse_signed("a byte too many", Signed(signed.statement + b"\0", signed.signature))
    story.refuse_signed("said before", group.chain[4])
    story.refuse_changed("another label", sound, at=15, new=b"2")
    story.refuse_changed("another conversation", sound, at=17, new=b"\xc1" * 16)
    story.refuse_changed("a number left out", sound, at=33, new=(sound.number + 1).to_bytes(8, "big"))
    story.refuse_changed("another statement before", sound, at=41, new=bytes(32))
    story.refuse_changed("an unknown action", sound, at=73, new=b"\x09")
    story.refuse_changed("version 0", sound, at=90, new=bytes(8))
    story.refuse_changed("a version past 2^53 - 1", sound, at=90, new=(2**53).to_bytes(8, "big"))
    story.refuse_changed("a subject where none belongs", sound, at=98, new=bob.id)
    story.refuse_changed("a role where none belongs", sound, at=147, new=b"\1")
    story.refuse_changed("an arg where none belongs", sound, at=164, new=b"\1")
    adding = group.next(alice, Action.ADD, subject=story.erin.id, subject_key=story.erin.key33, role=MEMBER)
    story.refuse_changed("a key that is none", adding, at=114, new=b"\x05" + bytes(32))
    story.refuse_changed("role 5", adding, at=147, new=b"\5")
    story.refuse_changed("nobody as the subject", adding, at=98, new=bytes(16))


def _links(story: Story) -> None:
    """Statements 10 to 17: invite links."""
    group, alice, bob, erin = story.group, story.alice, story.bob, story.erin
    terms = membership.link_terms(EXPIRES, 1)
    key33 = invite.link_key(SEED).public.serialize()
    story.refuse("a link to the opener's own role", bob, Action.LINK, subject_key=key33, role=ADMIN, arg=terms)
    story.refuse("a link with something after its terms", bob, Action.LINK, subject_key=key33, role=1, arg=b"\1" * 16)
    story.refuse("closing a link that is not there", bob, Action.LINK, subject_key=key33)
    story.note(group.link(bob, SEED, MODERATOR, EXPIRES, 1))
    joining = {
        "subject": erin.id,
        "subject_key": erin.key33,
        "role": MODERATOR,
        "arg": invite.link_id(invite.link_key(SEED).public),
    }
    story.refuse("joining without the link's signature", erin, Action.JOIN, **joining)
    story.refuse("joining with another link's signature", erin, Action.JOIN, **joining, seed=SECOND_SEED)
    story.refuse("joining in another role", erin, Action.JOIN, **joining | {"role": MEMBER}, seed=SEED)
    story.refuse("joining by a link that is not there", erin, Action.JOIN, **joining | {"arg": b"\1" * 16}, seed=SEED)
    inside = {"subject": bob.id, "subject_key": bob.key33}
    story.refuse("joining from inside", bob, Action.JOIN, **joining | inside, seed=SEED)
    thief = KeyPair.generate(seeded(4_000))
    theirs = group.next(erin, Action.JOIN, **joining)
    story.refuse_signed("joining under the key of another", group.sign(theirs, by=thief, seed=SEED), thief)
    story.note(group.join(erin, SEED, MODERATOR))
    frank = {"subject": story.frank.id, "subject_key": story.frank.key33}
    story.refuse("joining by a link that is used up", story.frank, Action.JOIN, **joining | frank, seed=SEED)
    story.note(group.link(alice, SEED, MEMBER, uses=2))
    story.note(group.join(story.frank, SEED))
    story.note(group.remove(alice, story.frank))
    again = joining | frank | {"role": MEMBER}
    story.refuse("joining after a removal", story.frank, Action.JOIN, **again, seed=SEED)
    story.note(group.link(bob, SEED, 0))
    grace = {"subject": story.grace.id, "subject_key": story.grace.key33, "role": MEMBER}
    story.refuse("joining by a link that is closed", story.grace, Action.JOIN, **joining | grace, seed=SEED)
    story.note(group.link(alice, SECOND_SEED, ADMIN))
    story.note(group.join(story.grace, SECOND_SEED, ADMIN))


def _keys(story: Story) -> None:
    """Statements 18 to 20: rotation, reset, admission again."""
    group, alice, bob, erin = story.group, story.alice, story.bob, story.erin
    alice.rotate()
    story.note(group.set_policy(alice, 3))
    old = Statement(group.state.conversation, 19, group.state.hash, Action.POLICY, alice.id, 1, policy=2)
    story.refuse_signed("an older version than before", group.sign(old, by=alice.keys[0]), alice.keys[0])
    again = {"subject": alice.id, "subject_key": alice.keys[0].public.serialize(), "role": MEMBER}
    story.refuse("admission again after a mere rotation", bob, Action.ADD, **again)
    erin.reset()
    story.refuse("somebody speaking after a reset", erin, Action.LEAVE, subject=erin.id)
    lost = {"subject": erin.id, "subject_key": erin.key33}
    story.refuse("admission again into a higher role", bob, Action.ADD, **lost, role=MODERATOR)
    story.note(group.add(bob, erin))
    alice.reset()
    story.note(group.add(story.grace, alice))


def _owners(story: Story) -> None:
    """Statements 21 to the end: who owns the group."""
    group, alice, bob, carol, grace = story.group, story.alice, story.bob, story.carol, story.grace
    story.note(group.give(bob, carol, OWNER))
    story.note(group.leave(carol))
    story.note(group.remove(grace, bob))
    story.note(group.give(grace, story.erin, MODERATOR))
    story.note(group.leave(grace))
    story.note(group.remove(story.erin, alice))
    story.note(group.leave(story.erin))
    back = {"subject": carol.id, "subject_key": carol.key33, "role": ADMIN}
    link_id = invite.link_id(invite.link_key(SECOND_SEED).public)
    story.refuse("joining where nobody is left", carol, Action.JOIN, **back, arg=link_id, seed=SECOND_SEED)
    story.refuse("adding where nobody is left", story.erin, Action.ADD, **back)


def _bad_beginnings(story: Story) -> list[dict[str, Any]]:
    """What no chain begins with."""
    alice, bob = story.alice.keys[0], story.bob.key
    first, second = story.group.chain[0], story.group.chain[1]
    data = first.statement
    altered = [
        ("the second statement", second, alice),
        ("the signature of another", Signed(data, bob.sign(data, story.group.random)), alice),
        ("the key of another", Signed(data, bob.sign(data, story.group.random)), bob),
        ("a signature too many", Signed(data, first.signature, first.signature), alice),
    ]
    changes = [("number 2", 40, b"\2"), ("with its conversation", 17, story.group.state.conversation)]
    changes += [("with a statement before", 41, b"\1"), ("another subject", 98, story.bob.id), ("an admin", 147, b"\3")]
    changes += [("a policy bit that is not known", 148, b"\x08"), ("another owner", 74, story.bob.id)]
    for why, at, new in changes:
        changed = data[:at] + new + data[at + len(new) :]
        altered.append((why, Signed(changed, alice.sign(changed, story.group.random)), alice))
    return [
        {"why": why} | _signed(signed) | {"actor_key": key.public.serialize().hex()} for why, signed, key in altered
    ]


def _heirs() -> list[dict[str, Any]]:
    cases = [[(1, 5), (2, 9), (3, 8), (3, 7)], [(1, 5), (2, 9)], [(1, 5), (1, 4)], [(4, 9), (3, 1)], []]
    heirs = []
    for case in cases:
        rows = [Member(bytes([at + 1]) * 16, role, number, bytes(33)) for at, (role, number) in enumerate(case)]
        first = membership.heir({row.account: row for row in rows})
        members = [{"account": row.account.hex(), "role": row.role, "number": row.number} for row in rows]
        heirs.append({"members": members, "heir": first.hex() if first else None})
    return heirs


def _account(account: Account) -> dict[str, Any]:
    changes = ("rotation" if old == new else "reset" for old, new in pairwise(account.lines))
    names = ["first", *changes]
    keys = [
        {"change": name, "private": key.private.hex(), "public": key.public.serialize().hex()}
        for name, key in zip(names, account.keys, strict=True)
    ]
    return {"id": account.id.hex(), "keys": keys}


def _signed(signed: Signed) -> dict[str, Any]:
    second = signed.link_signature
    return {
        "statement": signed.statement.hex(),
        "signature": signed.signature.hex(),
        "link_signature": second.hex() if second else None,
    }


def _state(state: Membership) -> dict[str, Any]:
    return {
        "policy": state.policy,
        "owner": state.owner.hex() if state.owner else None,
        "members": [
            {"account": member.account.hex(), "role": member.role, "number": member.number, "key": member.key33.hex()}
            for member in sorted(state.members.values(), key=lambda member: member.number)
        ],
        "versions": {account.hex(): version for account, version in sorted(state.versions.items())},
        "removed": sorted(account.hex() for account in state.removed),
        "links": [
            {"id": link_id.hex(), "key": link.key33.hex(), "role": link.role, "expires": link.expires}
            | {"uses": link.uses, "used": link.used}
            for link_id, link in sorted(state.links.items())
        ],
    }


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
