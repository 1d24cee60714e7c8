"""Reactions: what may be set, who has set it, how many there are, and that two people at once agree afterwards."""

import asyncio
import unicodedata
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support import rooms
from tests.support.marking import delete, expire, react, restore, shown
from tests.support.people import Device, Problem, World

from aparte.server.kit.db import Database
from aparte.server.messages import actions as messages
from aparte.server.messages import marks
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, EntryId, Position

THUMB, HEART, FAMILY, ENGLAND = "👍", "❤️", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"


async def scene(world: World) -> tuple[Device, Device, str, str]:
    """A room of two, and a message of the first one."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    return alice, bob, room, str((await alice.send(room, "react to me"))["id"])


async def test_reactions_show_with_their_count_who_set_them_and_whether_i_did(world: World) -> None:
    """B-100: they are counted for each message of the page, and say whether the caller is among them."""
    alice, bob, room, message = await scene(world)
    other = str((await bob.send(room, "nobody reacts to me"))["id"])
    for who, emoji in ((alice, HEART), (bob, THUMB), (alice, THUMB)):
        await react(who, room, message, emoji)
    page = await alice.get(f"/conversations/{room}/messages")
    reactions = {m["id"]: m.get("reactions", {}) for m in page["messages"]}
    assert reactions[message] == {
        HEART: {"count": 1, "accounts": [alice.account], "is_mine": True},
        THUMB: {"count": 2, "accounts": [bob.account, alice.account], "is_mine": True},
    }
    assert list(reactions[message]) == [HEART, THUMB]
    assert reactions[other] == {}
    assert "is_mine" not in (await shown(bob, room, message))["reactions"][HEART]


async def test_a_reaction_that_is_taken_back_is_gone_and_can_be_set_again(world: World) -> None:
    alice, bob, room, message = await scene(world)
    await react(alice, room, message, THUMB)
    await react(bob, room, message, THUMB)
    await react(alice, room, message, THUMB, on=False)
    assert (await shown(bob, room, message))["reactions"] == {
        THUMB: {"count": 1, "accounts": [bob.account], "is_mine": True}
    }
    await react(bob, room, message, THUMB, on=False)
    assert "reactions" not in await shown(bob, room, message)
    await react(alice, room, message, THUMB)
    assert (await shown(bob, room, message))["reactions"] == {THUMB: {"count": 1, "accounts": [alice.account]}}


async def test_what_is_so_already_takes_no_position(world: World) -> None:
    alice, _, room, message = await scene(world)
    first = await react(alice, room, message, THUMB)
    assert await react(alice, room, message, THUMB) == first
    assert await react(alice, room, message, HEART, on=False) is None
    assert (await alice.get(f"/conversations/{room}"))["head"] == {"seq": first["seq"], "id": first["id"]}


async def test_a_repeat_is_done_once_and_a_client_id_stands_for_one_thing(world: World) -> None:
    alice, _, room, message = await scene(world)
    key = uuid4()
    first = await react(alice, room, message, THUMB, key=key)
    taken = await react(alice, room, message, THUMB, on=False)
    assert await react(alice, room, message, THUMB, key=key) == first, "the repeat of an old wish changes nothing now"
    assert taken["seq"] == first["seq"] + 1
    assert "reactions" not in await shown(alice, room, message)
    with pytest.raises(Problem, match="client_id_reused"):
        await react(alice, room, message, HEART, key=key)


async def test_the_gateway_answers_as_rest_does_and_others_see_it_at_once(world: World) -> None:
    alice, bob, room, message = await scene(world)
    async with alice.gateway() as hers, bob.gateway() as his:

        async def ask(emoji: str, *, on: bool) -> dict[str, Any]:
            reaction = {"client_message_id": str(uuid4()), "emoji": emoji, "on": on}
            return await hers.ask("react", conversation=room, message=message, reaction=reaction)

        first = await ask(THUMB, on=True)
        again = await ask(THUMB, on=True)
        assert (first["type"], again["id"], again["seq"]) == ("sent", first["id"], first["seq"])
        assert (await ask(HEART, on=False))["type"] == "done"
        entry = await his.entry(room)
        assert (entry["kind"], entry["body"], entry["target"]["id"]) == (4, {"emoji": THUMB, "on": True}, message)
        assert (await ask("\n", on=True))["code"] == "invalid"


@pytest.mark.parametrize("emoji", [THUMB, HEART, FAMILY, ENGLAND, "1️⃣", "+1", "é", "ok", "x" * limits.REACTION])
def test_whatever_can_be_seen_can_be_a_reaction(emoji: str) -> None:
    assert marks.clean_emoji(emoji) == unicodedata.normalize("NFC", emoji)


@pytest.mark.parametrize(
    "emoji",
    ["", " ", "\t", "\u200d", "\ufe0f", "\u3164", "\u2800", "a\x00", "a\nb", "a\u202eb", "\u2067a", "a\u2028", "\ue000",
     "x" * (limits.REACTION + 1)],
)  # fmt: skip
def test_what_nobody_sees_or_turns_the_line_round_is_no_reaction(emoji: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        marks.clean_emoji(emoji)


def test_the_longest_reaction_fits_its_column() -> None:
    assert len(marks.clean_emoji("🏴" * limits.REACTION).encode()) == 80


def test_two_ways_to_write_a_reaction_are_one() -> None:
    assert marks.clean_emoji("e\u0301") == marks.clean_emoji("\u00e9")


async def test_a_reaction_of_twenty_characters_is_kept_and_one_more_is_refused(world: World) -> None:
    alice, _, room, message = await scene(world)
    await react(alice, room, message, "x" * 20)
    assert set((await shown(alice, room, message))["reactions"]) == {"x" * 20}
    for emoji in ("x" * 21, "", " ", "\u200b"):
        with pytest.raises(Problem, match="invalid"):
            await react(alice, room, message, emoji)


async def test_one_person_sets_twenty_and_no_more(world: World) -> None:
    alice, bob, room, message = await scene(world)
    for n in range(limits.REACTIONS_EACH):
        await react(alice, room, message, f"a{n}")
    with pytest.raises(Problem, match="too_many"):
        await react(alice, room, message, "one more")
    await react(bob, room, message, "his first")
    await react(alice, room, message, "a0", on=False)
    await react(alice, room, message, "one more")


async def test_there_are_fifty_different_ones_and_no_more(world: World) -> None:
    alice, bob, room, message = await scene(world)
    carol, dave = await world.register("carol"), await world.register("dave")
    for who in (carol, dave):
        await who.join(room)
    for n in range(limits.REACTION_KINDS):
        await react((alice, bob, carol)[n % 3], room, message, f"r{n}")
    assert len((await shown(alice, room, message))["reactions"]) == limits.REACTION_KINDS
    with pytest.raises(Problem, match="too_many"):
        await react(dave, room, message, "another")
    await react(dave, room, message, "r0")


async def test_nobody_reacts_to_what_is_not_there(world: World, server_admin: Any) -> None:
    alice, bob, room, message = await scene(world)
    elsewhere = await alice.room()
    await react(alice, room, message, THUMB)
    with pytest.raises(Problem, match="not_found"):
        await react(alice, elsewhere, message, THUMB)
    await delete(alice, room, message)
    for emoji, on in ((THUMB, True), (THUMB, False), (HEART, True)):
        with pytest.raises(Problem, match="gone"):
            await react(alice, room, message, emoji, on=on)
    with pytest.raises(Problem, match="gone"):
        await bob.get(f"/conversations/{room}/messages/{message}/reactions", emoji=THUMB)
    await restore(alice, room, message)
    assert (await shown(bob, room, message))["reactions"][THUMB]["count"] == 1
    await expire(server_admin, message)
    with pytest.raises(Problem, match=r"gone|not_found"):
        await react(bob, room, message, THUMB)
    with pytest.raises(Problem, match="not_found"):
        await bob.get(f"/conversations/{room}/messages/{message}/reactions", emoji=THUMB)


async def test_who_reacts_at_once_is_counted_once_each(world: World) -> None:
    """Law: count = rows = what the log says, whoever races whom."""
    alice, bob, room, message = await scene(world)
    phone = await world.link(alice)
    wishes = [(who, on) for on in (True, False, True) for who in (alice, phone, bob)]
    await asyncio.gather(*(react(who, room, message, THUMB, on=on) for who, on in wishes))
    log = await alice.get(f"/conversations/{room}/entries", limit=100)
    last = {e["account"]: e["body"]["on"] for e in log["entries"] if e["kind"] == 4}
    expected = [account for account, on in last.items() if on]
    reactions = (await shown(bob, room, message)).get("reactions", {})
    assert sorted(reactions.get(THUMB, {"accounts": []})["accounts"]) == sorted(expected)
    assert reactions.get(THUMB, {"count": 0})["count"] == len(expected)


async def test_fifty_are_named_all_are_counted_and_pages_name_the_rest(db: Database, admin: Any) -> None:
    people = [await rooms.person(admin) for _ in range(limits.REACTORS_SHOWN + 60)]
    room = await rooms.room(admin, *people)
    message = await _message(admin, room, people[0].account)
    for n, person in enumerate(people):
        await admin.execute(
            "INSERT INTO reactions VALUES ($1, $2, $3, $4, id_after($2, $5))", room, message, b"+1", person.account, n
        )
    assert await messages.repair_counts(db) == 1
    assert await messages.repair_counts(db) == 0
    last = people[-1]
    reaction = (await messages.get(db, last, room, message)).reactions["+1"]
    assert (reaction.count, reaction.is_mine) == (len(people), True)
    assert reaction.accounts == [person.account for person in people[: limits.REACTORS_SHOWN]]

    first = await messages.reactors(db, last, room, message, "+1", EntryId(UUID(int=0)))
    assert len(first.reactors) == limits.PAGE_LIST
    assert first.next is not None
    rest = await messages.reactors(db, last, room, message, "+1", first.next)
    assert rest.next is None
    assert [r.account for r in first.reactors + rest.reactors] == [person.account for person in people]
    assert (await messages.reactors(db, last, room, message, "-1", EntryId(UUID(int=0)))).reactors == []


async def _message(admin: Any, room: ConversationId, account: UUID) -> EntryId:
    """A message laid down by SQL."""
    found: UUID = await admin.fetchval(
        """
        INSERT INTO messages (conversation_id, id, seq, account_id, ordinal, content, xid)
        VALUES ($1, id_now(clock_timestamp()), 1, $2, 1, '{"text": "words"}', 3) RETURNING id
        """,
        room,
        account,
    )
    return EntryId(found)


def test_one_more_is_judged_by_person_and_by_message() -> None:
    here = marks.Mine(limits.REACTIONS_EACH - 1, False, limits.REACTION_KINDS - 1, None)
    marks.check_one_more(here)
    with pytest.raises(Refusal, match="too_many"):
        marks.check_one_more(marks.Mine(limits.REACTIONS_EACH, True, 1, None))
    with pytest.raises(Refusal, match="too_many"):
        marks.check_one_more(marks.Mine(0, False, limits.REACTION_KINDS, Position(1, EntryId(UUID(int=1)))))
    marks.check_one_more(marks.Mine(0, True, limits.REACTION_KINDS, None))
