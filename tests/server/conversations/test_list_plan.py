"""The list of one's conversations costs what its page costs, however many one is in and however much is said there."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from aparte.server.conversations import pages

CONVERSATIONS, PAGE = 300, 10
BESIDE = ("messages", "hidden_messages", "disappearing_messages", "conversations", "accounts", "preferences", "blocks")

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


@pytest.mark.parametrize("planned", ["force_custom_plan", "force_generic_plan"])
async def test_what_is_looked_up_beside_memberships_and_heads_is_looked_up_for_one_page(
    admin: Any, planned: str
) -> None:
    ann = uuid4()
    await admin.execute(PEOPLE, ann)
    await admin.execute(ROOMS, CONVERSATIONS)
    await admin.execute(HEADS)
    await admin.execute(SEATS, ann)
    await admin.execute(WORDS, ann)
    await admin.execute("ANALYZE")
    await admin.execute(f"SET plan_cache_mode = {planned}")
    last = max(int(number) for number in re.findall(r"\$(\d+)", pages.MINE))
    wanted = ", ".join([f"'{ann}'", *["NULL"] * (last - 2), str(PAGE)])
    await admin.execute(f"PREPARE mine AS {pages.MINE}")
    text = await admin.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE mine({wanted})")
    await admin.execute("DEALLOCATE mine")
    await admin.execute("RESET plan_cache_mode")
    plan = msgspec.json.decode(text)[0]["Plan"]
    looked_up = [node for node in nodes(plan) if str(node.get("Relation Name", "")).startswith(BESIDE)]
    assert looked_up
    assert max(node["Actual Loops"] for node in looked_up) <= PAGE
