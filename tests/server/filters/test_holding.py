"""What is said in a screened room passes, is refused, or waits for a moderator (R-326, C-56, B-130)."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from tests.support import moderating
from tests.support.moderating import decide, hold, states, waiting, withdraw
from tests.support.people import Device, Problem, World

from aparte.wire import limits

Admin = Any


@pytest.fixture
async def people(world: World) -> list[Device]:
    """Owner, author and another member."""
    return [await world.register(name) for name in ("owner", "author", "member")]


async def test_b_130_auto_moderate_has_a_rule(people: list[Device]) -> None:
    """Words pass, are refused or wait; the same words pass where nobody moderates automatically, or no more."""
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    assert "seq" in await author.send(room, "good morning")
    with pytest.raises(Problem, match="filtered"):
        await author.send(room, "poisonous spam")
    await hold(author, room, "SPAM, or rather ѕраm")
    assert await member.texts(room) == ["good morning"]
    plain = await owner.room()
    await author.join(plain)
    assert "seq" in await author.send(plain, "poisonous spam")
    await owner.call("PATCH", f"/conversations/{room}", {"metadata": {"auto_moderate": False}})
    assert "seq" in await author.send(room, "spam")


async def test_what_moderators_say_is_not_screened(people: list[Device]) -> None:
    owner, author, _ = people
    room = await moderating.screened(owner, author)
    assert "seq" in await owner.send(room, "no spam, no poison")
    await owner.call(
        "PATCH", f"/conversations/{room}/members/{author.account}", {"permissions": {"manage_messages": True}}
    )
    assert "seq" in await author.send(room, "no spam, no poison")


async def test_b_119_what_waits_is_nowhere_but_with_its_author_and_moderators(people: list[Device]) -> None:
    """It has no position: no entry, no unread message, no count, nothing found; rejected neither."""
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    before = await member.get(f"/conversations/{room}")
    pending = await hold(author, room, f"spam for @{member.username} quitesearchable")
    rejected = await hold(author, room, "more spam quitesearchable")
    assert (await decide(owner, room, rejected, approve=False, reason="no"))["status"] == "rejected"
    after = await member.get(f"/conversations/{room}")
    assert after == before
    assert after["membership"]["unread"] == 0
    assert (await member.get(f"/conversations/{room}/entries", after=before["head"]["id"]))["entries"] == []
    assert (await member.get("/mentions"))["messages"] == []
    for who in people:
        found = await who.get("/search/messages", **{"q": "quitesearchable", "in": room})
        assert found["found"] == []
        assert await who.texts(room) == []
    assert [held["id"] for held in await waiting(author, room)] == [pending, rejected]
    assert await waiting(member, room) == []
    assert await states(member, "held:") == {}


async def test_author_and_moderators_see_what_waits_and_moderators_why(people: list[Device]) -> None:
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    held = await hold(author, room, "buy now: spam", metadata={"n": 1})
    other = await hold(member, room, "spam too")
    (mine,) = await waiting(author, room)
    assert (mine["id"], mine["content"]["text"], mine["content"]["metadata"]) == (held, "buy now: spam", {"n": 1})
    assert (mine["status"], mine.get("words"), mine["account"]) == ("pending", None, author.account)
    assert [(one["id"], one["words"]) for one in await waiting(owner, room)] == [
        (held, ["spam", "buy now"]),
        (other, ["spam"]),
    ]
    assert [one["id"] for one in await waiting(owner, room, after=held)] == [other]
    assert await states(author, "held:") == {f"held:{held}": mine}
    assert await states(owner, "moderation:") == {f"moderation:{room}": {"held": 2}}
    assert await states(member, "moderation:") == {}
    await decide(owner, room, held, approve=False)
    await withdraw(member, room, other)
    assert await states(owner, "moderation:") == {}


async def test_a_repeat_waits_once(people: list[Device]) -> None:
    owner, author, _ = people
    room = await moderating.screened(owner, author)
    key = uuid4()
    answers = await asyncio.gather(*(author.send(room, "spam", key) for _ in range(5)))
    assert {answer["data"]["held"] for answer in answers} == {await hold(author, room, "spam", key)}
    assert len(await waiting(owner, room)) == 1
    with pytest.raises(Problem, match="client_id_reused"):
        await author.send(room, "other spam", key)
    await owner.call("PUT", f"/conversations/{room}/words", {"words": []})
    assert (await author.send(room, "spam", key))["code"] == "held", "whatever the list says by now"
    assert "seq" in await author.send(room, "spam")


async def test_a_repeat_is_told_what_became_of_the_first(people: list[Device]) -> None:
    owner, author, _ = people
    room = await moderating.screened(owner, author)
    keys = [uuid4() for _ in range(3)]
    approved, rejected, withdrawn = [await hold(author, room, "spam", key) for key in keys]
    told = await decide(owner, room, approved)
    await decide(owner, room, rejected, approve=False)
    await withdraw(author, room, withdrawn)
    assert (await author.send(room, "spam", keys[0]))["id"] == told["message"]
    for key, code in ((keys[1], "filtered"), (keys[2], "gone")):
        with pytest.raises(Problem, match=code):
            await author.send(room, "spam", key)
    assert await author.texts(room) == ["spam"]


async def test_so_many_wait_of_one_person_and_no_more(people: list[Device]) -> None:
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    held = [await hold(author, room, f"spam {n}") for n in range(limits.HELD)]
    with pytest.raises(Problem, match="too_many"):
        await author.send(room, "spam")
    await hold(member, room)
    await withdraw(author, room, held[0])
    await hold(author, room)
    texts = [one["content"]["text"] for one in await waiting(author, room)]
    assert (len(texts), texts[0]) == (limits.HELD, "spam 1")


async def test_an_edit_says_what_a_message_may(people: list[Device]) -> None:
    """Held or refused, in any form: what is said already does not wait."""
    owner, author, _ = people
    room = await moderating.screened(owner, author)
    said = (await author.send(room, "good"))["id"]
    for text, form in (("spam", "text"), ("a poison", "text"), ("sp<b>am</b>", "html"), ("sp**a**m", "markdown")):
        with pytest.raises(Problem, match="filtered"):
            await moderating.edit(author, room, said, text, format=form)
    await moderating.edit(author, room, said, "better")
    assert await author.texts(room) == ["better"]
    assert await waiting(author, room) == []
    mine = (await owner.send(room, "mine"))["id"]
    await moderating.edit(owner, room, mine, "my spam")
    await owner.call("PATCH", f"/conversations/{room}", {"metadata": {}})
    await moderating.edit(author, room, said, "spam")


async def test_what_is_forwarded_is_screened_as_it_reads(people: list[Device]) -> None:
    owner, author, member = people
    room, elsewhere = await moderating.screened(owner, author, member), await author.room()
    said = (await author.send(elsewhere, "spam from elsewhere"))["id"]
    body = {
        "client_message_id": str(uuid4()),
        "content": {"text": "harmless"},
        "forward": {"conversation": elsewhere, "message": said},
    }
    answer = await author.post(f"/conversations/{room}/messages", body)
    assert answer["code"] == "held"
    (held,) = await waiting(owner, room)
    assert held["content"]["text"] == "spam from elsewhere"
    assert (await author.post(f"/conversations/{room}/messages", body))["data"] == answer["data"]
    await decide(owner, room, held["id"])
    (shown,) = (await member.get(f"/conversations/{room}/messages"))["messages"]
    assert shown["content"]["text"] == "spam from elsewhere"
    assert shown["content"]["forwarded"]["account"] == author.account


async def test_over_the_gateway_as_over_rest(people: list[Device]) -> None:
    owner, author, _ = people
    room = await moderating.screened(owner, author)
    key = str(uuid4())
    async with author.gateway() as here:
        message = {"client_message_id": key, "content": {"text": "spam"}}
        answer = await here.ask("send", conversation=room, message=message)
        assert (answer["type"], answer["code"]) == ("error", "held")
        refused = await here.ask("send", conversation=room, message={**message, "content": {"text": "poison"}})
        assert refused["code"] == "client_id_reused"
        (held,) = await waiting(author, room)
        assert str(answer["data"]["held"]) == held["id"]
        await decide(owner, room, held["id"])
        entry = await here.entry(room)
        assert (str(entry["client_message_id"]), str(entry["device"])) == (key, author.id)


async def test_one_s_own_is_taken_back_also_after_leaving(people: list[Device]) -> None:
    owner, author, member = people
    room = await moderating.screened(owner, author, member)
    held, other = await hold(author, room), await hold(author, room, "spam 2")
    for who in (member, owner):
        with pytest.raises(Problem, match="not_found"):
            await withdraw(who, room, held)
    await withdraw(author, room, held)
    await withdraw(author, room, held)
    with pytest.raises(Problem, match="over"):
        await decide(owner, room, held)
    await author.post(f"/conversations/{room}/leave")
    with pytest.raises(Problem, match="not_member"):
        await waiting(author, room)
    with pytest.raises(Problem, match="not_member"):
        await withdraw(author, room, str(uuid4()))
    await withdraw(author, room, other)
    assert await waiting(owner, room) == []
    assert await states(author, "held:") == {}
