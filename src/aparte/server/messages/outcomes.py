"""From the verdict of the batch to what the sender and the others are told. Pure."""

from datetime import UTC, datetime

from aparte.server.kit.doorbell import Hint, ToConversation, ToConversationSealed
from aparte.server.messages import model
from aparte.server.messages.model import Outgoing, Placed, Sealing, Verdict
from aparte.wire import kinds
from aparte.wire.errors import Refusal
from aparte.wire.frames import Live, Moved
from aparte.wire.ids import Position, time_of
from aparte.wire.messages import Entry
from aparte.wire.sealed import Sealed

CODES = {
    model.NOT_MEMBER: "not_member",
    model.REUSED: "client_id_reused",
    model.MODE: "mode_mismatch",
    model.BLOCKED: "blocked",
    model.MISSING: "missing_devices",
    model.TOO_OLD: "chain_too_old",
    model.FORBIDDEN: "forbidden",
    model.ARCHIVED: "archived",
}


def answer_to(message: Outgoing, verdict: Verdict | Refusal) -> Placed | Refusal:
    """Turn a verdict into what the sender is told, with what the server knows where that helps."""
    if isinstance(verdict, Refusal):
        return verdict
    if verdict.outcome in {model.STORED, model.REPEAT} and verdict.id is not None and verdict.seq is not None:
        is_new = verdict.outcome == model.STORED
        at = Position(verdict.seq, verdict.id)
        return Placed(at, verdict.ordinal, is_new, is_addressed=verdict.commits, expires_at=verdict.expires_at)
    if verdict.outcome == model.REFUSED and message.refusal is not None:
        return message.refusal
    return refusal_of(verdict)


def refusal_of(verdict: Verdict) -> Refusal:
    """Say why, with what the server knows of the epoch or of the device's chain."""
    known = (verdict.known_hash or b"").hex()
    match verdict.outcome:
        case model.EPOCH:
            return Refusal("stale_epoch", data={"epoch": verdict.known, "roster": known})
        case model.CHAIN:
            return Refusal("chain_broken", data={"counter": verdict.known, "hash": known})
        case model.CLOCK:
            return Refusal("clock", retry_after=60)
        case model.SILENCED | model.SLOW:
            return hushed(verdict)
        case outcome if outcome in CODES:
            return Refusal(CODES[outcome])
        case _:
            return Refusal("unavailable", retry_after=1)


def hushed(verdict: Verdict) -> Refusal:
    """Say until when somebody does not speak: whom a moderator has silenced, or who spoke a moment ago."""
    known = verdict.known or 0
    if verdict.outcome == model.SLOW:
        return Refusal("slow_mode", retry_after=known / 1000)
    until = datetime.fromtimestamp(known / 1000, UTC)
    return Refusal("silenced", data={"until": until.isoformat(), "reason": (verdict.known_hash or b"").decode()})


def hint_of(message: Outgoing, placed: Placed) -> Hint:
    """Ring the conversation about what was just stored: each device with its own envelope, in a group all alike.

    A group entry that brings devices their sender's chain is rung as a hint: each fetches it with what is its own.
    """
    conversation, sealing = message.conversation, message.sealing
    if placed.is_addressed:
        return ToConversation(conversation, Moved(conversation, placed.position.seq, placed.position.id))
    live = Live(conversation, entry_of(message, placed))
    if sealing is None or sealing.chain is not None:
        return ToConversation(conversation, live)
    return ToConversationSealed(conversation, live, list(sealing.cover.envelopes))


def entry_of(message: Outgoing, placed: Placed) -> Entry:
    """Render what was just stored for the wire, without any envelope."""
    sealing, bonds = message.sealing, message.bonds
    root = bonds.root if bonds else None
    return Entry(
        seq=placed.position.seq,
        id=placed.position.id,
        kind=sealing.kind if sealing else kinds.MESSAGE,
        at=time_of(placed.position.id),
        account=message.account,
        device=message.device,
        client_message_id=message.client_message_id,
        ordinal=placed.ordinal,
        target=sealing.target if sealing else root,
        expires_at=placed.expires_at,
        body=message.message,
        sealed=sealed_of(sealing) if sealing else None,
    )


def sealed_of(sealing: Sealing) -> Sealed:
    """Render what was sealed, with the key that a group has for all."""
    return Sealed(
        sealing.epoch,
        sealing.roster,
        sealing.counter,
        sealing.prev,
        sealing.target_hash,
        sealing.sealed,
        key=sealing.group_key,
    )
