"""What the world may ask of receipts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from aparte.server.contacts import actions as contacts
from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Tx
from aparte.server.kit.doorbell import ToAccount, ToConversation
from aparte.server.messages import actions as messages
from aparte.server.messages.model import Acknowledged
from aparte.server.preferences import actions as preferences
from aparte.server.receipts import store
from aparte.server.receipts.model import KEEP_DAYS, TELL_UP_TO, Delivered, Mark, MarkKind, keeps_rows
from aparte.server.state import actions as state
from aparte.wire.conversations import Receipt, ReceiptList
from aparte.wire.frames import Receipts
from aparte.wire.ids import AccountId, ConversationId, EntryId

STEP = 5_000


async def read(db: Database, mark: Mark) -> None:
    """Record that a person has read up to an entry, and their device so has it stored.

    A mark that says nothing new changes nothing but that the conversation is no longer marked as unread; one of a
    former member or of a foreign entry is refused (404).
    """
    caller, conversation = mark.caller, mark.conversation
    acknowledged: list[Acknowledged] = []
    async with db.transaction() as tx:
        standing = await conversations.authorise(tx, caller, conversation, "read")
        place, ordinal = await messages.place_of(tx, conversation, mark.up_to.id)
        await preferences.read(tx, caller.account, conversation)
        if await conversations.move_read_mark(tx, conversation, caller.account, place, ordinal):
            value = {"seq": place.seq, "id": str(place.id)}
            await state.put(tx, caller.account, f"read:{conversation}", value)
        if not keeps_rows(standing.mode, standing.member_count):
            return
        after = await store.select_stored(tx, conversation, caller.device) if standing.mode == "e2ee" else None
        if await store.insert_read(tx, conversation, caller.device, place.seq):
            is_group = standing.kind not in {"direct", "self"}
            many = standing.member_count
            new = Delivered(conversation, caller.account, place.seq, many, caller.device, is_group, after)
            await _tell(tx, [new], "read")
            acknowledged = _acknowledged([new])
    await messages.forget_acknowledged(db, acknowledged)


async def delivered(db: Database, marks: Sequence[Mark]) -> None:
    """Record what devices have stored, all in one statement. Marks of former members change nothing."""
    async with db.transaction() as tx:
        written = await store.insert_delivered(tx, marks)
        await _tell(tx, written, "delivered")
    await messages.forget_acknowledged(db, _acknowledged(written))


async def delivered_to(db: Database, mark: Mark) -> None:
    """Record what one device has stored; refuses with `not_member` and `not_found` where `delivered` is silent."""
    async with db.read() as reader:
        await conversations.authorise(reader, mark.caller, mark.conversation, "read")
        place, _ = await messages.place_of(reader, mark.conversation, mark.up_to.id)
    await delivered(db, [replace(mark, up_to=place)])


def _acknowledged(written: Sequence[Delivered]) -> list[Acknowledged]:
    """Name the entries whose envelopes a device needs no longer."""
    return [
        Acknowledged(new.conversation, new.device, new.after, new.up_to, new.is_group)
        for new in written
        if new.after is not None and new.after < new.up_to
    ]


async def _tell(tx: Tx, written: Sequence[Delivered], kind: MarkKind) -> None:
    """Push receipts to the members of small conversations, as far as their owners let each know.

    A few questions for however many receipts; where everybody may know, one hint for the whole conversation.
    """
    told = [new for new in written if new.member_count <= TELL_UP_TO]
    if not told:
        return
    members = await store.select_members(tx, [new.conversation for new in told])
    askers: dict[AccountId, set[AccountId]] = {}
    for new in told:
        askers.setdefault(new.account, set()).update(members[new.conversation])
    wanted = {account: list(several) for account, several in askers.items()}
    seeing = await contacts.audiences(tx, wanted, "see_receipts")
    for new in told:
        frame = Receipts(new.conversation, new.account, kind, new.up_to)
        may_know = members[new.conversation] & seeing[new.account]
        if may_know == members[new.conversation]:
            tx.ring(ToConversation(new.conversation, frame))
            continue
        for account in may_know:
            tx.ring(ToAccount(account, frame))


async def of_message(db: Database, caller: Caller, conversation: ConversationId, message: EntryId) -> ReceiptList:
    """Tell who has received and read a message, and when, of those who let the caller know."""
    async with db.read() as reader:
        standing = await conversations.authorise(reader, caller, conversation, "read")
        place, _ = await messages.place_of(reader, conversation, message)
        readers = await store.select_readers(reader, conversation, place)
        receipts: list[Receipt] = []
        if keeps_rows(standing.mode, standing.member_count):
            receipts = await store.select_receipts(reader, conversation, place)
        people = {*readers, *(receipt.account for receipt in receipts)}
        seen = await contacts.allowed(reader, caller.account, list(people), "see_receipts")
    return ReceiptList([r for r in receipts if r.account in seen], [reader for reader in readers if reader in seen])


async def collapse(db: Database) -> int:
    """Forget old receipts that later ones imply, in steps."""
    gone = 0
    while True:
        async with db.transaction() as tx:
            step = await store.delete_collapsed(tx, now() - timedelta(days=KEEP_DAYS), STEP)
        gone += step
        if step < STEP:
            return gone
