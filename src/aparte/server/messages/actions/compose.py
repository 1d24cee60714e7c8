"""Compose: from what somebody gives to what is stored, with all that needs to be looked up.

It happens before the conversation is locked. What is found against a message is kept with it, and told once the lock
has shown that a member asks and that it is no repeat.
"""

from typing import NamedTuple

from msgspec.structs import replace

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader
from aparte.server.messages import content, referenced, rules
from aparte.server.messages.model import Bonds, Origin
from aparte.wire import limits
from aparte.wire.content import Forwarded, MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, Position
from aparte.wire.messages import ForwardOf, SendMessage


class Composed(NamedTuple):
    """What is stored of a message, what it is tied to, and what speaks against it."""

    content: MessageContent
    bonds: Bonds | None = None
    refusal: Refusal | None = None


async def compose(db: Database, caller: Caller, conversation: ConversationId, message: SendMessage) -> Composed:
    """Clean a message, and look up whom and what it names. What names nothing asks nobody, and does not wait.

    Refuses with `invalid` what nobody may say.
    """
    given = content.as_given(message.content)
    content.check(given)
    words, source = content.cleaned(given)
    if not is_tied(message, words):
        bonds = Bonds(source=source, ttl=words.ttl) if source or words.ttl else None
        return Composed(words, bonds)
    try:
        async with db.read() as reader:
            words, bonds = await _tied(reader, caller, conversation, message, words)
    except Refusal as refusal:
        return Composed(words, None, refusal)
    return Composed(words, _with(bonds, None if message.forward else source))


def is_tied(message: SendMessage, words: MessageContent) -> bool:
    """Whether anything must be looked up."""
    tied = message.thread or message.forward or words.reply or words.references
    return bool(tied or content.names_in(words.text, words.format))


def _with(bonds: Bonds, source: str | None) -> Bonds:
    return Bonds(bonds.root, bonds.reply, bonds.references, bonds.mentions, source, bonds.ttl)


async def _tied(
    reader: Reader, caller: Caller, conversation: ConversationId, message: SendMessage, words: MessageContent
) -> tuple[MessageContent, Bonds]:
    root = await _hung(reader, conversation, message, words)
    if message.forward is not None:
        words = await _forwarded(reader, caller, conversation, message.forward, words)
    else:
        words = await mention(reader, caller.account, conversation, words)
    references = tuple(dict.fromkeys(words.references))
    return words, Bonds(root, words.reply, references, tuple(words.mentions), None, words.ttl)


async def _hung(
    reader: Reader, conversation: ConversationId, message: SendMessage, words: MessageContent
) -> Position | None:
    """Find what it hangs on, in this conversation and there; gives the root of its thread."""
    named = {one for one in (message.thread, words.reply, *words.references) if one is not None}
    if not named:
        return None
    states = await referenced.select_states(reader, conversation, named)
    if words.reply is not None:
        rules.check_hung(states.get(words.reply), "reply")
    for one in words.references:
        rules.check_hung(states.get(one), "references")
    if message.thread is None:
        return None
    return rules.check_root(rules.check_hung(states.get(message.thread), "thread"))


async def mention(
    reader: Reader, account: AccountId, conversation: ConversationId, words: MessageContent
) -> MessageContent:
    """Say whom a text mentions: members, in its order, but for those who have blocked its author."""
    places = content.names_in(words.text, words.format)
    names = list(dict.fromkeys(name for readings in places for name in readings))[: content.NAMES]
    if not names:
        return words
    found = await referenced.select_named(reader, conversation, names, account)
    people = dict.fromkeys(next((found[name] for name in readings if name in found), None) for readings in places)
    mentioned = [person for person in people if person is not None]
    if len(mentioned) > limits.MENTIONS:
        raise Refusal("invalid", f"more than {limits.MENTIONS} people are mentioned")
    return replace(words, mentions=mentioned)


async def revise(
    reader: Reader,
    account: AccountId,
    conversation: ConversationId,
    given: MessageContent,
    before: MessageContent | None,
) -> content.Cleaned:
    """Clean an edit. What it hangs on stays as it was said first; what somebody else said is not edited."""
    if before is not None and before.forwarded is not None:
        raise Refusal("forbidden", "what was forwarded is not edited")
    words, source = content.cleaned(content.as_given(given))
    if before is not None:
        words = replace(words, reply=before.reply, references=before.references, ttl=before.ttl)
    return content.Cleaned(await mention(reader, account, conversation, words), source)


async def _forwarded(
    reader: Reader, caller: Caller, conversation: ConversationId, forward: ForwardOf, words: MessageContent
) -> MessageContent:
    """Give the words of another message, marked as such; they name nobody anew. Who cannot read it learns nothing."""
    try:
        standing = await conversations.authorise(reader, caller, forward.conversation, "read")
    except Refusal as refusal:
        raise (Refusal("not_found", "forward") if refusal.code == "not_member" else refusal) from None
    rules.check_readable(standing)
    origin = await referenced.select_origin(reader, forward.conversation, forward.message, caller.account)
    if origin is None:
        raise Refusal("not_found", "forward")
    if origin.is_gone or origin.content is None:
        raise Refusal("gone", "forward")
    mark = await _mark(reader, conversation, forward, origin)
    return replace(words, text=origin.content.text, format=origin.content.format, forwarded=mark)


async def _mark(reader: Reader, conversation: ConversationId, forward: ForwardOf, origin: Origin) -> Forwarded:
    """Say whose words they are if everybody here may know: they are from here, or from where anybody may read.

    What was forwarded before stays the words of who said it first.
    """
    earlier = origin.content.forwarded if origin.content else None
    if earlier is None:
        if not origin.is_public and forward.conversation != conversation:
            return Forwarded()
        return Forwarded(forward.conversation, forward.message, origin.account)
    source = earlier.conversation
    if source is None or source == conversation or await referenced.select_is_public(reader, source):
        return earlier
    return Forwarded()
