"""Membership statements: what one of them says, its 165 bytes, and who signed them.

A statement says one thing about who is in a group, and names the one before it. Whether its actor may say so is told
by the members there are: `membership.py`. Source: docs/protocol/e2ee.md, 4.2.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

from aparte.e2ee import invite
from aparte.e2ee.canonical import INTEGER_MAX
from aparte.e2ee.errors import BadStatement, InvalidKey
from aparte.e2ee.keys import PUBLIC_KEY_BYTES, KeyPair, PublicKey
from aparte.e2ee.primitives import Random, sha256

STATEMENT_BYTES = 165
NO_ID, NO_KEY, NO_HASH, NO_ARG = bytes(16), bytes(PUBLIC_KEY_BYTES), bytes(32), bytes(16)
"""What stands in a field that an action does not use."""

MEMBER, MODERATOR, ADMIN, OWNER = 1, 2, 3, 4
ROLES = (MEMBER, MODERATOR, ADMIN, OWNER)

POLICY_MEMBERS_ADD, POLICY_HISTORY, POLICY_MODERATORS_WRITE = 1, 2, 4
POLICY_ALL = POLICY_MEMBERS_ADD | POLICY_HISTORY | POLICY_MODERATORS_WRITE

_LABEL = b"aparte-member-v1\0"


class Action(IntEnum):
    """What a statement does."""

    CREATE = 1
    ADD = 2
    REMOVE = 3
    LEAVE = 4
    ROLE = 5
    LINK = 6
    JOIN = 7
    POLICY = 8


class _Form(NamedTuple):
    """Which fields an action uses, and what may stand there; all others are zero."""

    subject: Literal["actor", "other", "none"]
    has_key: bool = False
    roles: tuple[int, ...] = (0,)
    policy_max: int = 0
    arg: Literal["none", "any", "terms"] = "none"


_BELOW_OWNER = (MEMBER, MODERATOR, ADMIN)
_FORMS: dict[Action, _Form] = {
    Action.CREATE: _Form("actor", has_key=True, roles=(OWNER,), policy_max=POLICY_ALL, arg="any"),
    Action.ADD: _Form("other", has_key=True, roles=_BELOW_OWNER),
    Action.REMOVE: _Form("other"),
    Action.LEAVE: _Form("actor"),
    Action.ROLE: _Form("other", roles=ROLES),
    Action.LINK: _Form("none", has_key=True, roles=(0, *_BELOW_OWNER), arg="terms"),
    Action.JOIN: _Form("actor", has_key=True, roles=_BELOW_OWNER, arg="any"),
    Action.POLICY: _Form("none", policy_max=POLICY_ALL),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One link of the chain; ids are 16 raw bytes, hashes 32, the subject's key (or the invite link's) 33."""

    conversation: bytes
    number: int
    previous: bytes
    action: Action
    actor: bytes
    actor_version: int
    subject: bytes = NO_ID
    subject_key: bytes = NO_KEY
    role: int = 0
    policy: int = 0
    arg: bytes = NO_ARG

    @classmethod
    def deserialize(cls, data: bytes) -> "Statement":
        """Read a statement; BadStatement unless it is one that `serialize` can have written in its right form."""
        if len(data) != STATEMENT_BYTES or data[:17] != _LABEL or data[73] not in _FORMS:
            raise BadStatement
        found = cls(
            conversation=data[17:33],
            number=int.from_bytes(data[33:41], "big"),
            previous=data[41:73],
            action=Action(data[73]),
            actor=data[74:90],
            actor_version=int.from_bytes(data[90:98], "big"),
            subject=data[98:114],
            subject_key=data[114:147],
            role=data[147],
            policy=data[148],
            arg=data[149:],
        )
        found.check()
        return found

    def serialize(self) -> bytes:
        """The signed bytes; BadStatement if a field does not fit its place."""
        try:
            data = b"".join(
                (
                    _LABEL,
                    self.conversation,
                    self.number.to_bytes(8, "big"),
                    self.previous,
                    self.action.to_bytes(1, "big"),
                    self.actor,
                    self.actor_version.to_bytes(8, "big"),
                    self.subject,
                    self.subject_key,
                    self.role.to_bytes(1, "big"),
                    self.policy.to_bytes(1, "big"),
                    self.arg,
                )
            )
        except OverflowError as error:
            raise BadStatement from error
        if not self._has_lengths():
            raise BadStatement
        return data

    @property
    def hash(self) -> bytes:
        """What the next statement and the roster name."""
        return sha256(self.serialize())

    def check(self) -> None:
        """BadStatement unless the fields that the action uses are sound, and all others zero."""
        sound = (
            self._has_lengths()
            and self.actor != NO_ID
            and 1 <= self.number <= INTEGER_MAX
            and 1 <= self.actor_version <= INTEGER_MAX
            and self._begins() is (self.action is Action.CREATE)
            and self._has_its_fields()
        )
        if not sound:
            raise BadStatement
        if self.subject_key != NO_KEY:
            _check_key(self.subject_key)

    def _has_lengths(self) -> bool:
        ids = (self.conversation, self.actor, self.subject, self.arg)
        return (
            all(len(field) == 16 for field in ids)
            and len(self.previous) == len(NO_HASH)
            and len(self.subject_key) == PUBLIC_KEY_BYTES
        )

    def _begins(self) -> bool:
        """The first statement names no conversation: the id follows from it."""
        return self.number == 1 and self.conversation == NO_ID and self.previous == NO_HASH

    def _has_its_fields(self) -> bool:
        form = _FORMS[self.action]
        subject = "none" if self.subject == NO_ID else "actor" if self.subject == self.actor else "other"
        return (
            subject == form.subject
            and (self.subject_key != NO_KEY) is form.has_key
            and self.role in form.roles
            and 0 <= self.policy <= form.policy_max
            and (self.arg == NO_ARG or form.arg == "any" or (form.arg == "terms" and self._has_terms()))
        )

    def _has_terms(self) -> bool:
        return self.role != 0 and self.expires <= INTEGER_MAX and self.arg[12:] == bytes(4)

    @property
    def expires(self) -> int:
        """Of a link: when it ends, in seconds since 1970; 0 never."""
        return int.from_bytes(self.arg[:8], "big")

    @property
    def uses(self) -> int:
        """Of a link: how many may join by it; 0 any number."""
        return int.from_bytes(self.arg[8:12], "big")


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement with its signatures, 64 bytes each; `link_signature`, by the link's key, only of a joining."""

    statement: bytes
    signature: bytes
    link_signature: bytes | None = None


def sign(statement: Statement, account_key: KeyPair, random: Random, *, link_key: KeyPair | None = None) -> Signed:
    """Sign with the actor's account key; a joining also with the key of the link it came by."""
    data = statement.serialize()
    link_signature = link_key.sign(data, random) if link_key is not None else None
    return Signed(data, account_key.sign(data, random), link_signature)


def link_terms(expires: int = 0, uses: int = 0) -> bytes:
    """The `arg` of a link: until when it is good, in seconds since 1970, and for how many; 0 for ever, for any."""
    try:
        return expires.to_bytes(8, "big") + uses.to_bytes(4, "big") + bytes(4)
    except OverflowError as error:
        raise BadStatement from error


def link_id_of(key33: bytes) -> bytes:
    """The id of the link with this key; BadStatement if it is none."""
    return invite.link_id(_check_key(key33))


def _check_key(key33: bytes) -> PublicKey:
    try:
        return PublicKey.deserialize(key33)
    except InvalidKey as error:
        raise BadStatement from error
