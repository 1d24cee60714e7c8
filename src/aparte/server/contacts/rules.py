"""Pure rules of contacts: who belongs to an audience, what of a person is shown, who may ask whom when."""

from datetime import datetime, timedelta
from typing import Any

from aparte.server.accounts.model import PersonRow
from aparte.server.contacts.model import RequestRow, RequestStatus
from aparte.wire import limits
from aparte.wire.accounts import Audience, ContactRequest, Person, PlatformRole
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId


def is_in(audience: Audience, *, is_contact: bool) -> bool:
    """Tell whether somebody belongs to an audience; `is_contact`: the account has them in its own book."""
    return audience == "everyone" or (audience == "contacts" and is_contact)


def shown(row: PersonRow, *, to_self: bool, is_contact: bool, is_blocked: bool) -> Person:
    """Show a person as far as they allow it (R-045, R-059). The name is shown always: rooms must name their members."""
    if is_blocked and not to_self:
        return Person(row.account, row.kind, row.username, row.display_name)
    sees_time = to_self or is_in(row.privacy.see_last_seen, is_contact=is_contact)
    return Person(
        id=row.account,
        kind=row.kind,
        username=row.username,
        display_name=row.display_name,
        avatar_url=row.avatar_url,
        bio=row.bio,
        status_text=row.status_text,
        last_seen_at=row.last_seen_at if sees_time else None,
    )


def check_other(owner: AccountId, other: AccountId) -> None:
    """Refuse to be one's own contact and to block oneself (R-098)."""
    if owner == other:
        raise Refusal("invalid", "this is your own account")


def check_room_for_one(count: int, most: int) -> None:
    """Refuse one more than there may be."""
    if count >= most:
        raise Refusal("too_many", f"at most {most}")


def nickname_of(nickname: str | None, display_name: str | None) -> str | None:
    """Read the one name of an entry, which may be given under either of its names (C-20)."""
    if nickname is not None and display_name is not None and nickname != display_name:
        raise Refusal("invalid", "nickname and display_name are two names of one field")
    return display_name if nickname is None else nickname


def check_may_ask(platform: PlatformRole) -> None:
    """Guests of the platform read and ask nobody."""
    if platform == "guest":
        raise Refusal("forbidden", "guests read and do not write")


def takes_requests(person: PersonRow) -> bool:
    """Tell whether somebody can be asked: a request is how strangers come to those who hear their contacts alone."""
    return person.kind == "person" and person.privacy.may_write != "nobody"


def check_may_ask_again(last: RequestRow | None, requester: AccountId, now: datetime) -> None:
    """Refuse with `too_soon` who was declined a short while ago; whoever declined may ask at any time (G-18)."""
    if last is None or last.status != "declined" or last.requester != requester or last.decided_at is None:
        return
    until = last.decided_at + timedelta(days=limits.REQUEST_AGAIN_DAYS)
    if now < until:
        raise Refusal("too_soon", data={"until": until})


def asked_of(row: RequestRow | None, account: AccountId, *, but_not: RequestStatus) -> RequestRow:
    """Give what was asked of somebody. Refuses with `not_found` if nothing was, `over` if it ended otherwise."""
    if row is None or row.addressee != account:
        raise Refusal("not_found")
    if row.status == but_not:
        raise Refusal("over", f"this was {row.status} already")
    return row


def request_shown(row: RequestRow, viewer: AccountId, other: Person, *, blocks_other: bool) -> ContactRequest:
    """Show a request to one of the two; `blocked` is said to who blocks, and to nobody else (C-21)."""
    return ContactRequest(
        other,
        row.requester == viewer,
        "blocked" if blocks_other else row.status,
        row.created_at,
        row.note,
        row.decided_at,
    )


def request_value(row: RequestRow, viewer: AccountId, *, blocks_other: bool) -> dict[str, Any]:
    """Write a request as account state: as it is shown, without the person, whom the key names."""
    return {
        "is_mine": row.requester == viewer,
        "status": "blocked" if blocks_other else row.status,
        "created_at": row.created_at,
        "note": row.note,
        "decided_at": row.decided_at,
    }
