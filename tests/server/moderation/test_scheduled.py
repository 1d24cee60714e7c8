"""What was scheduled is screened when it is due, and is a moderator's to decide then."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from tests.server.moderation.conftest import YES, Scene, said

from aparte.server.kit.clock import now
from aparte.server.messages import actions as messages
from aparte.server.messages.coverage import Coverage
from aparte.server.moderation import actions
from aparte.server.scheduling import actions as scheduling
from aparte.server.scheduling.model import Delivery
from aparte.wire.content import MessageContent
from aparte.wire.ids import ClientMessageId
from aparte.wire.messages import NewScheduled, SendMessage


async def test_what_was_scheduled_waits_for_a_moderator_when_it_is_due(scene: Scene, admin: Any) -> None:
    delivery = Delivery(
        send=partial(messages.send, scene.writer),
        seal=partial(messages.seal, scene.db, scene.writer, Coverage(scene.db)),
        check=messages.check_ahead,
        check_sealed=partial(messages.check_sealed_ahead, scene.db, Coverage(scene.db)),
    )
    key = ClientMessageId(uuid4())
    new = NewScheduled(key, now() + timedelta(hours=1), SendMessage(key, MessageContent("spam")))
    await scheduling.add(scene.db, delivery, scene.author, scene.room, new)
    assert await scene.waiting() == []
    await admin.execute("UPDATE scheduled_messages SET due_at = now(), look_at = now()")
    assert await scheduling.send_due(scene.db, delivery) == 1
    assert await scheduling.send_due(scene.db, delivery) == 0
    (held,) = await scene.waiting()
    assert (held.account, held.content.text, held.status) == (scene.author.account, "spam", "pending")
    assert (await scheduling.mine(scene.db, scene.author, scene.room)).scheduled == []
    await actions.decide(scene.db, scene.send, scene.owner, scene.room, held.id, YES)
    assert await said(admin, scene.room) == ["spam"]
