"""What is known of an account."""

from dataclasses import dataclass
from datetime import datetime

from aparte.wire.accounts import AccountKind, PlatformRole, Privacy, Status
from aparte.wire.ids import AccountId


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be created, every field checked."""

    account: AccountId
    username: str
    display_name: str
    email: str | None = None
    phone: str | None = None
    language: str = "fr"
    time_zone: str = "UTC"
    kind: AccountKind = "person"
    role: PlatformRole = "user"
    password_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Attempts:
    """Failed logins: in a row since the last lock, and how many locks there were."""

    failed: int = 0
    locks: int = 0
    locked_seconds: float = 0.0
    """How long the present lock goes on; 0: not locked."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login needs to know. Never leaves the server, is never logged."""

    account: AccountId
    username: str
    role: PlatformRole
    password_hash: str
    is_open: bool
    """Active and not suspended."""
    attempts: Attempts

    def __repr__(self) -> str:
        """Without the hash."""
        return f"Credentials({self.account})"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """An account as others may see it, before its privacy is applied."""

    account: AccountId
    kind: AccountKind
    username: str
    display_name: str
    avatar_url: str | None
    bio: str | None
    status_text: str | None
    status: Status
    privacy: Privacy
    last_seen_at: datetime | None
