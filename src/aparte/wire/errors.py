"""Every error code of Aparté, with its HTTP status: the same code in REST problems, gateway frames and the SDK.

A code is stable; its wording is the client's. `title` is for developers who read a problem (RFC 9457) with their eyes.
"""

from typing import Any, NamedTuple

import msgspec


class Code(NamedTuple):
    """One row: the HTTP status of the code, and what it means."""

    status: int
    title: str


CODES: dict[str, Code] = {
    # what was sent cannot be understood
    "malformed": Code(400, "The body or frame is not valid JSON or MessagePack."),
    "invalid": Code(422, "A field is missing, of the wrong type or outside its limits."),
    "too_slow": Code(408, "The body did not arrive in time."),
    "too_large": Code(413, "The body or frame is larger than allowed."),
    "unsupported_media_type": Code(415, "Bodies are application/json."),
    "not_acceptable": Code(406, "Answers are application/json."),
    "not_found": Code(404, "There is nothing here, or nothing that you may see."),
    "method_not_allowed": Code(405, "This address does not take that method."),
    # who is asking
    "unauthenticated": Code(401, "An access token is needed, and this one is missing, unknown or over."),
    "bad_credentials": Code(401, "Name or password is wrong."),
    "refresh_reused": Code(401, "This refresh token was used before; the session is closed for safety."),
    "account_locked": Code(423, "Too many failed logins; wait before trying again."),
    "account_closed": Code(403, "This account is inactive, suspended or deleted."),
    "forbidden_origin": Code(403, "Requests from this web origin are not accepted."),
    # may they
    "forbidden": Code(403, "Your role does not allow this."),
    "not_member": Code(404, "There is no such conversation among yours."),
    "blocked": Code(403, "This person does not take messages from you."),
    "silenced": Code(403, "A moderator has silenced you here for a while."),
    "archived": Code(409, "This conversation is archived: it is read and not written to."),
    "slow_mode": Code(429, "Slow mode: wait before writing here again."),
    "filtered": Code(422, "This contains words that are not allowed here."),
    "held": Code(202, "The message waits for a moderator; it has no position yet."),
    # does it fit what is there
    "username_taken": Code(409, "This user name is in use."),
    "email_taken": Code(409, "This e-mail address is in use."),
    "phone_taken": Code(409, "This phone number is in use."),
    "account_exists": Code(409, "This account id is in use."),
    "device_exists": Code(409, "This device id belongs to somebody else."),
    "too_many_devices": Code(409, "This account has as many devices as it may."),
    "too_many": Code(409, "There are as many of these as there may be."),
    "name_taken": Code(409, "A public room of this name exists."),
    "room_full": Code(409, "The conversation has as many members as it may."),
    "client_id_reused": Code(409, "This client_message_id was used for something else."),
    "last_owner": Code(409, "A room needs an owner."),
    "object_exists": Code(409, "This object id stands for other bytes."),
    "gone": Code(410, "This was deleted for good."),
    "mode_needed": Code(422, "A private room or channel is created as `e2ee` or as `server`: say which."),
    "too_soon": Code(409, "This was declined a short while ago: ask again later."),
    "over": Code(409, "This was sent, cancelled or decided already."),
    "setup_done": Code(409, "An administrator exists; the setup link is used up."),
    # keys and sealed entries
    "link_needed": Code(403, "This device is not on the account's list: link it from one that is."),
    "keys_needed": Code(409, "An account without keys cannot do this: log in again with a newer client."),
    "peer_without_keys": Code(409, "This person has no keys yet and cannot be written to privately."),
    "keys_exist": Code(409, "This account has a device list already."),
    "bad_list": Code(422, "This device list does not follow from the one before it."),
    "stale_list": Code(409, "The device list has changed meanwhile: look again and sign anew."),
    "device_too_new": Code(403, "A device linked less than 24 hours ago may not change devices."),
    "bad_prekeys": Code(422, "A prekey is malformed, or not signed by this device's identity."),
    "prekey_reused": Code(409, "This prekey id stands for another key."),
    "offer_gone": Code(410, "The offer is over, answered already, or was never made."),
    "mode_mismatch": Code(409, "This conversation is encrypted differently from what was sent."),
    "bad_conversation_id": Code(422, "This is not the id that follows from these accounts."),
    "stale_epoch": Code(409, "Members or devices have changed: read the lists and seal again."),
    "chain_broken": Code(409, "Counter or hash do not continue this device's entries: send the missing one first."),
    "missing_devices": Code(409, "An envelope is missing for a listed device, or is for one that is not."),
    "target_mismatch": Code(409, "The hash is not that of the entry aimed at."),
    # groups
    "bad_statement": Code(422, "A statement is wrong in form, signature or by what its actor may do."),
    "stale_membership": Code(409, "The membership has changed meanwhile: look again and sign anew."),
    "chain_too_old": Code(409, "Somebody who has this sender-key chain is out: begin a new one."),
    "invite_over": Code(410, "The invite link is closed, used up, expired, or was never made."),
    "banned": Code(403, "This person is banned from the conversation."),
    "peer_is_there": Code(409, "An owner whose account is in use is not removed by an admin."),
    # not now
    "rate_limited": Code(429, "Too many of these; wait before trying again."),
    "unavailable": Code(503, "The service cannot do this at the moment; try again."),
    "storage_full": Code(507, "The service has no room to store this at the moment; try again."),
    "clock": Code(503, "The database's clock is behind the log; nothing can be written until it is right."),
    "internal": Code(500, "Something is broken on this side; the reference names it in the log."),
    # the gateway alone
    "hello_expected": Code(400, "The first frame must be hello, within five seconds."),
    "protocol": Code(400, "This version of the gateway's protocol is not spoken here."),
    "unknown_frame": Code(400, "There is no frame of this type."),
    "resync": Code(410, "Entries before the conversation's floor are gone: fetch it afresh."),
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as REST answers it (RFC 9457, application/problem+json)."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    retry_after: float | None = None
    """Seconds; also in the Retry-After header."""
    reference: str | None = None
    """With `internal`: what to look for in the server's log."""
    data: dict[str, Any] = {}


class Refusal(Exception):
    """Something that was asked and is refused, with a code of the table above.

    `detail` is for developers; `data` is what a client must know to act; `retry_after` is in seconds.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        retry_after: float | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.data = data or {}

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code].status

    def problem(self, reference: str | None = None) -> Problem:
        """Render as RFC 9457."""
        row = CODES[self.code]
        return Problem(
            type=f"urn:aparte:error:{self.code}",
            title=row.title,
            status=row.status,
            code=self.code,
            detail=self.detail,
            retry_after=self.retry_after,
            reference=reference,
            data=self.data,
        )
