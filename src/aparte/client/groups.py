"""The groups of an open profile, encrypted rooms and channels among them: making one, who gets in and out, its name.

Who is in a group is what its members have signed; the server is asked for nothing but to keep it. What a group is
called is an entry like any other, which the server cannot read: so `+name` is looked for in the profile's own store.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from uuid import UUID

from aparte.client.answers import Banned, GroupProfile, Invitation, InviteLink, Member, Room, banned_of, room_of
from aparte.client.api import accounts
from aparte.client.api import groups as api
from aparte.client.api.conversations import Rooms
from aparte.client.core import checks
from aparte.client.core.events import POLICIES, Policy, policy_bits, policy_names, role_name, role_number
from aparte.client.crypto import learning, mailbox, membership, passing, pins
from aparte.client.crypto.membership import Chained
from aparte.client.crypto.own import Own, now_ms
from aparte.client.crypto.submitting import signed
from aparte.client.errors import ClientError
from aparte.client.invites import Invites
from aparte.client.naming import Naming, bare, checked
from aparte.client.private import Private
from aparte.client.session import Session
from aparte.client.store import passing as debts
from aparte.client.store.db import Tx
from aparte.e2ee.content import Profile
from aparte.e2ee.membership import Action, Membership, Signed
from aparte.wire.content import Role
from aparte.wire.ids import AccountId, ConversationId

SETTLE_SECONDS = 10.0
"""How long a program that ends stays to give newcomers what it owes them."""
NAMES_SECONDS = 20.0
"""How long a list of people waits for what they are called."""


class Groups:
    """The groups of an open profile: `client.groups`. `target` is `"+name"` or a conversation's id."""

    def __init__(self, session: Session, rooms: Rooms, private: Private) -> None:
        """Work in the name of a session."""
        self._session = session
        self._rooms = rooms
        self._naming = Naming(session, rooms, private)
        self._private = private
        self._invites = Invites(session)

    # Making one -------------------------------------------------------------------------------------------------------

    async def new_group(
        self,
        name: str,
        usernames: Iterable[str] = (),
        *,
        topic: str = "",
        members_may_add: bool = False,
        history: bool = False,
        kind: Chained = "group",
    ) -> Room:
        """Make a group with these people. `history`: whoever adds somebody may pass earlier messages on to them.

        Encrypted rooms and channels are groups of another `kind`; in a channel only moderators and above write. Raises
        ClientError `no_such_member`, `peer_without_keys`; TimeOver if it is there and its name waits.
        """
        profile = checked(Profile(at=now_ms(), name=bare(name), topic=topic))
        people = await accounts.accounts_named(self._session, usernames)
        wanted: list[Policy] = ["members_add"] if members_may_add else []
        wanted += ["history"] if history else []
        wanted += ["moderators_write"] if kind == "channel" else []
        try:
            made = await membership.create(self._session, people, policy_bits(wanted), kind)
        except ClientError as error:
            raise await self._naming_whom(error) from None
        await self._naming.describe(made.id, profile)
        return self.named(room_of(made))

    async def all(self) -> list[Room]:
        """List the groups one is in, newest activity first."""
        found = [one async for one in self._rooms.all() if checks.has_chain(one)]
        await self._naming.wait_for_names([one.id for one in found])
        return [self.named(room_of(one)) for one in found]

    async def profile(self, target: str) -> GroupProfile:
        """Read all that a group says of itself, its words of welcome and its rules too."""
        return await self._naming.profile(await self._naming.resolve(target))

    async def change_profile(self, target: str, **wanted: str | None) -> GroupProfile:
        """Change what a group says of itself: `name`, `topic`, `description`, `welcome`, `rules`; the rest stays."""
        for name in wanted.keys() - {field.name for field in fields(GroupProfile)}:
            raise ClientError("invalid", name)
        conversation = await self._naming.resolve(target)
        after = await self._naming.change(conversation, wanted)
        await self._invites.renew(conversation)
        return after

    # Who is in it -----------------------------------------------------------------------------------------------------

    async def add_members(self, target: str, usernames: Iterable[str], *, history: bool = False) -> None:
        """Add people. With `history` they are given what this device can read, if the group's policy allows it."""
        people, conversation = await accounts.accounts_named(self._session, usernames), await self._looked_at(target)
        if history and "history" not in policy_names(self._state(conversation).policy):
            raise ClientError("forbidden", "the policy of the group")
        try:
            await membership.add(self._session, conversation, people, history=history)
        except ClientError as error:
            raise await self._naming_whom(error) from None
        await self.settle()

    async def ban(self, target: str, username: str) -> None:
        """Put somebody out who is not to come back until `unban`."""
        account = await accounts.account_named(self._session, username)
        await self.remove(await self._naming.resolve(target), account, ban=True)

    async def unban(self, target: str, username: str) -> None:
        """Let somebody who was banned be added again."""
        account = await accounts.account_named(self._session, username)
        await api.lift_ban(self._session, await self._naming.resolve(target), account)

    async def bans(self, target: str) -> list[Banned]:
        """List who is banned, by whom and since when, as the server says."""
        found = await api.bans(self._session, await self._naming.resolve(target))
        names = await accounts.usernames(
            self._session, {who for ban in found for who in (ban.account, ban.by)}, NAMES_SECONDS
        )
        return [banned_of(ban, names) for ban in found]

    async def policy(self, target: str) -> tuple[Policy, ...]:
        """Read what holds in a group: of `members_add`, `history`, `moderators_write` those that are on."""
        return policy_names(self._state(await self._looked_at(target)).policy)

    async def change_policy(self, target: str, **wanted: bool) -> tuple[Policy, ...]:
        """Change what holds in a group: `members_add=`, `history=`, `moderators_write=`; what is not given stays.

        In a channel `moderators_write` stays: that is what makes it one (ClientError `invalid`).
        """
        conversation = await self._looked_at(target)
        if wanted.get("moderators_write") is False and (await self._rooms.row(conversation)).kind == "channel":
            raise ClientError("invalid", "a channel")
        for name in wanted.keys() - POLICIES.keys():
            raise ClientError("invalid", name)

        def build(tx: Tx, mine: Own, before: Membership) -> list[Signed]:
            now = dict.fromkeys(policy_names(before.policy), True) | wanted
            after = policy_bits(name for name in POLICIES if now.get(name))
            return [] if after == before.policy else [signed(tx, mine, before, Action.POLICY, policy=after)[0]]

        await membership.submit(self._session, conversation, build)
        return policy_names(self._state(conversation).policy)

    # Invite links -----------------------------------------------------------------------------------------------------

    async def invite(
        self, target: str, *, role: Role = "member", expires: datetime | None = None, uses: int | None = None
    ) -> str:
        """Open an invite link and give it: whoever has it joins. Its part after `#` never reaches the server.

        Whoever has it reads what the group is called and about, as this device knows it.
        """
        conversation = await self._looked_at(target)
        with suppress(ClientError):  # then the link says what is known here, or nothing
            await self._private.caught_up(conversation)
        return await self._invites.open(conversation, role, expires, uses)

    async def look(self, link: str) -> Invitation:
        """Ask where an invite link leads, without entering. Raises ClientError `bad_invite`, `invite_over`."""
        return await self._invites.look(link)

    async def invites(self, target: str) -> list[InviteLink]:
        """List the open invite links."""
        return self._invites.all(await self._looked_at(target))

    async def close_invite(self, target: str, link: str) -> None:
        """Close an invite link, by its id or by itself: nobody joins by it any more."""
        await self._invites.close(await self._looked_at(target), link)

    async def join(self, link: str) -> Room:
        """Enter the group that a link leads to. It is called what the link says until its own words are here."""
        joined = room_of(await membership.join(self._session, link))
        await self._naming.wait_for_names([joined.id])
        return self.named(joined)

    async def settle(self) -> None:
        """Give newcomers what this device owes them of the time before; what does not go out in time goes out later."""
        with self._session.store.reading() as tx:
            waiting = {due.conversation for due in debts.select_due(tx, now_ms())}
        if not waiting:
            return
        with suppress(ClientError, TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                for conversation in waiting:
                    await self._private.caught_up(conversation)
                await passing.pass_on(self._session)
                await mailbox.send_out(self._session)

    # What rooms have too (`Places`) -----------------------------------------------------------------------------------

    async def has(self, conversation: ConversationId) -> bool:
        """Tell whether a conversation is a group."""
        return await self._naming.has(conversation)

    async def members(self, conversation: ConversationId) -> list[Member]:
        """List who is in a group, by role and then by seniority: from the chain that members have signed."""
        await self._look(conversation)
        there = {found.person.id: found for found in await self._rooms.members(conversation)}
        with self._session.store.reading() as tx:
            state = membership.state(tx, conversation)
            known = (
                {AccountId(UUID(bytes=account)): member for account, member in state.members.items()} if state else {}
            )
            verified = {account for account in known if (pin := pins.pinned(tx, account)) and pin.is_verified}
        names = await accounts.usernames(self._session, known, NAMES_SECONDS)
        return [
            Member(
                id=account,
                username=names.get(account, str(account)),
                display_name=there[account].person.display_name if account in there else "",
                role=role_name(member.role),
                joined_at=there[account].joined_at if account in there else None,
                is_verified=account in verified,
                is_me=account == self._session.profile.account,
                role_id=there[account].role_id if account in there else None,
                permissions=there[account].permissions if account in there else {},
                silenced_until=there[account].silenced_until if account in there else None,
            )
            for account, member in sorted(known.items(), key=lambda item: (-item[1].role, item[1].number))
        ]

    async def leave(self, conversation: ConversationId) -> None:
        """Leave a group; what is stored of it stays."""
        with suppress(ClientError):  # whatever there is to see, nobody is kept
            await self._look(conversation)
        await membership.leave(self._session, conversation)

    async def remove(self, conversation: ConversationId, account: AccountId, *, ban: bool = False) -> None:
        """Put a member out; from the next message on they read nothing. Who puts oneself out leaves."""
        if account == self._session.profile.account:
            await self.leave(conversation)
            return
        await self._look(conversation)
        await membership.remove(self._session, conversation, account, ban=ban)

    async def change_role(self, conversation: ConversationId, account: AccountId, role: Role) -> None:
        """Give a member another role; giving `owner` hands the group over."""
        await self._look(conversation)
        await membership.role(self._session, conversation, account, role_number(role))

    async def change(
        self,
        conversation: ConversationId,
        *,
        name: str | None = None,
        topic: str | None = None,
        description: str | None = None,
    ) -> Room:
        """Change what a group says of itself, as far as rooms say it too; what is not given stays."""
        await self._naming.change(conversation, {"name": name, "topic": topic, "description": description})
        await self._invites.renew(conversation)
        return self.named(room_of(await self._rooms.get(conversation)))

    def named(self, room: Room) -> Room:
        """Show of a group what this device knows, not what the server says."""
        return self._naming.named(room)

    async def find(self, name: str, *, offline: bool = False, former: bool = False) -> ConversationId:
        """Find a group by its name on this device. Raises ClientError `no_such_group`, `ambiguous_group`."""
        return await self._naming.find(name, offline=offline, former=former)

    # Inside -----------------------------------------------------------------------------------------------------------

    async def _looked_at(self, target: str) -> ConversationId:
        """Find a group, and look who is in it."""
        conversation = await self._naming.resolve(target)
        await self._look(conversation)
        return conversation

    async def _look(self, conversation: ConversationId) -> None:
        """Learn who is in a group and what they may: what this device last saw may be long ago."""
        await learning.learn_statements(self._session, conversation, None)

    async def _naming_whom(self, error: ClientError) -> ClientError:
        """Name who has no keys, if that is what is wrong."""
        if error.code != "peer_without_keys":
            return error
        wanted: set[AccountId] = set()
        with suppress(ValueError, TypeError):
            wanted = {AccountId(UUID(account)) for account in error.data.get("accounts", ())}
        names = await accounts.usernames(self._session, wanted, NAMES_SECONDS)
        return ClientError(error.code, ", ".join(sorted(names.values())), data=error.data, status=error.status)

    def _state(self, conversation: ConversationId) -> Membership:
        with self._session.store.reading() as tx:
            state = membership.state(tx, conversation)
        if state is None:
            raise ClientError("not_member")
        return state
