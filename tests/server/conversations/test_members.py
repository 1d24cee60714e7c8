"""Members over the wire: roles of a conversation's own, overrides, silences, nicknames, bans, and who may what then."""

from typing import Any
from uuid import uuid4

import pytest
from tests.support.people import Device, Problem, World

from aparte.wire import kinds, limits
from aparte.wire.ids import FIRST_ID

LATER = "2035-01-01T00:00:00Z"


async def people(world: World) -> tuple[Device, Device, Device, str]:
    """An owner, two members, and their room."""
    owner, bob, carol = [await world.register(name) for name in ("owner", "bob", "carol")]
    room = await owner.room()
    await bob.join(room)
    await carol.join(room)
    return owner, bob, carol, f"/conversations/{room}"


async def member(asker: Device, at: str, who: Device) -> dict[str, Any]:
    """How a member is shown."""
    page = await asker.get(f"{at}/members")
    [found] = [one for one in page["members"] if one["person"]["id"] == who.account]
    return dict(found)


async def give(by: Device, at: str, who: Device, **update: Any) -> None:
    """Change what a member may do."""
    await by.call("PATCH", f"{at}/members/{who.account}", update)


async def say(who: Device, at: str) -> Any:
    """Send a message."""
    return await who.send(at.removeprefix("/conversations/"), "words")


async def refused(code: str, asked: Any) -> dict[str, Any]:
    """Ask for what is not given."""
    with pytest.raises(Problem) as problem:
        await asked
    assert problem.value.code == code
    return problem.value.body


async def newest(who: Device, at: str, kind: int) -> dict[str, Any]:
    """The body of the newest entry of a kind."""
    page = await who.get(f"{at}/entries", limit=500)
    return [dict(entry["body"]) for entry in page["entries"] if entry["kind"] == kind][-1]


# Who is in --------------------------------------------------------------------------------------------------------


async def test_a_member_is_shown_with_what_they_may_do(world: World) -> None:
    """R-155, R-162, R-164: flags are what base role, custom role and overrides give together; B-102: words are
    counted, whoever deletes them."""
    owner, bob, carol, at = await people(world)
    said = await say(bob, at)
    await say(bob, at)
    await bob.call("DELETE", f"{at}/messages/{said['id']}", client_message_id=uuid4())
    await give(owner, at, bob, permissions={"manage_members": True, "react": False})
    shown = await member(carol, at, bob)
    assert shown["permissions"] == {"manage_members": True, "react": False}
    assert shown["can_manage_members"] is True
    assert "can_invite" not in shown or shown["can_invite"] is False
    assert shown["message_count"] == 2
    await give(owner, at, carol, role="moderator")
    shown = await member(bob, at, carol)
    assert (shown["can_invite"], shown["can_manage_messages"], shown["can_manage_members"]) == (True, True, True)
    mine = await bob.get(at)
    assert mine["membership"]["permissions"] == ["manage_members", "post"]


async def test_members_of_one_role_are_found(world: World) -> None:
    owner, bob, carol, at = await people(world)
    await give(owner, at, carol, role="moderator")

    async def of(role: str) -> list[str]:
        page = await bob.get(f"{at}/members", role=role)
        return [one["person"]["id"] for one in page["members"]]

    assert await of("moderator") == [carol.account]
    assert await of("member") == [bob.account]
    assert await of("owner") == [owner.account]
    assert await of("admin") == []
    await refused("invalid", bob.get(f"{at}/members", role="king"))


async def test_who_came_by_a_link_is_shown_with_who_made_it(world: World) -> None:
    owner, bob, _, at = await people(world)
    dave = await world.register("dave")
    link = await owner.post(f"{at}/invites", {})
    await dave.post(f"/invites/{link['token']}/enter")
    assert (await member(bob, at, dave))["invited_by"] == owner.account
    assert "invited_by" not in await member(bob, at, bob)


# Custom roles ---------------------------------------------------------------------------------------------------------


async def test_a_role_is_made_given_changed_and_ended(world: World) -> None:
    """R-152, R-153, B-043: one default, given to whoever comes; a member's role is one of this conversation."""
    owner, bob, carol, at = await people(world)
    helpers = await owner.post(f"{at}/roles", {"name": " Helpers ", "permissions": {"pin": True}, "colour": "#00ff7f"})
    assert (helpers["name"], helpers["permissions"]) == ("Helpers", {"pin": True})
    assert await newest(bob, at, kinds.ROLES) == {"role": helpers}
    await give(owner, at, bob, role_id=helpers["id"])
    assert await newest(bob, at, kinds.RIGHTS) == {"account": bob.account, "role_id": helpers["id"]}
    assert "pin" in (await bob.get(at))["membership"]["permissions"]

    await owner.call("PATCH", f"{at}/roles/{helpers['id']}", {"permissions": {"post": False}, "is_default": True})
    await refused("forbidden", say(bob, at))
    guests = await owner.post(f"{at}/roles", {"name": "Guests", "is_default": True})
    there = (await carol.get(f"{at}/roles"))["roles"]
    assert [(role["name"], role.get("is_default", False)) for role in there] == [("Helpers", False), ("Guests", True)]
    assert (await carol.get(at))["roles"] == there

    dave = await world.register("dave")
    await dave.post(f"{at}/join")
    assert (await member(bob, at, dave))["role_id"] == guests["id"]
    assert (await newest(bob, at, kinds.JOINED))["role_id"] == guests["id"]

    await owner.call("DELETE", f"{at}/roles/{helpers['id']}")
    assert await newest(bob, at, kinds.ROLES) == {"gone": helpers["id"]}
    assert "role_id" not in await member(owner, at, bob)
    await say(bob, at)
    await refused("not_found", owner.call("DELETE", f"{at}/roles/{helpers['id']}"))
    await refused("not_found", give(owner, at, bob, role_id=helpers["id"]))


async def test_a_role_of_another_conversation_is_none_here(world: World) -> None:
    """B-043."""
    owner, bob, _, at = await people(world)
    other = await owner.room()
    foreign = await owner.post(f"/conversations/{other}/roles", {"name": "Elsewhere"})
    await refused("not_found", give(owner, at, bob, role_id=foreign["id"]))
    await refused("not_found", owner.call("PATCH", f"{at}/roles/{foreign['id']}", {"name": "Here"}))


async def test_roles_have_limits(world: World) -> None:
    owner, _, _, at = await people(world)
    for wrong in (
        {"name": "x" * (limits.ROLE_NAME + 1)},
        {"name": "  "},
        {"name": "a\u202eb"},
        {"name": "x", "colour": "green"},
        {"name": "x", "permissions": {"fly": True}},
        {"name": "x", "permissions": {"post": "yes"}},
    ):
        await refused("invalid", owner.post(f"{at}/roles", wrong))
    for n in range(limits.CUSTOM_ROLES):
        await owner.post(f"{at}/roles", {"name": f"{n:02}".ljust(limits.ROLE_NAME, "x")})
    await refused("too_many", owner.post(f"{at}/roles", {"name": "one more"}))


async def test_nobody_makes_a_role_of_what_they_lack(world: World) -> None:
    owner, bob, carol, at = await people(world)
    await give(owner, at, bob, permissions={"manage_roles": True})
    await refused("forbidden", bob.post(f"{at}/roles", {"name": "Mine", "permissions": {"manage_members": True}}))
    strong = await owner.post(f"{at}/roles", {"name": "Strong", "permissions": {"manage_members": True}})
    await refused("forbidden", bob.call("PATCH", f"{at}/roles/{strong['id']}", {"is_default": True}))
    await refused("forbidden", give(bob, at, carol, role_id=strong["id"]))
    renamed = await bob.call("PATCH", f"{at}/roles/{strong['id']}", {"name": "Stronger"})
    assert renamed["permissions"] == {"manage_members": True}
    await bob.post(f"{at}/roles", {"name": "Mine", "permissions": {"react": True, "pin": False}})


async def test_a_role_that_somebody_above_has_is_changed_by_who_is_above_them(world: World) -> None:
    owner, bob, carol, at = await people(world)
    await give(owner, at, bob, role="admin")
    await give(owner, at, carol, role="admin")
    badge = await owner.post(f"{at}/roles", {"name": "Badge"})
    await give(owner, at, carol, role_id=badge["id"])
    await refused("forbidden", bob.call("PATCH", f"{at}/roles/{badge['id']}", {"permissions": {"post": False}}))
    await bob.call("PATCH", f"{at}/roles/{badge['id']}", {"colour": "#ffffff"})
    await give(owner, at, owner, role_id=badge["id"])
    await refused("forbidden", owner.call("PATCH", f"{at}/roles/{badge['id']}", {"permissions": {"post": False}}))
    await refused("forbidden", give(owner, at, owner, permissions={"post": False}))


# Overrides ------------------------------------------------------------------------------------------------------------


async def test_an_override_allows_exactly_that(world: World) -> None:
    """R-154, R-155."""
    owner, bob, carol, at = await people(world)
    dave = await world.register("dave")
    await dave.post(f"{at}/join")
    await refused("forbidden", bob.call("DELETE", f"{at}/members/{carol.account}"))
    await give(owner, at, bob, permissions={"manage_members": True})
    await give(owner, at, dave, role="moderator")
    await refused("forbidden", bob.call("DELETE", f"{at}/members/{dave.account}"))
    await refused("forbidden", give(bob, at, carol, role="moderator"))
    await refused("forbidden", bob.call("PATCH", at, {"topic": "mine"}))
    await bob.call("DELETE", f"{at}/members/{carol.account}")
    await refused("not_member", carol.get(at))


async def test_a_denied_right_is_gone_until_it_is_given_back(world: World) -> None:
    owner, bob, _, at = await people(world)
    await give(owner, at, bob, permissions={"post": False})
    await refused("forbidden", say(bob, at))
    await refused("forbidden", give(bob, at, bob, permissions={}))
    await give(owner, at, bob, permissions={})
    await say(bob, at)


async def test_in_a_channel_members_read_and_react_and_some_write(world: World) -> None:
    owner, bob = await world.register("owner"), await world.register("bob")
    made = await owner.post("/conversations", {"kind": "channel", "name": f"news {uuid4().hex[:8]}", "is_public": True})
    at = f"/conversations/{made['id']}"
    await bob.post(f"{at}/join")
    await refused("forbidden", say(bob, at))
    await give(owner, at, bob, permissions={"post": True})
    await say(bob, at)
    await give(owner, at, bob, permissions={}, role="moderator")
    await say(bob, at)
    await give(owner, at, bob, role="member")
    await refused("forbidden", say(bob, at))


async def test_one_request_changes_all_or_nothing(world: World) -> None:
    owner, bob, _, at = await people(world)
    await refused("not_found", give(owner, at, bob, role="moderator", role_id=str(uuid4())))
    assert (await member(owner, at, bob))["role"] == "member"
    await give(owner, at, bob, role="moderator", permissions={"pin": False})
    shown = await member(owner, at, bob)
    assert (shown["role"], shown["permissions"]) == ("moderator", {"pin": False})


async def test_who_is_handed_the_room_is_bound_by_nothing_said_before(world: World) -> None:
    owner, bob, carol, at = await people(world)
    await give(owner, at, bob, permissions={"post": False, "manage_members": False})
    await owner.call("PUT", f"{at}/members/{bob.account}/silence", {"until": LATER})
    await give(owner, at, bob, role="owner")
    shown = await member(carol, at, bob)
    assert (shown["role"], "permissions" in shown, "silenced_until" in shown) == ("owner", False, False)
    await say(bob, at)
    assert (await member(carol, at, owner))["role"] == "admin"
    assert (await carol.get(at))["owner"] == bob.account
    await refused("last_owner", give(bob, at, bob, role="member"))


# Silences -------------------------------------------------------------------------------------------------------------


async def test_who_is_silenced_reads_and_does_not_write(world: World) -> None:
    """R-329, B-118: judged at sending, whichever door; the reason is for them and for moderators."""
    owner, bob, carol, at = await people(world)
    said = await say(carol, at)
    await owner.call("PUT", f"{at}/members/{bob.account}/silence", {"until": LATER, "reason": "shouting"})
    await refused("silenced", say(bob, at))
    async with bob.gateway() as here:
        message = {"client_message_id": str(uuid4()), "content": {"text": "by the other door"}}
        answer = await here.ask("send", conversation=at.rpartition("/")[2], message=message)
        assert answer["code"] == "silenced"
    assert len((await bob.get(f"{at}/messages"))["messages"]) == 1
    await bob.post(f"{at}/read", {"up_to": {"seq": said["seq"], "id": said["id"]}})
    [shown] = (await owner.get(f"{at}/silences"))["silences"]
    assert shown == {"account": bob.account, "by": owner.account, "until": LATER, "reason": "shouting"}
    assert await newest(carol, at, kinds.SILENCED) == {"account": bob.account, "until": LATER}
    assert (await bob.get(at))["membership"]["silenced_until"] == LATER

    await owner.call("DELETE", f"{at}/members/{bob.account}/silence")
    await owner.call("DELETE", f"{at}/members/{bob.account}/silence")
    assert await newest(carol, at, kinds.SILENCED) == {"account": bob.account}
    await say(bob, at)


async def test_who_may_not_speak_any_more_takes_their_own_words_back(world: World) -> None:
    """Nobody is bound to what they said because they may say nothing else; bringing it back would be speaking."""
    owner, bob, carol, at = await people(world)
    mine, theirs = await say(bob, at), await say(carol, at)
    await owner.call("PUT", f"{at}/members/{bob.account}/silence", {"until": LATER})
    await bob.call("DELETE", f"{at}/messages/{mine['id']}", client_message_id=uuid4())
    again = bob.post(f"{at}/messages/{mine['id']}/restore", {"client_message_id": str(uuid4())})
    await refused("silenced", again)
    await refused("forbidden", bob.call("DELETE", f"{at}/messages/{theirs['id']}", client_message_id=uuid4()))


async def test_a_silence_ends_by_itself(world: World, server_admin: Any) -> None:
    """B-117: silenced is who is silenced now, not who was."""
    owner, bob, _, at = await people(world)
    await owner.call("PUT", f"{at}/members/{bob.account}/silence", {"until": LATER})
    await server_admin.execute(
        "UPDATE members SET silenced_until = now() - interval '1 second' WHERE account_id = $1", bob.account
    )
    await say(bob, at)
    assert (await owner.get(f"{at}/silences"))["silences"] == []
    assert "silenced_until" not in (await bob.get(at))["membership"]


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2035-01-01T00:00:00", "soon"])
async def test_a_silence_ends_within_ten_years(world: World, until: str) -> None:
    owner, bob, _, at = await people(world)
    await refused("invalid", owner.call("PUT", f"{at}/members/{bob.account}/silence", {"until": until}))


async def test_nobody_silences_upwards(world: World) -> None:
    owner, bob, carol, at = await people(world)
    await give(owner, at, bob, role="moderator")
    await give(owner, at, carol, role="moderator")
    for victim in (owner, carol, bob):
        at_victim = f"{at}/members/{victim.account}/silence"
        await refused("forbidden", bob.call("PUT", at_victim, {"until": LATER}))
        await refused("forbidden", bob.call("DELETE", at_victim))
    stranger = await world.register("stranger")
    await refused("not_found", owner.call("PUT", f"{at}/members/{stranger.account}/silence", {"until": LATER}))


async def test_leaving_ends_neither_silence_nor_denial_but_what_was_granted(world: World) -> None:
    owner, bob, carol, at = await people(world)
    await give(owner, at, bob, permissions={"post": False, "manage_members": True})
    await owner.call("PUT", f"{at}/members/{bob.account}/silence", {"until": LATER})
    await bob.call("PUT", f"{at}/members/{bob.account}/nickname", {"nickname": "Bobby"})
    await bob.post(f"{at}/leave")
    await bob.post(f"{at}/join")
    shown = await member(carol, at, bob)
    assert (shown["permissions"], shown["silenced_until"], "nickname" in shown) == ({"post": False}, LATER, False)
    await refused("forbidden", say(bob, at))
    await refused("forbidden", bob.call("DELETE", f"{at}/members/{carol.account}"))
    await give(owner, at, bob, permissions={})
    await refused("silenced", say(bob, at))


# Nicknames ------------------------------------------------------------------------------------------------------------


async def test_one_is_called_what_one_likes_here(world: World) -> None:
    """R-163."""
    owner, bob, carol, at = await people(world)
    mine = f"{at}/members/{bob.account}/nickname"
    await bob.call("PUT", mine, {"nickname": " Bobby "})
    assert (await member(carol, at, bob))["nickname"] == "Bobby"
    assert await newest(carol, at, kinds.NICKNAME) == {"account": bob.account, "nickname": "Bobby"}
    head = (await bob.get(at))["head"]
    await bob.call("PUT", mine, {"nickname": "Bobby"})
    assert (await bob.get(at))["head"] == head
    await refused("forbidden", carol.call("PUT", mine, {"nickname": "Bob"}))
    await owner.call("PUT", mine, {"nickname": "x" * limits.NICKNAME})
    for wrong in ("x" * (limits.NICKNAME + 1), "", "a:b", "a\u202eb"):
        await refused("invalid", bob.call("PUT", mine, {"nickname": wrong}))
    await bob.call("PUT", mine, {"nickname": None})
    assert "nickname" not in await member(carol, at, bob)


# Bans -----------------------------------------------------------------------------------------------------------------


async def test_who_is_banned_is_out_and_comes_in_by_no_door(world: World) -> None:
    owner, bob, carol, at = await people(world)
    link = await owner.post(f"{at}/invites", {})
    await owner.call("PUT", f"{at}/bans/{bob.account}", {"reason": "spam"})
    await owner.call("PUT", f"{at}/bans/{bob.account}", {"reason": "again"})
    assert await newest(carol, at, kinds.REMOVED) == {"account": bob.account, "is_banned": True}
    await refused("not_member", bob.get(at))
    await refused("banned", bob.post(f"{at}/join"))
    await refused("banned", bob.post(f"/invites/{link['token']}/enter"))
    [ban] = (await owner.get(f"{at}/bans"))["bans"]
    assert (ban["account"], ban["by"], ban["reason"]) == (bob.account, owner.account, "spam")
    await owner.call("DELETE", f"{at}/bans/{bob.account}")
    await owner.call("DELETE", f"{at}/bans/{bob.account}")
    await bob.post(f"{at}/join")
    assert (await owner.get(f"{at}/bans"))["bans"] == []


async def test_who_was_never_in_is_banned_too(world: World) -> None:
    owner, bob, _, at = await people(world)
    stranger = await world.register("stranger")
    await owner.call("PUT", f"{at}/bans/{stranger.account}", {})
    await refused("banned", stranger.post(f"{at}/join"))
    await refused("not_member", stranger.get(at))
    assert (await bob.get(at))["member_count"] == 3
    await refused("not_found", owner.call("PUT", f"{at}/bans/{uuid4()}", {}))
    await owner.call("DELETE", f"{at}/bans/{stranger.account}")
    await stranger.post(f"{at}/join")
    assert len((await bob.get(f"{at}/members"))["members"]) == 4


async def test_nobody_bans_upwards_or_oneself(world: World) -> None:
    owner, bob, carol, at = await people(world)
    await give(owner, at, bob, role="moderator")
    await give(owner, at, carol, role="moderator")
    await refused("forbidden", bob.call("PUT", f"{at}/bans/{owner.account}", {}))
    await refused("forbidden", bob.call("PUT", f"{at}/bans/{carol.account}", {}))
    await refused("invalid", bob.call("PUT", f"{at}/bans/{bob.account}", {}))
    await refused("invalid", owner.call("PUT", f"{at}/bans/{carol.account}", {"reason": "x" * (limits.REASON + 1)}))
    await owner.call("PUT", f"{at}/bans/{carol.account}", {"reason": "x" * limits.REASON})


# What is written down -------------------------------------------------------------------------------------------------


async def test_the_trail_tells_who_did_what_to_whom(world: World, server_admin: Any) -> None:
    """R-338, R-339; of reasons, which are people's words, nothing."""
    owner, bob, carol, at = await people(world)
    role = await owner.post(f"{at}/roles", {"name": "Helpers"})
    await give(owner, at, bob, role="moderator", role_id=role["id"])
    await bob.call("PUT", f"{at}/members/{carol.account}/silence", {"until": LATER, "reason": "secret words"})
    await bob.call("DELETE", f"{at}/members/{carol.account}/silence")
    await bob.call("PUT", f"{at}/bans/{carol.account}", {"reason": "secret words"})
    await bob.call("DELETE", f"{at}/bans/{carol.account}")
    await bob.post(f"{at}/leave")
    rows = await server_admin.fetch(
        "SELECT event, account_id, resource_id, details::text AS details FROM audit_entries"
        " WHERE conversation_id = $1 ORDER BY created_at",
        at.rpartition("/")[2],
    )
    told = [(row["event"], str(row["account_id"]), row["resource_id"]) for row in rows]
    mine, his, hers = owner.account, bob.account, carol.account
    assert told[-11:] == [
        ("member_joined", his, his),
        ("member_joined", hers, hers),
        ("role_created", mine, role["id"]),
        ("rights_changed", mine, his),
        ("role_changed", mine, his),
        ("member_silenced", his, hers),
        ("silence_lifted", his, hers),
        ("member_removed", his, hers),
        ("member_banned", his, hers),
        ("ban_lifted", his, hers),
        ("member_left", his, his),
    ]
    assert "secret words" not in "".join(row["details"] for row in rows)


async def test_bans_have_a_limit(world: World, server_admin: Any) -> None:
    owner, bob, carol, at = await people(world)
    room = at.rpartition("/")[2]
    await server_admin.execute(
        """
        WITH made AS (
          INSERT INTO accounts (account_id, username, email, display_name)
          SELECT gen_random_uuid(), 'b' || n || $2, 'b' || n || $2 || '@example.org', 'b'
            FROM generate_series(1, $3::int) AS n RETURNING account_id)
        INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, left_seq, left_id, left_at, read_seq,
                             read_id, read_ordinal, banned_at, banned_by)
        SELECT $1, account_id, 0, $4, 0, $4, now(), 0, $4, 0, now(), account_id FROM made
        """,
        room,
        uuid4().hex[:12],
        limits.BANS - 1,
        FIRST_ID,
    )
    await owner.call("PUT", f"{at}/bans/{bob.account}", {})
    await refused("too_many", owner.call("PUT", f"{at}/bans/{carol.account}", {}))
    assert len((await owner.get(f"{at}/bans"))["bans"]) == limits.BANS
    assert (await member(owner, at, carol))["role"] == "member"
