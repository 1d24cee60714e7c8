"""What linking works with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from aparte.e2ee.keys import PublicKey
from aparte.wire.ids import DeviceId, OfferId, SessionId


class Offered(NamedTuple):
    """What an offer says of the device that made it, and that its list must say as well."""

    identity: PublicKey
    registration_id: int
    device: bytes


class NewRow(NamedTuple):
    """An offer to be stored."""

    id: OfferId
    device: DeviceId
    session: SessionId
    ip: str
    offer: bytes


@dataclass(frozen=True, slots=True)
class OfferRow:
    """An offer as it is stored."""

    id: OfferId
    device: DeviceId
    session: SessionId
    ip: str | None
    offer: bytes
    answer: bytes | None
    answered_by: DeviceId | None
    container: bytes | None
    list_version: int | None
    created_at: datetime
    expires_at: datetime
    is_alive: bool
    """Its time is not over, and the session that made it is open."""

    @property
    def state(self) -> Literal["open", "answered", "admitted"]:
        """How far it is."""
        if self.container is not None:
            return "admitted"
        return "open" if self.answer is None else "answered"
