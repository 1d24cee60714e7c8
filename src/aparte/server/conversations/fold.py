"""From statements to states: what a chain allows, and what the server knows beside it. Pure.

The fold itself is `aparte.e2ee.membership`, which clients use too. The server only narrows it: it judges the time of
links, bans, blocks and room, and takes no statement that was signed with an older key than it knows.
"""

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

from aparte.e2ee import membership
from aparte.e2ee.errors import BadStatement, InvalidKey
from aparte.e2ee.keys import PublicKey
from aparte.e2ee.members import LINKS_MAX, MEMBERS_MAX, Membership
from aparte.e2ee.statement import ADMIN, OWNER, POLICY_MODERATORS_WRITE, Action, Signed, Statement, link_id_of
from aparte.server.conversations.differences import LETTING_IN
from aparte.server.conversations.model import Facts, LinkRow, Said
from aparte.wire.errors import Refusal
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, ConversationId, InviteToken


def read(given: Sequence[SignedStatement]) -> tuple[Said, ...]:
    """Read statements off the wire. Refuses with `bad_statement`."""
    try:
        return tuple(Said(one, Statement.deserialize(one.statement)) for one in given)
    except BadStatement:
        raise Refusal("bad_statement") from None


def conversation_of(said: Statement) -> ConversationId:
    """The group that a statement continues."""
    return ConversationId(UUID(bytes=said.conversation))


def token_hash(token: InviteToken) -> bytes:
    """What is kept of the token of a link: the token itself is with those who have the link, and nowhere here."""
    return hashlib.sha256(token.bytes).digest()


def only_lets_in(said: Iterable[Said]) -> bool:
    """Tell whether statements only let people in: they can wait a second, to begin one epoch together with others."""
    return all(one.statement.action in LETTING_IN for one in said)


def subjects_of(said: Iterable[Said], *actions: Action) -> set[bytes]:
    """Whom statements of these kinds are about."""
    return {one.statement.subject for one in said if one.statement.action in actions}


def check_actor(said: Iterable[Said], account: AccountId) -> None:
    """Whoever sends statements has said them: nobody hands in what another signed."""
    if any(one.statement.actor != account.bytes for one in said):
        raise Refusal("bad_statement", "statements are sent by who signed them")


def verify(facts: Facts, state: Membership | None, said: Said) -> None:
    """Check form and signatures against the newest keys. Refuses with `bad_statement`, `stale_membership`."""
    known = facts.lists[said.statement.actor]
    if said.statement.actor_version != known.version:
        raise Refusal("stale_membership", "the actor's device list is another one")
    signed = Signed(said.signed.statement, said.signed.signature, said.signed.link_signature)
    try:
        key = PublicKey.deserialize(known.account_key)
        membership.verify(signed, key, state, lambda account, old, new: not _is_other_line(facts, account, old, new))
    except (BadStatement, InvalidKey):
        raise Refusal("bad_statement") from None


def verified(facts: Facts, state: Membership, said: Sequence[Said]) -> Membership:
    """Fold statements whose signatures nobody has looked at yet."""
    for one in said:
        verify(facts, state, one)
        state = follow(facts, state, one.statement)
    return state


def followed(facts: Facts, state: Membership, said: Sequence[Said]) -> Membership:
    """Fold statements whose signatures were checked, with what is known now."""
    for one in said:
        state = follow(facts, state, one.statement)
    return state


def founded(facts: Facts, said: Sequence[Said], *, is_verified: bool) -> Membership:
    """Fold the statements of a new group: one that creates it, and those by which its founder adds people."""
    first, rest = said[0], said[1:]
    if any(one.statement.action is not Action.ADD for one in rest):
        raise Refusal("bad_statement", "a group begins with whoever is added to it")
    if not is_verified:
        verify(facts, None, first)
    if facts.lists[first.statement.actor].version != first.statement.actor_version:
        raise Refusal("stale_membership", "the actor's device list is another one")
    _check_policy(facts, first.statement)
    state = membership.begin(first.statement)
    return followed(facts, state, rest) if is_verified else verified(facts, state, rest)


def check_first(said: Sequence[Said], conversation: ConversationId) -> None:
    """The id of a group follows from its first statement. Refuses with `bad_statement`, `bad_conversation_id`."""
    try:
        follows = membership.conversation_id_of(said[0].statement)
    except BadStatement:
        raise Refusal("bad_statement", "a group begins with the statement that creates it") from None
    if follows != conversation.bytes:
        raise Refusal("bad_conversation_id")


def check_continues(state: Membership, said: Sequence[Said]) -> None:
    """Refuse with `stale_membership` what was signed on another end of the chain."""
    first = said[0].statement
    if (first.number, first.previous) != (state.number + 1, state.hash):
        raise Refusal("stale_membership")


def follow(facts: Facts, state: Membership, said: Statement) -> Membership:
    """The state after one more statement. Refuses with `bad_statement` and with what the server knows against it."""
    if facts.lists[said.actor].version != said.actor_version:
        raise Refusal("stale_membership", "the actor's device list is another one")
    if said.action in LETTING_IN:
        _check_room(facts, state, said)
    if said.action is Action.ADD:
        _check_added(facts, said)
    elif said.action is Action.JOIN:
        _check_joining(facts, state, said)
    elif said.action is Action.REMOVE:
        _check_removed(facts, state, said)
    elif said.action is Action.LINK:
        _check_link(state, said)
    elif said.action is Action.POLICY:
        _check_policy(facts, said)
    try:
        return membership.apply(state, said, lambda account, old, new: _is_other_line(facts, account, old, new))
    except BadStatement:
        raise Refusal("bad_statement") from None


def _is_other_line(facts: Facts, account: bytes, old: bytes, new: bytes) -> bool:
    return old != new and not {old, new} <= facts.lines.get(account, frozenset())


def _check_room(facts: Facts, state: Membership, said: Statement) -> None:
    if said.subject in facts.banned:
        raise Refusal("banned")
    most = min(MEMBERS_MAX, facts.bounds.max_members)
    if said.subject not in state.members and len(state.members) >= most:
        raise Refusal("room_full", data={"max_members": most})


def _check_policy(facts: Facts, said: Statement) -> None:
    """A channel is one because moderators up write in it: its policy says so from the first statement to the last."""
    if facts.bounds.kind == "channel" and not said.policy & POLICY_MODERATORS_WRITE:
        raise Refusal("bad_statement", "in a channel moderators up write")


def _check_added(facts: Facts, said: Statement) -> None:
    """Somebody is added who is there, lets themselves be reached, and with the key that is theirs at this moment."""
    if said.subject not in facts.there:
        raise Refusal("not_found", "there is no such person")
    if said.subject not in facts.lists:
        raise Refusal("peer_without_keys")
    if said.subject not in facts.willing:
        raise Refusal("blocked")
    if facts.lists[said.subject].account_key != said.subject_key:
        raise Refusal("bad_statement", "that is not the newest key of who is added")


def _check_joining(facts: Facts, state: Membership, said: Statement) -> None:
    link = state.links.get(said.arg)
    if link is None or _is_over(link.expires, link.uses, link.used, facts.now):
        raise Refusal("invite_over")
    if said.actor in state.removed:
        raise Refusal("forbidden", "whoever was removed comes back by being added")


def _check_removed(facts: Facts, state: Membership, said: Statement) -> None:
    is_owner_by_admin = (state.role_of(said.actor), state.role_of(said.subject)) == (ADMIN, OWNER)
    if is_owner_by_admin and said.subject not in facts.gone:
        raise Refusal("peer_is_there")


def _check_link(state: Membership, said: Statement) -> None:
    try:
        is_new = said.role != 0 and link_id_of(said.subject_key) not in state.links
    except BadStatement:
        raise Refusal("bad_statement") from None
    if is_new and len(state.links) >= LINKS_MAX:
        raise Refusal("too_many", "as many links are open as there may be")


def check_link(link: LinkRow | None, now: float) -> LinkRow:
    """Refuse with `invite_over` a link that leads nowhere, whyever: it does not tell which."""
    if link is None or not link.is_open or not link.member_count or _is_over(link.expires, link.uses, link.used, now):
        raise Refusal("invite_over")
    return link


def _is_over(expires: int, uses: int, used: int, now: float) -> bool:
    return bool((expires and now >= expires) or (uses and used >= uses))


def opened(said: Sequence[Said]) -> dict[bytes, AccountId]:
    """The links that statements open or give other terms, with who does."""
    return {
        link_id_of(one.statement.subject_key): AccountId(UUID(bytes=one.statement.actor))
        for one in said
        if one.statement.action is Action.LINK and one.statement.role != 0
    }


def check_token(before: Membership, said: Sequence[Said], has_token: bool) -> None:
    """A token is for one link that is opened: one without could be found by nobody. Refuses with `invalid`."""
    links = opened(said)
    if has_token and len(links) != 1:
        raise Refusal("invalid", "a token goes with the one link that is opened")
    if not has_token and any(link not in before.links for link in links):
        raise Refusal("invalid", "a link is opened with its token")


def check_card(said: Sequence[Said], has_card: bool) -> None:
    """A card says where one link leads, so it goes with the statement that opens it. Refuses with `invalid`."""
    if has_card and len(opened(said)) != 1:
        raise Refusal("invalid", "a card goes with the one link that is opened")


def check_ban(said: Sequence[Said], is_ban: bool) -> None:
    """A ban is for those who are removed. Refuses with `invalid`."""
    if is_ban and any(one.statement.action is not Action.REMOVE for one in said):
        raise Refusal("invalid", "a ban goes with removals alone")
