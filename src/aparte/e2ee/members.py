"""Who is inside a group at one point of its chain: members with their roles, open links, and the owner's heir."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from aparte.e2ee.statement import OWNER

MEMBERS_MAX = 500
LINKS_MAX = 100
"""Links that are open at once, those included that are used up or over."""

Lines = Callable[[bytes, bytes, bytes], bool]
"""A question about two keys of one account: (account, the key it was admitted with, another)."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody inside; `number` is that of the statement that admitted them, with the account key they had then."""

    account: bytes
    role: int
    number: int
    key33: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """An open invite link; `expires` in seconds since 1970 (0: never) is the server's to judge, `uses` 0 is any."""

    key33: bytes
    role: int
    expires: int
    uses: int
    used: int


@dataclass(frozen=True, slots=True)
class Membership:
    """The state after statement `number`. Never changed: `membership.apply` makes the next one."""

    conversation: bytes
    number: int
    hash: bytes
    policy: int
    members: Mapping[bytes, Member]
    versions: Mapping[bytes, int]
    """The newest list version that each actor ever signed with."""
    removed: frozenset[bytes]
    """Who was removed: they come back only if they are added."""
    links: Mapping[bytes, Link]
    """The open links by their ids."""

    @property
    def owner(self) -> bytes | None:
        """There is one as long as anybody is inside."""
        return next((member.account for member in self.members.values() if member.role == OWNER), None)

    def role_of(self, account: bytes) -> int:
        """The role of an account; 0 for who is not inside."""
        member = self.members.get(account)
        return member.role if member is not None else 0


def heir(members: Mapping[bytes, Member]) -> bytes | None:
    """Who follows an owner who is gone: the highest role, then who was admitted first."""
    return min(members, key=lambda account: (-members[account].role, members[account].number, account), default=None)


def with_owner(members: Mapping[bytes, Member]) -> Mapping[bytes, Member]:
    """The members with the heir as their owner, if there is none."""
    first = heir(members)
    if first is None or members[first].role == OWNER:
        return members
    return {**members, first: replace(members[first], role=OWNER)}
