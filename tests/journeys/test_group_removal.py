"""G7 and G11 in groups: who is out reads nothing that comes after, and a newcomer nothing that came before.

Tried with everything that who is out has (a copy of the whole profile, made while inside), with every chain that
anybody was ever given, and with a server that hands out what somebody inside would get.
"""

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from aparte.client.errors import ClientError
from aparte.wire.groups import StatementPage
from aparte.wire.sealed import SealEntry
from tests.support.circle import Circle, gather
from tests.support.copied import Copy
from tests.support.group_lies import Handing, Hidden, held_in_group
from tests.support.lies import Held, InPlaceOf, Watching, sealed
from tests.support.malice import Malice
from tests.support.talk import PASSWORD, Company, Talker

change = msgspec.structs.replace


@pytest.fixture
async def four(evil: Malice, people: Company) -> Circle:
    """Alice, bob, carol and mallory; everybody has spoken."""
    members = [await people.newcomer(name) for name in ("alice", "bob", "carol", "mallory")]
    circle = await gather(evil, people, "four", *members)
    for one in members:
        await circle.say(one, f"{one.username} speaks")
    for one in members:
        await circle.heard([one], *(f"{other.username} speaks" for other in members if other is not one))
    return circle


async def removed(circle: Circle, mallory: Talker) -> None:
    """Alice puts mallory out."""
    await circle.remove(circle.members[0], mallory)


async def banned(circle: Circle, mallory: Talker) -> None:
    """Alice puts mallory out for good."""
    await circle.remove(circle.members[0], mallory, ban=True)


async def left(circle: Circle, mallory: Talker) -> None:
    """Mallory leaves."""
    await mallory.come_back()
    await mallory.client.leave(circle.target)
    await mallory.leave()


WAYS: dict[str, Callable[[Circle, Talker], Awaitable[None]]] = {
    "removed": removed,
    "banned": banned,
    "left": left,
}


@pytest.mark.parametrize("way", WAYS)
async def test_who_is_out_reads_nothing_with_all_their_keys(four: Circle, way: str) -> None:
    alice, *_, mallory = four.members
    await mallory.leave()
    await four.say(alice, "while mallory is inside")
    [*_, inside] = four.evil.sealed_by(alice.device)
    copy = Copy.of(mallory, four.id, "stolen")
    await WAYS[way](four, mallory)
    await nothing_opens(four, copy, inside, "without mallory")


@pytest.mark.parametrize("is_stolen", [True, False])
async def test_a_device_that_was_taken_off_reads_nothing_with_all_its_keys(four: Circle, is_stolen: bool) -> None:
    alice, bob, *_ = four.members
    phone = await four.people.link(bob)
    await four.say(alice, "bob has a phone")
    await phone.hears("bob has a phone")
    await phone.leave()
    await four.say(alice, "while the phone is bob's")
    [*_, inside] = four.evil.sealed_by(alice.device)
    copy = Copy.of(phone, four.id, "stolen")
    await bob.client.keys.revoke(phone.device, PASSWORD if is_stolen else None)
    await nothing_opens(four, copy, inside, "without the phone")


async def nothing_opens(circle: Circle, copy: Copy, inside: SealEntry, text: str) -> None:
    """Alice and bob speak, and the copy opens neither with anything that was ever given to anybody."""
    alice, bob, *_ = circle.members
    for one in (alice, bob):
        await circle.say(one, f"{one.username}: {text}")
    await alice.hears(f"{bob.username}: {text}")
    await bob.hears(f"{alice.username}: {text}")
    copy.try_everything(circle.evil)
    assert copy.opens(inside), "the copy has not tried"
    assert not any(copy.opens(circle.evil.sealed_by(one.device)[-1]) for one in (alice, bob))


@pytest.mark.parametrize("hidden", [True, False])
async def test_who_was_put_out_reads_nothing_with_the_servers_help(four: Circle, hidden: bool) -> None:
    """The server answers mallory's own client as if carol had asked, who is away: the whole log, carol's chains too."""
    alice, bob, carol, mallory = four.members
    await carol.leave()
    await mallory.leave()
    path = f"/conversations/{four.id}/statements?after=0"
    known = (await four.evil.ask(bob.device, path, StatementPage)).statements
    hiding = Hidden(known[-1], await four.epoch(), mallory)
    await four.remove(alice, mallory)
    for one in (alice, bob):
        await four.say(one, f"{one.username}: without mallory")
    handing = Handing(four.evil, mallory, carol)
    four.evil.rules += [handing, hiding] if hidden else [handing]
    await mallory.come_back()
    await four.say(alice, "and one more while she looks")
    head = await four.head()
    await mallory.comes(lambda: reached(mallory, four) >= head, "has not looked")
    assert handing.done
    assert [state for _, state, _ in mallory.states()[-3:]] == ["refused"] * 3
    four.evil.rules.clear()
    await mallory.leave()
    secrets = {f"{alice.username}: without mallory", f"{bob.username}: without mallory", "and one more while she looks"}
    assert not secrets & set(mallory.texts())
    await carol.come_back()
    await carol.hears("and one more while she looks")


def reached(talker: Talker, circle: Circle) -> int:
    """How far somebody's device has got in the log."""
    with talker.client._session.store.reading() as tx:
        row = tx.row("SELECT max(seq) FROM entries WHERE conversation_id = ?", circle.id.bytes)
    return int(row[0] or 0) if row else 0


async def test_a_newcomer_reads_nothing_of_before_with_all_their_keys(four: Circle) -> None:
    alice, bob, *_ = four.members
    await four.say(alice, "before dave")
    before = [four.evil.sealed_by(one.device)[-1] for one in (alice, bob)]
    dave = await four.people.newcomer("dave")
    await four.add(alice, dave)
    for one in (alice, bob):
        await four.say(one, f"{one.username}: welcome, dave")
    await dave.hears(*(f"{one.username}: welcome, dave" for one in (alice, bob)))
    after = [four.evil.sealed_by(one.device)[-1] for one in (alice, bob)]
    assert [entry.chain for entry in after] == [entry.chain for entry in before], (
        "a newcomer is given the chain as it is"
    )
    await dave.leave()
    copy = Copy.of(dave, four.id, "newcomer")
    copy.try_everything(four.evil)
    assert [copy.opens(entry) for entry in before] == [False, False]
    await four.say(alice, "dave can read this")
    assert copy.opens(four.evil.sealed_by(alice.device)[-1]), "the copy has not tried"


async def test_a_newcomer_reads_nothing_of_before_with_the_servers_help(four: Circle) -> None:
    alice, _, carol, _ = four.members
    await carol.leave()
    await four.say(alice, "before dave")
    dave = await four.people.newcomer("dave")
    with four.evil.doing(Handing(four.evil, dave, carol)):
        await four.add(alice, dave)
        await four.say(alice, "dave is here")
        head = await four.head()
        await dave.comes(lambda: reached(dave, four) >= head)
        shown = {message.text for message in await dave.client.history(four.target)}
    assert not {"before dave", f"{alice.username} speaks"} & (shown | set(dave.texts()))


@pytest.mark.parametrize("of_now", [False, True])
async def test_who_is_out_says_nothing_more_though_the_server_shows_it(four: Circle, of_now: bool) -> None:
    """Sealed while inside and kept by the server: as it was, or said to be of the present epoch."""
    alice, bob, _, mallory = four.members
    held, watching = Held(mallory, "forbidden"), Watching(alice)
    with four.evil.doing(held), pytest.raises(ClientError, match="forbidden"):
        await four.say(mallory, "from beyond")
    await four.remove(alice, mallory)
    with four.evil.doing(watching):
        await four.say(bob, "mallory is out")
        await alice.hears("mallory is out")
    [like] = [entry for entry in watching.found.values() if entry.sealed]
    slipped = change(held_in_group(held, like), account=mallory.account, device=mallory.device)
    if of_now and slipped.sealed and like.sealed:
        slipped = sealed(slipped, epoch=like.sealed.epoch, roster=like.sealed.roster)
    with four.evil.doing(InPlaceOf(alice, {await four.head() + 1: slipped})):
        await four.say(bob, "in its place comes something else")
        await alice.comes(lambda: ("wrong_sender" if of_now else "epoch_back") in alice.refused())
    assert "from beyond" not in alice.texts()
    for text in ("after what was never there", "and on it goes"):
        await four.say(bob, text)
    await alice.hears("and on it goes")
