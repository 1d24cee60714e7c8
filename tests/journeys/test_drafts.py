# ruff: noqa: ARG002 - a rule names all that it could go by
"""Drafts: begun on one device and found on the others, gone once they are sent, kept while there is no server."""

from typing import Any

import pytest

from aparte.client.errors import ClientError
from tests.support.later import acquainted, comes_to
from tests.support.malice import Malice, Refused, Rule
from tests.support.talk import PASSWORD, Company, Talker


@pytest.fixture
async def two(people: Company) -> tuple[Talker, Talker]:
    """Alice and bob, who have spoken."""
    return await acquainted(people)


async def test_a_draft_is_found_on_ones_other_devices_and_gone_once_it_is_sent(
    people: Company, two: tuple[Talker, Talker]
) -> None:
    alice, bob = two
    tablet = await people.link(alice)
    room = f"#room-{alice.username}"
    await alice.client.new_room(room)
    for target in (bob.name, room, "@me"):
        assert await tablet.client.draft(target) is None
        await alice.client.set_draft(target, f"half a sentence for {target}")
        assert await tablet.client.draft(target) == f"half a sentence for {target}"
    await tablet.client.set_draft(bob.name, "and the other half")
    assert await alice.client.draft(bob.name) == "and the other half"
    await alice.client.send(bob.name, "all of it")
    assert await tablet.client.draft(bob.name) is None
    assert await tablet.client.draft(room) == f"half a sentence for {room}"
    await tablet.client.set_draft(room, "")
    assert await alice.client.draft(room) is None


async def test_a_draft_that_is_too_long_is_refused_and_the_one_before_stays(two: tuple[Talker, Talker]) -> None:
    alice, bob = two
    await alice.client.set_draft(bob.name, "x" * 4_000)
    with pytest.raises(ClientError) as error:
        await alice.client.set_draft(bob.name, "x" * 4_001)
    assert error.value.code == "invalid"
    assert await alice.client.draft(bob.name) == "x" * 4_000


async def test_after_another_account_key_old_drafts_are_gone_and_new_ones_are_read(
    people: Company, two: tuple[Talker, Talker]
) -> None:
    alice, bob = two
    lost, kept = await people.link(alice), await people.link(alice)
    await alice.client.set_draft(bob.name, "sealed under the old key")
    await alice.client.keys.revoke(lost.device, PASSWORD)
    assert await alice.client.draft(bob.name) is None
    await alice.client.set_draft(bob.name, "under the new one")
    await comes_to(lambda: kept.client.draft(bob.name), "under the new one")


async def test_a_draft_written_without_a_server_is_kept_and_handed_in_later(
    evil: Malice, people: Company, two: tuple[Talker, Talker]
) -> None:
    class Deaf(Rule):
        """Takes no drafts."""

        def path(self, asker: Any, method: str, path: str) -> str:
            """Refuse."""
            if method == "PUT" and path.endswith("/draft"):
                self.done += 1
                raise Refused("unavailable")
            return path

    alice, bob = two
    alice.client._session.patience = 0.2
    with evil.doing(Deaf()):
        await alice.client.set_draft(bob.name, "written on the train")
        assert await alice.client.draft(bob.name) == "written on the train"
    await alice.leave()
    await alice.come_back()
    tablet = await people.link(alice)

    async def read() -> list[str | None]:
        return [await tablet.client.draft(bob.name)]

    await comes_to(read, ["written on the train"])
