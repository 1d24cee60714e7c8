"""What is known of a session."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from aparte.server.kit.caller import Caller
from aparte.wire.accounts import Standing
from aparte.wire.ids import AccountId, DeviceId, SessionId


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as a refresh sees it, its row locked."""

    session: SessionId
    account: AccountId
    device: DeviceId
    generation: int
    refresh_hash: str
    previous_refresh_hash: str | None
    access_id: UUID
    access_expires_at: datetime
    expires_at: datetime
    is_alive: bool
    """Active and not expired."""
    is_account_open: bool
    rotated_lately: bool
    """Less than 30 seconds ago."""

    def __repr__(self) -> str:
        """Without hashes."""
        return f"SessionRow({self.session})"


class Terms(NamedTuple):
    """When the tokens of a session end, and how its device stands to the account's list."""

    access_expires_at: datetime
    expires_at: datetime
    standing: Standing


class Ending(NamedTuple):
    """A session that was just ended."""

    session: SessionId
    account: AccountId
    device: DeviceId


class Admission(NamedTuple):
    """A caller, and whether their being here was last noted more than a minute ago."""

    caller: Caller
    is_stale: bool
