"""The people of a profile: address book, requests, blocks, who may find whom; and the server's search."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.client.conftest import Newcomer
from tests.client.test_conversations import refusal, two
from tests.client.test_readable_messages import room

from aparte.client import Client, FoundMessage


async def test_an_address_book_is_ones_own(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    added = await ann.contacts.add(f"bob-{tag}", nickname="Bobby")
    assert (added.person.username, added.nickname) == (f"bob-{tag}", "Bobby")
    assert [one.person.username for one in await ann.contacts.list()] == [f"bob-{tag}"]
    assert await bob.contacts.list() == []
    await ann.contacts.remove(f"@bob-{tag}")
    assert await ann.contacts.list() == []
    assert await refusal(ann.contacts.add(f"nobody-{tag}")) == "no_such_member"


async def test_a_request_makes_contacts_of_both_once_it_is_accepted(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    carol = await newcomer("carol")
    await ann.contacts.request(f"bob-{tag}", "it is me")
    await ann.contacts.request(f"carol-{tag}")
    [asked] = await bob.contacts.requests()
    assert (asked.person.username, asked.is_mine, asked.note, asked.status) == (
        f"ann-{tag}",
        False,
        "it is me",
        "pending",
    )
    assert (await bob.contacts.accept(f"ann-{tag}")).status == "accepted"
    assert [one.person.username for one in await ann.contacts.list()] == [f"bob-{tag}"]
    assert [one.person.username for one in await bob.contacts.list()] == [f"ann-{tag}"]
    await carol.contacts.decline(f"ann-{tag}")
    assert await refusal(ann.contacts.request(f"carol-{tag}")) == "too_soon"
    await carol.contacts.request(f"bob-{tag}")
    await carol.contacts.withdraw(f"bob-{tag}")
    assert await refusal(bob.contacts.accept(f"carol-{tag}")) in {"not_found", "over"}


async def test_who_is_blocked_reaches_one_no_more(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    await ann.contacts.block(f"bob-{tag}", "enough")
    [block] = await ann.contacts.blocks()
    assert (block.person.username, block.reason) == (f"bob-{tag}", "enough")
    assert await refusal(bob.send(f"@ann-{tag}", "hello?")) == "blocked"
    await ann.contacts.unblock(f"bob-{tag}")
    await bob.send(f"@ann-{tag}", "hello!")
    assert await ann.contacts.blocks() == []


async def test_one_says_of_oneself_what_one_likes_and_is_found_as_one_allows(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    mine = await ann.change_account(bio="writes", status_text="out", language="en")
    assert (mine.bio, mine.status_text, mine.language) == ("writes", "out", "en")
    assert (await ann.change_account(bio=None)).bio is None
    address = f"ann-{tag}@example.org"
    assert await refusal(bob.contacts.find(email=address)) == "not_found"
    after = await ann.change_privacy(find_by_email="everyone", may_write="contacts")
    assert (after.privacy.find_by_email, after.privacy.may_write, after.privacy.may_add) == (
        "everyone",
        "contacts",
        "everyone",
    )
    assert (await bob.contacts.find(email=address)).username == f"ann-{tag}"
    for attempt in (
        bob.contacts.find(),
        bob.contacts.find(email=address, phone="+33123456789"),
        bob.contacts.find(email="nonsense"),
        ann.change_privacy(may_write="friends"),  # type: ignore[arg-type]
        ann.change_account(shoe_size=42),  # type: ignore[call-arg]
    ):
        assert await refusal(attempt) == "invalid"


async def found(who: Client, count: int, words: str, **filters: object) -> list[FoundMessage]:
    """Search until so many are found: the index follows the log."""
    async with asyncio.timeout(20):
        while len(there := await who.search.messages(words, **filters)) < count:  # type: ignore[arg-type]  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return there


async def test_messages_are_found_by_words_and_filters(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    first = await ann.send(target, f"la bibliothèque{tag} est ouverte")
    await bob.send(target, f"quelle bibliothèque{tag} ?", reply=first.id)
    both = await found(ann, 2, f"bibliothèque{tag}")
    assert [one.message.sender for one in both] == [f"bob-{tag}", f"ann-{tag}"]
    begin, end = both[1].highlights[0]
    assert (both[1].message.text or "")[begin:end] == f"bibliothèque{tag}"
    assert both[0].message.reply is not None
    [by_bob] = await ann.search.messages(f"bibliothèque{tag}", sender=f"bob-{tag}", where=target)
    assert by_bob.message == both[0].message
    assert [one.message.id for one in await ann.search.messages("", where=target, has=["reply"])] == [by_bob.message.id]
    [older] = await ann.search.messages(f"bibliothèque{tag}", before=both[0].message.id)
    assert older.message.id == first.id
    past = datetime.now(UTC) - timedelta(days=1)
    assert await ann.search.messages(f"bibliothèque{tag}", before=past) == []
    assert len(await ann.search.messages(f"bibliothèque{tag}", after=past, limit=1)) == 1
    assert await (await newcomer("eve")).search.messages(f"bibliothèque{tag}") == []
    assert await refusal(ann.search.messages("x", where=f"@bob-{tag}")) == "mode_mismatch"


async def test_people_and_rooms_are_found(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    async with asyncio.timeout(20):
        while f"bob-{tag}" not in [one.username for one in await ann.search.people(f"bob-{tag}")]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await ann.search.people(f"bob-{tag}", only_contacts=True) == []
    await ann.change_conversation(target, metadata={"tag": tag})
    assert [f"#{one.name}" for one in await bob.search.rooms(metadata={"tag": tag})] == [target]
    assert target in [f"#{one.name}" for one in await bob.search.rooms(f"lounge-{tag}")]
