"""What can go wrong for a user of the SDK: one class, the server's codes, and a few codes of the client's own.

Wordings are the business of whoever shows them (`words` has them in French and English); `detail` is for developers.
"""

from typing import Any

from aparte.wire.errors import CODES

OWN_CODES: dict[str, str] = {
    "not_signed_in": "This profile has no valid session; log in.",
    "time_over": "The time for this is over.",
    "unreachable": "The server cannot be reached.",
    "unexpected_answer": "The server answered something that is not of this protocol.",
    "no_profile": "There is no such profile.",
    "bad_profile_name": "A profile's name has letters, digits, dot, hyphen and underscore only.",
    "profile_in_use": "This profile belongs to another account.",
    "passphrase_needed": "The profile's store is locked with a passphrase.",
    "wrong_passphrase": "The passphrase does not open the store.",
    "store_too_new": "The profile's store was written by a newer Aparté.",
    "bad_target": "A target is #room, @user, @me or a conversation's id.",
    "unsupported_target": "Conversations of this kind cannot be used yet.",
    "no_such_room": "There is no room of this name.",
    "no_such_member": "There is no member of this name.",
    "bad_message_id": "This is not the id of a message.",
    "already_listening": "This client has an open stream of messages.",
    "key_refused": "A key check failed; nothing was sent.",
}

SIGN_IN_CODES = frozenset({"not_signed_in", "unauthenticated", "bad_credentials", "refresh_reused"})


class ClientError(Exception):
    """Anything that was asked of the SDK and did not happen. `code` is of `wire.errors` or of `OWN_CODES`."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        retry_after: float | None = None,
        data: dict[str, Any] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.data = data or {}
        self.status = status if status is not None else (CODES[code].status if code in CODES else None)


class NotSignedIn(ClientError):
    """The profile has no session that the server accepts, or name and password are wrong."""


class TimeOver(ClientError):
    """The caller's deadline passed. After a `send`, `data["queued"]` says that the message waits in the outbox."""


class Unreachable(ClientError):
    """No answer: no connection, a broken one, or silence. Whether the request was carried out is unknown."""


class KeyRefused(ClientError):
    """A key check failed, and nothing was sent or shown because of it."""


def error_for(
    code: str,
    detail: str = "",
    *,
    retry_after: float | None = None,
    data: dict[str, Any] | None = None,
    status: int | None = None,
) -> ClientError:
    """Build the error for a code, of the class that callers catch."""
    kind = NotSignedIn if code in SIGN_IN_CODES else ClientError
    return kind(code, detail, retry_after=retry_after, data=data, status=status)
