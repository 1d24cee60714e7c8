"""Who may say and change what in a group: by role and policy of the epoch, whatever the client believes."""

from typing import Any, NamedTuple

import pytest
from tests.server.messages.conftest import Sealing
from tests.server.messages.three import code_of, person, say
from tests.support.sealed_groups import Group, found
from tests.support.sealing import Sealer

from aparte.e2ee.membership import ADMIN, MODERATOR, POLICY_MODERATORS_WRITE, Action
from aparte.server.kit.db import Database
from aparte.wire.errors import Refusal
from aparte.wire.sealed import SealedTarget

Admin = Any
MESSAGE, EDIT, DELETION, REACTION, PIN, PROFILE, SETTINGS = range(1, 8)
EVERYBODY = {"member", "moderator", "admin", "owner"}
UP = {MODERATOR: "moderator", ADMIN: "admin"}


class Four(NamedTuple):
    """A group with somebody of every role, each with a chain that all have."""

    group: Group
    by_role: dict[str, Sealer]

    async def renew(self) -> None:
        """Let everybody know of the present epoch."""
        await self.group.renew(*self.by_role.values())


@pytest.fixture
async def four(db: Database, admin: Admin, sealing: Sealing) -> Four:
    """An owner, an admin, a moderator and a member."""
    people = [await person(admin) for _ in range(4)]
    group = await found(db, admin, *people)
    for who, role in zip(people[1:3], (ADMIN, MODERATOR), strict=True):
        await group.role(people[0], who, role)
    names = ("owner", "admin", "moderator", "member")
    made = Four(group, {name: await group.sealer(who) for name, who in zip(names, people, strict=True)})
    for sealer in made.by_role.values():
        await sealing.give(sealer)
        await say(sealing, sealer)
    return made


async def message_of(sealing: Sealing, sealer: Sealer) -> SealedTarget:
    """Something to aim at."""
    entry = sealer.seal()
    return sealer.at(entry, await sealing.seal(sealer.caller, sealer.conversation, entry))


async def allowed(sealing: Sealing, four: Four, kind: int, target: SealedTarget | None) -> set[str]:
    """Of which roles an entry is taken; all others are refused for their role, and their chain stays where it was."""
    found = set()
    for role, sealer in four.by_role.items():
        before = sealer.counter, sealer.prev
        try:
            await say(sealing, sealer, kind=kind, target=target)
        except Refusal as refusal:
            assert refusal.code == "forbidden"
            sealer.counter, sealer.prev = before
        else:
            found.add(role)
    return found


@pytest.mark.parametrize(
    ("kind", "policy", "roles"),
    [
        (MESSAGE, 0, EVERYBODY),
        (REACTION, 0, EVERYBODY),
        (PIN, 0, EVERYBODY - {"member"}),
        (PROFILE, 0, {"admin", "owner"}),
        (SETTINGS, 0, {"admin", "owner"}),
        (MESSAGE, POLICY_MODERATORS_WRITE, EVERYBODY - {"member"}),
        (REACTION, POLICY_MODERATORS_WRITE, EVERYBODY - {"member"}),
        (PROFILE, POLICY_MODERATORS_WRITE, {"admin", "owner"}),
    ],
)
async def test_who_may_write_what(sealing: Sealing, four: Four, kind: int, policy: int, roles: set[str]) -> None:
    target = await message_of(sealing, four.by_role["owner"]) if kind in {REACTION, PIN} else None
    if policy:
        await four.group.say(four.by_role["owner"].caller, Action.POLICY, policy=policy)
        await four.renew()
    assert await allowed(sealing, four, kind, target) == roles


async def test_only_the_author_edits_and_not_where_only_moderators_write(sealing: Sealing, four: Four) -> None:
    member = four.by_role["member"]
    target = await message_of(sealing, member)
    assert await allowed(sealing, four, EDIT, target) == {"member"}
    await four.group.say(four.by_role["owner"].caller, Action.POLICY, policy=POLICY_MODERATORS_WRITE)
    await four.renew()
    assert await code_of(sealing, member, kind=EDIT, target=target) == "forbidden"
    await say(sealing, member, kind=DELETION, target=target)


async def test_the_author_and_moderators_up_delete(sealing: Sealing, four: Four) -> None:
    for role in EVERYBODY:
        target = await message_of(sealing, four.by_role["member"])
        await say(sealing, four.by_role[role], kind=DELETION, target=target)
    target = await message_of(sealing, four.by_role["moderator"])
    assert await code_of(sealing, four.by_role["member"], kind=DELETION, target=target) == "forbidden"


async def test_what_a_moderator_deleted_the_author_does_not_bring_back(sealing: Sealing, four: Four) -> None:
    member, moderator = four.by_role["member"], four.by_role["moderator"]
    target = await message_of(sealing, member)
    await say(sealing, moderator, kind=DELETION, target=target)
    assert await code_of(sealing, member, kind=DELETION, target=target, on=False) == "forbidden"
    await say(sealing, moderator, kind=DELETION, target=target, on=False)
    await say(sealing, member, kind=DELETION, target=target)
    await say(sealing, member, kind=DELETION, target=target, on=False)


async def test_who_was_a_moderator_brings_back_nothing_of_others(sealing: Sealing, four: Four) -> None:
    """Readers judge by the role of the epoch, so the server does too."""
    moderator = four.by_role["moderator"]
    target = await message_of(sealing, four.by_role["member"])
    await say(sealing, moderator, kind=DELETION, target=target)
    await four.group.role(four.by_role["owner"].caller, moderator.caller, 1)
    await four.renew()
    assert await code_of(sealing, moderator, kind=DELETION, target=target, on=False) == "forbidden"


async def test_a_new_role_counts_from_its_epoch_on(sealing: Sealing, four: Four) -> None:
    owner, member = four.by_role["owner"], four.by_role["member"]
    target = await message_of(sealing, owner)
    assert await code_of(sealing, member, kind=PIN, target=target) == "forbidden"
    await four.group.role(owner.caller, member.caller, MODERATOR)
    await four.renew()
    await say(sealing, member, kind=PIN, target=target)


async def test_two_people_of_a_group_who_blocked_each_other_still_talk_there(
    db: Database, admin: Admin, sealing: Sealing
) -> None:
    alice, bob = await person(admin), await person(admin)
    group = await found(db, admin, alice, bob)
    await admin.execute("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", bob.account, alice.account)
    a = await group.sealer(alice)
    await sealing.give(a)
    await say(sealing, a)
