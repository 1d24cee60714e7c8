"""Roles, silences, bans, word lists, what they hold back, and flags: from Python, against a whole server."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from tests.client.conftest import Newcomer
from tests.client.test_conversations import refusal
from tests.client.test_readable_messages import room, words

from aparte.client import Client, ClientError, Word
from aparte.wire import limits


async def test_a_role_grants_and_denies_and_one_member_is_an_exception(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    sent = await bob.send(target, "pin me")
    role = await ann.roles.define(target, "Curators", {"pin": True, "post": False}, colour="#00ff00")
    assert await bob.roles.list(target) == [role]
    await ann.roles.give(target, f"bob-{tag}", "curators")
    await bob.pin(target, sent.id)
    assert await refusal(bob.send(target, "may I?")) == "forbidden"
    assert await ann.roles.override(target, f"bob-{tag}", {"post": True, "react": False}) == {
        "post": True,
        "react": False,
    }
    await bob.send(target, "I may")
    assert await refusal(bob.react(target, sent.id, "👍")) == "forbidden"
    assert await ann.roles.override(target, f"bob-{tag}", {"react": None}) == {"post": True}
    await bob.react(target, sent.id, "👍")
    [member] = await ann.members(target, role="member")
    assert (member.role_id, dict(member.permissions)) == (role.id, {"post": True})
    changed = await ann.roles.change(target, role.id, name="Keepers", permissions={})
    assert (changed.name, changed.colour, changed.permissions) == ("Keepers", "#00ff00", {})
    await ann.roles.remove(target, "Keepers")
    assert await ann.roles.list(target) == []
    for attempt in (ann.roles.remove(target, "Keepers"), ann.roles.give(target, f"bob-{tag}", "nobody")):
        assert await refusal(attempt) == "not_found"
    assert await refusal(ann.roles.override(target, f"carol-{tag}", {"post": False})) == "no_such_member"


async def test_roles_narrow_in_a_group(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    await ann.groups.new_group(f"club-{tag}", [f"bob-{tag}"])
    await ann.roles.define(f"+club-{tag}", "Listeners", {"post": False})
    await ann.roles.give(f"+club-{tag}", f"bob-{tag}", "Listeners")
    assert await refusal(bob.send(f"+club-{tag}", "a word")) == "forbidden"
    await ann.roles.give(f"+club-{tag}", f"bob-{tag}", None)
    await bob.send(f"+club-{tag}", "a word")
    assert words(await ann.history(f"+club-{tag}")) == ["a word"]


@pytest.mark.parametrize("kind", ["room", "group"])
async def test_who_is_silenced_reads_and_is_heard_again(newcomer: Newcomer, tag: str, kind: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    if kind == "group":
        target = (await ann.groups.new_group(f"club-{tag}", [f"bob-{tag}"])).title
    await ann.send(target, "quiet, please")
    await ann.moderation.silence(target, f"bob-{tag}", timedelta(hours=1), "too loud")
    assert await refusal(bob.send(target, "but")) == "silenced"
    assert words(await bob.history(target)) == ["quiet, please"]
    [silence] = await ann.moderation.silences(target)
    assert (silence.username, silence.by, silence.reason) == (f"bob-{tag}", f"ann-{tag}", "too loud")
    assert (await bob.room(target)).silenced_until == silence.until
    assert await refusal(bob.moderation.silences(target)) == "forbidden"
    await ann.moderation.unsilence(target, f"bob-{tag}")
    await bob.send(target, "thank you")
    assert await ann.moderation.silences(target) == []


@pytest.mark.parametrize("kind", ["room", "group"])
async def test_who_is_banned_stays_out_until_the_ban_is_lifted(newcomer: Newcomer, tag: str, kind: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    await newcomer("carol")
    if kind == "group":
        target = (await ann.groups.new_group(f"club-{tag}", [f"bob-{tag}"])).title
    link = await ann.invite(target)
    for name, reason in ((f"bob-{tag}", ""), (f"carol-{tag}", "we know her")):
        await ann.moderation.ban(target, name, reason)
    assert {(ban.username, ban.by, ban.reason) for ban in await ann.moderation.bans(target)} == {
        (f"bob-{tag}", f"ann-{tag}", ""),
        (f"carol-{tag}", f"ann-{tag}", "we know her"),
    }
    assert [member.username for member in await ann.members(target)] == [f"ann-{tag}"]
    if kind == "room":
        assert await refusal(bob.join(link)) == "banned"
        await ann.moderation.unban(target, f"bob-{tag}")
        assert (await bob.join(link)).title == target
    else:
        assert await refusal(ann.groups.add_members(target, [f"carol-{tag}"])) == "banned"
        await ann.moderation.unban(target, f"carol-{tag}")
        await ann.groups.add_members(target, [f"carol-{tag}"])


async def screened(newcomer: Newcomer, tag: str) -> tuple[Client, Client, str]:
    """A room that holds back what has the word `forbidden` in it, and refuses `banned`."""
    ann, bob, target = await room(newcomer, tag)
    await ann.change_conversation(target, metadata={"auto_moderate": True})
    kept = await ann.moderation.set_words(target, ["forbidden", Word("banned", "refuse")])
    assert await ann.moderation.words(target) == kept == [Word("forbidden"), Word("banned", "refuse")]
    return ann, bob, target


async def test_what_is_held_waits_for_a_moderator_and_comes_by_the_log(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await screened(newcomer, tag)
    stream = bob.messages()
    assert await refusal(bob.send(target, "a banned word")) == "filtered"
    with pytest.raises(ClientError) as refused:
        await bob.send(target, "a forbidden word")
    assert refused.value.code == "held"
    [waiting] = bob.unsent()
    assert (waiting.state, waiting.text, waiting.code) == ("held", "a forbidden word", "held")
    assert str(waiting.held) == refused.value.data["held"]
    await bob.send(target, "a kind word")
    [held] = await ann.moderation.held(target)
    assert (held.sender, held.text, held.words, held.status) == (
        f"bob-{tag}",
        "a forbidden word",
        ("forbidden",),
        "pending",
    )
    [mine] = await bob.moderation.held(target)
    assert (mine.id, mine.words) == (waiting.held, ())
    decided = await ann.moderation.decide(target, held.id, approve=True)
    assert (decided.status, decided.decided_by) == ("approved", f"ann-{tag}")
    async with asyncio.timeout(20):
        while (await anext(stream)).text != "a forbidden word":
            pass
    assert bob.unsent() == []
    assert words(await bob.history(target)) == ["a kind word", "a forbidden word"]
    assert await refusal(ann.moderation.decide(target, held.id, approve=False)) in {"over", "not_found"}


async def test_what_was_rejected_or_withdrawn_waits_no_longer(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await screened(newcomer, tag)
    for number in range(2):
        assert await refusal(bob.send(target, f"forbidden {number}")) == "held"
    first, second = bob.unsent()
    assert first.held is not None
    assert second.held is not None
    await bob.moderation.withdraw(target, first.held)
    assert [one.text for one in bob.unsent()] == ["forbidden 1"]
    await ann.moderation.decide(target, second.held, approve=False, reason="no")
    await bob.draft(target)
    await bob._drafts._catch_up()
    [rejected] = bob.unsent()
    assert (rejected.state, rejected.code, rejected.held) == ("refused", "filtered", None)


async def test_members_flag_and_moderators_see_what_for_and_not_who(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    sent = [await ann.send(target, f"line {n}") for n in range(3)]
    for one, reason in zip(sent, ("spam", "abuse", "other"), strict=True):
        await bob.moderation.flag(target, one.id, reason, "look")  # type: ignore[arg-type]
    found = await ann.moderation.flags(target)
    assert [(flag.message.text, dict(flag.reasons), flag.notes) for flag in found] == [
        ("line 2", {"other": 1}, ("look",)),
        ("line 1", {"abuse": 1}, ("look",)),
        ("line 0", {"spam": 1}, ("look",)),
    ]
    assert found[0].message.flag_count == 1
    assert [flag.message.text for flag in await ann.moderation.flags(target, 1, before=sent[2].id)] == ["line 1"]
    await bob.moderation.unflag(target, sent[2].id)
    assert len(await ann.moderation.flags(target)) == 2
    assert await refusal(bob.moderation.flags(target)) == "forbidden"
    assert await refusal(bob.moderation.flag(target, uuid4())) == "not_found"


async def test_a_word_list_has_a_limit(newcomer: Newcomer, tag: str) -> None:
    ann, _, target = await room(newcomer, tag)
    many = [f"word{n}" for n in range(limits.WORDS + 1)]
    assert await refusal(ann.moderation.set_words(target, many)) == "invalid"
    assert len(await ann.moderation.set_words(target, many[:-1])) == limits.WORDS
    assert await refusal(ann.moderation.words()) == "forbidden"
