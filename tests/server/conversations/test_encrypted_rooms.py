"""Rooms and channels that are end-to-end encrypted: what groups are, under another kind; a channel's policy holds."""

from typing import Any

import pytest
from tests.support import groups, keys
from tests.support.groups import HISTORY, MEMBERS_ADD, MODERATORS_WRITE, founding, person, store
from tests.support.people import Device, Problem, World
from tests.support.sealing import caller_of

from aparte.server.conversations import actions as conversations
from aparte.server.kit.db import Database
from aparte.wire.errors import Refusal
from aparte.wire.groups import NewGroup

Admin = Any


def of_kind(new: NewGroup, kind: str) -> NewGroup:
    """The same beginning, of another kind."""
    return NewGroup(new.id, new.statements, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["room", "channel"])
async def test_an_encrypted_one_begins_with_its_first_statement_and_is_private(
    db: Database, admin: Admin, kind: str
) -> None:
    alice, bob = await person(admin), await person(admin)
    _, new = founding(alice, bob, policy=MODERATORS_WRITE)
    made = await conversations.create_group(db, alice, of_kind(new, kind))
    assert (made.kind, made.encryption_mode, made.is_public, made.name) == (kind, "e2ee", False, "")
    assert (made.member_count, made.max_members, made.membership.role) == (2, 500, "owner")
    again = await conversations.create_group(db, alice, of_kind(new, kind))
    assert again.id == made.id


async def test_what_was_begun_as_one_kind_is_not_another(db: Database, admin: Admin) -> None:
    alice = await person(admin)
    _, new = founding(alice, policy=MODERATORS_WRITE)
    await conversations.create_group(db, alice, of_kind(new, "room"))
    for other in ("group", "channel"):
        with pytest.raises(Refusal, match="invalid"):
            await conversations.create_group(db, alice, of_kind(new, other))


@pytest.mark.parametrize("policy", [0, MEMBERS_ADD, HISTORY, MEMBERS_ADD | HISTORY])
async def test_a_channel_in_which_everybody_writes_is_none(db: Database, admin: Admin, policy: int) -> None:
    alice = await person(admin)
    made, new = founding(alice, policy=policy)
    with pytest.raises(Refusal, match="bad_statement"):
        await conversations.create_group(db, alice, of_kind(new, "channel"))
    await conversations.create_group(db, alice, of_kind(new, "room"))
    assert made.state.policy == policy


async def test_the_policy_of_a_channel_keeps_that_moderators_write(db: Database, admin: Admin) -> None:
    alice = await person(admin)
    made, new = founding(alice, policy=MODERATORS_WRITE)
    await conversations.create_group(db, alice, of_kind(new, "channel"))
    with pytest.raises(Refusal, match="bad_statement"):
        await store(db, made, alice, made.set_policy(alice, HISTORY))
    await store(db, made, alice, made.set_policy(alice, HISTORY | MODERATORS_WRITE))
    loose, begun = founding(alice, policy=MODERATORS_WRITE)
    await conversations.create_group(db, alice, of_kind(begun, "room"))
    await store(db, loose, alice, loose.set_policy(alice, 0))


async def test_fewer_than_five_hundred_may_be_let_in_where_its_settings_say_so(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made, new = founding(alice, bob)
    await conversations.create_group(db, alice, of_kind(new, "room"))
    await admin.execute("UPDATE conversations SET max_members = 2 WHERE conversation_id = $1", made.id)
    with pytest.raises(Refusal, match="room_full") as told:
        await store(db, made, alice, made.add(alice, carol))
    assert told.value.data == {"max_members": 2}
    await admin.execute("UPDATE conversations SET max_members = 3 WHERE conversation_id = $1", made.id)
    await store(db, made, alice, made.add(alice, carol))


async def begin(alice: Device, *others: Device, kind: str) -> groups.Group:
    made, new = founding(caller_of(alice), *(caller_of(one) for one in others), policy=MODERATORS_WRITE)
    await alice.post("/conversations/group", keys.in_json(of_kind(new, kind)))
    return made


@pytest.mark.parametrize("kind", ["room", "channel"])
async def test_all_that_groups_have_they_have(world: World, kind: str) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    made = await begin(alice, bob, kind=kind)
    at = f"/conversations/{made.id}"
    link = groups.Link()
    await groups.say_over_the_wire(made, alice, made.open(caller_of(alice), link), token=str(link.token))
    shown = await carol.get(f"/invites/{link.token}")
    assert (shown["kind"], shown.get("encryption_mode", "e2ee")) == (kind, "e2ee")
    said = made.join(caller_of(carol), link)
    await carol.post(f"/invites/{link.token}/join", keys.in_json(said))
    made.take(said)
    assert (await carol.get(f"{at}/epoch"))["statement"] == made.state.number
    ban = {"statements": [keys.in_json(made.remove(caller_of(alice), caller_of(bob)))], "ban": True}
    await alice.post(f"{at}/statements", ban)
    assert [one["account"] for one in (await alice.get(f"{at}/bans"))["bans"]] == [bob.account]
    found = await alice.get("/conversations", kind=kind)
    assert [one["id"] for one in found["conversations"]] == [str(made.id)]


@pytest.mark.parametrize("kind", ["room", "channel"])
async def test_none_of_the_doors_of_readable_ones_opens_them(world: World, kind: str) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    made = await begin(alice, bob, kind=kind)
    at = f"/conversations/{made.id}"
    refused = [
        (carol, "POST", f"{at}/join", None, "not_found"),
        (bob, "POST", f"{at}/join", None, "mode_mismatch"),
        (bob, "POST", f"{at}/leave", None, "mode_mismatch"),
        (alice, "DELETE", f"{at}/members/{bob.account}", None, "mode_mismatch"),
        (alice, "PATCH", f"{at}/members/{bob.account}", {"role": "admin"}, "mode_mismatch"),
        (alice, "POST", f"{at}/invites", {}, "mode_mismatch"),
        (alice, "PATCH", at, {"name": "readable"}, "mode_mismatch"),
    ]
    for who, method, path, body, code in refused:
        with pytest.raises(Problem) as told:
            await who.call(method, path, body)
        assert (path, told.value.code) == (path, code)
    with pytest.raises(Problem, match="mode_mismatch"):
        await alice.send(str(made.id), "readable words")
