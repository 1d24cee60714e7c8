"""Pure rules of contacts: who belongs to an audience, and what of a person is shown."""

from aparte.server.accounts.model import PersonRow
from aparte.wire.accounts import Audience, Person
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
