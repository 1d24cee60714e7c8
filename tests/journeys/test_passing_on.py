# ruff: noqa: ARG002 - a rule names all that it could go by
"""History for a newcomer: what the group is called at once, what was said only if that is wanted and allowed.

It is shown as passed on until entries of its senders prove it, it is no news, and what vanishes never comes along.
"""

import pytest

from aparte.client.core import locating
from aparte.client.crypto import mailbox, passed_on, passing, unearthing
from aparte.client.crypto.own import now_ms
from aparte.client.errors import ClientError
from aparte.client.model import Message
from aparte.client.store import entries
from aparte.client.store.outbox_sealed import Unsealed
from aparte.e2ee import grant
from aparte.e2ee.content import Text, encode
from aparte.wire import kinds
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.messages import Entry
from tests.support.circle import Circle, gather
from tests.support.malice import Malice
from tests.support.rule import Refused, Rule
from tests.support.talk import Company, Talker


@pytest.fixture
async def two(evil: Malice, people: Company) -> Circle:
    """Alice and bob, in a group that allows to pass history on."""
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    circle = await gather(evil, people, "two", alice, bob)
    await alice.client.groups.change_policy(circle.target, history=True)
    return circle


def called(who: Talker, circle: Circle) -> str:
    """What a group is called on a device."""
    with who.client._session.store.reading() as tx:
        row = tx.row("SELECT name FROM conversations WHERE conversation_id = ?", circle.id.bytes)
    assert row is not None
    return str(row[0])


async def history(who: Talker, circle: Circle) -> list[Message]:
    """The group's messages as somebody sees them."""
    return await who.client.history(circle.target)


def passed(messages: list[Message]) -> list[tuple[str | None, str | None]]:
    """What messages say, and who vouches for them."""
    return [(message.text, message.passed_by) for message in messages]


def opened(who: Talker) -> list[int]:
    """Where the entries are that a device can read."""
    return [seq for seq, state, _ in who.states() if state == "open"]


def kept(who: Talker, conversation: ConversationId) -> list[Entry]:
    """Every entry of a log that a device has."""
    with who.client._session.store.reading() as tx:
        return entries.select_entries(tx, conversation, 0, 1_000)


def texts(who: Talker, circle: Circle) -> set[str]:
    """What a device has of what was said."""
    return {str(entry.body["text"]) for entry in kept(who, circle.id) if entry.kind == kinds.MESSAGE and entry.body}


def unlinked(who: Talker, sender: Talker) -> int:
    """How much of what somebody has said is the word of another one still."""
    with who.client._session.store.reading() as tx:
        row = tx.row(
            "SELECT count(*) FROM sealed WHERE device_id = ? AND passed_by IS NOT NULL AND is_linked = 0",
            sender.device.bytes,
        )
    assert row is not None
    return int(row[0])


class NoObjects(Rule):
    """The server is in trouble whenever an object is fetched."""

    def path(self, asker: DeviceId, method: str, path: str) -> str:
        """Refuse."""
        if method == "GET" and "/objects/" in path:
            self.done += 1
            raise Refused("unavailable")
        return path


class Full(Rule):
    """The server takes no more objects today."""

    def path(self, asker: DeviceId, method: str, path: str) -> str:
        """Refuse."""
        if method == "PUT" and "/objects/" in path:
            self.done += 1
            raise Refused("too_many")
        return path


class Failing(Rule):
    """The server is in trouble once a device has read some pages of the old log."""

    def __init__(self, pages: int) -> None:
        """Answer so many."""
        self.left = pages

    def path(self, asker: DeviceId, method: str, path: str) -> str:
        """Refuse when that is over."""
        if method == "GET" and "/entries?" in path and "limit=8" in path:
            self.left -= 1
            if self.left < 0:
                self.done += 1
                raise Refused("unavailable")
        return path


async def test_a_newcomer_knows_what_the_group_is_called(two: Circle) -> None:
    alice, _ = two.members
    carol = await two.people.newcomer("carol")
    await two.add(alice, carol)
    await carol.comes(lambda: called(carol, two) == "two")
    assert await history(carol, two) == []
    await two.say(alice, "hello carol")
    await carol.hears("hello carol")
    assert passed(await history(carol, two)) == [("hello carol", None)]


async def test_so_does_who_comes_by_a_link(two: Circle) -> None:
    alice, _ = two.members
    carol = await two.people.newcomer("carol")
    await carol.client.join(await alice.client.groups.invite(two.target))
    await carol.comes(lambda: called(carol, two) == "two")
    assert await history(carol, two) == []


async def test_the_newest_name_is_the_one_that_is_known(two: Circle) -> None:
    alice, bob = two.members
    await alice.client.change_room(two.target, name="renamed", topic="of late")
    await bob.comes(lambda: called(bob, two) == "renamed")
    carol = await two.people.newcomer("carol")
    await two.add(alice, carol)
    await carol.comes(lambda: called(carol, two) == "renamed")
    await alice.client.change_room(two.target, name="again")
    await carol.comes(lambda: called(carol, two) == "again")


# History --------------------------------------------------------------------------------------------------------------


async def newcomer(circle: Circle, *, history: bool = True) -> Talker:
    """Alice adds carol."""
    carol = await circle.people.newcomer("carol")
    await circle.add(circle.members[0], carol, history=history)
    return carol


async def message(who: Talker, circle: Circle, text: str) -> Message:
    """A message as somebody sees it."""
    return next(one for one in await history(who, circle) if one.text == text)


async def test_what_was_said_comes_along_if_that_is_wanted(two: Circle) -> None:
    alice, bob = two.members
    await two.say(bob, "from bob")
    await two.say(alice, "from alice")
    await two.heard([alice], "from bob")
    await alice.client.edit(two.target, (await message(alice, two, "from alice")).id, "from alice, better")
    await alice.client.react(two.target, (await message(alice, two, "from bob")).id, "👋")
    await alice.client.pin(two.target, (await message(alice, two, "from bob")).id)
    carol = await newcomer(two)
    words = [("welcome to two", alice.username), ("from bob", alice.username), ("from alice, better", alice.username)]
    await carol.comes(lambda: len(opened(carol)) >= 6, "has not got the history")
    found = await history(carol, two)
    assert passed(found) == words
    assert found[1].reactions == {"👋": (alice.username,)}
    assert found[1].is_pinned
    assert found[2].edit_count == 1
    assert [one.sender for one in found] == [alice.username, bob.username, alice.username]
    assert carol.texts() == [], "history is no news"
    assert carol.refused() - {"passed_over"} == set()
    assert carol.told() == set()
    assert carol.client.unreadable() == {}


async def test_it_is_known_to_be_its_sender_s_once_they_have_spoken(two: Circle) -> None:
    alice, bob = two.members
    for number in range(3):
        await two.say(bob, f"bob {number}")
    carol = await newcomer(two)
    await carol.comes(lambda: len(opened(carol)) >= 4)
    await two.say(bob, "bob speaks on")
    await carol.hears("bob speaks on")
    assert passed(await history(carol, two)) == [
        ("welcome to two", alice.username),
        ("bob 0", None),
        ("bob 1", None),
        ("bob 2", None),
        ("bob speaks on", None),
    ]
    await two.say(alice, "and alice")
    await carol.hears("and alice")
    assert {vouched for _, vouched in passed(await history(carol, two))} == {None}
    assert carol.named() <= {"passed_over"}


async def test_without_the_word_of_who_adds_nothing_comes_along(two: Circle) -> None:
    carol = await newcomer(two, history=False)
    await carol.comes(lambda: called(carol, two) == "two")
    assert await history(carol, two) == []
    with two.members[0].client._session.store.reading() as tx:
        assert tx.rows("SELECT * FROM passing_due") == []


async def test_against_the_policy_nothing_does(two: Circle) -> None:
    alice, bob = two.members
    await alice.client.groups.change_policy(two.target, history=False)
    carol = await two.people.newcomer("carol")
    with pytest.raises(ClientError, match="forbidden"):
        await alice.client.groups.add_members(two.target, [carol.username], history=True)
    await two.add(alice, carol)
    with alice.client._session.store.transaction() as tx:
        passing.owe(tx, two.id, carol.account, history=True)
    await passing.pass_on(alice.client._session)
    await mailbox.send_out(alice.client._session)
    await two.say(bob, "hello")
    await carol.hears("hello")
    assert passed(await history(carol, two)) == [("hello", None)]


async def test_what_is_deleted_or_vanishes_never_comes_along(two: Circle) -> None:
    alice, bob = two.members
    await two.say(bob, "deleted before")
    await two.heard([alice], "deleted before")
    gone = await message(bob, two, "deleted before")
    await bob.client.delete(two.target, gone.id)
    vanishing = encode(Text(at=1, text="vanishes", ttl=("sending", 3_600)))
    await alice.client._private._deliver(two.id, Unsealed(kinds.MESSAGE, vanishing, None, None), 15)
    await bob.hears("vanishes")
    await bob.client.react(two.target, (await message(bob, two, "vanishes")).id, "👀")
    await two.say(bob, "stays")
    await alice.hears("stays")
    carol = await newcomer(two)
    await carol.comes(lambda: len(opened(carol)) >= 3)
    assert passed(await history(carol, two)) == [("welcome to two", alice.username), ("stays", alice.username)]
    for conversation, kind in ((two.id, kinds.REACTION), (two.id, kinds.DELETION)):
        assert kind not in {entry.kind for entry in kept(carol, conversation)}


async def test_a_deletion_that_comes_later_counts_and_a_restore_too(two: Circle) -> None:
    alice, bob = two.members
    await two.say(bob, "first")
    await two.heard([alice], "first")
    target = (await message(bob, two, "first")).id
    await bob.client.edit(two.target, target, "first, edited")
    carol = await newcomer(two)
    await carol.comes(lambda: len(opened(carol)) >= 4)
    assert (await message(carol, two, "first, edited")).passed_by == alice.username
    await bob.client.delete(two.target, target)
    await two.say(bob, "deleted it")
    await carol.hears("deleted it")
    assert "first" not in str(await history(carol, two))
    await bob.client.restore(two.target, target)
    await two.say(bob, "restored it")
    await carol.hears("restored it")
    assert (await message(carol, two, "first, edited")).sender == bob.username


async def test_what_aims_at_history_before_it_has_come_finds_it_afterwards(two: Circle) -> None:
    alice, bob = two.members
    for text in ("edited later", "deleted later", "left alone"):
        await two.say(bob, text)
    await two.heard([alice], "left alone")
    with two.evil.doing(NoObjects()):
        carol = await newcomer(two)
        await carol.comes(lambda: called(carol, two) == "two")
        await bob.client.edit(two.target, (await message(bob, two, "edited later")).id, "was edited")
        await bob.client.delete(two.target, (await message(bob, two, "deleted later")).id)
        await alice.client.react(two.target, (await message(alice, two, "left alone")).id, "👍")
        await two.say(bob, "all done")
        await carol.hears("all done")
        assert passed(await history(carol, two)) == [("all done", None)]
    await carol.leave()
    await carol.come_back()
    await carol.comes(lambda: len(opened(carol)) >= 6)
    found = [one for one in await history(carol, two) if one.sender == bob.username]
    assert [one.text for one in found] == ["was edited", "left alone", "all done"]
    assert found[1].reactions == {"👍": (alice.username,)}


async def test_a_device_that_is_linked_later_gets_nothing_of_other_people(two: Circle) -> None:
    alice, bob = two.members
    await two.say(alice, "before the phone")
    await bob.hears("before the phone")
    phone = await two.people.link(bob)
    await two.say(alice, "to the phone too")
    await phone.hears("to the phone too")
    await passing.pass_on(alice.client._session)
    with alice.client._session.store.reading() as tx:
        assert tx.rows("SELECT * FROM passed_to") == []
    await phone.comes(lambda: is_empty(phone, "passed_offers"), "has not looked at what it was told of the group")
    assert "before the phone" not in {one.text for one in await history(phone, two)}


async def test_a_newcomer_s_second_device_gets_it_with_the_first(two: Circle) -> None:
    alice, _ = two.members
    carol = await two.people.newcomer("carol")
    phone = await two.people.link(carol)
    await two.add(alice, carol, history=True)
    for device in (carol, phone):
        await device.comes(lambda device=device: len(opened(device)) >= 2)
        assert passed(await history(device, two)) == [("welcome to two", alice.username)]


async def test_who_comes_back_gets_what_was_said_meanwhile(two: Circle) -> None:
    alice, bob = two.members
    await two.say(alice, "with bob")
    await bob.hears("with bob")
    await two.remove(alice, bob)
    await two.say(alice, "without bob")
    await two.add(alice, bob, history=True)
    await bob.comes(lambda: "without bob" in texts(bob, two), "has not got what was said meanwhile")
    await two.say(alice, "with bob again")
    await bob.hears("with bob again")
    assert [one.text for one in await history(bob, two)] == [
        "welcome to two",
        "with bob",
        "without bob",
        "with bob again",
    ]
    assert "without bob" not in bob.texts()


def is_empty(talker: Talker, table: str) -> bool:
    """Tell whether a table of somebody's store has no rows."""
    with talker.client._session.store.reading() as tx:
        return tx.row(f"SELECT 1 FROM {table} LIMIT 1") is None  # noqa: S608 - constant


async def test_a_long_history_comes_in_several_objects_and_survives_the_end_of_a_process(
    two: Circle, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = two.members
    monkeypatch.setattr(grant, "TRIPLES_MAX", 20)
    monkeypatch.setattr(passing, "LOOKED_AT", 10)
    monkeypatch.setattr(passed_on, "NEAR", 8)
    monkeypatch.setattr(locating, "NEAR", 8)
    monkeypatch.setattr(unearthing, "STEPS", 7)
    async for _ in bob.client.send_many(two.target, [f"bob {number}" for number in range(60)]):
        pass
    await alice.hears("bob 59")
    failing = Failing(4)
    with two.evil.doing(failing):
        carol = await newcomer(two)
        await carol.comes(lambda: failing.done > 0)
        assert 0 < len(opened(carol)) < 62
        await carol.leave()
    await carol.come_back()
    await carol.comes(lambda: len(opened(carol)) >= 62, f"{len(opened(carol))}")
    found = await carol.client.history(two.target, limit=100)
    assert [one.text for one in found] == ["welcome to two", *(f"bob {number}" for number in range(60))]
    assert {one.passed_by for one in found} == {alice.username}
    await two.say(bob, "still here")
    await carol.hears("still here")
    await carol.comes(lambda: unlinked(carol, bob) == 0, "hashes were not followed to the end")
    await carol.comes(lambda: is_empty(carol, "passed_offers"), "something that was passed on is not settled")
    await alice.comes(lambda: is_empty(alice, "passing_due"), "something is owed still")


async def test_what_the_server_takes_no_more_of_is_passed_on_later(two: Circle) -> None:
    alice, bob = two.members
    await two.say(bob, "from before")
    await two.heard([alice], "from before")
    store = alice.client._session.store
    with two.evil.doing(Full()):
        carol = await newcomer(two)
        await carol.comes(lambda: called(carol, two) == "two")
    with store.transaction() as tx:
        [(history, look_at)] = tx.rows("SELECT history, look_at FROM passing_due")
        assert (history, look_at > now_ms()) == (1, True)
        assert not passing.is_due(tx)
        tx.run("UPDATE passing_due SET look_at = 0")
    await passing.pass_on(alice.client._session)
    await mailbox.send_out(alice.client._session)
    await carol.comes(lambda: "from before" in texts(carol, two))
    with store.reading() as tx:
        assert tx.rows("SELECT * FROM passing_due") == []


async def test_who_is_out_again_is_owed_nothing(two: Circle) -> None:
    alice, bob = two.members
    await two.say(bob, "from before")
    await two.heard([alice], "from before")
    carol = await two.people.newcomer("carol")
    with two.evil.doing(Full()):
        await two.add(alice, carol, history=True)
    await two.remove(alice, carol)
    session = alice.client._session
    with session.store.transaction() as tx:
        tx.run("UPDATE passing_due SET look_at = 0")
    await passing.pass_on(session)
    with session.store.reading() as tx:
        assert tx.rows("SELECT * FROM passing_due") == []
        assert tx.rows("SELECT * FROM payloads") == []
