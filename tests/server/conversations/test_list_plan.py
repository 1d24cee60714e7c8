"""The list of one's conversations costs what its page costs, however many one is in and however much is said there."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import msgspec

from aparte.server.conversations import pages

CONVERSATIONS, PAGE = 300, 10

PEOPLE = "INSERT INTO accounts (account_id, username, email, display_name) VALUES ($1, 'ann', 'ann@example.org', 'Ann')"
ROOMS = """
    INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, name, name_key, member_count)
    SELECT gen_random_uuid(), 'room', 'server', true, 'room ' || n, 'room ' || n, 1 FROM generate_series(1, $1) AS n
"""
HEADS = """
    INSERT INTO heads (conversation_id, last_id, last_ordinal)
    SELECT conversation_id, id_now(now()), 20 FROM conversations
"""
SEATS = """
    INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, read_seq, read_id, read_ordinal)
    SELECT conversation_id, $1, 0, last_id, 0, last_id, 0 FROM heads
"""
WORDS = """
    INSERT INTO messages (conversation_id, id, seq, account_id, ordinal, content, xid)
    SELECT conversation_id, id_after(last_id, n), n, $1, n, '{"text": "words"}', 1
      FROM heads, generate_series(1, 20) AS n
"""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def test_what_is_looked_up_in_messages_is_looked_up_for_one_page(admin: Any) -> None:
    ann = uuid4()
    await admin.execute(PEOPLE, ann)
    await admin.execute(ROOMS, CONVERSATIONS)
    await admin.execute(HEADS)
    await admin.execute(SEATS, ann)
    await admin.execute(WORDS, ann)
    await admin.execute("ANALYZE")
    last = max(int(number) for number in re.findall(r"\$(\d+)", pages.MINE))
    wanted: list[UUID | int | None] = [ann, *[None] * (last - 2), PAGE]
    text = await admin.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {pages.MINE}", *wanted)
    plan = msgspec.json.decode(text)[0]["Plan"]
    loops = [
        node["Actual Loops"]
        for node in nodes(plan)
        if str(node.get("Relation Name", "")).startswith(("messages", "hidden_messages", "disappearing_messages"))
    ]
    assert loops
    assert max(loops) <= PAGE
