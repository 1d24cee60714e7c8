"""The server lies about who is in a group: nobody is let in, nobody is kept in, and every lie has a name.

`tests/support/group_lies.py` are the lies; each is told wherever a device asks, so that all but signatures fit.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from aparte.client import Client
from aparte.client.crypto import pins
from aparte.client.errors import ClientError, KeyRefused
from aparte.e2ee import invite
from aparte.e2ee import membership as chain
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import ADMIN, MEMBER, OWNER, Action, Statement
from aparte.e2ee.statement import NO_KEY
from aparte.wire.groups import EpochMembers, MemberVersion, SignedStatement, StatementPage
from tests.support.circle import Circle, gather, roles, state
from tests.support.group_lies import (
    FalseEpoch,
    FalseMember,
    Hidden,
    Kept,
    OtherChain,
    as_statement,
    given_to,
    held_in_group,
    statement_entry,
    tale,
)
from tests.support.lies import Held, InPlaceOf, Stale, Watching
from tests.support.malice import Malice
from tests.support.talk import Company, Talker

change = msgspec.structs.replace


@pytest.fixture
async def circle(evil: Malice, people: Company) -> Circle:
    """Alice's group with bob, and with mallory, who was put out: everybody has spoken before and since."""
    alice, bob, mallory = [await people.newcomer(name) for name in ("alice", "bob", "mallory")]
    circle = await gather(evil, people, "friends", alice, bob, mallory)
    await circle.remove(alice, mallory)
    circle.members.remove(mallory)
    circle.outside.append(mallory)
    await circle.say(alice, "just us")
    await bob.hears("just us")
    await circle.say(bob, "just the two of us")
    await alice.hears("just the two of us")
    return circle


# A member of the server's own -----------------------------------------------------------------------------------------


def key_of(talker: Talker) -> KeyPair:
    """Somebody's account key, as whoever helps the server has it."""
    return KeyPair.from_private(talker.account_key())


def version_of(talker: Talker) -> int:
    """The version of somebody's own list."""
    with talker.client._session.store.reading() as tx:
        pin = pins.pinned(tx, talker.account)
    assert pin is not None
    return pin.list.version


def admitting(circle: Circle, actor: Talker, role: int = MEMBER) -> Statement:
    """A statement by which somebody would add mallory, as it should be."""
    now = state(circle.members[0], circle.id)
    assert now is not None
    [mallory] = circle.outside
    fields = {"subject": mallory.account.bytes, "subject_key": key_of(mallory).public.serialize(), "role": role}
    return chain.next_statement(now, Action.ADD, actor.account.bytes, version_of(actor), **fields)


def signed_by(key: KeyPair, statement: Statement, link: KeyPair | None = None) -> SignedStatement:
    """Sign it, whoever may."""
    signed = chain.sign(statement, key, os.urandom, link_key=link)
    return SignedStatement(signed.statement, signed.signature, signed.link_signature)


def without_a_signature(circle: Circle) -> SignedStatement:
    return SignedStatement(admitting(circle, circle.members[0]).serialize(), bytes(64))


def signed_by_the_ghost_for_the_owner(circle: Circle) -> SignedStatement:
    return signed_by(key_of(circle.outside[0]), admitting(circle, circle.members[0]))


def said_by_the_ghost(circle: Circle) -> SignedStatement:
    """Who is out adds somebody else: a self-signed member."""
    [mallory], bob = circle.outside, circle.members[1]
    subject = {"subject": bob.account.bytes, "subject_key": key_of(bob).public.serialize()}
    return signed_by(key_of(mallory), replace(admitting(circle, mallory), **subject))


def joined_by_no_link(circle: Circle) -> SignedStatement:
    [mallory], link = circle.outside, KeyPair.generate(os.urandom)
    arg = invite.link_id(link.public)
    said = replace(admitting(circle, mallory), action=Action.JOIN, arg=arg)
    return signed_by(key_of(mallory), said, link)


def the_old_admission(circle: Circle) -> SignedStatement:
    """What once let mallory in, again."""
    mallory = circle.outside[0].account.bytes
    found = [one for _, wanted in circle.evil.signed for one in wanted.statements]
    [old] = [one for one in found if (read := as_statement(one)).action == Action.ADD and read.subject == mallory]
    return old


def the_old_admission_renumbered(circle: Circle) -> SignedStatement:
    """What once let mallory in, with its signature, as if it came next."""
    return SignedStatement(admitting(circle, circle.members[0]).serialize(), the_old_admission(circle).signature)


def by_a_member_who_may_not(circle: Circle) -> SignedStatement:
    bob = circle.members[1]
    return signed_by(key_of(bob), admitting(circle, bob))


def against_the_owner(circle: Circle) -> SignedStatement:
    """Bob, who helps the server, takes the owner's role away."""
    alice, bob = circle.members
    fields = {"action": Action.ROLE, "subject": alice.account.bytes, "subject_key": NO_KEY, "role": MEMBER}
    return signed_by(key_of(bob), replace(admitting(circle, bob), **fields))


FORGERIES: dict[str, Callable[[Circle], SignedStatement]] = {
    "without a signature": without_a_signature,
    "signed by the ghost": signed_by_the_ghost_for_the_owner,
    "said by the ghost": said_by_the_ghost,
    "joined by no link": joined_by_no_link,
    "the old admission": the_old_admission,
    "the old admission renumbered": the_old_admission_renumbered,
    "by a member who may not add": by_a_member_who_may_not,
    "the owner made a member": against_the_owner,
}


async def nothing_comes_of(circle: Circle, forged: SignedStatement) -> None:
    """Tell it to alice everywhere: she names it, and gives the ghost nothing."""
    alice, bob, [mallory] = *circle.members, circle.outside
    before, was = roles(alice, circle.id), len(given_to(circle.evil, mallory.device))
    rule = FalseMember(await tale(circle, mallory, forged), alice)
    alice.looks_at_notices()
    with circle.evil.doing(rule):
        await circle.say(bob, "in its place comes something else")
        await alice.comes(lambda: "bad_statement" in alice.is_told(), "no bad_statement")
        with pytest.raises(ClientError) as refused:
            await circle.say(alice, "not for mallory", deadline=20)
    assert refused.value.code in {"bad_statement", "roster_mismatch", "unexpected_answer"}
    assert rule.in_log
    assert rule.in_chain, "the chain was not asked for"
    assert roles(alice, circle.id) == before
    assert len(given_to(circle.evil, mallory.device)) == was
    await circle.say(alice, "and on it goes")
    await bob.hears("and on it goes")


async def test_nobody_gets_in_by_a_statement_of_the_servers(circle: Circle) -> None:
    for what, forge in FORGERIES.items():
        with noted(what):
            await nothing_comes_of(circle, forge(circle))


@contextmanager
def noted(what: str) -> Iterator[None]:
    """Say with a failure which of several deeds it was."""
    try:
        yield
    except BaseException as error:
        error.add_note(what)
        raise


async def test_nobody_gets_in_by_a_statement_of_another_group(circle: Circle) -> None:
    alice, _, [mallory] = *circle.members, circle.outside
    await gather(circle.evil, circle.people, "others", alice, mallory)
    [*_, (_, others)] = [one for one in circle.evil.signed if one[0] == alice.device]
    await nothing_comes_of(circle, others.statements[-1])


# Two chains -----------------------------------------------------------------------------------------------------------


async def kept_and_other(circle: Circle) -> tuple[SignedStatement, Talker, Talker]:
    """Alice adds carol, which the server keeps to itself and refuses; so she adds dave."""
    alice = circle.members[0]
    carol, dave = [await circle.people.newcomer(name) for name in ("carol", "dave")]
    kept = Kept(alice)
    with circle.evil.doing(kept), pytest.raises(ClientError):
        await circle.add(alice, carol)
    assert kept.kept is not None
    return kept.kept.statements[0], carol, dave


def evidence(talker: Talker) -> set[str]:
    """What was signed by somebody entitled and cannot be true: it is kept to be shown."""
    with talker.client._session.store.reading() as tx:
        return {code for (code,) in tx.rows("SELECT code FROM statement_evidence")}


async def test_a_second_statement_of_one_number_is_a_fork_and_ends_the_sending(circle: Circle) -> None:
    alice, bob = circle.members
    other, carol, dave = await kept_and_other(circle)
    told = await tale(circle, carol, other)
    await circle.add(alice, dave)
    await circle.agree([bob], {**roles(alice, circle.id)})
    place = await circle.head() + 1
    with circle.evil.doing(InPlaceOf(bob, {place: statement_entry(told, alice)})):
        await circle.say(alice, "in its place comes another admission")
        await bob.comes(lambda: "membership_forked" in bob.told())
    assert evidence(bob) == {"membership_forked"}
    assert carol.account.bytes not in roles(bob, circle.id)
    with pytest.raises(KeyRefused, match="membership_forked"):
        await circle.say(bob, "to whom?", deadline=20)
    assert not given_to(circle.evil, carol.device)


async def test_who_is_shown_another_chain_finds_out_at_the_next_word(circle: Circle) -> None:
    """Bob believes that carol was added, as alice did sign; alice's words are for dave. Neither is left in the dark."""
    alice, bob = circle.members
    other, carol, dave = await kept_and_other(circle)
    told = await tale(circle, carol, other)
    with circle.evil.doing(OtherChain(told, bob)):
        await circle.add(alice, dave)
        await circle.say(alice, "welcome, dave")
        await bob.comes(lambda: "roster_mismatch" in bob.told())
        with pytest.raises(KeyRefused):
            await circle.say(bob, "welcome, carol", deadline=20)
        await alice.comes(lambda: "membership_forked" in alice.told(), "bob's chain has not come to alice")
    assert "welcome, dave" not in bob.texts()
    assert not given_to(circle.evil, carol.device)


async def test_of_two_admins_at_once_one_is_first_and_the_other_follows(circle: Circle) -> None:
    alice, bob = circle.members
    others = [await circle.people.newcomer(name) for name in ("carol", "dave")]
    await circle.role(alice, bob, "admin")
    await circle.agree([bob], {alice.account.bytes: OWNER, bob.account.bytes: ADMIN})
    await asyncio.gather(circle.add(alice, others[0]), circle.add(bob, others[1]))
    everybody = [*circle.members, *others]
    wanted = {one.account.bytes: MEMBER for one in others}
    await circle.agree(everybody, {alice.account.bytes: OWNER, bob.account.bytes: ADMIN, **wanted})
    for one in everybody:
        await circle.say(one, f"{one.username} is there")
    for one in everybody:
        await one.hears(*(f"{other.username} is there" for other in everybody if other is not one))
    assert not any({"membership_forked", "bad_statement"} & one.named() for one in everybody)


# Removals that the server hides ---------------------------------------------------------------------------------------


@pytest.fixture
async def three(evil: Malice, people: Company) -> Circle:
    """Alice, bob and mallory, who is about to be put out."""
    people_ = [await people.newcomer(name) for name in ("alice", "bob", "mallory")]
    circle = await gather(evil, people, "three", *people_)
    await circle.say(people_[1], "bob has a chain")
    await circle.heard([people_[0], people_[2]], "bob has a chain")
    return circle


async def test_a_removal_that_is_hidden_is_found_out_at_the_next_word(three: Circle) -> None:
    alice, bob, mallory = three.members
    last = (await three.evil.ask(bob.device, f"/conversations/{three.id}/statements?after=0", StatementPage)).statements
    with three.evil.doing(Hidden(last[-1], await three.epoch(), bob)):
        await three.remove(alice, mallory)
        was = len(given_to(three.evil, mallory.device))
        await three.say(alice, "without mallory")
        await bob.comes(lambda: "roster_mismatch" in bob.named())
        with pytest.raises(KeyRefused, match="roster_mismatch"):
            await three.say(bob, "is mallory still here?", deadline=20)
    assert "without mallory" not in mallory.texts()
    assert len(given_to(three.evil, mallory.device)) == was
    await three.say(alice, "now bob knows")
    await bob.hears("now bob knows")
    await three.say(bob, "without mallory too")
    await alice.hears("without mallory too")
    assert len(given_to(three.evil, mallory.device)) == was


async def test_words_of_who_does_not_know_of_a_removal_are_refused_by_who_does(three: Circle) -> None:
    alice, bob, mallory = three.members
    await bob.leave()
    held, watching = Held(bob), Watching(alice)
    async with Client.open(bob.place) as unknowing:  # it does not listen: what it sends is all it does
        with three.evil.doing(held, watching):
            await unknowing.send(three.target, "for mallory as well")
            await alice.hears("for mallory as well")
    [like] = [entry for entry in watching.found.values() if entry.sealed]
    await bob.come_back()
    await three.remove(alice, mallory)
    place = await three.head() + 1
    with three.evil.doing(InPlaceOf(alice, {place: held_in_group(held, like)})):
        await three.say(bob, "without mallory")
        await alice.comes(lambda: bool({"epoch_back", "entry_forked"} & alice.refused()))
    assert alice.texts().count("for mallory as well") == 1


async def test_who_was_put_out_is_given_nothing_though_the_server_keeps_them(three: Circle) -> None:
    alice, bob, mallory = three.members
    before = await three.epoch()
    await three.remove(alice, mallory)
    was = len(given_to(three.evil, mallory.device))
    now = await three.epoch()
    kept = change(before, epoch=now.epoch + 1)
    stale = Stale(alice.device, 1_000, epoch=kept.epoch, roster=kept.roster.hex())
    lies = three.evil.doing(stale, FalseEpoch(alice, lambda _: kept))
    with lies, pytest.raises(KeyRefused, match="roster_mismatch"):
        await three.say(alice, "not for mallory", deadline=20)
    assert len(given_to(three.evil, mallory.device)) == was
    assert mallory.account.bytes not in roles(alice, three.id)
    await three.say(alice, "and on it goes")
    await bob.hears("and on it goes")


# What a newcomer is told ----------------------------------------------------------------------------------------------

LIES: dict[str, Callable[..., EpochMembers]] = {
    "a member is left out": lambda _, found: change(found, members=found.members[1:]),
    "somebody is added": lambda ghost, found: change(found, members=[*found.members, MemberVersion(ghost.account, 1)]),
    "versions of before": lambda _, found: change(found, members=[change(one, version=1) for one in found.members]),
    "no such versions": lambda _, found: change(found, members=[change(one, version=99) for one in found.members]),
    "the statement before": lambda _, found: change(found, statement=found.statement - 1),
    "another roster": lambda _, found: change(found, roster=b"\2" * 32),
}


async def test_an_epoch_that_is_told_falsely_lets_nobody_read(circle: Circle) -> None:
    alice, bob, [mallory] = *circle.members, circle.outside
    phone = await circle.people.link(bob)
    await bob.client.keys.revoke(phone.device, None)
    was = len(given_to(circle.evil, mallory.device)), len(given_to(circle.evil, phone.device))
    for what, lie in LIES.items():
        carol = await circle.people.newcomer("carol")
        with noted(what):
            with circle.evil.doing(FalseEpoch(carol, partial(lie, mallory))):
                await alice.client.groups.add_members(circle.target, [carol.username])
                with suppress(ClientError):
                    await circle.say(carol, "who reads this?", deadline=2)
            await circle.say(alice, f"{what}: now all is well")
            await carol.hears(f"{what}: now all is well")
            await circle.say(carol, f"{what}: so it is")
            await circle.heard([alice, bob], f"{what}: so it is")
    assert (len(given_to(circle.evil, mallory.device)), len(given_to(circle.evil, phone.device))) == was
