"""React: set an emoji under a message, or take it back; and who has set it. Under the head's lock, as every change."""

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import current, marks, reactions, rules
from aparte.server.messages.actions.aiming import append, begin, sent
from aparte.server.messages.model import Change, Repeat
from aparte.wire import kinds, limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, EntryId
from aparte.wire.messages import React, Reactor, ReactorPage, Sent


async def react(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, wanted: React
) -> Sent | None:
    """Set a reaction, or take it back. What is so already writes nothing: the answer is where it is, if it is there."""
    emoji = marks.clean_emoji(wanted.emoji)
    body = kinds.Reacted(emoji, wanted.on)
    change = Change(conversation, message, wanted.client_message_id, kinds.REACTION, body)
    async with db.transaction() as tx:
        target = await begin(tx, caller, change)
        if isinstance(target, Repeat):
            return sent(conversation, target.position)
        await conversations.authorise(tx, caller, conversation, "react")
        rules.check_there(target)
        setting = marks.Setting(conversation, message, caller.account, emoji.encode())
        mine = await reactions.select_mine(tx, setting)
        if (mine.at is not None) == wanted.on:
            return sent(conversation, mine.at) if mine.at else None
        if wanted.on:
            marks.check_one_more(mine)
        at = await append(tx, caller, change, target)
        await reactions.upsert(tx, setting, at.id, on=wanted.on)
        if wanted.on:
            await reactions.add_one(tx, setting, at.id)
        else:
            await reactions.take_one(tx, setting)
        return sent(conversation, at)


async def reactors(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, emoji: str, after: EntryId
) -> ReactorPage:
    """Tell who has set an emoji under a message, in order of time; of a message that is not there nothing."""
    wanted = marks.Setting(conversation, message, caller.account, marks.clean_emoji(emoji).encode())
    async with db.read_log() as reader:
        standing = await conversations.authorise(reader, caller, conversation, "read")
        rules.check_readable(standing)
        shown = await current.select_message(reader, conversation, message, caller.account)
        if shown is None:
            raise Refusal("not_found")
        if shown.deleted_at is not None or shown.erased_at is not None:
            raise Refusal("gone")
        found = await reactions.select_reactors(reader, wanted, after, limits.PAGE_LIST)
    following = found[-1].id if len(found) == limits.PAGE_LIST else None
    return ReactorPage([Reactor(one.account, one.at) for one in found], following)
