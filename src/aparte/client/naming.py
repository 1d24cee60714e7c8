"""What groups are called: known to their members alone, so it is looked for in the profile's own store."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, replace

from aparte.client import past
from aparte.client.answers import GroupProfile, Room
from aparte.client.api.conversations import Rooms
from aparte.client.core import checks
from aparte.client.core.events import role_name
from aparte.client.core.names import GroupTarget, parse_target
from aparte.client.crypto import membership
from aparte.client.errors import ClientError, TimeOver
from aparte.client.outbox import now_ms
from aparte.client.private import Private
from aparte.client.session import Session
from aparte.client.store import conversations
from aparte.client.store.conversations import ConversationRow
from aparte.e2ee.content import Profile, encode
from aparte.e2ee.errors import BadContent
from aparte.wire import content
from aparte.wire.ids import ConversationId

NAME_SECONDS = 5.0
"""How long a name that is not known here is waited for: it comes with the log, or from another member."""
JOINED_SECONDS = 2.0
"""How long after joining by a link that does not say it, or before a list of groups is shown without it."""
LOOK_SECONDS = 0.1
SEND_SECONDS = 60.0

LIMITS = "name 1 to 100 characters, topic up to 500, description and welcome 2000, rules 4000"

NOTHING_SAID = GroupProfile("")


class Naming:
    """The names of the groups of an open profile."""

    def __init__(self, session: Session, rooms: Rooms, private: Private) -> None:
        """Work in the name of a session."""
        self._session = session
        self._rooms = rooms
        self._private = private

    async def resolve(self, target: str) -> ConversationId:
        """Find a group. Raises ClientError `mode_mismatch` for any other conversation."""
        wanted = parse_target(target)
        if isinstance(wanted, GroupTarget):
            return await self.find(wanted.name)
        conversation = await self._rooms.resolve(target)
        if not await self.has(conversation):
            raise ClientError("mode_mismatch")
        return conversation

    async def has(self, conversation: ConversationId) -> bool:
        """Tell whether a conversation is a group."""
        return (await self._rooms.row(conversation)).has_chain

    async def find(self, name: str, *, offline: bool = False, former: bool = False) -> ConversationId:
        """Find a group by its name on this device. Raises ClientError `no_such_group`, `ambiguous_group`.

        A name that is not known here may be on its way: then the log is fetched first, unless `offline` and away.
        With `former`, one that the account has left is found as well, if there is no other.
        """
        found = self._called(name)
        if not found:
            try:
                found = await self._heard_of(name)
            except ClientError:
                if not offline:
                    raise
        if not found and former:
            found = self._called(name, former=True)
        if not found:
            raise ClientError("no_such_group", name)
        if len(found) > 1:
            ids = [str(conversation) for conversation in found]
            raise ClientError("ambiguous_group", ", ".join(ids), data={"ids": ids})
        return found[0]

    def _called(self, name: str, *, former: bool = False) -> list[ConversationId]:
        """Find the groups of a name, those one is in or `former` ones; of no name, those whose name is not known."""
        with self._session.store.reading() as tx:
            found = conversations.select_groups(tx, name)
        return [row.conversation for row in found if (row.role is None) is former]

    async def _heard_of(self, name: str) -> list[ConversationId]:
        """Fetch what this device has not of its groups, and wait a moment for a name that is on its way."""
        theirs = [found async for found in self._rooms.all() if checks.has_chain(found)]
        for group in theirs:
            await self._rooms.row(group.id)
        with suppress(TimeOver):
            for group in theirs:
                await self._private.caught_up(group.id)
        await _comes(lambda: bool(self._called(name)) or not self._called(""), NAME_SECONDS)
        return self._called(name)

    async def wait_for_names(self, wanted: Collection[ConversationId]) -> None:
        """Fetch what is missing here of groups whose name is not known, and wait a moment: a member may tell it."""
        with suppress(ClientError, TimeoutError):
            async with asyncio.timeout(NAME_SECONDS):
                for conversation in wanted:
                    await self._rooms.row(conversation)
                nameless = set(wanted) & set(self._called(""))
                for conversation in nameless:
                    await self._private.caught_up(conversation)
                await _comes(lambda: nameless.isdisjoint(self._called("")), JOINED_SECONDS)

    def named(self, room: Room) -> Room:
        """Show of a group what this device knows, not what the server says."""
        if not checks.has_chain(room):
            return room
        with self._session.store.reading() as tx:
            row = conversations.select_conversation(tx, room.id)
            state = membership.state(tx, room.id)
        if row is None:
            return replace(room, name="", topic="", description="")
        found = replace(room, name=row.name, topic=row.topic, description=row.description)
        role = state.role_of(self._session.profile.account.bytes) if state else 0
        return replace(found, role=role_name(role), member_count=len(state.members)) if state and role else found

    async def profile(self, conversation: ConversationId) -> GroupProfile:
        """Read what a group says of itself, as the newest entry has it; without one, what an invite link has said."""
        row, said = await self._said(conversation)
        return said or GroupProfile(row.name, row.topic, row.description)

    async def change(self, conversation: ConversationId, wanted: Mapping[str, str | None]) -> GroupProfile:
        """Change what a group says of itself; what is None stays as the newest entry has it."""
        given = {field: text for field, text in wanted.items() if text is not None}
        if "name" in given:
            given["name"] = bare(given["name"])
        _, said = await self._said(conversation)
        after = replace(said or NOTHING_SAID, **given)
        await self.describe(conversation, checked(Profile(at=now_ms(), **asdict(after))))
        return after

    async def _said(self, conversation: ConversationId) -> tuple[ConversationRow, GroupProfile | None]:
        """Read what a group says of itself. The word of a link is not among it: nobody repeats that as the group's."""
        row = await self._private.caught_up(conversation)
        with self._session.store.reading() as tx:
            said = past.profile_before(tx, row, row.cursor.seq + 1)
        if said is None:
            return row, None
        return row, GroupProfile(said.name, said.topic, said.description, said.welcome, said.rules)

    async def describe(self, conversation: ConversationId, profile: Profile) -> None:
        """Say what a group is called, and know it here at once.

        The log must bring the entry back before this ends: newcomers are given it from here, whatever is done next.
        """
        await self._private.describe(conversation, profile, SEND_SECONDS)
        with self._session.store.transaction() as tx:
            said = content.Profile(profile.name, profile.topic, profile.description, profile.welcome, profile.rules)
            conversations.update_profile(tx, conversation, said)
        with suppress(ClientError):  # it is said, whatever becomes of reading it
            await self._private.caught_up(conversation)


async def _comes(is_there: Callable[[], bool], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not is_there():  # noqa: ASYNC110 - another process may be the one that stores
                await asyncio.sleep(LOOK_SECONDS)


def bare(name: str) -> str:
    """Give a name as it is said, without the plus and blanks around it."""
    return name.strip().removeprefix("+").strip()


def checked(profile: Profile) -> Profile:
    """Give back a profile that can be said. Raises ClientError `invalid`."""
    try:
        encode(profile)
    except BadContent:
        raise ClientError("invalid", LIMITS) from None
    return profile
