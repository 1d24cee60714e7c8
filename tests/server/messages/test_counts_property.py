"""Whatever becomes of messages, the server counts what somebody would count who looks at each of them."""

import random
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from tests.server.messages.conftest import Process, saying
from tests.support import rooms

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import actions
from aparte.server.messages.actions import housekeeping
from aparte.server.receipts import actions as receipts
from aparte.server.receipts.model import Mark
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId, Position
from aparte.wire.messages import PinMessage, React, Sent

Admin = Any
STEPS = 40


@dataclass
class Said:
    """A message as somebody remembers it who has seen all that was done to it."""

    sent: Sent
    by: Caller
    root: "Said | None"
    has_end: bool
    is_deleted: bool = False
    is_over: bool = False
    is_erased: bool = False
    hidden_by: set[Caller] = field(default_factory=set)
    reactions: set[tuple[Caller, str]] = field(default_factory=set)
    is_pinned: bool = False

    @property
    def is_there(self) -> bool:
        """For everybody."""
        return not (self.is_deleted or self.is_over or self.is_erased)


class Life:
    """A room of two, and all that they have said."""

    def __init__(self, db: Database, admin: Admin, process: Process, seed: int) -> None:
        self.db, self.admin, self.process, self.rng = db, admin, process, random.Random(seed)
        self.said: list[Said] = []
        self.read: dict[Caller, int] = {}

    async def begin(self) -> None:
        self.people = [await rooms.person(self.admin) for _ in range(2)]
        self.room: ConversationId = await rooms.room(self.admin, *self.people)
        self.read = dict.fromkeys(self.people, 0)

    def some(self, **flags: bool) -> Said | None:
        """A message of which all this is so."""
        fitting = [one for one in self.said if all(getattr(one, name) == value for name, value in flags.items())]
        return self.rng.choice(fitting) if fitting else None

    async def say(self) -> None:
        who, has_end = self.rng.choice(self.people), self.rng.random() < 0.5
        roots = [one for one in self.said if one.is_there and one.root is None]
        root = self.rng.choice(roots) if roots and self.rng.random() < 0.6 else None
        thread = root.sent.id if root else None
        sent = await self.process.send(who, self.room, saying("x", ttl=600 if has_end else None, thread=thread))
        self.said.append(Said(sent, who, root, has_end))
        self.read[who] = len(self.said)

    async def look(self) -> None:
        if self.said:
            who, at = self.rng.choice(self.people), self.rng.randrange(len(self.said))
            one = self.said[at].sent
            await receipts.read(self.db, Mark(who, self.room, "read", Position(one.seq, one.id)))
            self.read[who] = max(self.read[who], at + 1)

    async def hide(self) -> None:
        if self.said:
            one, who = self.rng.choice(self.said), self.rng.choice(self.people)
            await actions.hide(self.db, who, self.room, one.sent.id)
            one.hidden_by.add(who)

    async def delete(self) -> None:
        if one := self.some(is_there=True):
            who = self.rng.choice([self.people[0], one.by])
            await actions.delete(self.db, who, self.room, one.sent.id, ClientMessageId(uuid4()))
            one.is_deleted = True

    async def restore(self) -> None:
        if one := self.some(is_deleted=True, is_over=False, is_erased=False):
            await actions.restore(self.db, self.people[0], self.room, one.sent.id, ClientMessageId(uuid4()))
            one.is_deleted = False

    async def end(self) -> None:
        if one := self.some(has_end=True, is_over=False):
            for table in ("messages", "disappearing_messages"):
                statement = f"UPDATE {table} SET expires_at = now() - interval '1 s' WHERE id = $1"  # noqa: S608 - of two
                await self.admin.execute(statement, one.sent.id)
            one.is_over = True

    async def erase_ended(self) -> None:
        await actions.erase_expired(self.db)
        self.forget([one for one in self.said if one.is_over])

    async def erase_deleted(self) -> None:
        await actions.erase_deleted(self.db)
        self.forget([one for one in self.said if one.is_deleted])

    def forget(self, some: list[Said]) -> None:
        for one in some:
            one.is_erased, one.reactions, one.is_pinned = True, set(), False

    async def react(self) -> None:
        if one := self.some(is_there=True):
            who, emoji, on = self.rng.choice(self.people), self.rng.choice("👍🎉"), self.rng.random() < 0.7
            await actions.react(self.db, who, self.room, one.sent.id, React(ClientMessageId(uuid4()), emoji, on))
            (one.reactions.add if on else one.reactions.discard)((who, emoji))

    async def pin(self) -> None:
        if one := self.some(is_there=True):
            one.is_pinned = self.rng.random() < 0.7
            await actions.pin(
                self.db, self.people[0], self.room, one.sent.id, PinMessage(ClientMessageId(uuid4()), one.is_pinned)
            )

    async def repair(self) -> None:
        assert await actions.repair_counts(self.db) == 0, "there is nothing to repair"

    async def check(self) -> None:
        """Compare what is counted with looking at each message. What has ended is counted off by who erases it."""
        kept = [one for one in self.said if not (one.is_deleted or one.is_erased)]
        for who in self.people:
            now = await conversations.get(self.db, who, self.room)
            seen = [at for at, one in enumerate(self.said) if one.is_there and who not in one.hidden_by]
            assert now.membership.unread == sum(at >= self.read[who] for at in seen)
            assert now.message_count == len(kept)
            newest = now.last_message.id if now.last_message else None
            assert newest == (self.said[seen[-1]].sent.id if seen else None)
            pinned = await actions.pinned(self.db, who, self.room)
            wanted = {self.said[at].sent.id for at in seen if self.said[at].is_pinned}
            assert {message.id for message in pinned.messages} == wanted
            for at in seen:
                await self.check_message(who, self.said[at], kept)

    async def check_message(self, who: Caller, one: Said, kept: list[Said]) -> None:
        shown = await actions.get(self.db, who, self.room, one.sent.id)
        replies = [reply for reply in kept if reply.root is one]
        assert (shown.thread.count if shown.thread else 0) == len(replies)
        seen: list[EntryId] = [r.sent.id for r in replies if r.is_there and who not in r.hidden_by]
        assert (shown.thread.last if shown.thread else None) == (seen[-1] if seen else None)
        counts = {emoji: reaction.count for emoji, reaction in shown.reactions.items()}
        assert counts == {
            emoji: sum(emoji == other for _, other in one.reactions) for emoji in {emoji for _, emoji in one.reactions}
        }


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_counted_is_what_one_would_count(
    db: Database, admin: Admin, process: Process, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(housekeeping, "RECOVERY_DAYS", 0)
    life = Life(db, admin, process, seed)
    await life.begin()
    often = [
        life.say,
        life.say,
        life.say,
        life.look,
        life.hide,
        life.delete,
        life.restore,
        life.end,
        life.react,
        life.pin,
    ]
    for _ in range(STEPS):
        await life.rng.choice([*often, *often, life.erase_ended, life.erase_deleted, life.repair])()
        await life.check()
    await life.erase_ended()
    await life.repair()
    await life.check()
