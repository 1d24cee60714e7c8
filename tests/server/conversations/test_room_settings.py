"""What rooms and channels say of themselves and how they are run: created, changed, found, copied beside the log."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import groups
from tests.support.people import Device, Problem, World
from tests.support.sealing import caller_of

from aparte.e2ee.roster import direct_id
from aparte.server.conversations import settings
from aparte.wire import limits
from aparte.wire.content import ConversationSettings, Profile
from aparte.wire.conversations import ConversationChange, Preferences
from aparte.wire.errors import Refusal

HEAD = "SELECT slow_seconds, ttl_seconds, closed, is_screened FROM heads WHERE conversation_id = $1"


async def entries(who: Device, room: str) -> list[dict[str, Any]]:
    page = await who.get(f"/conversations/{room}/entries", limit=500)
    found: list[dict[str, Any]] = page["entries"]
    return found


async def patch(who: Device, room: str, **fields: Any) -> Any:
    return await who.call("PATCH", f"/conversations/{room}", fields)


async def refusal(who: Device, method: str, path: str, body: Any = None, **params: Any) -> str:
    with pytest.raises(Problem) as told:
        await who.call(method, path, body, **params)
    return told.value.code


# Kinds ----------------------------------------------------------------------------------------------------------------


async def test_a_room_is_public_by_itself_and_a_channel_is_not(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.post("/conversations", {"kind": "room", "name": f"r {uuid4().hex[:8]}"})
    hall = {"kind": "channel", "name": f"c {uuid4().hex[:8]}", "encryption_mode": "server"}
    channel = await alice.post("/conversations", hall)
    assert (room["kind"], room["is_public"]) == ("room", True)
    assert (channel["kind"], channel["is_public"]) == ("channel", False)
    assert room["creator"] == channel["creator"] == alice.account


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "room", "is_public": False}, "mode_needed"),
        ({"kind": "channel"}, "mode_needed"),
        ({"kind": "room", "is_public": False, "encryption_mode": "e2ee"}, "invalid"),
        ({"kind": "room", "is_public": True, "encryption_mode": "e2ee"}, "invalid"),
        ({"kind": "group"}, "invalid"),
        ({"kind": "room", "picture": "http://example.org/p.png"}, "invalid"),
        ({"kind": "room", "picture": "https://me:secret@example.org/p.png"}, "invalid"),
        ({"kind": "room", "settings": {"slow_mode_seconds": limits.SLOW_MODE_SECONDS + 1}}, "invalid"),
        ({"kind": "room", "settings": {"max_members": 0}}, "invalid"),
        ({"kind": "room", "settings": {"max_members": limits.MEMBERS + 1}}, "invalid"),
        ({"kind": "room", "settings": {"ttl": limits.TTL_SECONDS[0] - 1}}, "invalid"),
        ({"kind": "room", "settings": {"ttl": limits.TTL_SECONDS[1] + 1}}, "invalid"),
        ({"kind": "room", "settings": {"language": "de"}}, "invalid"),
        ({"kind": "room", "settings": {"metadata": {"auto_moderate": "yes"}}}, "invalid"),
        ({"kind": "room", "settings": {"metadata": {"theme": 3}}}, "invalid"),
        ({"kind": "room", "welcome": "x" * (limits.WELCOME + 1)}, "invalid"),
        ({"kind": "room", "rules": "x" * (limits.RULES + 1)}, "invalid"),
    ],
)
async def test_what_cannot_be_created_is_refused(world: World, fields: dict[str, Any], code: str) -> None:
    alice = await world.register("alice")
    assert await refusal(alice, "POST", "/conversations", {"name": f"r {uuid4().hex[:8]}", **fields}) == code


async def test_everything_at_its_limit_is_created_and_told_to_members_as_entries(world: World) -> None:
    alice = await world.register("alice")
    said = {
        "welcome": "w" * limits.WELCOME,
        "rules": "r" * limits.RULES,
        "picture": "https://example.org/" + "p" * (limits.AVATAR_URL - 20),
    }
    run = {
        "is_nsfw": True,
        "language": "simple",
        "slow_mode_seconds": limits.SLOW_MODE_SECONDS,
        "max_members": limits.MEMBERS,
        "ttl": limits.TTL_SECONDS[1],
        "metadata": {f"key {n}": n for n in range(limits.METADATA_KEYS - 1)},
    }
    name = f"r {uuid4().hex[:8]}"
    made = await alice.post("/conversations", {"kind": "room", "name": name, **said, "settings": run})
    assert {key: made[key] for key in said} == said
    assert made["settings"] == {**run, "metadata": {**run["metadata"], "name": name}}  # type: ignore[dict-item]
    assert made["max_members"] == limits.MEMBERS
    created, of_settings = await entries(alice, made["id"])
    assert (created["kind"], created["body"]) == (16, {"name": name, **said})
    assert (of_settings["kind"], of_settings["body"]) == (7, run)


async def test_a_private_room_is_joined_by_nobody_unasked_and_found_by_nobody(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    name = f"hidden {uuid4().hex[:8]}"
    room = await alice.room(name, is_public=False, encryption_mode="server")
    assert await refusal(bob, "POST", f"/conversations/{room}/join") == "not_found"
    assert (await bob.get("/directory", name=name))["rooms"] == []
    assert await alice.room(name)  # names are kept apart where they are looked for


async def test_in_a_channel_members_read_and_react_and_moderators_write(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    channel = await alice.post("/conversations", {"kind": "channel", "name": f"c {uuid4().hex[:8]}", "is_public": True})
    here = channel["id"]
    joined = await bob.join(here)
    assert joined["membership"]["permissions"] == ["react"]
    await alice.send(here, "hear, hear")
    with pytest.raises(Problem, match="forbidden"):
        await bob.send(here, "me too")
    assert await bob.texts(here) == ["hear, hear"]


# Changes --------------------------------------------------------------------------------------------------------------


async def test_a_change_is_an_entry_of_its_kind_with_all_that_holds_from_then_on(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.room(name := f"r {uuid4().hex[:8]}", topic="tea")
    await patch(alice, room, welcome="hello", slow_mode_seconds=5)
    changed = await patch(alice, room, slow_mode_seconds=5, metadata={"theme": "tech"})
    assert (changed["welcome"], changed["topic"]) == ("hello", "tea")
    found = await entries(alice, room)
    assert [entry["kind"] for entry in found] == [16, 6, 7, 7]
    assert found[1]["body"] == {"name": name, "topic": "tea", "welcome": "hello"}
    said = [msgspec.convert(entry["body"], ConversationSettings) for entry in found[2:]]
    assert said == [
        ConversationSettings(slow_mode_seconds=5),
        ConversationSettings(slow_mode_seconds=5, metadata={"theme": "tech"}),
    ]


async def test_nothing_changed_is_nothing_written(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.room(topic="tea")
    before = await patch(alice, room, slow_mode_seconds=5)
    same = {"topic": "tea", "slow_mode_seconds": 5, "metadata": {}, "ttl": None, "picture": None}
    assert await patch(alice, room, **same) == before
    assert [entry["kind"] for entry in await entries(alice, room)] == [16, 7]


async def test_the_name_shows_in_the_metadata_and_is_changed_as_the_name(world: World) -> None:
    """C-59: one truth; what somebody writes there is not taken."""
    alice = await world.register("alice")
    room = await alice.room(name := f"r {uuid4().hex[:8]}")
    shown = await patch(alice, room, metadata={"name": "another", "theme": "tech"})
    assert shown["settings"]["metadata"] == {"name": name, "theme": "tech"}
    renamed = await patch(alice, room, name=f"{name} two")
    assert renamed["settings"]["metadata"] == {"name": f"{name} two", "theme": "tech"}


async def test_fifty_keys_of_metadata_with_the_name_are_all_there_can_be(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.room()
    full = {f"key {n}": n for n in range(limits.METADATA_KEYS - 1)}
    shown = await patch(alice, room, metadata=full)
    assert await patch(alice, room, metadata=shown["settings"]["metadata"]) == shown
    too_many = {f"key {n}": n for n in range(limits.METADATA_KEYS)}
    assert await refusal(alice, "PATCH", f"/conversations/{room}", {"metadata": too_many}) == "invalid"


async def test_metadata_is_as_large_as_it_may_be_and_not_larger(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.room()
    around = len('{"text":""}')
    await patch(alice, room, metadata={"text": "x" * (limits.METADATA_BYTES - around)})
    larger = {"metadata": {"text": "x" * (limits.METADATA_BYTES - around + 1)}}
    assert await refusal(alice, "PATCH", f"/conversations/{room}", larger) == "invalid"


async def test_what_decides_over_a_send_stands_beside_the_log(world: World, server_admin: Any) -> None:
    alice = await world.register("alice")
    room = await alice.room(settings={"slow_mode_seconds": 7, "metadata": {"auto_moderate": True}})
    assert tuple(await server_admin.fetchrow(HEAD, UUID(room))) == (7, None, 0, True)
    await patch(alice, room, ttl=60, is_archived=True, metadata={"auto_moderate": False}, slow_mode_seconds=0)
    assert tuple(await server_admin.fetchrow(HEAD, UUID(room))) == (0, 60, 1, False)
    await patch(alice, room, ttl=None, is_archived=False)
    assert tuple(await server_admin.fetchrow(HEAD, UUID(room))) == (0, None, 0, False)


async def test_an_archived_room_is_read_and_comes_back(world: World) -> None:
    """C-40: reading goes on; nothing is written but what takes it back."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    await bob.send(room, "before")
    await patch(alice, room, is_archived=True)
    with pytest.raises(Problem, match="archived"):
        await bob.send(room, "during")
    assert await bob.texts(room) == ["before"]
    assert [c["id"] for c in (await bob.get("/conversations", archived=True))["conversations"]] == [room]
    assert (await bob.get("/conversations", archived=False))["conversations"] == []
    await patch(alice, room, is_archived=False)
    await bob.send(room, "after")


async def test_who_is_in_stays_when_a_room_becomes_smaller_and_nobody_joins(world: World) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    room = await alice.room()
    await bob.join(room)
    await patch(alice, room, max_members=1)
    assert (await bob.get(f"/conversations/{room}"))["member_count"] == 2
    assert await refusal(carol, "POST", f"/conversations/{room}/join") == "room_full"
    await patch(alice, room, max_members=3)
    await carol.join(room)


async def test_settings_are_changed_by_who_may_edit_and_by_nobody_else(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    assert await refusal(bob, "PATCH", f"/conversations/{room}", {"is_nsfw": True}) == "forbidden"
    await alice.call("PATCH", f"/conversations/{room}/members/{bob.account}", {"permissions": {"edit_profile": True}})
    assert (await patch(bob, room, is_nsfw=True))["settings"]["is_nsfw"] is True


async def test_a_change_of_settings_is_in_the_audit_trail(world: World, server_admin: Any) -> None:
    """R-339: which settings, and nothing of what they say."""
    alice = await world.register("alice")
    room = await alice.room()
    await patch(alice, room, slow_mode_seconds=5, metadata={"theme": "secret plans"})
    rows = await server_admin.fetch(
        "SELECT event, account_id, details::text FROM audit_entries WHERE conversation_id = $1 ORDER BY id", UUID(room)
    )
    told = {row["event"]: row for row in rows}
    assert {"conversation_created", "settings_changed"} <= set(told)
    changed = told["settings_changed"]
    assert changed["account_id"] == UUID(alice.account)
    assert "slow_mode_seconds" in changed["details"]
    assert "secret plans" not in changed["details"]


# Encrypted ------------------------------------------------------------------------------------------------------------


async def test_of_an_encrypted_conversation_only_what_the_server_acts_on_is_changed_here(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    made = await groups.over_the_wire(alice, bob)
    here = f"/conversations/{made.id}"
    changed = await patch(alice, str(made.id), slow_mode_seconds=9, is_archived=True, max_members=limits.GROUP_MEMBERS)
    assert changed["settings"]["slow_mode_seconds"] == 9
    assert (await entries(alice, str(made.id)))[-1]["kind"] == 7
    await patch(alice, str(made.id), is_archived=False, metadata={"theme": "tech"}, is_nsfw=True)
    for sealed in ({"name": "x"}, {"topic": "x"}, {"welcome": "x"}, {"ttl": 60}, {"language": "en"}):
        assert await refusal(alice, "PATCH", here, sealed) == "mode_mismatch"
    assert await refusal(alice, "PATCH", here, {"max_members": limits.GROUP_MEMBERS + 1}) == "invalid"
    assert await refusal(bob, "PATCH", here, {"is_nsfw": False}) == "forbidden"


async def test_nobody_is_let_into_an_encrypted_conversation_that_is_full(world: World) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    made = await groups.over_the_wire(alice, bob)
    await patch(alice, str(made.id), max_members=2)
    with pytest.raises(Problem, match="room_full"):
        await groups.say_over_the_wire(made, alice, made.add(caller_of(alice), caller_of(carol)))
    await patch(alice, str(made.id), max_members=3)
    await groups.say_over_the_wire(made, alice, made.add(caller_of(alice), caller_of(carol)))


async def test_encrypted_ones_are_not_screened_whatever_their_metadata_say(world: World, server_admin: Any) -> None:
    alice = await world.register("alice")
    made = await groups.over_the_wire(alice)
    await patch(alice, str(made.id), metadata={"auto_moderate": True})
    assert tuple(await server_admin.fetchrow(HEAD, made.id)) == (0, None, 0, False)


# Finding --------------------------------------------------------------------------------------------------------------


async def test_the_directory_shows_rooms_and_channels_as_they_are_asked_for(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    word = uuid4().hex[:10]
    plain = await alice.room(f"{word} a", settings={"metadata": {"theme": "tech", "tags": ["x", "y"]}})
    made = await alice.post("/conversations", {"kind": "channel", "name": f"{word} b", "is_public": True})
    nsfw = await alice.room(f"{word} c", settings={"is_nsfw": True})
    old = await alice.room(f"{word} d")
    await patch(alice, old, is_archived=True)

    async def found(**params: Any) -> list[str]:
        page = await bob.get("/directory", **params)
        return [room["id"] for room in page["rooms"]]

    assert await found(query=word) == [plain, made["id"]]
    assert await found(query=word, nsfw=True) == [plain, made["id"], nsfw]
    assert await found(query=word, kind="channel") == [made["id"]]
    assert await found(query=word, metadata='{"tags":["y"]}') == [plain]
    assert await found(query=word, metadata=f'{{"theme":"tech","name":"{word} a"}}') == [plain]
    assert await found(query=word, metadata='{"theme":"art"}') == []
    assert await found(name=f"{word} c") == [nsfw]
    assert await found(name=f"{word} d") == [old]
    longest = '{"x":"' + "é" * (limits.METADATA_QUERY - 8) + '"}'
    assert await found(query=word, metadata=longest) == []
    assert await refusal(bob, "GET", "/directory", metadata=longest.replace('"x"', '"xy"')) == "invalid"
    for wrong in ("[]", "{", "3", '{"a":1e999}', '{"a":"\\u0000"}', '{"a":' * 20 + "1" + "}" * 20):
        assert await refusal(bob, "GET", "/directory", metadata=wrong) == "invalid"


async def test_ones_own_conversations_are_found_by_what_they_are(world: World) -> None:
    """R-111, R-119, R-120, R-128."""
    alice, bob = await world.register("alice"), await world.register("bob")
    made = await groups.over_the_wire(alice, bob)
    room = await alice.room(settings={"metadata": {"theme": "tech"}})
    hidden = await alice.room(is_public=False, encryption_mode="server")
    await bob.join(room)
    await alice.call("PATCH", f"/conversations/{room}/members/{bob.account}", {"role": "owner"})

    async def mine(**params: Any) -> set[str]:
        return {one["id"] for one in (await alice.get("/conversations", **params))["conversations"]}

    assert await mine() == {str(made.id), room, hidden}
    assert await mine(kind="group") == {str(made.id)}
    assert await mine(public=True) == {room}
    assert await mine(public=False) == {str(made.id), hidden}
    assert await mine(metadata='{"theme":"tech"}') == {room}
    assert await mine(creator=alice.account) == {str(made.id), room, hidden}
    assert await mine(owner=bob.account) == {room}


# As the caller sees it ------------------------------------------------------------------------------------------------


async def test_the_newest_message_that_is_there_for_me_stands_in_the_list(world: World) -> None:
    """R-146, B-059: one row a conversation, sorted by activity, with those that nobody has written in."""
    alice, bob = await world.register("alice"), await world.register("bob")
    silent = await alice.room()
    room = await alice.room()
    await bob.join(room)
    sent = [await alice.send(room, f"said {n}") for n in range(3)]
    change = {"client_message_id": str(uuid4()), "content": {"text": "said better"}}
    await alice.call("PATCH", f"/conversations/{room}/messages/{sent[1]['id']}", change)

    async def newest(who: Device) -> Any:
        return (await who.get(f"/conversations/{room}")).get("last_message")

    first = await newest(bob)
    assert (first["id"], first["account"], first["content"]["text"]) == (sent[2]["id"], alice.account, "said 2")
    await bob.call("DELETE", f"/conversations/{room}/messages/{sent[2]['id']}", scope="me")
    assert (await newest(bob))["content"]["text"] == "said better"
    assert (await newest(alice))["content"]["text"] == "said 2"
    await alice.call("DELETE", f"/conversations/{room}/messages/{sent[1]['id']}", client_message_id=uuid4())
    assert (await newest(bob))["id"] == sent[0]["id"]
    listed = (await alice.get("/conversations"))["conversations"]
    assert [one["id"] for one in listed] == [room, silent]
    assert "last_message" not in listed[1]


async def test_what_disappears_is_unread_no_more_and_not_the_newest(world: World, server_admin: Any) -> None:
    """B-007, B-058: whoever has never read has unread what is there."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    sent = [await alice.send(room, f"{n}", ttl=3_600) for n in range(3)]
    assert (await bob.get(f"/conversations/{room}"))["membership"]["unread"] == 3
    for table in ("messages", "disappearing_messages"):
        await server_admin.execute(
            f"UPDATE {table} SET expires_at = now() - interval '1 second' WHERE conversation_id = $1 AND id = $2",  # noqa: S608
            UUID(room),
            UUID(sent[2]["id"]),
        )
    seen = await bob.get(f"/conversations/{room}")
    assert seen["membership"]["unread"] == 2
    assert seen["last_message"]["id"] == sent[1]["id"]
    await bob.call("DELETE", f"/conversations/{room}/messages/{sent[2]['id']}", scope="me")
    assert (await bob.get(f"/conversations/{room}"))["membership"]["unread"] == 2


async def test_who_has_left_finds_a_conversation_in_no_list(world: World) -> None:
    """B-083: and its name is text."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room(name := f'quoted "{uuid4().hex[:8]}"')
    await bob.join(room)
    await alice.send(room, "unread")
    assert [one["name"] for one in (await bob.get("/conversations"))["conversations"]] == [name]
    await bob.post(f"/conversations/{room}/leave")
    assert (await bob.get("/conversations"))["conversations"] == []


async def test_a_direct_conversation_tells_of_ones_own_block_and_of_no_other(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    here = str(UUID(bytes=direct_id(UUID(alice.account).bytes, UUID(bob.account).bytes)))
    await alice.post("/conversations/direct", {"id": here, "account": bob.account})
    await alice.call("PUT", f"/blocks/{bob.account}", {})
    assert (await alice.get(f"/conversations/{here}"))["blocked_by"] == [alice.account]
    assert "blocked_by" not in await bob.get(f"/conversations/{here}")


async def test_what_a_member_has_set_for_oneself_comes_with_the_conversation(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    await alice.call("PATCH", f"/conversations/{room}/preferences", {"is_pinned": True, "labels": ["work"]})
    mine = (await alice.get(f"/conversations/{room}"))["membership"]["preferences"]
    assert msgspec.convert(mine, Preferences) == Preferences(is_pinned=True, labels=["work"])
    other = (await bob.get(f"/conversations/{room}"))["membership"].get("preferences", {})
    assert msgspec.convert(other, Preferences) == Preferences()


# Rules ----------------------------------------------------------------------------------------------------------------


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "topic": st.text("ab", max_size=4),
        "welcome": st.text("ab", max_size=4),
        "picture": st.sampled_from([None, "https://example.org/p.png"]),
        "is_nsfw": st.booleans(),
        "ttl": st.sampled_from([None, 60]),
        "slow_mode_seconds": st.integers(0, 5),
        "metadata": st.dictionaries(st.sampled_from(["name", "theme", "x"]), st.text("ab", max_size=2)),
    },
)


@given(CHANGES, CHANGES)
def test_a_change_changes_what_it_names_and_twice_is_once(first: dict[str, Any], second: dict[str, Any]) -> None:
    profile, terms = Profile("salon"), ConversationSettings()
    for fields in (first, second):
        wanted = ConversationChange(**fields)
        profile = settings.profile_after(profile, wanted)
        terms = settings.settings_after(terms, wanted)
        assert settings.profile_after(profile, wanted) == profile
        assert settings.settings_after(terms, wanted) == terms
    for name, value in {**first, **second}.items():
        kept = {key: one for key, one in value.items() if key != "name"} if name == "metadata" else value
        assert getattr(profile if name in settings.OF_PROFILE else terms, name) == kept


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.org/p",
        "https://",
        "https:///p",
        "https://a b.org/p",
        "https://me@example.org/",
        "javascript:alert(1)",
        "https://example.org\\@evil.example/",
        "HTTPS://example.org/p\n",
    ],
)
def test_a_picture_is_an_https_address_without_a_name_in_it(address: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        settings.clean_profile(Profile("salon", picture=address))
