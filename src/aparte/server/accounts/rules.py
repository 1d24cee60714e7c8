"""Pure rules of accounts: names, logins, lockout."""

import re
import unicodedata
from typing import Literal, NamedTuple
from uuid import UUID

from aparte.server.accounts.model import Attempts
from aparte.wire.errors import Refusal

FAILURES = 5
"""In a row, until the account is locked (G-01)."""
LOCK_SECONDS = 15 * 60.0
LONGEST_LOCK_SECONDS = 24 * 3600.0

PHONE = re.compile(r"\+[1-9][0-9]{5,14}")
PHONE_SIGNS = str.maketrans("", "", " -./()\u00a0\u202f")


class Login(NamedTuple):
    """What somebody gave to say who they are, and the one column to look it up in."""

    by: Literal["username", "email", "phone"]
    value: str


def check_new_id(identity: UUID, what: str) -> None:
    """Refuse ids that are not random (UUIDv4, RFC 9562): others might be chosen to collide or to sort."""
    if identity.version != 4:
        raise Refusal("invalid", f"{what} must be a UUIDv4")


def normal_phone(text: str) -> str:
    """Write a phone number as E.164: `+` and 6 to 15 digits (G-26). National forms are not guessed at."""
    number = text.translate(PHONE_SIGNS)
    if number.startswith("00"):
        number = "+" + number[2:]
    if not PHONE.fullmatch(number):
        raise Refusal("invalid", "a phone number is + and 6 to 15 digits")
    return number


def read_login(text: str) -> Login:
    """Tell user name, e-mail address and phone number apart. User names hold neither `@` nor `+`."""
    folded = unicodedata.normalize("NFKC", text).strip()
    if folded.startswith("+"):
        return Login("phone", folded.translate(PHONE_SIGNS))
    return Login("email" if "@" in folded else "username", folded.casefold())


def after_failure(before: Attempts) -> Attempts:
    """Count one more failure; the fifth in a row locks for 15 minutes, each further lock for twice as long (G-01)."""
    failed = before.failed + 1
    if failed < FAILURES:
        return Attempts(failed, before.locks)
    # The exponent is bounded so that a name that was tried for years does not overflow.
    seconds = min(LOCK_SECONDS * 2 ** min(before.locks, 10), LONGEST_LOCK_SECONDS)
    return Attempts(0, before.locks + 1, seconds)


def check_not_locked(attempts: Attempts) -> None:
    """Refuse whoever has guessed too often, right password or not (R-051)."""
    if attempts.locked_seconds > 0:
        raise Refusal("account_locked", retry_after=attempts.locked_seconds)


def check_reachable(email: str | None, phone: str | None) -> None:
    """Refuse an account with neither e-mail nor phone (R-024)."""
    if email is None and phone is None:
        raise Refusal("invalid", "an e-mail address or a phone number is needed")
