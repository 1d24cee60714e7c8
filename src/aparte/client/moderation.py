"""What keeps a conversation fit to be in: silences, bans, word lists, held messages, flags."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aparte.client.answers import (
    Banned,
    FlaggedMessage,
    HeldMessage,
    Silenced,
    banned_of,
    held_of,
    silenced_of,
)
from aparte.client.api import accounts, members
from aparte.client.api import moderation as api
from aparte.client.changing import entry_id
from aparte.client.errors import ClientError
from aparte.client.outbox import Outbox
from aparte.client.places import Places
from aparte.client.private import Names
from aparte.client.readable import Readable
from aparte.client.session import Session
from aparte.wire import limits
from aparte.wire.conversations import Silence
from aparte.wire.ids import ConversationId, HeldId
from aparte.wire.moderation import Decision, Flag, FlagReason, Word, WordList


class Moderation:
    """`client.moderation`. Silences and bans are of every conversation, the rest of those that the server can read."""

    def __init__(self, session: Session, places: Places, readable: Readable, outbox: Outbox, names: Names) -> None:
        """Work in the name of a session. `names`: what people are called."""
        self._session = session
        self._outbox = outbox
        self._places = places
        self._readable = readable
        self._names = names

    # Silences and bans ------------------------------------------------------------------------------------------------

    async def silence(self, target: str, username: str, until: datetime | timedelta, reason: str = "") -> None:
        """Let a member neither write nor react until a moment, or for a time. The reason is told to them."""
        conversation, account = (
            await self._places.resolve(target),
            await accounts.account_named(self._session, username),
        )
        end = datetime.now(UTC) + until if isinstance(until, timedelta) else until.astimezone()
        await members.silence(self._session, conversation, account, Silence(end, reason))

    async def unsilence(self, target: str, username: str) -> None:
        """Let a member speak again."""
        conversation, account = (
            await self._places.resolve(target),
            await accounts.account_named(self._session, username),
        )
        await members.unsilence(self._session, conversation, account)

    async def silences(self, target: str) -> list[Silenced]:
        """List who is silenced at present."""
        found = await members.silences(self._session, await self._places.resolve(target))
        names = await self._names({who for one in found for who in (one.account, one.by)})
        return [silenced_of(one, names) for one in found]

    async def ban(self, target: str, username: str, reason: str = "") -> None:
        """Put somebody out who is not to come back until `unban`; who is not in is not let in."""
        await self._places.ban(target, username, reason)

    async def unban(self, target: str, username: str) -> None:
        """Let somebody who was banned come in again."""
        conversation, account = (
            await self._places.resolve(target),
            await accounts.account_named(self._session, username),
        )
        await members.unban(self._session, conversation, account)

    async def bans(self, target: str) -> list[Banned]:
        """List who is banned, by whom, since when and why."""
        found = await members.bans(self._session, await self._places.resolve(target))
        names = await self._names({who for one in found for who in (one.account, one.by)})
        return [banned_of(one, names) for one in found]

    # Words and what they hold back ------------------------------------------------------------------------------------

    async def words(self, target: str | None = None) -> list[Word]:
        """Read a conversation's word list, or the server's own, as its administrators may."""
        return (await api.words(self._session, await self._where(target))).words

    async def set_words(self, target: str | None, words: Iterable[Word | str]) -> list[Word]:
        """Keep a word list in place of the one before; a word that is given alone holds a message back.

        A list is heeded where `auto_moderate` is on in the settings' metadata.
        """
        wanted = [Word(word) if isinstance(word, str) else word for word in words]
        if len(wanted) > limits.WORDS:
            raise ClientError("invalid", f"at most {limits.WORDS} words")
        return (await api.put_words(self._session, await self._where(target), WordList(wanted))).words

    async def held(self, target: str) -> list[HeldMessage]:
        """List the messages that wait for a moderator, the oldest first: everybody's for moderators, else one's own."""
        found = await api.held(self._session, await self._places.resolve(target))
        names = await self._names({who for one in found for who in (one.account, one.decided_by) if who is not None})
        return [held_of(one, names) for one in found]

    async def decide(self, target: str, held: UUID | str, *, approve: bool, reason: str = "") -> HeldMessage:
        """Let a held message through, or reject it and say why. Raises ClientError `over` if that is decided."""
        conversation, wanted = await self._places.resolve(target), HeldId(entry_id(held))
        found = await api.decide(self._session, conversation, wanted, Decision(approve, reason))
        return held_of(found, await self._names({found.account, self._session.profile.account}))

    async def withdraw(self, target: str, held: UUID | str) -> None:
        """Take one's own held message back. Raises ClientError `over` if that is decided."""
        wanted = HeldId(entry_id(held))
        await api.withdraw(self._session, await self._places.resolve(target), wanted)
        self._outbox.withdrawn(wanted)

    # Flags ------------------------------------------------------------------------------------------------------------

    async def flag(self, target: str, message: UUID | str, reason: FlagReason = "other", note: str = "") -> None:
        """Tell moderators of a message; who has is not told. Doing it again says another reason."""
        conversation = await self._places.resolve(target)
        await api.flag(self._session, conversation, entry_id(message), Flag(reason, note))

    async def unflag(self, target: str, message: UUID | str) -> None:
        """Take one's flag back."""
        await api.unflag(self._session, await self._places.resolve(target), entry_id(message))

    async def flags(self, target: str, limit: int = 50, *, before: UUID | str | None = None) -> list[FlaggedMessage]:
        """Read the messages that were flagged, the newest first, or those before one."""
        conversation, place = await self._places.resolve(target), entry_id(before) if before else None
        found: list[FlaggedMessage] = []
        while len(found) < limit:
            page = await api.flagged(self._session, conversation, limit - len(found), place)
            shown = await self._readable.shown([one.message for one in page.flagged])
            rows = zip(shown, page.flagged, strict=True)
            found += [FlaggedMessage(message, one.reasons, tuple(one.notes)) for message, one in rows]
            place = page.next
            if place is None:
                break
        return found

    async def _where(self, target: str | None) -> ConversationId | None:
        return None if target is None else await self._places.resolve(target)
