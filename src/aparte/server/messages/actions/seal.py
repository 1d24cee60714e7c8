"""Seal: store what people do in end-to-end encrypted conversations, which the server checks and cannot read.

A message that aims at nothing joins a batch. What aims at another entry is one transaction: it holds the head, looks at
its target, and then goes through the same function of the database as a batch of one.
"""

import asyncio
from dataclasses import replace
from functools import partial

from aparte.server.conversations import actions as conversations
from aparte.server.conversations.model import Right
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.server.messages import lists, marks, pins, reactions, rules, store, threads
from aparte.server.messages.actions.send import future
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.marks import Setting
from aparte.server.messages.model import MISSING, Bonds, Cover, Covering, Outgoing, Placed, Sealing, Target
from aparte.server.messages.outcomes import answer_to, hint_of
from aparte.server.messages.writer import Writer
from aparte.wire import kinds
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, Position, time_of
from aparte.wire.messages import Sent
from aparte.wire.sealed import SealEntry


def joins_a_batch(entry: SealEntry) -> bool:
    """Only what is judged by itself is written together with others."""
    return entry.kind == kinds.MESSAGE and entry.target is None


async def enqueue_sealed(
    writer: Writer, coverage: Coverage, caller: Caller, conversation: ConversationId, entry: SealEntry
) -> "asyncio.Future[Placed]":
    """Check a sealed message and hand it to the writer; the future has its place after COMMIT, or a Refusal.

    Membership, blocks, epoch, chain and order are decided in the database, under the conversation's lock.
    """
    conversations.check_platform(caller.role)
    rules.check_sealed(entry)
    new = await _outgoing(coverage, caller, conversation, entry)
    done = writer.put(new)
    if done is new.done:
        done.add_done_callback(partial(_note, coverage, new))
    return done


async def seal(
    db: Database, writer: Writer, coverage: Coverage, caller: Caller, conversation: ConversationId, entry: SealEntry
) -> Sent:
    """Store a sealed entry and tell where it is. A repeat is answered as the first was, after a commit of its own."""
    if joins_a_batch(entry):
        done = await enqueue_sealed(writer, coverage, caller, conversation, entry)
        at = (await asyncio.shield(done)).position
    else:
        conversations.check_platform(caller.role)
        rules.check_sealed(entry)
        await writer.settled(conversation, caller.device)
        new = await _outgoing(coverage, caller, conversation, entry)
        at, is_new = await _change(db, caller, conversation, entry, new)
        if is_new:
            coverage.note(new)
    return Sent(conversation, at.seq, at.id, time_of(at.id))


async def _outgoing(coverage: Coverage, caller: Caller, conversation: ConversationId, entry: SealEntry) -> Outgoing:
    covering = await coverage.of(conversation, entry.epoch, entry.roster)
    cover = await _cover(coverage, covering, caller, entry)
    sealing = Sealing(
        entry.kind,
        entry.sealed,
        entry.epoch,
        entry.roster,
        entry.counter,
        entry.prev,
        rules.hash_of(conversation, caller.account, caller.device, entry),
        covering.private.peer_of(caller.account) if covering else None,
        cover,
        entry.chain,
        entry.key,
        target_hash=entry.target.hash if entry.target else None,
        tag=entry.tag,
        is_on=entry.on if entry.kind in rules.SWITCHING else None,
    )
    return Outgoing(
        conversation,
        caller.account,
        caller.device,
        entry.client_message_id,
        None,
        None,
        rules.sealed_digest(conversation, entry),
        future(),
        sealing,
        Bonds(mentions=tuple(entry.mentions), ttl=entry.ttl) if entry.mentions or entry.ttl else None,
    )


async def _cover(coverage: Coverage, covering: Covering | None, caller: Caller, entry: SealEntry) -> Cover:
    """Tell whether everybody can read an entry. One of an epoch that is over, and one of somebody who is no member, is
    judged by the database: it tells a stranger nothing of what is there."""
    if covering is None or caller.account not in covering.private.members:
        return Cover(MISSING)
    rules.check_fits(covering, caller.account, entry)
    if entry.chain is None and not entry.counter:
        # Sealed ahead: its key went to every device of this epoch then.
        return Cover()
    if entry.chain is None:
        return rules.cover_of(covering, caller.device, entry.envelopes)
    return await coverage.of_chain(covering, caller.device, entry.chain)


def _note(coverage: Coverage, new: Outgoing, done: "asyncio.Future[Placed]") -> None:
    if not done.cancelled() and done.exception() is None and done.result().is_new:
        coverage.note(new)


async def _change(
    db: Database, caller: Caller, conversation: ConversationId, entry: SealEntry, new: Outgoing
) -> tuple[Position, bool]:
    """Repeat? · member? · the target · may I? · the entry · the target's row: the order of every change.

    Gives where the entry is, and whether it is new.
    """
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        repeat = await store.select_repeat(tx, conversation, caller.device, entry.client_message_id)
        if repeat is not None:
            rules.check_repeat(repeat, new.digest)
            return repeat.position, False
        standing = await conversations.authorise(tx, caller, conversation, "read")
        if standing.mode != "e2ee":
            raise Refusal("mode_mismatch")
        await conversations.authorise(tx, caller, conversation, rules.right_for(entry.kind, standing))
        target = await _target(tx, caller, conversation, entry)
        placed = await _write(tx, new, target)
        if target is not None:
            await _mark(tx, new, entry, target, placed)
    return placed.position, placed.is_new


async def _target(tx: Tx, caller: Caller, conversation: ConversationId, entry: SealEntry) -> Target | None:
    """Find the message that an entry aims at, and decide whether this one may do that to it."""
    if entry.target is None:
        return None
    target = await store.select_target(tx, conversation, entry.target.id)
    if target is None:
        raise Refusal("not_found")
    rules.check_target(target, entry.target.hash)
    if entry.kind == kinds.EDIT:
        rules.check_edit(target, caller.account)
    elif entry.kind == kinds.DELETION:
        # Readers let the author and moderators up delete and restore; what somebody else deleted is not the author's
        # to bring back.
        is_own = target.account == caller.account and (entry.on or target.deleted_by == caller.account)
        own: Right = "retract" if entry.on else "post"
        right: Right = own if is_own else "manage_messages"
        await conversations.authorise(tx, caller, conversation, right)
        if entry.on:
            rules.check_delete(target)
        else:
            rules.check_restore(target, now())
    else:
        rules.check_there(target)
        rules.check_level(target, entry.kind)
    return target


async def _write(tx: Tx, new: Outgoing, target: Target | None) -> Placed:
    """Write one entry through the function of the batch; ring it after COMMIT."""
    if new.sealing is not None and target is not None:
        new = replace(new, sealing=replace(new.sealing, target=target.position))
    [verdict] = await store.send(tx, [new], wait=True)
    answer = answer_to(new, verdict)
    if isinstance(answer, Refusal):
        raise answer
    tx.ring(hint_of(new, answer))
    return answer


async def _mark(tx: Tx, new: Outgoing, entry: SealEntry, target: Target, placed: Placed) -> None:
    """Write on the target what was done to it. One reaction or pin too many undoes the entry with it."""
    conversation, message, at = new.conversation, target.position.id, placed.position.id
    if entry.kind == kinds.EDIT:
        await store.update_edited(tx, conversation, message, at)
    elif entry.kind == kinds.DELETION:
        change = -1 if entry.on else 1
        await store.update_deleted(tx, conversation, message, at if entry.on else None)
        await log.count(tx, conversation, change)
        await threads.update_count(tx, conversation, message, change)
    elif entry.kind == kinds.REACTION and entry.tag is not None:
        setting = Setting(conversation, message, new.account, entry.tag)
        if await reactions.upsert(tx, setting, at, on=entry.on) and entry.on:
            marks.check_set(await reactions.select_mine(tx, setting))
    elif entry.kind == kinds.PIN and entry.on:
        await pins.insert(tx, conversation, message, new.account, at)
        marks.check_pinned(await lists.count_pins(tx, conversation))
    elif entry.kind == kinds.PIN:
        await pins.delete(tx, conversation, message)
