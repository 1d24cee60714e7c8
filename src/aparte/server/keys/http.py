"""REST of keys and payloads: translate, nothing else."""

from aparte.server.keys import actions
from aparte.server.keys.model import Question, Wanted
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.kit.limits import Limiter
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.groups import BundlesOfMany
from aparte.wire.ids import AccountId
from aparte.wire.keys import (
    AccountKeys,
    Bundles,
    BundlesWanted,
    Lists,
    ListsWanted,
    NewPayloads,
    PayloadPage,
    PayloadsDone,
    Prekeys,
    PrekeyStock,
)


class Doors:
    """`/account/keys`, `/keys` and `/payloads`."""

    def __init__(self, db: Database, limiter: Limiter) -> None:
        """Serve from this database."""
        self._db = db
        self._limiter = limiter

    async def put_first(self, call: Call[AccountKeys, Nothing]) -> None:
        """Give an account that is older than keys its device list and prekeys."""
        await actions.put_first(self._db, call.caller, call.body, call.origin)

    async def lists(self, call: Call[ListsWanted, Nothing]) -> Lists:
        """Device lists of several people, every version after the one that is known."""
        asked = [Question(one.account, one.after) for one in call.body.accounts]
        return await actions.lists(self._db, asked)

    async def bundles(self, call: Call[BundlesWanted, Nothing]) -> Bundles:
        """Prekeys to begin sessions with devices of one account."""
        wanted = call.body
        await self._limiter.draw("bundles", f"{call.caller.account}:{wanted.account}", len(wanted.devices))
        with_one_time = await self._is_undrained(wanted.account, len(wanted.devices))
        return await actions.bundles(self._db, Wanted(wanted.account, wanted.devices, with_one_time))

    async def bundles_of_many(self, call: Call[BundlesOfMany, Nothing]) -> Bundles:
        """Prekeys to begin sessions with devices of several people.

        Whose limit is used up is answered with last-resort keys alone: nothing is drained, and nobody else waits.
        """
        asked = call.body.accounts
        if len({one.account for one in asked}) < len(asked):
            raise Refusal("invalid", "an account is there twice")
        if sum(len(one.devices) for one in asked) > limits.BUNDLES:
            raise Refusal("invalid", f"more than {limits.BUNDLES} devices")
        wanted = [Wanted(one.account, one.devices, await self._may_drain(call.caller, one)) for one in asked]
        return await actions.bundles_of_many(self._db, wanted)

    async def put_prekeys(self, call: Call[Prekeys, Nothing]) -> PrekeyStock:
        """Publish prekeys of this device."""
        return await actions.put_mine(self._db, call.caller, call.body)

    async def stock(self, call: Call[Nothing, Nothing]) -> PrekeyStock:
        """How many prekeys of this device are left."""
        return await actions.stock(self._db, call.caller)

    async def send(self, call: Call[NewPayloads, Nothing]) -> None:
        """Send pairwise messages that belong to no entry."""
        await actions.send(self._db, call.caller, call.body)

    async def waiting(self, call: Call[Nothing, Nothing]) -> PayloadPage:
        """What waits for this device."""
        return await actions.waiting(self._db, call.caller)

    async def done(self, call: Call[PayloadsDone, Nothing]) -> None:
        """Forget what this device has stored."""
        await actions.done(self._db, call.caller, call.body.ids)

    async def _may_drain(self, caller: Caller, one: BundlesWanted) -> bool:
        try:
            await self._limiter.draw("bundles", f"{caller.account}:{one.account}", len(one.devices))
        except Refusal:
            return False
        return await self._is_undrained(one.account, len(one.devices))

    async def _is_undrained(self, target: AccountId, cost: int) -> bool:
        """Tell whether one-time prekeys of an account may go out: many askers together must not use them all up."""
        try:
            await self._limiter.draw("bundles_of", str(target), cost)
        except Refusal:
            return False
        return True
