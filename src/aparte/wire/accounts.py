"""REST bodies about accounts, sessions, devices and contacts."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.ids import AccountId, DeviceId, SessionId
from aparte.wire.keys import AccountKeys

AccountKind = Literal["person", "bot", "system", "placeholder"]
PlatformRole = Literal["guest", "user", "moderator", "admin"]
Platform = Literal["ios", "android", "web", "desktop"]
Status = Literal["online", "away", "offline"]
Audience = Literal["everyone", "contacts", "nobody"]

Username = Annotated[
    str, Meta(min_length=limits.USERNAME[0], max_length=limits.USERNAME[1], pattern=r"^[A-Za-z0-9_-]+$")
]
Email = Annotated[str, Meta(max_length=limits.EMAIL, pattern=r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$")]
Phone = Annotated[str, Meta(max_length=limits.PHONE)]
Password = Annotated[str, Meta(min_length=limits.PASSWORD[0], max_length=limits.PASSWORD[1])]
DisplayName = Annotated[str, Meta(min_length=1, max_length=limits.DISPLAY_NAME)]
DeviceName = Annotated[str, Meta(min_length=1, max_length=limits.DEVICE_NAME)]
StatusText = Annotated[str, Meta(max_length=limits.STATUS_TEXT)]
Bio = Annotated[str, Meta(max_length=limits.BIO)]
TimeZone = Annotated[str, Meta(max_length=limits.TIME_ZONE)]
Language = Annotated[
    str, Meta(min_length=2, max_length=limits.LANGUAGE, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
]
Login = Annotated[str, Meta(min_length=1, max_length=limits.EMAIL)]
Token = Annotated[str, Meta(min_length=1, max_length=512)]


class NewDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A device as its owner names it; the id is made by the device itself and kept."""

    device_id: DeviceId
    name: DeviceName
    platform: Platform = "desktop"


class Founder(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new account with its first device, and no keys yet. The client makes both ids (UUIDv4)."""

    account_id: AccountId
    device: NewDevice
    username: Username
    password: Password
    email: Email | None = None
    phone: Phone | None = None
    display_name: DisplayName | None = None
    language: Language = "fr"
    time_zone: TimeZone = "UTC"


class Register(Founder, frozen=True, omit_defaults=True, kw_only=True):
    """A new account with its first device and its keys: all or nothing. The client makes both ids (UUIDv4)."""

    keys: AccountKeys


class Setup(msgspec.Struct, frozen=True):
    """The first administrator, with the one-time token of the setup link.

    The page that sends it makes no keys and keeps no device: the account is `keyless` until its first device logs in.
    """

    token: Token
    account: Founder


class LogIn(msgspec.Struct, frozen=True):
    """`login` is a user name, an e-mail address or a phone number."""

    login: Login
    password: Password
    device: NewDevice


class Refresh(msgspec.Struct, frozen=True):
    """Exchange a refresh token; the same one asked again within 30 s gets the same answer."""

    refresh_token: Token


Standing = Literal["listed", "unlisted", "keyless"]


class Tokens(msgspec.Struct, frozen=True):
    """What opens the doors. Neither token is stored on the server in a usable form.

    `standing`: whether the device is on the account's list. An `unlisted` one may only ask to be linked; the first
    device of a `keyless` account (older than keys) sends its keys next.
    """

    account_id: AccountId
    device_id: DeviceId
    standing: Standing
    session_id: SessionId
    access_token: str
    access_expires_at: datetime
    refresh_token: str
    refresh_expires_at: datetime


class NewPassword(msgspec.Struct, frozen=True):
    """Change the password; every other session is closed."""

    old: Password
    new: Password


class Privacy(msgspec.Struct, frozen=True):
    """Who may write to me first, add me to groups, see when I was and that I am here, see what I have read, and find me
    by name, by e-mail address or by phone number."""

    may_write: Audience = "everyone"
    see_last_seen: Audience = "everyone"
    see_presence: Audience = "everyone"
    may_add: Audience = "everyone"
    see_receipts: Audience = "everyone"
    find_by_name: Audience = "everyone"
    find_by_email: Audience = "nobody"
    find_by_phone: Audience = "nobody"


class PrivacyChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields of one's privacy to change; those left out stay."""

    may_write: Audience | msgspec.UnsetType = msgspec.UNSET
    see_last_seen: Audience | msgspec.UnsetType = msgspec.UNSET
    see_presence: Audience | msgspec.UnsetType = msgspec.UNSET
    may_add: Audience | msgspec.UnsetType = msgspec.UNSET
    see_receipts: Audience | msgspec.UnsetType = msgspec.UNSET
    find_by_name: Audience | msgspec.UnsetType = msgspec.UNSET
    find_by_email: Audience | msgspec.UnsetType = msgspec.UNSET
    find_by_phone: Audience | msgspec.UnsetType = msgspec.UNSET


class AccountChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields to change; those left out stay."""

    display_name: DisplayName | msgspec.UnsetType = msgspec.UNSET
    bio: Bio | msgspec.UnsetType | None = msgspec.UNSET
    status_text: StatusText | msgspec.UnsetType | None = msgspec.UNSET
    time_zone: TimeZone | msgspec.UnsetType = msgspec.UNSET
    language: Language | msgspec.UnsetType = msgspec.UNSET
    privacy: PrivacyChange | msgspec.UnsetType = msgspec.UNSET
    status: Status | msgspec.UnsetType = msgspec.UNSET


class Account(msgspec.Struct, frozen=True):
    """One's own account (R-056); nobody else is shown this form."""

    id: AccountId
    kind: AccountKind
    username: str
    email: str | None
    phone: str | None
    display_name: str
    bio: str | None
    avatar_url: str | None
    status_text: str | None
    time_zone: str | None
    language: str
    role: PlatformRole
    status: Status
    is_active: bool
    is_verified: bool
    privacy: Privacy
    last_login_at: datetime | None
    last_seen_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """An account as others see it (R-059); `last_seen_at` only as far as that person's privacy allows."""

    id: AccountId
    kind: AccountKind
    username: str
    display_name: str
    avatar_url: str | None = None
    bio: str | None = None
    status_text: str | None = None
    presence: Status | Literal["unknown"] = "unknown"
    last_seen_at: datetime | None = None


class PersonPage(msgspec.Struct, frozen=True):
    """Several people, for instance the members of a conversation that a client must name."""

    people: list[Person]


class PresenceOf(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether somebody is here, as far as their privacy lets the asker see; `unknown` also without a presence store."""

    account: AccountId
    status: Status | Literal["unknown"]
    last_seen_at: datetime | None = None


class PresenceList(msgspec.Struct, frozen=True):
    """Who is here, in the order asked."""

    people: list[PresenceOf]


class PresenceChange(msgspec.Struct, frozen=True):
    """What one shows oneself as; `offline` is invisible."""

    status: Status


class Device(msgspec.Struct, frozen=True):
    """One of one's own devices."""

    device_id: DeviceId
    name: str
    platform: Platform
    is_active: bool
    is_current: bool
    created_at: datetime
    last_active_at: datetime


class DeviceChange(msgspec.Struct, frozen=True):
    """Rename a device."""

    name: DeviceName


class DeviceList(msgspec.Struct, frozen=True):
    """All devices of the account."""

    devices: list[Device]


class Session(msgspec.Struct, frozen=True):
    """One login, as its owner sees it. Address and program are kept for sessions only, never for messages."""

    session_id: SessionId
    device_id: DeviceId
    ip: str | None
    user_agent: str | None
    is_current: bool
    created_at: datetime
    last_active_at: datetime
    expires_at: datetime


class SessionList(msgspec.Struct, frozen=True):
    """The open sessions of the account."""

    sessions: list[Session]


class ContactChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry in one's own address book; it needs nobody's consent (C-19). Both fields are names of one (C-20)."""

    nickname: Annotated[str, Meta(max_length=limits.NICKNAME)] | None = None
    display_name: Annotated[str, Meta(max_length=limits.NICKNAME)] | None = None


class Contact(msgspec.Struct, frozen=True):
    """A person of one's address book; `is_blocked` is derived from the blocks (C-21)."""

    person: Person
    nickname: str | None
    is_blocked: bool
    added_at: datetime


class ContactList(msgspec.Struct, frozen=True):
    """One's address book."""

    contacts: list[Contact]


class BlockChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why somebody is blocked; only for oneself."""

    reason: Annotated[str, Meta(max_length=limits.BLOCK_REASON)] | None = None


class Block(msgspec.Struct, frozen=True):
    """Somebody who is blocked. Blocking needs no contact entry."""

    person: Person
    reason: str | None
    blocked_at: datetime


class BlockList(msgspec.Struct, frozen=True):
    """Everybody one has blocked."""

    blocks: list[Block]


class FindPerson(msgspec.Struct, frozen=True, omit_defaults=True):
    """Find somebody by a whole e-mail address or phone number, one of the two: only who lets the caller is found."""

    email: Email | None = None
    phone: Phone | None = None


class NewContactRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Ask somebody to be contacts; accepted, both have each other in their books (C-19)."""

    note: Annotated[str, Meta(max_length=limits.REQUEST_NOTE)] = ""


class ContactRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A contact request from or to the caller. `blocked` is derived: one of the two blocks the other (C-21), which
    only who blocks is told."""

    person: Person
    is_mine: bool
    status: Literal["pending", "accepted", "declined", "blocked"]
    created_at: datetime
    note: str = ""
    decided_at: datetime | None = None


class ContactRequestList(msgspec.Struct, frozen=True):
    """One's contact requests in both directions, newest first."""

    requests: list[ContactRequest]


class StateItem(msgspec.Struct, frozen=True):
    """One key of the account state; `value` None means that it is gone."""

    key: str
    rev: int
    value: Any


class StatePage(msgspec.Struct, frozen=True):
    """What changed after a revision, oldest first; ask again with `rev` while `more`."""

    rev: int
    items: list[StateItem]
    more: bool
