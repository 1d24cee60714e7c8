"""What ties a message to others: threads, answers, references, mentions, forwarding."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.server.messages.conftest import Process, saying
from tests.support import rooms
from tests.support.people import Problem, World

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import ToConversation
from aparte.server.messages import actions
from aparte.server.messages.pages import Where
from aparte.wire import limits
from aparte.wire.content import Forwarded
from aparte.wire.errors import Refusal
from aparte.wire.frames import Live
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId
from aparte.wire.messages import Entry, ForwardOf

Admin = Any


async def lounge(admin: Admin) -> tuple[ConversationId, Caller, Caller]:
    """A room of two, the first of whom owns it."""
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    return await rooms.room(admin, alice, bob), alice, bob


async def refused(process: Process, who: Caller, room: ConversationId, **tied: Any) -> tuple[str, str]:
    """Why something is not stored."""
    with pytest.raises(Refusal) as refusal:
        await process.send(who, room, saying("hm", **tied))
    return refusal.value.code, refusal.value.detail


def entry(process: Process, message: EntryId) -> Entry:
    """A message as it was rung."""
    frames = [hint.frame for hint in process.rung if isinstance(hint, ToConversation)]
    return next(frame.entry for frame in frames if isinstance(frame, Live) and frame.entry.id == message)


async def gone(admin: Admin, message: EntryId, how: str) -> None:
    """Let a message be deleted, expired or erased."""
    change = {
        "deleted": "deletion_id = id",
        "expired": "expires_at = now() - interval '1 s'",
        "erased": "content = NULL, erased_at = now()",
    }[how]
    await admin.execute(f"UPDATE messages SET {change} WHERE id = $1", message)  # noqa: S608 - one of three


async def test_a_reply_in_a_thread_counts_for_its_root(admin: Admin, process: Process) -> None:
    """R-210, R-211: also of many that come at once, and of two roots in one batch."""
    room, alice, bob = await lounge(admin)
    roots = [(await process.send(alice, room, saying(text))) for text in ("one", "two")]
    replies = [saying("re", thread=roots[n % 3 == 0].id) for n in range(10)]
    sent = await asyncio.gather(*(process.send(bob, room, reply) for reply in replies))
    rows = await admin.fetch("SELECT root_id, reply_count, last_id FROM threads WHERE conversation_id = $1", room)
    under = [sorted(sent[n].id for n in range(10) if (n % 3 == 0) == one) for one in (False, True)]
    assert {row["root_id"]: (row["reply_count"], row["last_id"]) for row in rows} == {
        roots[0].id: (6, under[0][-1]),
        roots[1].id: (4, under[1][-1]),
    }
    assert entry(process, sent[0].id).target == await position(admin, roots[1].id)
    links = await admin.fetch("SELECT id FROM message_links WHERE target_id = $1 AND link = 1 ORDER BY id", roots[1].id)
    assert [row["id"] for row in links] == under[1]
    again = await process.send(bob, room, replies[0])
    assert again == sent[0]
    assert await admin.fetchval("SELECT sum(reply_count) FROM threads WHERE conversation_id = $1", room) == 10


async def position(admin: Admin, message: EntryId) -> Any:
    """Where a message is."""
    row = await admin.fetchrow("SELECT seq, id FROM messages WHERE id = $1", message)
    return type("Position", (), {"__eq__": lambda _, other: (other.seq, other.id) == (row["seq"], row["id"])})()


async def test_threads_have_one_level(admin: Admin, process: Process) -> None:
    room, alice, _ = await lounge(admin)
    root = await process.send(alice, room, saying("root"))
    reply = await process.send(alice, room, saying("reply", thread=root.id))
    assert (await refused(process, alice, room, thread=reply.id))[0] == "invalid"
    assert (await process.send(alice, room, saying("quoting it", thread=root.id, reply=reply.id))).seq == 3


async def test_replies_outlive_their_root(db: Database, admin: Admin, process: Process) -> None:
    """B-103: deleting a thread's parent deleted what others had said under it."""
    room, alice, bob = await lounge(admin)
    root = (await process.send(alice, room, saying("root"))).id
    replies = [(await process.send(bob, room, saying(str(n), thread=root, reply=root))).id for n in range(2)]
    await actions.delete(db, alice, room, root, ClientMessageId(uuid4()))
    await admin.execute("UPDATE messages SET content = NULL, erased_at = now() WHERE id = $1", root)
    page = await actions.page(db, bob, room, Where(thread=root), 10)
    assert [message.id for message in page.messages] == replies
    assert [message.content.text for message in page.messages if message.content] == ["0", "1"]
    assert await admin.fetchval("SELECT reply_count FROM threads WHERE root_id = $1", root) == 2


async def test_a_message_and_its_ties_are_written_together_or_not_at_all(admin: Admin, process: Process) -> None:
    """B-092: several statements outside of a transaction leave a half when something fails between them."""
    room, alice, bob = await lounge(admin)
    root = (await process.send(alice, room, saying("root"))).id
    await admin.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
        " CREATE TRIGGER bad BEFORE INSERT ON threads FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    message = saying("half", thread=root)
    done = await asyncio.gather(
        process.send(bob, room, message), process.send(alice, room, saying("whole")), return_exceptions=True
    )
    assert [one.code if isinstance(one, Refusal) else one.seq for one in done] == ["internal", 2]  # type: ignore[union-attr]
    for table in ("messages", "sends", "message_links"):
        query = f"SELECT count(*) FROM {table} WHERE conversation_id = $1"  # noqa: S608 - of three
        assert await admin.fetchval(query, room) == (0 if table == "message_links" else 2)
    await admin.execute("DROP TRIGGER bad ON threads")
    assert (await process.send(bob, room, message)).seq == 3


@pytest.mark.parametrize("tie", ["thread", "reply", "references"])
async def test_a_message_hangs_on_what_is_there_in_its_own_conversation(
    admin: Admin, process: Process, tie: str
) -> None:
    """B-026, B-115: references that lead anywhere, or nowhere."""
    room, alice, bob = await lounge(admin)
    elsewhere = await rooms.room(admin, alice, bob)
    there = (await process.send(alice, elsewhere, saying("there"))).id

    def tied(message: EntryId) -> dict[str, Any]:
        return {tie: [message] if tie == "references" else message}

    assert await refused(process, alice, room, **tied(there)) == ("not_found", tie)
    assert await refused(process, alice, room, **tied(EntryId(uuid4()))) == ("not_found", tie)
    for how in ("deleted", "expired", "erased"):
        target = (await process.send(alice, room, saying("here"))).id
        message = saying("tied", **tied(target))
        sent = await process.send(alice, room, message)
        await gone(admin, target, how)
        assert await refused(process, alice, room, **tied(target)) == ("gone", tie)
        assert await process.send(alice, room, message) == sent
    stranger = await rooms.person(admin)
    assert (await refused(process, stranger, room, **tied(there)))[0] == "not_member"


async def test_answers_and_references_are_kept_with_keys(admin: Admin, process: Process) -> None:
    room, alice, _ = await lounge(admin)
    ids = [(await process.send(alice, room, saying(str(n)))).id for n in range(limits.REFERENCES)]
    sent = await process.send(alice, room, saying("see", reply=ids[0], references=[*ids[1:], ids[1]]))
    row = await admin.fetchrow("SELECT reply_id, content FROM messages WHERE id = $1", sent.id)
    assert row["reply_id"] == ids[0]
    rows = await admin.fetch(
        "SELECT target_id, link FROM message_links WHERE id = $1 ORDER BY link, target_id", sent.id
    )
    assert [(row["target_id"], row["link"]) for row in rows] == [(ids[0], 2), *((one, 3) for one in ids[1:])]


async def named(admin: Admin, room: ConversationId, *names: str) -> list[Caller]:
    """Members of these names."""
    people = [await rooms.person(admin, name) for name in names]
    for one in people:
        await admin.execute(
            "INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, read_seq, read_id, read_ordinal)"
            " SELECT $1, $2, last_seq, last_id, last_seq, last_id, last_ordinal FROM heads WHERE conversation_id = $1",
            room,
            one.account,
        )
    return people


async def mentioned(admin: Admin, message: EntryId) -> set[UUID]:
    """Who can find a message as one that mentions them."""
    return {row["account_id"] for row in await admin.fetch("SELECT account_id FROM mentions WHERE id = $1", message)}


async def test_names_in_a_text_become_mentions_of_members(admin: Admin, process: Process) -> None:
    """R-213, B-115, B-116: current members, none who has blocked the author; what a client claims is not taken."""
    room, alice, _ = await lounge(admin)
    ann, ann_lee, left, foe = await named(admin, room, "Ann", "ann-lee", "lefty", "foe_1")
    outsider = await rooms.person(admin, "outsider")
    await admin.execute(
        "UPDATE members SET left_at = now(), left_seq = 0, left_id = $2 WHERE account_id = $1", left.account, uuid4()
    )
    await admin.execute("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", foe.account, alice.account)
    text = "@ann-lee, @ANN! and @ann-leef @lefty @foe_1 @outsider @nobody, @Ann again"
    sent = await process.send(alice, room, saying(text, mentions=[outsider.account]))
    body = entry(process, sent.id).body
    assert body.mentions == [ann_lee.account, ann.account]
    assert await mentioned(admin, sent.id) == {ann.account, ann_lee.account}
    code = await process.send(alice, room, saying("`@ann`", format="markdown"))
    assert entry(process, code.id).body.mentions == []


async def test_fifty_people_are_mentioned_and_no_more(admin: Admin, process: Process) -> None:
    room, alice, _ = await lounge(admin)
    tag = uuid4().hex[:8]
    people = await named(admin, room, *(f"m{tag}-{n}" for n in range(limits.MENTIONS + 1)))
    all_but_one = " ".join(f"@m{tag}-{n}" for n in range(limits.MENTIONS))
    sent = await process.send(alice, room, saying(all_but_one))
    assert await mentioned(admin, sent.id) == {one.account for one in people[:-1]}
    with pytest.raises(Refusal, match="more than 50"):
        await process.send(alice, room, saying(f"{all_but_one} @m{tag}-{limits.MENTIONS}"))


async def test_a_repeat_is_one_though_what_it_mentions_has_changed(admin: Admin, process: Process) -> None:
    """What stands for a message is what its sender gave, not what the server made of it."""
    room, alice, _ = await lounge(admin)
    name = f"late-{uuid4().hex[:8]}"
    message = saying(f"hello @{name}")
    first = await process.send(alice, room, message)
    await named(admin, room, name)
    assert await process.send(alice, room, message) == first
    assert await mentioned(admin, first.id) == set()


async def test_html_is_stored_clean_with_its_source(admin: Admin, process: Process) -> None:
    room, alice, _ = await lounge(admin)
    message = saying("<b>x<script>y</script>", format="html")
    sent = await process.send(alice, room, message)
    assert entry(process, sent.id).body.text == "<b>x</b>"
    assert await admin.fetchval("SELECT source FROM message_sources WHERE id = $1", sent.id) == message.content.text
    assert await process.send(alice, room, message) == sent


async def test_forwarding_copies_words_and_says_whose_they_are_where_everybody_may_know(
    admin: Admin, process: Process
) -> None:
    """R-209, B-041: what is forwarded is a message of its own; from where nobody else may look only the mark."""
    public, alice, bob = await lounge(admin)
    private, target = await rooms.room(admin, alice, bob), await rooms.room(admin, alice, bob)
    await admin.execute("UPDATE conversations SET is_public = false WHERE conversation_id = $1", private)
    said = {
        room: (await process.send(bob, room, saying("**words**", format="markdown"))).id for room in (public, private)
    }

    async def forwarded(room: ConversationId, source: ConversationId, message: EntryId) -> Any:
        sent = await process.send(alice, room, saying("not these", forward=ForwardOf(source, message)))
        body = entry(process, sent.id).body
        assert (body.text, body.format) == ("**words**", "markdown")
        return sent.id, body.forwarded

    first, mark = await forwarded(target, public, said[public])
    assert mark == Forwarded(public, said[public], bob.account)
    assert (await forwarded(target, private, said[private]))[1] == Forwarded()
    assert (await forwarded(private, private, said[private]))[1] == Forwarded(private, said[private], bob.account)
    again, mark = await forwarded(private, target, first)
    assert mark == Forwarded(public, said[public], bob.account)
    await admin.execute("UPDATE conversations SET is_public = false WHERE conversation_id = $1", public)
    assert (await forwarded(target, private, again))[1] == Forwarded()
    assert (await forwarded(public, private, again))[1] == Forwarded(public, said[public], bob.account)


async def test_nobody_forwards_what_they_cannot_read(admin: Admin, process: Process) -> None:
    room, alice, bob = await lounge(admin)
    closed, carol = await rooms.room(admin, bob), await rooms.person(admin)
    secret = (await process.send(bob, closed, saying("secret"))).id
    for source, message in ((closed, secret), (closed, uuid4()), (room, secret), (uuid4(), secret)):
        forward = ForwardOf(ConversationId(source), EntryId(message))
        assert await refused(process, alice, room, forward=forward) == ("not_found", "forward")
    here = (await process.send(bob, room, saying("here"))).id
    forward = ForwardOf(room, here)
    kept = saying("x", forward=forward)
    sent = await process.send(alice, room, kept)
    await admin.execute(
        "INSERT INTO hidden_messages (account_id, conversation_id, id, ordinal) VALUES ($1, $2, $3, 1)",
        bob.account,
        room,
        here,
    )
    assert await refused(process, bob, room, forward=forward) == ("not_found", "forward")
    await gone(admin, here, "deleted")
    assert await refused(process, alice, room, forward=forward) == ("gone", "forward")
    assert await process.send(alice, room, kept) == sent
    assert (await refused(process, carol, room, forward=forward))[0] == "not_member"
    assert (await refused(process, alice, room, thread=here, forward=forward))[0] == "gone"


async def test_ties_survive_an_edit_and_what_was_forwarded_is_not_edited(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    first = (await alice.send(room, "first"))["id"]
    answer = (await bob.send(room, "answer", reply=first, ttl=3_600))["id"]
    content = {"text": "<i>edited</i><script>x</script>", "format": "html", "mentions": [alice.account], "ttl": 5}
    body = {"client_message_id": str(uuid4()), "content": content}
    edited = await bob.call("PATCH", f"/conversations/{room}/messages/{answer}", body)
    assert await bob.call("PATCH", f"/conversations/{room}/messages/{answer}", body) == edited
    shown = await alice.get(f"/conversations/{room}/messages/{answer}")
    assert shown["content"] == {"text": "<i>edited</i>", "format": "html", "reply": first, "ttl": 3_600}
    mine = await bob.get(f"/conversations/{room}/messages/{answer}")
    assert mine["source"] == content["text"]
    body = {
        "client_message_id": str(uuid4()),
        "content": {"text": "-"},
        "forward": {"conversation": room, "message": first},
    }
    copy = (await bob.post(f"/conversations/{room}/messages", body))["id"]
    body = {"client_message_id": str(uuid4()), "content": {"text": "other words"}}
    with pytest.raises(Problem, match="forbidden"):
        await bob.call("PATCH", f"/conversations/{room}/messages/{copy}", body)


async def test_what_needs_looking_up_is_not_overtaken(world: World) -> None:
    """Of one socket: the order in which somebody says things is the order in which they are said."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    texts = [f"{n} @{bob.username}" if n % 2 else str(n) for n in range(12)]
    async with alice.gateway() as gateway:
        for n, text in enumerate(texts):
            message = {"client_message_id": str(uuid4()), "content": {"text": text}}
            await gateway.send({"type": "send", "ref": n, "conversation": room, "message": message})
        await gateway.wait(lambda frame: frame["type"] == "sent" and frame["ref"] == len(texts) - 1)
    assert await bob.texts(room) == texts
