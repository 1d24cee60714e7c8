"""What one says of oneself, and who may what: the fields of one's own account that can be changed."""

from collections.abc import Mapping
from typing import Any, TypedDict

from aparte.client.api import accounts
from aparte.client.core.asked import asked
from aparte.client.session import Session
from aparte.wire.accounts import Account, AccountChange, Audience, Status


class About(TypedDict, total=False):
    """What one says of oneself; what is left out stays, None takes away."""

    display_name: str
    bio: str | None
    status_text: str | None
    time_zone: str
    language: str
    status: Status


class Seen(TypedDict, total=False):
    """Who may write to one first, add one to groups, see one's presence and receipts, and find one: `everyone`,
    `contacts`, `nobody`."""

    may_write: Audience
    may_add: Audience
    see_last_seen: Audience
    see_presence: Audience
    see_receipts: Audience
    find_by_name: Audience
    find_by_email: Audience
    find_by_phone: Audience


async def change(session: Session, wanted: Mapping[str, Any]) -> Account:
    """Change one's own account. Raises ClientError `invalid`."""
    return await accounts.change(session, asked(wanted, AccountChange))
