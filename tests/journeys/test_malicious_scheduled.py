# ruff: noqa: ARG002 - a rule names all that it could go by
"""The server sends what is due early, again, in the words of before, or although it was taken back: it is found out."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from aparte.wire.messages import Scheduled
from tests.support.later import acquainted, let_come, soon
from tests.support.lies import InPlaceOf, Watching
from tests.support.malice import Malice, Rule
from tests.support.talk import Company, Talker

Admin = Any


@pytest.fixture
async def two(people: Company) -> tuple[Talker, Talker]:
    """Alice and bob, who have spoken."""
    return await acquainted(people)


async def test_one_that_comes_early_is_refused(two: tuple[Talker, Talker], server_admin: Admin) -> None:
    alice, bob = two
    one = await alice.client.scheduled.add(bob.name, "not before tomorrow", soon() + timedelta(days=1))
    await let_come(server_admin, one)
    await bob.comes(lambda: "bad_entry" in bob.refused(), "refused")
    assert "not before tomorrow" not in bob.texts()
    await alice.client.send(bob.name, "and on")
    await bob.hears("and on")


async def test_one_that_is_played_again_is_refused(
    evil: Malice, two: tuple[Talker, Talker], server_admin: Admin
) -> None:
    alice, bob = two
    with evil.doing(Watching(bob)) as watching:
        one = await alice.client.scheduled.add(bob.name, "once", soon())
        await let_come(server_admin, one)
        await bob.hears("once")
        await alice.client.send(bob.name, "between")
        await bob.hears("between")
    [seq] = [seq for seq, entry in watching.found.items() if entry.sealed and entry.sealed.counter == 0]
    with evil.doing(InPlaceOf(bob, {seq + 2: watching.found[seq]})):
        await alice.client.send(bob.name, "in whose place it comes")
        await bob.comes(lambda: "replayed" in bob.refused(), "refused")
    assert bob.texts().count("once") == 1


class Keeping(Rule):
    """Keeps what a device was shown of scheduled messages, as it was sealed before."""

    done = 1

    def __init__(self) -> None:
        """Keep it."""
        self.sealed: list[Scheduled] = []

    def answer(self, asker: Any, path: str, answer: Any) -> Any:
        """Keep what is told."""
        if "/scheduled" in path and isinstance(answer, dict) and "sealed" in answer:
            self.sealed.append(msgspec.convert(answer, Scheduled))
        return answer


async def test_words_of_before_are_not_read_beside_those_of_after(
    evil: Malice, two: tuple[Talker, Talker], server_admin: Admin
) -> None:
    """The server has both sealings, and everybody has both keys: the first that comes is the one that counts."""
    alice, bob = two
    with evil.doing(Keeping()) as keeping, evil.doing(Watching(bob)) as watching:
        one = await alice.client.scheduled.add(bob.name, "words of before", soon())
        await alice.client.scheduled.change(bob.name, one.id, text="words of after")
        await let_come(server_admin, one)
        await bob.hears("words of after")
    before = keeping.sealed[0].sealed
    [entry] = [entry for entry in watching.found.values() if entry.sealed and entry.sealed.counter == 0]
    assert before is not None
    assert entry.sealed is not None
    again = msgspec.structs.replace(
        entry, sealed=msgspec.structs.replace(entry.sealed, sealed=before.sealed, envelope=None)
    )
    with evil.doing(InPlaceOf(bob, {entry.seq + 1: again})):
        await alice.client.send(bob.name, "in whose place it comes")
        await bob.comes(lambda: "replayed" in bob.refused(), "refused")
    assert "words of before" not in bob.texts()


async def test_one_that_was_taken_back_and_is_sent_all_the_same_is_told_to_its_author(
    evil: Malice, two: tuple[Talker, Talker]
) -> None:
    alice, bob = two
    with evil.doing(Keeping()) as keeping, evil.doing(Watching(alice)) as watching:
        one = await alice.client.scheduled.add(bob.name, "on second thoughts", soon())
        await alice.client.scheduled.cancel(bob.name, one.id)
        sent = await alice.client.send(bob.name, "an entry to put it into")
        await bob.hears("an entry to put it into")
        await alice.comes(lambda: sent.seq in watching.found, "one's own entry")
    kept, entry = keeping.sealed[0], watching.found[sent.seq]
    assert kept.sealed is not None
    assert entry.sealed is not None
    body = msgspec.structs.replace(
        entry.sealed, counter=0, prev=bytes(32), sealed=kept.sealed.sealed, epoch=kept.sealed.epoch, envelope=None
    )
    false = msgspec.structs.replace(entry, client_message_id=kept.client_message_id, sealed=body)
    with evil.doing(InPlaceOf(alice, {sent.seq + 1: false})):
        await bob.client.send(alice.name, "in whose place it comes")
        await alice.comes(lambda: "entry_forked" in alice.refused(), "refused")
