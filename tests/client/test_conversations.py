"""Rooms and channels as wholes: made, run, opened to others by links, ended; and what each sets there for oneself."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.client.conftest import Newcomer

from aparte.client import Client, ClientError
from aparte.client.errors import Unreachable
from aparte.client.preferences import FOREVER
from aparte.client.transport.http import Request
from aparte.wire import limits


async def refusal(attempt: object) -> str:
    """The code that something is refused with."""
    with pytest.raises(ClientError) as refused:
        await attempt  # type: ignore[misc]
    return refused.value.code


async def two(newcomer: Newcomer) -> tuple[Client, Client]:
    return await newcomer("ann"), await newcomer("bob")


async def test_a_room_is_public_unless_said_otherwise_and_says_all_of_itself(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    made = await ann.new_room(
        f"#lounge-{tag}", topic="words", welcome="hello", rules="be kind", slow_mode_seconds=5, is_nsfw=True
    )
    assert (made.title, made.is_public, made.encryption_mode, made.role) == (f"#lounge-{tag}", True, "server", "owner")
    assert (made.topic, made.welcome, made.rules) == ("words", "hello", "be kind")
    assert (made.settings.slow_mode_seconds, made.settings.is_nsfw) == (5, True)
    joined = await bob.join(f"#lounge-{tag}")
    assert (joined.id, joined.welcome, joined.permissions) == (made.id, "hello", ("post", "react"))


async def test_what_is_private_is_made_as_its_creator_says(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    assert await refusal(ann.new_room(f"den-{tag}", public=False)) == "mode_needed"
    assert await refusal(ann.new_channel(f"news-{tag}")) == "mode_needed"
    assert await refusal(ann.new_room(f"den-{tag}", public=True, mode="e2ee")) == "invalid"
    assert (
        await refusal(ann.new_room(f"den-{tag}", mode="e2ee", picture="https://example.org/a.png")) == "mode_mismatch"
    )
    assert await refusal(ann.new_room(f"den-{tag}", mode="e2ee", topic="x" * (limits.TOPIC + 1))) == "invalid"
    assert await refusal(ann.new_room(f"den-{tag}", mode="e2ee", slow_mode_seconds=-1)) == "invalid"
    assert await refusal(ann.new_channel(f"den-{tag}", mode="e2ee", language="en")) == "mode_mismatch"
    assert await ann.conversations() == []
    den = await ann.new_room(f"den-{tag}", public=False, mode="server")
    news = await ann.new_channel(f"news-{tag}", mode="server", topic="what is new")
    assert [(one.kind, one.is_public, one.encryption_mode) for one in (den, news)] == [
        ("room", False, "server"),
        ("channel", False, "server"),
    ]
    sealed = await ann.new_channel(f"vault-{tag}", mode="e2ee", topic="kept", welcome="hush", slow_mode_seconds=7)
    assert (sealed.title, sealed.kind, sealed.encryption_mode) == (f"+vault-{tag}", "channel", "e2ee")
    assert (sealed.topic, sealed.settings.slow_mode_seconds) == ("kept", 7)
    said = await ann.groups.profile(f"+vault-{tag}")
    assert (said.name, said.topic, said.welcome) == (f"vault-{tag}", "kept", "hush")
    assert await refusal(bob.join(f"#den-{tag}")) == "no_such_room"


async def test_one_verb_changes_what_is_said_and_how_it_is_run(newcomer: Newcomer, tag: str) -> None:
    ann, _ = await two(newcomer)
    await ann.new_room(f"old-{tag}", topic="stays")
    changed = await ann.change_conversation(
        f"#old-{tag}", name=f"#new-{tag}", rules="one", language="en", ttl=60, metadata={"x": 1}
    )
    assert (changed.name, changed.topic, changed.rules) == (f"new-{tag}", "stays", "one")
    assert (changed.settings.language, changed.settings.ttl, changed.settings.metadata["x"]) == ("en", 60, 1)
    target = str(changed.id)
    assert (await ann.change_conversation(target, ttl=None)).settings.ttl is None
    for bad in ({"slow_mode_seconds": limits.SLOW_MODE_SECONDS + 1}, {"topic": "x" * (limits.TOPIC + 1)}, {"nope": 1}):
        assert await refusal(ann.change_conversation(target, **bad)) == "invalid"  # type: ignore[arg-type]
    await ann.change_conversation(target, slow_mode_seconds=limits.SLOW_MODE_SECONDS)
    group = await ann.groups.new_group(f"club-{tag}")
    after = await ann.change_conversation(str(group.id), topic="t", rules="r", ttl=60, max_members=3)
    assert (after.topic, after.settings.max_members) == ("t", 3)
    assert (await ann.groups.profile(str(group.id))).rules == "r"
    assert await refusal(ann.change_conversation(str(group.id), language="en")) == "mode_mismatch"


async def test_what_is_archived_is_read_and_what_is_deleted_is_gone(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    target = f"#lounge-{tag}"
    await ann.new_room(target)
    await bob.join(target)
    await ann.send(target, "the last word")
    assert (await ann.archive_for_all(target)).settings.is_archived
    assert await refusal(bob.send(target, "one more")) == "archived"
    assert [message.text for message in await bob.history(target)] == ["the last word"]
    assert not (await ann.archive_for_all(target, on=False)).settings.is_archived
    await bob.send(target, "one more")
    assert await refusal(bob.delete_conversation(target)) == "forbidden"
    await ann.delete_conversation(target)
    assert await ann.conversations() == await bob.conversations() == []
    await ann.groups.new_group(f"club-{tag}", [f"bob-{tag}"])
    await ann.send(f"+club-{tag}", "hello")
    assert [message.text for message in await bob.history(f"+club-{tag}")] == ["hello"]
    await ann.delete_conversation(f"+club-{tag}")
    assert await bob.conversations() == []
    assert await refusal(bob.send(f"+club-{tag}", "hello?")) in {"not_member", "no_such_group"}
    assert await refusal(bob.send(target, "hello?")) in {"not_member", "no_such_room"}


async def test_one_verb_invites_into_what_is_readable_and_what_is_not(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    carol = await newcomer("carol")
    await ann.new_room(f"den-{tag}", public=False, mode="server", topic="quiet")
    link = await ann.invite(f"#den-{tag}", role="moderator", uses=1)
    seen = await bob.look(link)
    assert (seen.title, seen.topic, seen.member_count, seen.uses_left) == (f"#den-{tag}", "quiet", 1, 1)
    joined = await bob.join(link)
    assert (joined.title, joined.role) == (f"#den-{tag}", "moderator")
    assert await refusal(carol.join(link)) == "invite_over"
    until = datetime.now(UTC) + timedelta(hours=1)
    await ann.invite(f"#den-{tag}", expires=until)
    [open_link] = await ann.invites(f"#den-{tag}")
    assert (open_link.role, open_link.link, open_link.uses, open_link.used) == ("member", None, None, 0)
    await ann.close_invite(f"#den-{tag}", open_link.id)
    assert await ann.invites(f"#den-{tag}") == []
    for bad in ("nonsense", link):
        assert await refusal(ann.close_invite(f"#den-{tag}", bad)) == "not_found"
    assert await refusal(ann.invite(f"#den-{tag}", uses=0)) == "invalid"
    await ann.groups.new_group(f"club-{tag}")
    sealed = await ann.invite(f"+club-{tag}", uses=2)
    assert (await carol.look(sealed)).title == f"+club-{tag}"
    assert (await carol.join(sealed)).kind == "group"
    [kept] = await ann.invites(f"+club-{tag}")
    await ann.close_invite(f"+club-{tag}", sealed)
    assert (kept.link, await ann.invites(f"+club-{tag}")) == (sealed, [])


async def test_members_are_listed_by_role_with_what_they_are_called_here(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    target = f"#lounge-{tag}"
    await ann.new_room(target)
    await bob.join(target)
    await bob.set_nickname(target, "Bobby")
    await ann.set_nickname(target, "the host")
    assert {(one.username, one.nickname, one.is_me) for one in await bob.members(target)} == {
        (f"ann-{tag}", "the host", False),
        (f"bob-{tag}", "Bobby", True),
    }
    assert [one.username for one in await ann.members(target, role="owner")] == [f"ann-{tag}"]
    assert await refusal(bob.set_nickname(target, "the guest", username=f"ann-{tag}")) == "forbidden"
    await ann.set_nickname(target, None, username=f"bob-{tag}")
    assert [one.nickname for one in await ann.members(target, role="member")] == [None]
    await ann.groups.new_group(f"club-{tag}", [f"bob-{tag}"])
    assert [one.username for one in await bob.members(f"+club-{tag}", role="owner")] == [f"ann-{tag}"]
    assert await refusal(bob.set_nickname(f"+club-{tag}", "x")) == "mode_mismatch"


async def test_preferences_are_ones_own_in_any_conversation(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    target = f"#lounge-{tag}"
    await ann.new_room(target)
    await bob.join(target)
    assert (await bob.mute(target)).muted_until == FOREVER
    assert (await bob.unmute(target)).muted_until is None
    muted = (await bob.mute(target, timedelta(hours=1))).muted_until
    assert muted is not None
    assert timedelta(minutes=59) < muted - datetime.now(UTC) <= timedelta(hours=1)
    assert await refusal(bob.mute(target, datetime.now(UTC))) == "invalid"
    assert (await bob.set_level(target, "mentions")).level == "mentions"
    assert await refusal(bob.set_level(target, "some")) == "invalid"  # type: ignore[arg-type]
    await bob.pin_conversation(target)
    await bob.archive(target)
    await bob.mark_unread(target)
    found = await bob.label(target, "work", "later")
    assert (found.is_pinned, found.is_archived, found.is_marked_unread, found.labels) == (
        True,
        True,
        True,
        ["work", "later"],
    )
    assert (await bob.room(target)).preferences == await bob.preferences(target) == found
    assert not (await bob.pin_conversation(target, on=False)).is_pinned
    assert (await bob.label(target)).labels == []
    assert (await ann.preferences(target)).level == "all"
    await bob.send(f"@ann-{tag}", "psst")
    assert (await bob.mute(f"@ann-{tag}")).muted_until == FOREVER


@pytest.mark.parametrize("public", [True, False])
async def test_a_lost_answer_makes_no_second_room(
    newcomer: Newcomer, tag: str, monkeypatch: pytest.MonkeyPatch, public: bool
) -> None:
    ann = await newcomer("ann")
    once = ann._session.once
    lost: list[str] = []

    async def lossy(request: Request, *, signed_in: bool = True) -> bytes:
        answer = await once(request, signed_in=signed_in)
        if request.path == "/conversations" and request.method == "POST" and not lost:
            lost.append(request.path)
            raise Unreachable("unreachable")
        return answer

    await ann.new_room(f"den-{tag}", public=False, mode="server")
    monkeypatch.setattr(ann._session, "once", lossy)
    made = await ann.new_room(f"den-{tag}", public=public, mode="server")
    assert lost
    assert made.is_public is public
    assert len(await ann.rooms()) == 2
    if public:
        assert await refusal(ann.new_room(f"den-{tag}", public=True)) == "name_taken"
