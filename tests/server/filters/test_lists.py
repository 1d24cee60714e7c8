"""Who writes word lists, and what a list may be."""

from typing import Any

import pytest
from tests.support import moderating
from tests.support.people import Problem, World

from aparte.wire import limits

Admin = Any


async def test_a_list_is_written_whole_and_read_by_whoever_manages_messages(world: World, server_admin: Admin) -> None:
    owner, moderator, member = [await world.register(name) for name in ("owner", "moderator", "member")]
    room = await moderating.screened(owner, moderator, member)
    at = f"/conversations/{room}"
    await owner.call("PATCH", f"{at}/members/{moderator.account}", {"role": "moderator"})
    assert (await moderator.get(f"{at}/words"))["words"] == moderating.WORDS
    written = await moderator.call("PUT", f"{at}/words", {"words": [{"text": " e\u0301lan ", "action": "refuse"}]})
    assert written == {"words": [{"text": "\u00e9lan", "action": "refuse"}]} == await owner.get(f"{at}/words")
    events = await server_admin.fetch(
        "SELECT account_id::text, details ->> 'count' AS count FROM audit_entries WHERE event = 'words_changed'"
        " AND conversation_id = $1 ORDER BY created_at",
        room,
    )
    assert [tuple(event) for event in events] == [(owner.account, "3"), (moderator.account, "1")]


async def test_a_list_is_as_long_as_it_may_be(world: World) -> None:
    owner = await world.register("owner")
    room = await moderating.screened(owner)
    at = f"/conversations/{room}/words"
    most = [{"text": f"w{n}"} for n in range(limits.WORDS - 1)] + [{"text": "x" * limits.WORD}]
    assert len((await owner.call("PUT", at, {"words": most}))["words"]) == limits.WORDS
    for wrong in (
        [*most, {"text": "more"}],
        [{"text": "x" * (limits.WORD + 1)}],
        [{"text": "a"}, {"text": "A"}],
        [{"text": "?!"}],
        [{"text": "a*b"}],
        [{"text": "a\x00b"}],
        [{"text": "a", "action": "shout"}],
    ):
        with pytest.raises(Problem, match="invalid"):
            await owner.call("PUT", at, {"words": wrong})
    assert len((await owner.get(at))["words"]) == limits.WORDS
    assert (await owner.call("PUT", at, {"words": []}))["words"] == []


async def test_the_server_s_own_list_is_for_those_who_moderate_it_and_holds_in_every_screened_room(
    world: World, server_admin: Admin
) -> None:
    boss, owner, member = [await world.register(name) for name in ("boss", "owner", "member")]
    for role, outcome in (("user", "forbidden"), ("guest", "forbidden"), ("moderator", ""), ("admin", "")):
        await server_admin.execute(
            "UPDATE accounts SET role = $2::platform_role WHERE account_id = $1", boss.account, role
        )
        if outcome:
            with pytest.raises(Problem, match=outcome):
                await boss.get("/words")
            with pytest.raises(Problem, match=outcome):
                await boss.call("PUT", "/words", {"words": []})
        else:
            await boss.call("PUT", "/words", {"words": [{"text": "nowherewanted", "action": "refuse"}]})
            assert len((await boss.get("/words"))["words"]) == 1
    screened = await moderating.screened(owner, member, words=[])
    plain = await owner.room()
    await member.join(plain)
    with pytest.raises(Problem, match="filtered"):
        await member.send(screened, "NoWhereWanted!")
    assert "seq" in await member.send(plain, "NoWhereWanted!")
    await boss.call("PUT", "/words", {"words": []})
    assert "seq" in await member.send(screened, "nowherewanted")
