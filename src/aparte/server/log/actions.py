"""The log's only door: begin, lock, append, begin new epochs, tell how they differ."""

from collections.abc import Mapping, Sequence

import msgspec

from aparte.server.kit.db import Reader, Tx
from aparte.server.kit.doorbell import ToConversation
from aparte.server.log import store
from aparte.server.log.model import (
    Begun,
    Difference,
    Epoch,
    Head,
    Marker,
    NewEntry,
    NewEpoch,
    NewStatements,
    Since,
    Terms,
)
from aparte.wire import kinds
from aparte.wire.errors import Refusal
from aparte.wire.frames import Live, Moved
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position, time_of
from aparte.wire.messages import Entry


async def begin(tx: Tx, conversation: ConversationId) -> None:
    """Start the log of a new conversation."""
    await store.insert_head(tx, conversation)


async def begin_sealed(tx: Tx, conversation: ConversationId, roster: bytes) -> None:
    """Start the log of a new end-to-end encrypted conversation, in its first epoch."""
    await store.insert_sealed_head(tx, conversation, roster)


async def roster_of(reader: Reader, conversation: ConversationId) -> tuple[int, bytes] | None:
    """Tell the epoch and roster of an end-to-end encrypted conversation."""
    return await store.select_roster(reader, conversation)


async def lock_all(tx: Tx, conversations: Sequence[ConversationId]) -> None:
    """Lock many conversations for writing, in the order that all writers keep."""
    await store.lock_heads(tx, conversations)


async def raise_epochs(
    tx: Tx, rosters: Mapping[ConversationId, bytes], new: NewEpoch, difference: Difference
) -> list[Begun]:
    """Begin a new epoch in each conversation with an entry that says why, and ring them after COMMIT.

    The caller has locked the heads with `lock_all` and computed the rosters from what it then read.
    """
    begun = await store.insert_epochs(tx, rosters, new, difference) if rosters else []
    for one in begun:
        body = msgspec.structs.replace(new.body, epoch=one.epoch, roster=one.roster)
        entry = entry_of(NewEntry(one.conversation, new.kind, new.account, body, new.device), one.position, None)
        tx.ring(ToConversation(one.conversation, Live(one.conversation, entry)))
    return begun


async def append_statements(tx: Tx, new: NewStatements) -> tuple[int, list[Position]]:
    """Append membership statements of a conversation that the caller has locked; gives the epoch and the positions.

    One is rung as it is, several as a hint that the log has moved: members fetch them in one page.
    """
    epoch, positions = await store.insert_statements(tx, new)
    last = positions[-1]
    frame: Live | Moved = Moved(new.conversation, last.seq, last.id)
    if len(positions) == 1:
        [(account, device, signed)] = new.said
        body = kinds.StatementChange(signed, epoch, new.roster)
        entry = NewEntry(new.conversation, kinds.STATEMENT, account, body, device)
        frame = Live(new.conversation, entry_of(entry, last, None))
    tx.ring(ToConversation(new.conversation, frame))
    return epoch, positions


async def since(reader: Reader, conversation: ConversationId, epoch: int) -> Since:
    """Tell what changed in the epochs after one, up to the present: who was added, and whether anybody is out."""
    return await store.select_since(reader, conversation, epoch)


async def epoch_of(reader: Reader, conversation: ConversationId, epoch: int) -> Epoch | None:
    """Find one epoch of an end-to-end encrypted conversation."""
    return await store.select_epoch(reader, conversation, epoch)


async def versions_in(
    reader: Reader, conversation: ConversationId, epoch: int | None
) -> tuple[Epoch, dict[AccountId, int]] | None:
    """Tell the list versions of the members of an epoch, by default the present one."""
    return await store.select_versions(reader, conversation, epoch)


async def lock(tx: Tx, conversation: ConversationId) -> Head:
    """Lock a conversation for writing. Refuses with `not_member` when there is none (absent and foreign look alike)."""
    head = await store.lock_head(tx, conversation)
    if head is None:
        raise Refusal("not_member")
    return head


async def set_terms(tx: Tx, conversation: ConversationId, terms: Terms) -> None:
    """Let what decides over a send be as a conversation's settings say. The caller has locked the head."""
    await store.update_terms(tx, conversation, terms)


async def append(tx: Tx, new: NewEntry, shown: object = None) -> Position:
    """Give an entry the next position and ring the conversation after COMMIT.

    Locks the head if the caller has not; an action that decides by what it reads locks first, with `lock`. `shown` is
    the body that readers are given where it says more than what is stored.
    """
    position = await store.insert_entry(tx, new)
    tx.ring(ToConversation(new.conversation, Live(new.conversation, entry_of(new, position, shown))))
    return position


def entry_of(new: NewEntry, position: Position, shown: object) -> Entry:
    """Render an entry that was just written for the wire."""
    return Entry(
        seq=position.seq,
        id=position.id,
        kind=new.kind,
        at=time_of(position.id),
        account=new.account,
        device=new.device,
        client_message_id=new.client_message_id,
        target=new.target,
        body=new.body if shown is None else shown,
    )


async def count(tx: Tx, conversation: ConversationId, change: int) -> None:
    """Correct the number of messages that are there."""
    await store.update_message_count(tx, conversation, change)


async def erase_edits(tx: Tx, conversation: ConversationId, target: EntryId) -> int:
    """Empty the edits of a message whose content is erased, and the reactions to it."""
    return await store.update_erased(tx, conversation, target)


async def marker(reader: Reader) -> Marker:
    """Name this moment, so that a client can ask later what has changed since."""
    return await store.select_marker(reader)
