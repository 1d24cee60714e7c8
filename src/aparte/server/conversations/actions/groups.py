"""Groups: begun by a signed statement, changed by further ones, and shown to their members as they were signed."""

import asyncio

from aparte.e2ee.statement import Action
from aparte.server.accounts import actions as accounts
from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations import chain, differences, fold, rules, store
from aparte.server.conversations.actions import admitting
from aparte.server.conversations.actions.access import authorise, seen
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.conversations.model import Submission
from aparte.server.conversations.rights import check_statements
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader
from aparte.server.log import actions as log
from aparte.wire import limits
from aparte.wire.conversations import Conversation
from aparte.wire.errors import Refusal
from aparte.wire.groups import Admitted, EpochMembers, MemberVersion, NewGroup, NewStatements, StatementPage
from aparte.wire.ids import ConversationId


async def create_group(db: Database, caller: Caller, new: NewGroup) -> Conversation:
    """Begin a group, or an encrypted room or channel, with the caller as its owner and everybody whom they add;
    beginning it again finds it.

    Refuses with `bad_statement`, `bad_conversation_id`, `stale_membership`, `keys_needed`, of whoever is added with
    `not_found`, `peer_without_keys`, `blocked`, `room_full`, and with `invalid` what was begun as another kind.
    """
    rules.check_platform(caller.role)
    said = fold.read(new.statements)
    fold.check_actor(said, caller.account)
    fold.check_first(said, new.id)
    submission = Submission(new.id, caller, said, kind=new.kind)
    async with db.read() as reader:
        facts = await admitting.facts_of(reader, submission, None)
    if facts.bounds.kind != new.kind:
        raise Refusal("invalid", "this was begun as another kind")
    # Some hundred signatures at once: beside the event loop, and before anything is locked.
    after = await asyncio.to_thread(fold.founded, facts, said, is_verified=False)
    async with db.transaction() as tx:
        await accounts.lock_all(tx, differences.standings(None, after, said).touched)
        end = await chain.select_end(tx, new.id)
        if end is None:
            after = fold.founded(await admitting.facts_of(tx, submission, None), said, is_verified=True)
            await chain.insert_group(tx, new.id, new.kind, caller.account)
            await log.begin(tx, new.id)
            await admitting.write(tx, await log.lock(tx, new.id), None, after, [submission])
            event = Event("conversation_created", caller.account, caller.session, new.id)
            await audit.record(tx, event)
        elif await admitting.repeat_of(tx, submission) is None:
            raise Refusal("stale_membership", data={"number": end[0], "hash": end[1].hex(), "pending": []})
        return await seen(tx, caller.account, new.id)


async def submit(
    db: Database, gathering: Gathering, caller: Caller, conversation: ConversationId, new: NewStatements
) -> Admitted:
    """Continue a group's chain. What only lets people in may wait a second for others, to begin one epoch with them.

    The same statements again are answered as they were, to who is out meanwhile too. Refuses with `not_member`,
    `mode_mismatch`, `bad_statement`, `stale_membership`, `peer_is_there`, `too_many`, and as `create_group` does.
    """
    async with db.read() as reader:
        standing = await store.select_standing(reader, conversation, caller.account)
        if standing is None:
            return await _repeat_of_former(reader, caller, conversation, new)
    rules.check_chain(standing)
    said = fold.read(new.statements)
    fold.check_actor(said, caller.account)
    check_statements(standing, [one.statement.action for one in said])
    fold.check_ban(said, is_ban=new.ban)
    fold.check_card(said, has_card=new.card is not None)
    if any(one.statement.action is not Action.LEAVE for one in said):
        rules.check_platform(caller.role)
    token_hash = fold.token_hash(new.token) if new.token is not None else None
    return await gathering.submit(Submission(conversation, caller, said, token_hash, new.ban, new.card))


async def _repeat_of_former(
    reader: Reader, caller: Caller, conversation: ConversationId, new: NewStatements
) -> Admitted:
    """Somebody who is out may only hear again what they were told when they left. Refuses with `not_member`."""
    try:
        said = fold.read(new.statements)
        fold.check_actor(said, caller.account)
    except Refusal:
        raise Refusal("not_member") from None
    repeat = await admitting.repeat_of(reader, Submission(conversation, caller, said))
    if repeat is None:
        raise Refusal("not_member")
    return repeat


async def statements(db: Database, caller: Caller, conversation: ConversationId, after: int) -> StatementPage:
    """Read the chain after a statement, as it was signed."""
    async with db.read() as reader:
        rules.check_chain(await authorise(reader, caller, conversation, "read"))
        return await page_of(reader, conversation, after)


async def page_of(reader: Reader, conversation: ConversationId, after: int) -> StatementPage:
    """A page of the chain, for who may see it."""
    found = await chain.select_statements(reader, conversation, after, limits.PAGE_STATEMENTS + 1)
    return StatementPage(found[: limits.PAGE_STATEMENTS], len(found) > limits.PAGE_STATEMENTS)


async def epoch(db: Database, caller: Caller, conversation: ConversationId, number: int | None) -> EpochMembers:
    """Tell what an epoch is made of, by default the present one. Refuses with `not_found` where there is none yet."""
    async with db.read() as reader:
        rules.check_chain(await authorise(reader, caller, conversation, "read"))
        found = await log.versions_in(reader, conversation, number)
    if found is None:
        raise Refusal("not_found")
    at, versions = found
    members = [MemberVersion(account, version) for account, version in sorted(versions.items())]
    return EpochMembers(at.epoch, at.roster, at.statement, members)
