"""`aparte bench search`: the newest 20 hits in a room of many messages, for rare and frequent words alike, over REST.

The room is filled in the database, all of it in one month: what the server would have written, without the time that it
would have taken. The index is read by the server's own code, as fast as it goes. Every answer must hold what is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from urllib.parse import quote
from uuid import UUID

from aparte.bench import store
from aparte.bench.crowd import Person, crowd
from aparte.bench.frames import clock
from aparte.bench.processes import Cost
from aparte.bench.report import Figure, Latencies, Section, cpu_figures
from aparte.bench.rest import Connection, connections, request
from aparte.bench.server import Server
from aparte.bench.websocket import UnexpectedAnswer
from aparte.server.kit.db import Database
from aparte.server.search import actions
from aparte.wire.ids import ConversationId
from aparte.wire.search import FoundMessages

PAGE = 20
RARE = 10
STEP = 50_000
NOWHERE = ConversationId(UUID(int=0))

WORDS: LiteralString = """
    CREATE TEMPORARY TABLE bench_words AS
    SELECT n, substr(translate(md5('w' || n), '0123456789', 'ghijklmnop'), 1, 3 + n % 7) AS word
      FROM generate_series(1, 20000) AS n
"""
FILL: LiteralString = """
    WITH said AS MATERIALIZED (
      SELECT n, id_after(id_at(t.begins + (now() - t.begins) * (n / $4::float8)), 1) AS id,
             (SELECT string_agg(w.word, ' ') FROM bench_words w
               WHERE w.n = ANY (ARRAY(SELECT 1 + floor(20000 * power(random(), 4))::integer
                                        FROM generate_series(1, 13) WHERE n > 0)))
               || CASE WHEN n % 2 = 0 THEN ' souvent' ELSE ' parfois' END
               || CASE WHEN n % ($4::bigint / $5::bigint) = 7 THEN ' rarissime' ELSE '' END
               || CASE WHEN n < $4 / 3 THEN ' jadis' ELSE '' END AS text
        FROM generate_series($3::bigint, $3 + $6 - 1) AS n, (SELECT date_trunc('month', now()) AS begins) AS t
    )
    INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, content, xid)
    SELECT $1, id, 1000 + n, $2, gen_random_uuid(), gen_random_uuid(), n + 1, jsonb_build_object('text', text), 3
      FROM said
"""
MOVE: LiteralString = """
    UPDATE heads h SET (last_id, last_seq, last_ordinal, message_count) =
           (SELECT m.id, m.seq, m.ordinal, m.ordinal FROM messages m WHERE m.conversation_id = $1
             ORDER BY m.id DESC LIMIT 1)
     WHERE h.conversation_id = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How many messages the room holds, and how often each question is asked."""

    messages: int = 100_000
    times: int = 100


@dataclass(frozen=True, slots=True)
class Question:
    """What is typed, and how many hits the first page holds."""

    name: str
    typed: str
    hits: int


def questions(messages: int) -> list[Question]:
    """Words of every frequency, and the worst of each kind."""
    return [
        Question("rare word", "rarissime ", RARE),
        Question("word of every second message", "souvent ", PAGE),
        Question("both", "parfois rarissime ", RARE if (messages // RARE) % 2 == 0 else RARE // 2),
        Question("beginning of a word", "raris", RARE),
        Question("word of the oldest third", "jadis ", PAGE),
        Question("word that nobody said", "introuvable ", 0),
        Question("phrase", '"souvent jadis"', PAGE),
        Question("two frequent words that never meet", "souvent parfois ", 0),
    ]


async def run(server: Server, options: Options) -> list[Section]:
    """Fill a room, read it into the index, then search in it."""
    if not server.is_own:
        raise ValueError("a room is filled in the database: only a server of our own can be measured")
    if options.messages < 1_000:
        raise ValueError("rare words need 1,000 messages or more")
    async with crowd(server.url) as here:
        [person] = await here.people(1)
        [room] = await here.rooms([[person]])
    await fill(server, person, room, options.messages)
    sections = [await read(server, room, options.messages)]
    async with connections(server.url, 1) as [connection]:
        sections += [
            await ask(server, connection, person, room, question, options.times)
            for question in questions(options.messages)
        ]
    return sections


async def fill(server: Server, person: Person, room: ConversationId, messages: int) -> None:
    """Write so many messages into a room."""
    database: Any = await store.connect(server.admin_dsn)
    try:
        await database.execute(WORDS)
        for first in range(0, messages, STEP):
            count = min(STEP, messages - first)
            await database.execute(FILL, room, person.account, first, float(messages), RARE, count, timeout=600)
        await database.execute(MOVE, room)
        # What was written lies before what was read of the empty room: to the index the room is new.
        await database.execute("DELETE FROM search_positions WHERE conversation_id = $1", room)
        await database.execute("VACUUM ANALYZE messages", timeout=600)
    finally:
        await database.close()


async def read(server: Server, room: ConversationId, messages: int) -> Section:
    """Read a room into the index."""
    database: Any = await store.connect(server.admin_dsn)
    before = await store.select_sizes(database)
    db = Database(server.admin_dsn)
    await db.open()
    start = clock()
    try:
        await actions.read_conversation(db, room)
        while await actions.read_behind(db, NOWHERE):
            pass
    finally:
        await db.close()
    seconds = (clock() - start) / 1e6
    await database.execute("VACUUM ANALYZE message_search, search_spans", timeout=600)
    after = await store.select_sizes(database)
    await database.close()
    size = after["message_search"] - before["message_search"]
    return Section(
        f"reading {messages:,} messages into the index, without the pauses of the server",
        [
            Figure("messages_per_second", messages / seconds, "/s"),
            Figure("bytes_per_message", size / messages, "B"),
        ],
    )


async def ask(
    server: Server, connection: Connection, person: Person, room: ConversationId, question: Question, times: int
) -> Section:
    """Ask one question over and over."""
    path = f"/search/messages?q={quote(question.typed)}&in={room}&limit={PAGE}"
    asked = request(server.url, "GET", path, token=person.token)
    latencies, cost = Latencies(), Cost(server.groups)
    for _ in range(times):
        start = clock()
        answer = await connection.ask(asked)
        latencies.add(clock() - start)
        check(question, answer.read(FoundMessages))
    spent = cost.spent()
    figures = [*latencies.percentiles("search"), *cpu_figures(spent, times, "search", is_own=server.is_own)]
    return Section(question.name, figures)


def check(question: Question, answer: FoundMessages) -> None:
    """Raise UnexpectedAnswer unless all hits are there, the newest first, each with its places."""
    ids: Sequence[Any] = [one.message.id for one in answer.found]
    if len(ids) != question.hits or ids != sorted(ids, reverse=True):
        raise UnexpectedAnswer(f"{question.name}: {len(ids)} hits instead of {question.hits}")
    if not all(one.highlights for one in answer.found):
        raise UnexpectedAnswer(f"{question.name}: a hit without its place")
