"""How every change of a message begins and ends.

The order of each: repeat? · the message · may I? · the entry · rows of its own · remember the client id.
"""

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Tx
from aparte.server.log import actions as log
from aparte.server.log.model import NewEntry
from aparte.server.messages import rules, store
from aparte.server.messages.model import Change, Repeat, Target
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, Position, time_of
from aparte.wire.messages import Sent


async def begin(tx: Tx, caller: Caller, wanted: Change) -> Target | Repeat:
    """Lock the conversation; find what this client id did before, or the message to change.

    Somebody who is no member learns nothing: `authorise` is asked before any rule about the message answers.
    """
    await log.lock(tx, wanted.conversation)
    repeat = await store.select_repeat(tx, wanted.conversation, caller.device, wanted.client_message_id)
    if repeat is not None:
        rules.check_repeat(repeat, rules.digest_of(wanted))
        return repeat
    rules.check_readable(await conversations.authorise(tx, caller, wanted.conversation, "read"))
    target = await store.select_target(tx, wanted.conversation, wanted.message)
    if target is None:
        raise Refusal("not_found")
    return target


async def append(tx: Tx, caller: Caller, wanted: Change, target: Target, shown: object = None) -> Position:
    """Write the entry and remember the client id. `shown` is the body that readers are given, where it says more."""
    entry = NewEntry(
        wanted.conversation,
        wanted.kind,
        caller.account,
        wanted.body if wanted.stored is None else wanted.stored,
        caller.device,
        wanted.client_message_id,
        target.position,
    )
    at = await log.append(tx, entry, shown)
    done = Repeat(at, rules.digest_of(wanted))
    await store.insert_send(tx, wanted.conversation, caller.device, wanted.client_message_id, done)
    return at


def sent(conversation: ConversationId, at: Position) -> Sent:
    """Tell where an entry is."""
    return Sent(conversation, at.seq, at.id, time_of(at.id))
