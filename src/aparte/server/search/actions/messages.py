"""Search in messages: what is asked, the newest that answer it, and where in their words."""

from collections.abc import Sequence

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader
from aparte.server.messages import actions as messages_actions
from aparte.server.search import rules, store
from aparte.server.search.folding import words_in
from aparte.server.search.memory import Memory
from aparte.server.search.model import Filters, Question, Stems
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Message
from aparte.wire.search import FoundMessage, FoundMessages


async def messages(
    db: Database, memory: Memory, caller: Caller, typed: str, filters: Filters, limit: int
) -> FoundMessages:
    """Find messages in conversations that the caller is in and the server can read, newest first.

    Refuses with `not_member`, `mode_mismatch` (encrypted: its members search on their devices), `unavailable`.
    """
    question = rules.question_of(typed, filters)
    async with memory.seat():
        async with db.read() as reader:
            if filters.conversation is not None:
                standing = await conversations.authorise(reader, caller, filters.conversation, "read")
                if standing.mode != "server":
                    raise Refusal("mode_mismatch", "what is encrypted is searched on one's own device")
            if rules.asks_nothing(typed, question):
                return FoundMessages([], None)
            stems = await store.select_stems(reader, question.words)
            asked = rules.ask(question, stems)
            found = await store.search_messages(reader, caller.account, question, asked, limit + 1)
        shown = await messages_actions.some(db, caller, found[:limit])
        async with db.read() as reader:
            answers = await _highlighted(reader, question, stems, shown)
    return FoundMessages(answers, found[limit - 1][1] if len(found) > limit else None)


async def _highlighted(
    reader: Reader, question: Question, stems: Stems, shown: Sequence[Message]
) -> list[FoundMessage]:
    """Say where the words stand; words of the texts are stemmed as those of the question were."""
    if not question.groups:
        return [FoundMessage(message) for message in shown]
    texts = [message.content for message in shown if message.content is not None]
    words = {word for content in texts for word in words_in(rules.visible(content))}
    all_stems = {**await store.select_stems(reader, sorted(words)), **stems}
    spoken: list[ConversationId] = list({message.conversation for message in shown})
    languages = await store.select_languages(reader, spoken)
    return [
        FoundMessage(message, rules.highlights(question, message.content, all_stems, languages[message.conversation]))
        for message in shown
        if message.content is not None
    ]
