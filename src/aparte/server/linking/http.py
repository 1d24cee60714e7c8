"""REST of linking devices and of the account's device list."""

import msgspec

from aparte.server.authentication.model import Gate
from aparte.server.kit.door import Call, Nothing
from aparte.server.linking import actions
from aparte.wire.ids import OfferId
from aparte.wire.linking import Admission, NewList, NewOffer, Offer, OfferAnswer, OfferState


class Which(msgspec.Struct, frozen=True):
    """Which offer."""

    id: OfferId


class Doors:
    """`/link-offers` and `/account/device-list`."""

    def __init__(self, gate: Gate) -> None:
        """Serve with this gate: an answer and a new account key need the password."""
        self._gate = gate

    async def offer(self, call: Call[NewOffer, Nothing]) -> OfferState:
        """Ask, as a device that is not listed yet, to be linked within two minutes."""
        return await actions.offer(self._gate.db, call.caller, call.body, call.origin)

    async def mine(self, call: Call[Nothing, Which]) -> OfferState:
        """How far one's own offer is; ask every second or so, and delete it once everything is stored here."""
        return await actions.mine(self._gate.db, call.caller, call.query.id)

    async def find(self, call: Call[Nothing, Nothing]) -> Offer:
        """An offer of another device of one's account, by the id that it shows."""
        return await actions.find(self._gate.db, call.caller, OfferId(call.id("offer")))

    async def answer(self, call: Call[OfferAnswer, Nothing]) -> None:
        """Answer an offer; the password is asked for again."""
        await actions.answer(self._gate, call.caller, OfferId(call.id("offer")), call.body, call.origin)

    async def admit(self, call: Call[Admission, Nothing]) -> None:
        """Put the device on the list, because the code matched."""
        await actions.admit(self._gate.db, call.caller, OfferId(call.id("offer")), call.body, call.origin)

    async def withdraw(self, call: Call[Nothing, Nothing]) -> None:
        """Forget an offer: given up, refused because the code did not match, or done with."""
        await actions.withdraw(self._gate.db, call.caller, OfferId(call.id("offer")))

    async def succeed(self, call: Call[NewList, Nothing]) -> None:
        """Take devices off the list, or sign it with a new account key; both at once when one was stolen."""
        await actions.succeed(self._gate, call.caller, call.body, call.origin)
