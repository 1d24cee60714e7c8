"""Whatever people do to each other, what is kept for sending is what follows from the log they all read."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.server.messages.conftest import waits_for_a_lock
from tests.support import rooms
from tests.support.groups import Group, Link, group, person, store

from aparte.client.core.view import View, replay
from aparte.server.conversations import actions, rights
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.conversations.model import Place
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire import kinds
from aparte.wire.conversations import (
    ConversationChange,
    MemberUpdate,
    NewConversation,
    NewRole,
    RoleUpdate,
    Silence,
)
from aparte.wire.errors import Refusal
from aparte.wire.groups import NewBan
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Entry

Admin = Any
PEOPLE = 5
BOT = 4
VERBS = (
    "join", "join", "join", "leave", "remove", "ban", "lift", "role", "role", "hand over", "define", "redefine",
    "redefine", "redefine", "end", "override", "wear", "wear", "wear", "silence", "bots",
)  # fmt: skip
PERMISSIONS = ["post", "post", "react", "manage_roles", "manage_members"]


class Life:
    """A room or channel and some people, one of whom is a bot; each tries whatever comes to mind."""

    def __init__(self, db: Database, admin: Admin, people: list[Caller], here: ConversationId) -> None:
        self.db, self.admin, self.people, self.here = db, admin, people, here

    async def role_ids(self) -> list[Any]:
        """The roles that there are."""
        rows = await self.admin.fetch(
            "SELECT role_id FROM conversation_roles WHERE conversation_id = $1 ORDER BY created_at", self.here
        )
        return [row["role_id"] for row in rows]

    async def do(self, verb: str, actor: Caller, other: Caller, permissions: dict[Any, bool], number: int) -> None:
        """Try one thing."""
        db, here, them = self.db, self.here, other.account
        there = await self.role_ids()
        one: Any = there[-1 - number % len(there)] if there and number < 2 else None
        is_default = number == 1
        verbs: dict[str, Callable[[], Awaitable[Any]]] = {
            "join": lambda: actions.join(db, actor, here),
            "leave": lambda: actions.leave(db, actor, here),
            "remove": lambda: actions.remove(db, actor, here, them),
            "ban": lambda: actions.ban(db, actor, here, them, NewBan()),
            "lift": lambda: actions.lift_ban(db, actor, here, them),
            "role": lambda: self.change(actor, other, role=("member", "moderator", "admin")[number]),
            "hand over": lambda: self.change(actor, other, role="owner"),
            "override": lambda: self.change(actor, other, permissions=permissions),
            "wear": lambda: self.change(actor, other, role_id=one),
            "define": lambda: actions.create_role(db, actor, here, NewRole("role", permissions, is_default=is_default)),
            "redefine": lambda: actions.change_role(
                db, actor, here, one, RoleUpdate(permissions=permissions, is_default=is_default)
            ),
            "end": lambda: actions.delete_role(db, actor, here, one),
            "silence": lambda: actions.silence(
                db, actor, here, them, Silence(datetime.now(UTC) + timedelta(days=1 + number))
            ),
            "bots": lambda: actions.change(db, actor, here, ConversationChange(metadata={"allow_bots": bool(number)})),
        }
        try:
            await verbs[verb]()
        except Refusal as refusal:
            assert refusal.code in {
                "not_member", "not_found", "forbidden", "banned", "invalid", "last_owner", "archived",
            }, refusal  # fmt: skip

    async def change(self, actor: Caller, other: Caller, **update: Any) -> None:
        """Change what a member may do."""
        await actions.change_member(self.db, actor, self.here, other.account, MemberUpdate(**update))

    async def told(self) -> View:
        """The conversation as its log tells it."""
        rows = await self.admin.fetch(
            "SELECT seq, id, kind, account_id, body FROM entries WHERE conversation_id = $1 ORDER BY seq", self.here
        )
        return replay(View(self.here), [entry_of(row) for row in rows])

    async def check(self, kind: str) -> None:
        """Compare every member's row with the log."""
        view = await self.told()
        rows = await self.admin.fetch(
            "SELECT account_id, role, role_id, overrides, cannot_post, silenced_until FROM members"
            " WHERE conversation_id = $1 AND left_at IS NULL",
            self.here,
        )
        assert {row["account_id"] for row in rows} == set(view.members)
        assert [row["role"] for row in rows].count("owner") == (1 if rows else 0)
        assert sum(role.is_default for role in view.roles.values()) <= 1
        for row in rows:
            seat = view.members[row["account_id"]]
            said = (row["role"], row["role_id"], json.loads(row["overrides"]), row["silenced_until"])
            assert said == (seat.role, seat.role_id, seat.permissions, seat.silenced_until)
            custom = view.roles[seat.role_id].permissions if seat.role_id else {}
            is_bot = row["account_id"] == self.people[BOT].account
            is_unwanted = is_bot and view.settings.metadata.get("allow_bots") is False
            place = Place(
                kind,  # type: ignore[arg-type]
                "server",
                seat.role,
                custom,
                seat.permissions,
                is_unwanted_bot=is_unwanted,
            )
            assert row["cannot_post"] == ("post" not in rights.effective(place))


def entry_of(row: Any) -> Entry:
    """An entry as readers have it."""
    account = str(row["account_id"]) if row["account_id"] else None
    shown = {"seq": row["seq"], "id": str(row["id"]), "kind": row["kind"], "at": "2026-01-01T00:00:00Z"}
    return msgspec.convert({**shown, "account": account, "body": json.loads(row["body"])}, Entry, strict=False)


async def life(db: Database, admin: Admin, kind: Any) -> Life:
    """Begin."""
    people = [await rooms.person(admin) for _ in range(PEOPLE)]
    await admin.execute("UPDATE accounts SET kind = 'bot' WHERE account_id = $1", people[BOT].account)
    name = f"room {people[0].account.hex[:12]}"
    made = await actions.create(db, people[0], NewConversation(kind=kind, name=name, is_public=True))
    for who in people[1:]:
        await actions.join(db, who, made.id)
    return Life(db, admin, people, made.id)


@pytest.mark.parametrize("kind", ["room", "channel"])
@pytest.mark.parametrize("seed", range(4))
async def test_after_any_life_what_is_kept_is_what_the_log_says(
    db: Database, admin: Admin, kind: str, seed: int
) -> None:
    here, dice = await life(db, admin, kind), random.Random(seed)
    for step in range(120):
        view = await here.told()
        above = [who for who in here.people if who.account == view.owner]
        actor = dice.choice(above if above and dice.random() < 0.7 else here.people)
        permissions = {right: dice.random() < 0.5 for right in dice.sample(PERMISSIONS, dice.randrange(3))}
        await here.do(dice.choice(VERBS), actor, dice.choice(here.people), permissions, dice.randrange(3))
        if not step % 3:
            await here.check(kind)


# Beside a chain -------------------------------------------------------------------------------------------------------


async def kept(admin: Admin, made: Group, who: Caller) -> bool:
    """Whether the server keeps somebody of a group from writing."""
    return bool(
        await admin.fetchval(
            "SELECT cannot_post FROM members WHERE conversation_id = $1 AND account_id = $2", made.id, who.account
        )
    )


async def bodies(admin: Admin, made: Group, kind: int) -> list[dict[str, Any]]:
    """What the entries of a kind say."""
    rows = await admin.fetch(
        "SELECT body FROM entries WHERE conversation_id = $1 AND kind = $2 ORDER BY seq", made.id, kind
    )
    return [json.loads(row["body"]) for row in rows]


async def test_who_comes_into_a_group_begins_with_its_default_role(db: Database, admin: Admin) -> None:
    alice, bob, carol, dave = [await person(admin) for _ in range(4)]
    made = await group(db, alice, bob)
    role = await actions.create_role(
        db, alice, made.id, NewRole("listeners", {"post": False, "manage_members": True}, is_default=True)
    )
    await store(db, made, alice, made.add(alice, carol))
    assert await bodies(admin, made, kinds.RIGHTS) == [{"account": str(carol.account), "role_id": str(role.id)}]
    assert (await kept(admin, made, carol), await kept(admin, made, bob)) == (True, False)
    with pytest.raises(Refusal, match="forbidden"):
        await actions.silences(db, carol, made.id)

    link, gathering = Link(), Gathering(db, seconds=0)
    await store(db, made, alice, made.open(alice, link), token=link.token)
    await actions.join_by_link(db, gathering, dave, link.token, made.join(dave, link))
    await gathering.close()
    assert await kept(admin, made, dave)

    await actions.delete_role(db, alice, made.id, role.id)
    assert not await kept(admin, made, carol)


async def test_what_is_denied_in_a_group_narrows_and_what_is_granted_widens_nothing(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice, bob, carol)
    granted = MemberUpdate(permissions={"manage_members": True, "post": False})
    await actions.change_member(db, alice, made.id, bob.account, granted)
    assert await kept(admin, made, bob)
    with pytest.raises(Refusal, match="bad_statement"):
        await store(db, made.again(), bob, made.remove(bob, carol))

    await actions.change_member(db, alice, made.id, bob.account, MemberUpdate(permissions={"manage_members": False}))
    await store(db, made, alice, made.give_role(alice, bob, 2))
    assert not await kept(admin, made, bob)
    with pytest.raises(Refusal, match="forbidden"):
        await store(db, made.again(), bob, made.remove(bob, carol))
    with pytest.raises(Refusal, match="mode_mismatch"):
        await actions.change_member(db, alice, made.id, bob.account, MemberUpdate(role="admin"))


async def test_who_owns_a_group_by_its_chain_is_bound_by_nothing(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice, bob)
    until = datetime.now(UTC) + timedelta(days=1)
    await actions.change_member(db, alice, made.id, bob.account, MemberUpdate(permissions={"post": False}))
    await actions.silence(db, alice, made.id, bob.account, Silence(until, "why"))
    await store(db, made, alice, made.leave(alice))
    assert made.state.owner == bob.account.bytes
    assert not await kept(admin, made, bob)
    shown = await actions.get(db, bob, made.id)
    assert shown.membership.silenced_until is None
    assert (await bodies(admin, made, kinds.RIGHTS))[-1] == {"account": str(bob.account)}
    assert (await bodies(admin, made, kinds.SILENCED))[-1] == {"account": str(bob.account)}


async def test_leaving_a_group_ends_no_silence(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice, bob)
    until = datetime.now(UTC) + timedelta(days=1)
    await actions.silence(db, alice, made.id, bob.account, Silence(until))
    await actions.change_member(
        db, alice, made.id, bob.account, MemberUpdate(permissions={"react": False, "pin": True})
    )
    await store(db, made, bob, made.leave(bob))
    await store(db, made, alice, made.add(alice, bob))
    assert (await actions.get(db, bob, made.id)).membership.silenced_until == until
    assert (await bodies(admin, made, kinds.RIGHTS))[-1]["permissions"] == {"react": False}
    assert len(await bodies(admin, made, kinds.SILENCED)) == 2


async def test_somebody_outside_of_a_group_is_banned_and_not_added(db: Database, admin: Admin) -> None:
    alice, bob, eve = [await person(admin) for _ in range(3)]
    made = await group(db, alice, bob)
    with pytest.raises(Refusal, match="mode_mismatch"):
        await actions.ban(db, alice, made.id, bob.account, NewBan("why"))
    await actions.ban(db, alice, made.id, eve.account, NewBan("why"))
    with pytest.raises(Refusal, match="banned"):
        await store(db, made.again(), alice, made.add(alice, eve))
    await actions.lift_ban(db, alice, made.id, eve.account)
    await store(db, made, alice, made.add(alice, eve))
    assert (await actions.get(db, eve, made.id)).member_count == 3


# Owners ---------------------------------------------------------------------------------------------------------------


async def test_rooms_of_who_is_about_to_be_gone_pass_on(db: Database, admin: Admin) -> None:
    """B-104: a room outlives its owner; R-120: it has exactly one."""
    owner, bob, carol = [await rooms.person(admin) for _ in range(3)]
    room, alone = [await rooms.room(admin, owner, *others) for others in ([bob, carol], [])]
    await actions.change_member(db, owner, room, carol.account, MemberUpdate(role="moderator"))
    async with db.transaction() as tx:
        await actions.succeed(tx, owner.account)
    assert (await actions.get(db, bob, room)).owner == carol.account
    assert (await actions.get(db, owner, room)).membership.role == "member"
    assert (await actions.get(db, owner, alone)).owner == owner.account


@pytest.mark.parametrize("deed", ["hands over", "leaves", "is about to be gone"])
async def test_who_passes_a_room_on_tells_accounts_in_the_order_that_everybody_keeps(
    db: Database, admin: Admin, deed: str
) -> None:
    """Whoever holds the state of the first account and wants that of the second is not waited for by one who has the
    second."""
    heir, owner = sorted([await rooms.person(admin) for _ in range(2)], key=lambda who: who.account)
    room = await rooms.room(admin, owner, heir)
    assert (await actions.get(db, heir, room)).owner == owner.account

    async def passes_on() -> None:
        if deed == "leaves":
            await actions.leave(db, owner, room)
        elif deed == "hands over":
            await actions.change_member(db, owner, room, heir.account, MemberUpdate(role="owner"))
        else:
            async with db.transaction() as tx:
                await actions.succeed(tx, owner.account)

    async with admin.transaction():
        await admin.execute("SELECT 1 FROM account_revs WHERE account_id = $1 FOR UPDATE", heir.account)
        passing = asyncio.create_task(passes_on())
        await waits_for_a_lock(admin)
        await admin.execute("SELECT 1 FROM account_revs WHERE account_id = $1 FOR UPDATE", owner.account)
    await passing
    assert (await actions.get(db, heir, room)).owner == heir.account
