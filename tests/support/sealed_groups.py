"""Groups for tests of the server: their membership is signed as by clients, what is said in them is noise."""

from dataclasses import dataclass
from typing import Any, Unpack
from uuid import UUID

from aparte.bench.members import admission, founding, never, signed
from aparte.e2ee import membership
from aparte.e2ee.membership import Action, Fields, Membership
from aparte.server.conversations import actions as conversations
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.keys import actions as list_actions
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire.groups import NewStatements
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.keys import SignedList
from tests.support import keys
from tests.support.sealing import Sealer, roster


@dataclass
class Group:
    """A group in the database, as a process that stores statements sees it."""

    db: Database
    admin: Any
    id: ConversationId
    now: Membership
    devices: dict[UUID, list[DeviceId]]
    """Of everybody who is or was inside, by account."""

    @property
    def listed(self) -> list[DeviceId]:
        """The devices of everybody inside."""
        return [device for account in self.now.members for device in self.devices[UUID(bytes=account)]]

    async def sealer(self, caller: Caller, chain: int = 1) -> Sealer:
        """What somebody seals with in the present epoch."""
        others = [device for device in self.listed if device != caller.device]
        return Sealer(caller, self.id, *await roster(self.admin, self.id), others, chain=chain)

    async def renew(self, *sealers: Sealer) -> None:
        """Let sealers know of the present epoch."""
        for sealer in sealers:
            sealer.epoch, sealer.roster = await roster(self.admin, self.id)
            sealer.others = [device for device in self.listed if device != sealer.caller.device]

    async def say(self, by: Caller, action: Action, **fields: Unpack[Fields]) -> None:
        """Store one more statement, at once."""
        version = await self.admin.fetchval("SELECT max(version) FROM device_lists WHERE account_id = $1", by.account)
        statement = membership.next_statement(self.now, action, by.account.bytes, version, **fields)
        after = membership.apply(self.now, statement, never)
        new = NewStatements([signed(statement)])
        await conversations.submit(self.db, Gathering(self.db, seconds=0), by, self.id, new)
        self.now = after

    async def add(self, by: Caller, newcomer: Caller) -> None:
        """Let somebody in."""
        self.devices.setdefault(newcomer.account, [newcomer.device])
        await self.say(by, Action.ADD, **admission(newcomer.account))

    async def remove(self, by: Caller, who: Caller) -> None:
        """Put somebody out."""
        await self.say(by, Action.REMOVE, subject=who.account.bytes)

    async def role(self, by: Caller, who: Caller, role: int) -> None:
        """Give somebody another role."""
        await self.say(by, Action.ROLE, subject=who.account.bytes, role=role)

    async def link(self, who: Caller, device: DeviceId) -> None:
        """A new device of a member."""
        await self._succeed(who, keys.with_device(await self._newest(who), device))
        self.devices[who.account].append(device)

    async def unlink(self, who: Caller, device: DeviceId) -> None:
        """A device of a member is gone."""
        await self._succeed(who, keys.without(await self._newest(who), device))
        self.devices[who.account].remove(device)

    async def _newest(self, who: Caller) -> SignedList:
        found = (await list_actions.lists_of(self.admin, [who.account]))[who.account]
        return found.signed

    async def _succeed(self, who: Caller, new: SignedList) -> None:
        async with self.db.transaction() as tx:
            await list_actions.store_next(tx, who.account, new)
            await conversations.renew_epochs(tx, who.account, who.device, new)


async def found(db: Database, admin: Any, owner: Caller, *others: Caller, policy: int = 0) -> Group:
    """Begin a group; everybody in it has their one device and keys."""
    new, now = founding(owner.account, [other.account for other in others], policy)
    await conversations.create_group(db, owner, new)
    return Group(db, admin, new.id, now, {who.account: [who.device] for who in (owner, *others)})
