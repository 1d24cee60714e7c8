"""What is decided about a message that waits: once, whoever is there, and judged by what its author may then."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support import moderating
from tests.support.marking import delete, reply
from tests.support.moderating import decide, hold, states, waiting, withdraw
from tests.support.people import Device, Problem, World

from aparte.wire import limits

Admin = Any


@pytest.fixture
async def people(world: World) -> list[Device]:
    """Owner, author and another member."""
    return [await world.register(name) for name in ("owner", "author", "member")]


async def test_an_approved_message_is_its_author_s_as_if_sent_then(people: list[Device]) -> None:
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    key = uuid4()
    held = await hold(author, room, f"spam, @{member.username}", key, metadata={"n": 1})
    between = await member.send(room, "between")
    told = await decide(owner, room, held, reason="fine")
    assert (told["status"], told["decided_by"], told["reason"]) == ("approved", owner.account, "fine")
    shown = await member.get(f"/conversations/{room}/messages/{told['message']}")
    assert (shown["account"], shown["device"], shown["client_message_id"]) == (author.account, author.id, str(key))
    assert (shown["seq"], shown["content"]["metadata"]) == (between["seq"] + 1, {"n": 1})
    assert shown["content"]["mentions"] == [member.account]
    assert (await member.get(f"/conversations/{room}"))["membership"]["unread"] == 1
    assert await waiting(owner, room) == await waiting(author, room) == []
    assert await states(author, "held:") == await states(owner, "moderation:") == {}


async def test_a_rejected_message_stays_with_its_author_and_moderators_and_says_why(
    people: list[Device], server_admin: Admin
) -> None:
    """R-325: who has decided, and why."""
    owner, author, _ = people
    room = await moderating.screened(owner, author)
    held = await hold(author, room)
    told = await decide(owner, room, held, approve=False, reason="  not here ")
    assert (told["status"], told["reason"], told["words"]) == ("rejected", "not here", ["spam"])
    (mine,) = await waiting(author, room)
    assert (mine["status"], mine["decided_by"], mine["reason"]) == ("rejected", owner.account, "not here")
    assert mine["content"]["text"] == "spam"
    assert await states(author, "held:") == {f"held:{held}": mine}
    assert [one["id"] for one in await waiting(owner, room)] == [held]
    for verb in (decide(owner, room, held), withdraw(author, room, held)):
        with pytest.raises(Problem, match="over"):
            await verb
    trail = await server_admin.fetch(
        "SELECT event, account_id::text, resource_id, details::text FROM audit_entries WHERE conversation_id = $1"
        " AND event LIKE 'message%'",
        UUID(room),
    )
    assert [tuple(event)[:3] for event in trail] == [("message_rejected", owner.account, held)]
    assert "spam" not in str(trail)


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        ("left", "not_member"),
        ("silenced", "silenced"),
        ("denied", "forbidden"),
        ("closed", "account_closed"),
        ("guest", "forbidden"),
        ("root gone", "gone"),
    ],
)
async def test_what_its_author_may_is_judged_when_it_is_approved(
    people: list[Device], server_admin: Admin, happens: str, code: str
) -> None:
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    at = f"/conversations/{room}/members/{author.account}"
    root = (await member.send(room, "root"))["id"]
    body = {"client_message_id": str(uuid4()), "content": {"text": "spam"}, "thread": root}
    held = (await author.post(f"/conversations/{room}/messages", body))["data"]["held"]
    assert (await waiting(owner, room))[0]["thread"] == root
    if happens == "left":
        await author.post(f"/conversations/{room}/leave")
    elif happens == "silenced":
        await owner.call("PUT", f"{at}/silence", {"until": "2035-01-01T00:00:00Z"})
    elif happens == "denied":
        await owner.call("PATCH", at, {"permissions": {"post": False}})
    elif happens == "root gone":
        await delete(member, room, root)
    else:
        change = "is_active = false" if happens == "closed" else "role = 'guest'"
        await server_admin.execute(f"UPDATE accounts SET {change} WHERE account_id = $1", UUID(author.account))  # noqa: S608
    told = await decide(owner, room, held)
    assert (told["status"], told["reason"], told.get("message")) == ("rejected", code, None)
    assert "spam" not in [
        m["content"]["text"] for m in (await owner.get(f"/conversations/{room}/messages"))["messages"]
    ]
    assert [(one["id"], one["status"]) for one in await waiting(owner, room)] == [(held, "rejected")]


async def test_it_goes_to_its_thread(people: list[Device]) -> None:
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    root = (await member.send(room, "root"))["id"]
    await reply(member, room, root, "first")
    body = {"client_message_id": str(uuid4()), "content": {"text": "spam", "ttl": 600}, "thread": root}
    held = (await author.post(f"/conversations/{room}/messages", body))["data"]["held"]
    told = await decide(owner, room, held)
    assert await member.texts(room, thread=root) == ["first", "spam"]
    assert (await member.get(f"/conversations/{room}/messages/{told['message']}"))["expires_at"] is not None


async def test_of_many_who_decide_at_once_one_does(people: list[Device]) -> None:
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    await owner.call("PATCH", f"/conversations/{room}/members/{member.account}", {"role": "moderator"})
    for _ in range(6):
        held = await hold(author, room)
        verbs = [
            decide(owner, room, held),
            decide(member, room, held, approve=False),
            decide(member, room, held),
            withdraw(author, room, held),
        ]
        done = await asyncio.gather(*verbs, return_exceptions=True)
        lost = [one for one in done if isinstance(one, Problem)]
        assert [problem.code for problem in lost] == ["over"] * (len(verbs) - 1)
    shown = (await owner.get(f"/conversations/{room}/messages"))["messages"]
    assert len({message["client_message_id"] for message in shown}) == len(shown)
    assert {one["status"] for one in await waiting(owner, room)} <= {"rejected"}


async def test_who_decides_may_manage_messages(people: list[Device]) -> None:
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    held = await hold(author, room)
    for who in (author, member):
        with pytest.raises(Problem, match="forbidden"):
            await decide(who, room, held)
    with pytest.raises(Problem, match="not_found"):
        await decide(owner, room, str(uuid4()))
    elsewhere = await moderating.screened(owner)
    with pytest.raises(Problem, match="not_found"):
        await decide(owner, elsewhere, held)
    with pytest.raises(Problem, match="invalid"):
        await decide(owner, room, held, reason="x" * (limits.REASON + 1))
    await owner.call(
        "PATCH", f"/conversations/{room}/members/{member.account}", {"permissions": {"manage_messages": True}}
    )
    assert (await decide(member, room, held, reason="x" * limits.REASON))["status"] == "approved"
