"""Invite cards: what a link says of its group to those who have it.

Sealed under the link's seed, so the server keeps what it cannot read. A card is the word of whoever opened the link, as
of then: it is shown until the group's own words are here, and nothing else ever follows from it. Source:
docs/protocol/e2ee.md, 4.2.
"""

import secrets

from aparte.client.api import groups as api
from aparte.client.crypto.folding import state
from aparte.client.crypto.own import now_ms
from aparte.client.errors import ClientError
from aparte.client.session import Session
from aparte.client.store import conversations, invite_links, notices
from aparte.client.store.db import Tx
from aparte.client.store.notices import Notice
from aparte.e2ee import invite_card
from aparte.e2ee.errors import InvalidMessage, NeedsNewer
from aparte.e2ee.invite import Invite
from aparte.e2ee.invite_card import Card
from aparte.wire.content import Profile
from aparte.wire.ids import ConversationId


def sealed(seed: bytes, card: Card) -> bytes:
    """Seal a card for those who have a link."""
    return invite_card.seal(seed, card, secrets.token_bytes)


def opened(tx: Tx, conversation: ConversationId, invite: Invite, given: bytes | None) -> Card | None:
    """Read the card that came with a link; one that is damaged or forged is told in a notice and says nothing.

    So does one that a later version has written, without any notice.
    """
    if given is None:
        return None
    try:
        return invite_card.open_(invite.seed, given)
    except InvalidMessage:
        notices.insert_notice(tx, Notice("bad_invite", now_ms(), conversation=conversation))
    except NeedsNewer:
        pass
    return None


def take(tx: Tx, conversation: ConversationId, card: Card) -> None:
    """Call a group what the link said, as long as it has said nothing itself that is known here."""
    conversations.update_unnamed(tx, conversation, Profile(card.name, card.topic, card.description))


async def renew(session: Session, conversation: ConversationId, card: Card) -> None:
    """Let the open links that were made here say what the group is called from here on, as far as the server takes it.

    A link that still says what was true before misleads nobody for long, so nothing waits for it.
    """
    with session.store.reading() as tx:
        membership = state(tx, conversation)
        made = invite_links.select_links(tx, conversation)
    for row in made:
        if membership is None or row.link_id not in membership.links:
            continue
        try:
            await api.renew_card(session, conversation, row.link_id, sealed(row.seed, card))
        except ClientError as error:
            if error.code != "not_found":
                return
