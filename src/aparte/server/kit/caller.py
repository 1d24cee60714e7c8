"""Who is asking: made by the edge from a valid access token, handed to every action."""

from typing import NamedTuple

from aparte.wire.accounts import PlatformRole
from aparte.wire.ids import AccountId, DeviceId, SessionId


class Caller(NamedTuple):
    """An authenticated account on one of its devices."""

    account: AccountId
    device: DeviceId
    session: SessionId
    role: PlatformRole
    is_listed: bool
    """On the account's device list, or of an account that has none yet; others may only ask to be linked."""


class Origin(NamedTuple):
    """Where a request came from: kept on sessions and security events, never on messages (C-47)."""

    ip: str
    user_agent: str
