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
    "bad_target": "A target is +group, #room, @user, @me or a conversation's id.",
    "no_such_room": "There is no room of this name.",
    "no_such_group": "There is no group of this name on this device.",
    "ambiguous_group": "Several groups have this name; data names their ids.",
    "no_such_member": "There is no member of this name.",
    "bad_message_id": "This is not the id of a message.",
    "already_listening": "This client has an open stream of messages.",
    "key_refused": "A key check failed; nothing was sent.",
    # checks of device lists and of this device's own state
    "list_rolled_back": "An older device list was served than the one that is known.",
    "list_forked": "Another device list was served for a version that is known.",
    "device_not_listed": "The device, or the key served for it, is not on its account's list.",
    "key_changed": "The account key of a verified person changed; nothing is sent until it is accepted.",
    "key_mismatch": "The account key is another one than was said.",
    "state_rolled_back": "This profile's state is an old copy; it must not be used any more.",
    "revoked": "This device was taken off its account's list.",
    "no_keys": "This account has no keys yet.",
    # checks of sealed entries
    "wrong_sender": "The entry is not by the device it claims to be by.",
    "bad_entry": "The entry cannot be opened: hash, tag or content is wrong.",
    "epoch_back": "The entry is of an older epoch than those before it.",
    "roster_mismatch": "Who may read this differs from what the signed lists say.",
    "replayed": "The entry was there before, at another place.",
    "entry_forked": "The entry does not continue those of its device.",
    "gap": "An entry of this device is missing before this one.",
    "reordered": "The entry says that it follows another one than it does.",
    "not_entitled": "The sender may not do this here.",
    "needs_newer": "This needs a newer Aparté.",
    "before_device": "The entry is from a time when this device could not read here.",
    "removed": "The server has a message no more that nobody entitled has deleted.",
    "vanished": "The server says that a message has disappeared before this device could read it.",
    "waiting": "The key of this entry is not here yet.",
    "passed_on": "The entry was passed on by another member, who vouches for it.",
    # groups
    "membership_forked": "Two signed statements of one number exist; nothing is sent in this group any more.",
    "needs_new_group": "Nobody is left who may change this group.",
    "bad_invite": "The invite link is malformed, or does not lead to the group that it names.",
    # linking
    "bad_offer": "The offer is malformed, or not the one that was shown.",
    "link_code_wrong": "The code is not the one that the new device shows.",
    "link_over": "The time for linking is over.",
    # notices
    "device_added": "A device was added to an account's list.",
    "device_removed": "A device was taken off an account's list.",
    "out_of_group": "The account is no longer in this group.",
    "key_reset": "An account began anew with another key.",
}

SIGN_IN_CODES = frozenset({"not_signed_in", "unauthenticated", "bad_credentials", "refresh_reused"})
KEY_CODES = frozenset(
    {
        "key_refused",
        "bad_list",
        "list_rolled_back",
        "list_forked",
        "device_not_listed",
        "key_changed",
        "key_mismatch",
        "state_rolled_back",
        "revoked",
        "roster_mismatch",
        "link_code_wrong",
        "bad_offer",
        "bad_statement",
        "membership_forked",
        "bad_invite",
    }
)
"""Codes of checks that this device makes by itself, about keys, lists and members."""


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
    kind = NotSignedIn if code in SIGN_IN_CODES else KeyRefused if code in KEY_CODES else ClientError
    return kind(code, detail, retry_after=retry_after, data=data, status=status)
