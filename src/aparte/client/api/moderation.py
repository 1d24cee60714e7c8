"""Word lists, held messages and flags at the server."""

from aparte.client.session import Nothing, Session
from aparte.client.transport.http import Request
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.ids import ConversationId, EntryId, HeldId
from aparte.wire.moderation import Decision, Flag, FlaggedPage, Held, HeldList, WordList


async def words(session: Session, conversation: ConversationId | None) -> WordList:
    """Read a conversation's word list, or the server's own."""
    return await session.call(Request("GET", _words(conversation)), WordList)


async def put_words(session: Session, conversation: ConversationId | None, wanted: WordList) -> WordList:
    """Keep a word list in place of the one before."""
    return await session.call(Request("PUT", _words(conversation), to_json(wanted)), WordList)


async def held(session: Session, conversation: ConversationId) -> list[Held]:
    """List the messages that wait: everybody's for moderators, else one's own."""
    found: list[Held] = []
    query: dict[str, str] = {}
    while True:
        path = f"/conversations/{conversation}/held"
        page = (await session.call(Request("GET", path, query=query), HeldList)).held
        found += page
        if len(page) < limits.PAGE_LIST:
            return found
        query = {"after": str(page[-1].id)}


async def decide(session: Session, conversation: ConversationId, wanted: HeldId, decision: Decision) -> Held:
    """Let a held message through, or reject it. Raises ClientError `over` if that is decided."""
    path = f"/conversations/{conversation}/held/{wanted}/decision"
    return await session.call(Request("POST", path, to_json(decision)), Held)


async def withdraw(session: Session, conversation: ConversationId, wanted: HeldId) -> None:
    """Take one's own held message back. Raises ClientError `over`."""
    await session.call(Request("DELETE", f"/conversations/{conversation}/held/{wanted}"), Nothing)


async def flag(session: Session, conversation: ConversationId, message: EntryId, wanted: Flag) -> None:
    """Tell moderators of a message."""
    path = f"/conversations/{conversation}/messages/{message}/flag"
    await session.call(Request("PUT", path, to_json(wanted)), Nothing)


async def unflag(session: Session, conversation: ConversationId, message: EntryId) -> None:
    """Take a flag back."""
    await session.call(Request("DELETE", f"/conversations/{conversation}/messages/{message}/flag"), Nothing)


async def flagged(session: Session, conversation: ConversationId, limit: int, before: EntryId | None) -> FlaggedPage:
    """Read flagged messages, the newest first."""
    query = {"limit": str(min(limit, limits.PAGE_LIST))} | ({"before": str(before)} if before else {})
    return await session.call(Request("GET", f"/conversations/{conversation}/flags", query=query), FlaggedPage)


def _words(conversation: ConversationId | None) -> str:
    return "/words" if conversation is None else f"/conversations/{conversation}/words"
