"""The checks of a sealed entry's place, in the order of docs/protocol/e2ee.md: pure, each refusal by its name.

And of the conversation it stands in: a server that could make it another one would read what is said there.
"""

from dataclasses import dataclass
from typing import Protocol

from aparte.e2ee.content import Content, Text
from aparte.e2ee.entry import ZERO_HASH, Head
from aparte.e2ee.membership import ADMIN, MEMBER, MODERATOR, POLICY_MODERATORS_WRITE
from aparte.e2ee.roster import direct_id
from aparte.wire import kinds
from aparte.wire.conversations import Conversation
from aparte.wire.ids import AccountId

WITH_TARGET = frozenset({kinds.EDIT, kinds.DELETION, kinds.REACTION, kinds.PIN})
BY_AUTHOR = frozenset({kinds.EDIT, kinds.DELETION})
KINDS = frozenset({kinds.MESSAGE, kinds.EDIT, kinds.DELETION, kinds.REACTION, kinds.PIN, kinds.SETTINGS})
"""What people may do in a direct conversation, and in notes to themselves."""
PAIRED = frozenset({"direct", "self"})
"""The kinds of encrypted conversations whose members follow from their id."""
LEAST_ROLES = {
    kinds.MESSAGE: MEMBER,
    kinds.EDIT: MEMBER,
    kinds.DELETION: MEMBER,
    kinds.REACTION: MEMBER,
    kinds.PIN: MODERATOR,
    kinds.PROFILE: ADMIN,
    kinds.SETTINGS: ADMIN,
}
"""Who may do what where statements say who is in."""
WRITTEN = frozenset({kinds.MESSAGE, kinds.EDIT, kinds.REACTION})
"""What only moderators and those above them may do where the policy says so."""

UNCHAINED = 0
"""The counter of scheduled messages: they are sent in another order than they were sealed in."""
EARLY_MS = 120_000
"""How much earlier than it says a scheduled message may come: clocks differ."""
DERIVED = 8
"""The version of UUIDs that follow from something: no room stands under the id of a private conversation."""


class Described(Protocol):
    """What says of a conversation how it is encrypted, and of which kind it is."""

    @property
    def kind(self) -> str:
        """Its kind."""

    @property
    def encryption_mode(self) -> str:
        """Whether the server can read it."""


def disguise_code(found: Conversation, me: AccountId) -> str | None:
    """Name what is wrong with what the server says a conversation is; None if it can be that.

    One of two people, or of oneself, is encrypted, and its id follows from its people. Where a chain of statements
    says who is in, the id follows from the first of them, which is looked at before anything is sent there. The server
    knows no words of any of these. A room or channel that is encrypted in another way needs a newer Aparté.
    """
    if found.kind in PAIRED:
        return None if _is_of_its_people(found, me) else "unexpected_answer"
    if found.kind == "group":
        return None if _is_private(found) else "unexpected_answer"
    if has_chain(found):
        return None if _is_private(found) else "unsupported_target"
    return None if found.peer is None and found.id.version != DERIVED else "unexpected_answer"


def changed_code(kind: str, mode: str, found: Conversation) -> str | None:
    """Name what is wrong where the server says that a conversation is another one than it was; None if it does not."""
    return None if (kind, mode) == (found.kind, found.encryption_mode) else "unexpected_answer"


def has_chain(found: Described) -> bool:
    """Tell whether who is in a conversation follows from statements that its members have signed."""
    return found.encryption_mode == "e2ee" and found.kind not in PAIRED


def _is_private(found: Conversation) -> bool:
    """Tell whether a conversation with a chain is what it must be: encrypted, unnamed to the server, of derived id."""
    is_hidden = found.encryption_mode == "e2ee" and not found.is_public and found.peer is None
    said = (found.name, found.topic, found.description, found.welcome, found.rules, found.picture)
    return is_hidden and not any(said) and found.id.version == DERIVED


def _is_of_its_people(found: Conversation, me: AccountId) -> bool:
    """Tell whether a direct conversation, or one's notes, is encrypted and has the id that follows from who is in."""
    is_sound = found.peer in {None, me} if found.kind == "self" else found.peer not in {None, me}
    follows = found.id.bytes == direct_id(me.bytes, (found.peer or me).bytes)
    return is_sound and follows and found.encryption_mode == "e2ee"


@dataclass(frozen=True, slots=True)
class Place:
    """What is known around the place that an entry claims."""

    newest_epoch: int
    """The newest epoch that began before it in the log; 0 if none is known."""
    known_roster: bytes | None
    """The roster of its epoch as we have computed it; None if ours gives none."""
    is_known: bool
    """Whether an entry of this hash is at another place."""
    same_counter: bytes | None = None
    """The hash of its device's entry with the same counter."""
    hash_before: bytes | None = None
    """The hash of its device's entry with the counter before."""
    prev_after: bytes | None = None
    """What its device's entry with the next counter says came before it."""
    newest_counter: int = 0
    """The newest counter of its device; 0 if none is known."""
    is_edge: bool = False
    """Whether entries before the first that we have may exist."""


def place_code(head: Head, digest: bytes, place: Place) -> str | None:
    """Name the check of the epoch, the repeat or the chain that an entry fails; None if it holds."""
    if head.epoch < place.newest_epoch:
        return "epoch_back"
    if place.known_roster != head.roster:
        return "roster_mismatch"
    if place.is_known:
        return "replayed"
    return None if continues(head, digest, place) else "entry_forked"


def continues(head: Head, digest: bytes, place: Place) -> bool:
    """Tell whether an entry fits between those of its device that are known around its counter.

    A scheduled message stands outside of its device's chain, and nothing else does.
    """
    if head.counter == UNCHAINED:
        return head.prev == ZERO_HASH and head.kind == kinds.MESSAGE
    is_only = place.same_counter in {None, digest}
    is_first = head.counter > 1 or head.prev == ZERO_HASH
    return is_only and is_first and place.hash_before in {None, head.prev} and place.prev_after in {None, digest}


def leaves_gap(head: Head, place: Place) -> bool:
    """Tell whether an entry of this device is missing before this one, but for the edge of what we may see."""
    if place.newest_counter == 0:
        return head.counter > 1 and not place.is_edge
    return head.counter > place.newest_counter + 1


def due_code(head: Head, content: Content, said_at: int, *, is_repeat: bool) -> str | None:
    """Name what is wrong with a scheduled message; None if nothing is, or if it is none.

    It says itself when it is due, so one that comes earlier was sent by somebody else's will. `said_at`: the time of
    the entry, in ms; `is_repeat`: whether another one of this client id has been read here.
    """
    due = content.due if isinstance(content, Text) else None
    if (head.counter == UNCHAINED) != (due is not None):
        return "bad_entry"
    if due is None:
        return None
    if is_repeat:
        return "replayed"
    return "bad_entry" if said_at < due - EARLY_MS else None


@dataclass(frozen=True, slots=True)
class Aim:
    """The entry that an entry aims at, as far as it is here."""

    kind: int
    account: bytes
    deleted_by: bytes | None = None
    """Whose deletion of it counts, in a group."""
    is_reply: bool = False
    """Whether it belongs to a thread."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the sender of an entry was in the group at its epoch, and what everybody may do there."""

    role: int
    policy: int


def right_code(
    head: Head, aim: Aim | None, standing: Standing | None = None, *, is_restore: bool = False
) -> str | None:
    """Name the check that fails: what the sender of an entry may do here, and at what it may aim.

    Without a `standing`, in a direct conversation, where both may do the same.
    """
    if head.kind not in (KINDS if standing is None else LEAST_ROLES):
        return "not_entitled"
    if (head.kind in WITH_TARGET) != (head.target != ZERO_HASH) and head.kind != kinds.MESSAGE:
        return "bad_entry"
    if standing is not None and standing.role < least_role(head.kind, standing.policy):
        return "not_entitled"
    if aim is None or _may_aim(head, aim, standing, is_restore=is_restore):
        return None
    return "not_entitled"


def least_role(kind: int, policy: int) -> int:
    """Give the lowest role that may do something in a group; of whose message, is another question."""
    if kind in WRITTEN and policy & POLICY_MODERATORS_WRITE:
        return MODERATOR
    return LEAST_ROLES[kind]


def _may_aim(head: Head, aim: Aim, standing: Standing | None, *, is_restore: bool) -> bool:
    """Tell whether an entry aims at a message, an edit, a deletion or a restore is by whom it must be (of what was
    deleted, by who has deleted), and a message that belongs to a thread aims at none that does."""
    if aim.kind != kinds.MESSAGE:
        return False
    if head.kind == kinds.MESSAGE:
        return not aim.is_reply
    is_author = aim.account == head.account
    if standing is None or head.kind not in BY_AUTHOR:
        return is_author or head.kind not in BY_AUTHOR
    if head.kind == kinds.DELETION:
        is_own = not is_restore or aim.deleted_by in {None, head.account}
        return is_own and (is_author or standing.role >= MODERATOR)
    return is_author


def order_code(content: Content, seq: int, known: bytes | None, *, is_here: bool) -> str | None:
    """Name the failure of `after`: the entry it names has another hash, or does not come before this one.

    `known`: the hash at that position, None if there is no sealed entry; `is_here`: whether our log has the position.
    """
    if content.after is None:
        return None
    position, digest = content.after
    if position >= seq:
        return "reordered"
    return "reordered" if is_here and known != digest else None
