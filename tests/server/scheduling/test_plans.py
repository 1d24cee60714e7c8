"""What is due, of whom and where is found through an index, however much there is (R-231)."""

from typing import Any

import pytest
from tests.support import rooms

Admin = Any
FILL = """
INSERT INTO scheduled_messages (scheduled_id, conversation_id, account_id, device_id, client_message_id, digest, due_at,
                                look_at, message)
SELECT gen_random_uuid(), $1, $2, gen_random_uuid(), gen_random_uuid(), n, now() + make_interval(mins => n),
       now() + make_interval(mins => n), '{"content": {"text": "later"}}' FROM generate_series(1, 5000) AS n
"""
QUESTIONS = {
    "scheduled_messages_due_idx": "status = 'waiting' AND look_at <= now() AND due_at <= now() ORDER BY due_at",
    "scheduled_messages_author_idx": "account_id = '{account}' AND NOT is_sent AND NOT is_cancelled ORDER BY due_at",
    "scheduled_messages_conversation_idx": "conversation_id = '{room}' AND NOT is_sent AND NOT is_cancelled",
}


@pytest.mark.parametrize("index", QUESTIONS)
async def test_each_question_has_its_index(admin: Admin, index: str) -> None:
    people = [await rooms.person(admin) for _ in range(3)]
    places = [await rooms.room(admin, person) for person in people]
    for person, place in zip(people, places, strict=True):
        await admin.execute(FILL, place, person.account)
    one, elsewhere = await rooms.person(admin), await rooms.room(admin, people[0])
    await admin.execute("ANALYZE scheduled_messages")
    asked = QUESTIONS[index].format(account=one.account, room=elsewhere)
    plan = await admin.fetch(f"EXPLAIN SELECT scheduled_id FROM scheduled_messages WHERE {asked}")  # noqa: S608 - constant
    assert index in "\n".join(row[0] for row in plan)
