"""What is sent is kept first, repeated with the same bytes, in order, until the server has answered for good."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from aiohttp import web

from aparte.client import ClientError, NotSignedIn, TimeOver
from aparte.client.outbox import Outbox
from aparte.client.profiles import Folder
from aparte.client.sending import content_of, send_many
from aparte.client.session import Session
from aparte.client.store import profile
from aparte.client.store.outbox import insert_item
from aparte.client.transport.http import Http
from aparte.wire.accounts import Tokens
from aparte.wire.codec import to_json
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, SessionId
from aparte.wire.messages import SendMessage, Sent

ROOM, OTHER_ROOM = ConversationId(UUID(int=9)), ConversationId(UUID(int=10))
Answer = Callable[[web.Request], web.Response]


def refuse(code: str, retry_after: float | None = None) -> Answer:
    refusal = Refusal(code, retry_after=retry_after)
    return lambda _: web.Response(
        body=to_json(refusal.problem()), status=refusal.status, content_type="application/problem+json"
    )


def hang_up(request: web.Request) -> web.Response:
    """The request arrived, its answer never does."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@dataclass
class Scripted:
    """A server that answers sends as the test says, then stores them."""

    url: str = ""
    script: list[Answer] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0

    async def serve(self, request: web.Request) -> web.Response:
        if request.path == "/api/v1/sessions/refresh":
            return refuse("refresh_reused")(request)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            await asyncio.sleep(0.002)
            body = await request.read()
            self.bodies.append(body)
            if self.script and (answer := self.script.pop(0)) is not store:
                return answer(request)
            message = decode(body)
            self.stored.append(message.content.text)
            place = len(self.stored)
            conversation = ConversationId(UUID(request.match_info["conversation"]))
            sent = Sent(conversation, place, EntryId(UUID(int=place)), datetime.now(UTC))
            return web.Response(body=to_json(sent), status=201, content_type="application/json")
        finally:
            self.busy -= 1


def store(_: web.Request) -> web.Response:
    """Mark in a script: take this one."""
    raise AssertionError


def decode(body: bytes) -> SendMessage:
    return msgspec.json.decode(body, type=SendMessage)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    here = Scripted()
    app = web.Application()
    app.router.add_post("/api/v1/conversations/{conversation}/messages", here.serve)
    app.router.add_post("/api/v1/sessions/refresh", here.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    here.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield here
    await runner.cleanup()


@pytest.fixture
async def session(scripted: Scripted, tmp_path: Path) -> AsyncIterator[Session]:
    async for opened in sessions(scripted, tmp_path):
        yield opened


async def sessions(scripted: Scripted, home: Path) -> AsyncIterator[Session]:
    folder = Folder.of("ann", home)
    store = folder.open(None, create=True)
    account, device, end = AccountId(uuid4()), DeviceId(uuid4()), datetime.now(UTC) + timedelta(hours=1)
    with store.transaction() as tx:
        profile.upsert_profile(tx, scripted.url, account, device, "ann")
        profile.upsert_tokens(tx, Tokens(account, device, "listed", SessionId(uuid4()), "access", end, "refresh", end))
    http = Http(scripted.url)
    yield Session(http, store, folder, patience=5)
    await http.close()
    store.close()


async def say(outbox: Outbox, text: str, seconds: float = 20, room: ConversationId = ROOM) -> Sent:
    return await outbox.deliver(room, outbox.put(room, [content_of(text)])[0], seconds)


async def test_a_message_is_sent_and_leaves_nothing_behind(scripted: Scripted, session: Session) -> None:
    outbox = Outbox(session)
    assert (await say(outbox, "salut")).seq == 1
    assert scripted.stored == ["salut"]
    assert outbox.unsent() == []


@pytest.mark.parametrize(
    "trouble",
    [
        refuse("rate_limited", 0.01),
        refuse("unavailable", 0.01),
        refuse("storage_full", 0.01),
        refuse("internal", 0.01),
        hang_up,
        lambda _: web.Response(status=502, text="<html>Bad gateway</html>", headers={"Retry-After": "0"}),
    ],
)
async def test_trouble_is_waited_out_with_the_same_bytes(scripted: Scripted, session: Session, trouble: Answer) -> None:
    scripted.script = [trouble, trouble]
    await say(Outbox(session), "salut")
    assert scripted.stored == ["salut"]
    assert len(scripted.bodies) == 3
    assert len(set(scripted.bodies)) == 1


@pytest.mark.parametrize("code", ["not_member", "client_id_reused", "forbidden", "invalid", "too_large"])
async def test_what_is_refused_for_good_is_said_and_forgotten(scripted: Scripted, session: Session, code: str) -> None:
    outbox = Outbox(session)
    scripted.script = [refuse(code)]
    with pytest.raises(ClientError) as caught:
        await say(outbox, "salut")
    assert caught.value.code == code
    assert outbox.unsent() == []
    await say(outbox, "next")
    assert scripted.stored == ["next"]


async def test_after_the_deadline_a_message_waits_and_goes_out_before_the_next(
    scripted: Scripted, session: Session
) -> None:
    outbox = Outbox(session)
    scripted.script = [refuse("unavailable", 30)]
    with pytest.raises(TimeOver) as caught:
        await say(outbox, "first", seconds=0.2)
    assert caught.value.data == {"queued": 1, "cause": "unavailable"}
    assert [(item.outcome, decode(item.body).content.text) for item in outbox.unsent()] == [(None, "first")]
    await say(outbox, "second")
    assert scripted.stored == ["first", "second"]
    assert scripted.bodies[0] == scripted.bodies[1]


async def test_what_a_dead_process_left_is_sent_by_the_next_one(scripted: Scripted, session: Session) -> None:
    key = ClientMessageId(uuid4())
    with session.store.transaction() as tx:
        insert_item(tx, ROOM, key, to_json(SendMessage(key, content_of("left over"))), 1)
    await Outbox(session).deliver_left_over(5)
    assert scripted.stored == ["left over"]


async def test_a_refusal_that_nobody_waited_for_can_be_read_later(scripted: Scripted, session: Session) -> None:
    outbox = Outbox(session)
    scripted.script = [refuse("unavailable", 30)]
    with pytest.raises(TimeOver):
        await say(outbox, "lost", seconds=0.2)
    scripted.script = [refuse("not_member")]
    assert (await say(outbox, "next")).seq == 1
    assert [item.outcome for item in outbox.unsent()] == ["not_member"]


async def test_an_answer_fetched_by_somebody_else_reaches_whoever_waits(
    scripted: Scripted, session: Session, tmp_path: Path
) -> None:
    second = Session(session.http, Folder.of("ann", tmp_path).open(None, create=False), session.folder, 5)
    here, there = Outbox(session), Outbox(second)
    item = here.put(ROOM, [content_of("salut")])[0]
    await there.deliver_left_over(5)
    assert (await here.deliver(ROOM, item, 5)).seq == 1
    assert scripted.stored == ["salut"]
    second.store.close()


async def test_many_at_once_keep_their_order_and_one_is_in_flight(scripted: Scripted, session: Session) -> None:
    outbox = Outbox(session)
    scripted.script = [store, refuse("rate_limited", 0.01), store, hang_up]
    await asyncio.gather(*(say(outbox, str(number)) for number in range(30)))
    assert scripted.stored == [str(number) for number in range(30)]
    assert scripted.most_busy == 1


async def test_conversations_do_not_wait_for_one_another(scripted: Scripted, session: Session) -> None:
    outbox = Outbox(session)
    scripted.script = [refuse("unavailable", 30)]
    blocked = asyncio.ensure_future(say(outbox, "stuck", seconds=5))
    await asyncio.sleep(0.05)
    await asyncio.wait_for(say(outbox, "free", room=OTHER_ROOM), 2)
    assert scripted.stored == ["free"]
    blocked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocked


async def test_two_processes_of_a_profile_share_the_line(scripted: Scripted, session: Session, tmp_path: Path) -> None:
    second = Session(session.http, Folder.of("ann", tmp_path).open(None, create=False), session.folder, 5)
    here, there = Outbox(session), Outbox(second)
    scripted.script = [hang_up]
    numbers = [here.put(ROOM, [content_of("a")])[0], there.put(ROOM, [content_of("b")])[0]]
    numbers += [here.put(ROOM, [content_of("c")])[0], there.put(ROOM, [content_of("d")])[0]]
    boxes = [here, there, here, there]
    answers = await asyncio.gather(*(box.deliver(ROOM, n, 20) for box, n in zip(boxes, numbers, strict=True)))
    assert scripted.stored == ["a", "b", "c", "d"]
    assert [answer.seq for answer in answers] == [1, 2, 3, 4]
    assert scripted.most_busy == 1
    second.store.close()


async def test_a_message_that_cannot_be_signed_for_is_not_sent_later(scripted: Scripted, session: Session) -> None:
    outbox = Outbox(session)
    scripted.script = [refuse("unauthenticated")]
    with pytest.raises(NotSignedIn):
        await say(outbox, "secret")
    assert outbox.unsent() == []


async def test_many_messages_are_read_ahead_but_sent_in_order(scripted: Scripted, session: Session) -> None:
    outbox = Outbox(session)
    texts = [str(number) for number in range(250)]
    seqs = [sent.seq async for sent in send_many(outbox, ROOM, texts, "text", 20)]
    assert scripted.stored == texts
    assert seqs == list(range(1, 251))


async def test_a_refusal_among_many_stops_them_and_forgets_those_read_ahead(
    scripted: Scripted, session: Session
) -> None:
    outbox = Outbox(session)
    scripted.script = [store, refuse("not_member")]
    with pytest.raises(ClientError) as caught:
        [_ async for _ in send_many(outbox, ROOM, map(str, range(50)), "text", 20)]
    assert caught.value.code == "not_member"
    assert scripted.stored == ["0"]
    assert outbox.unsent() == []


async def test_a_line_that_cannot_be_a_message_stops_after_those_before_it(
    scripted: Scripted, session: Session
) -> None:
    with pytest.raises(ClientError) as caught:
        [_ async for _ in send_many(Outbox(session), ROOM, ["one", "x" * 4001, "three"], "text", 20)]
    assert caught.value.code == "invalid"
    assert scripted.stored == ["one"]


@pytest.mark.parametrize("text", ["", "   ", "x" * 4001, "\ud800"])
def test_what_no_server_would_take_is_not_kept(text: str) -> None:
    with pytest.raises(ClientError) as caught:
        content_of(text)
    assert caught.value.code == "invalid"


def test_the_longest_message_is_taken() -> None:
    assert len(content_of("é" * 4000).text) == 4000
