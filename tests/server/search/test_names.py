"""Searching for people and rooms: who is found by whom."""

from typing import Any

import pytest
from tests.server.search.conftest import Library
from tests.support import rooms

from aparte.server.accounts import actions as accounts
from aparte.server.contacts import actions as contacts
from aparte.server.kit.caller import Caller
from aparte.server.search import memory
from aparte.wire.accounts import AccountChange, Privacy
from aparte.wire.content import SearchLanguage
from aparte.wire.ids import ConversationId

Admin = Any


async def person(
    library: Library, admin: Admin, username: str, display_name: str, bio: str = "", **privacy: Any
) -> Caller:
    """Somebody of this name."""
    caller = await rooms.person(admin, username)
    change = AccountChange(display_name=display_name, bio=bio, privacy=Privacy(**privacy))
    await accounts.change(library.db, caller, change)
    return caller


@pytest.fixture
async def alice(library: Library, admin: Admin) -> Caller:
    """Who searches."""
    return await person(library, admin, "alice", "Alice Martin")


async def test_people_are_found_the_best_match_first(library: Library, admin: Admin, alice: Caller) -> None:
    """R-314, R-316, R-317: the name itself, its beginning, words, a slip of the finger. B-037: whatever the case."""
    await person(library, admin, "jean", "Le Grand")
    await person(library, admin, "Jean-Paul", "Zoé")
    await person(library, admin, "zz_9", "Jeanne d’Arc")
    await person(library, admin, "dupont", "Émile Jean")
    await person(library, admin, "menuisier", "Xavier", bio="Je m’appelle Jean et je fabrique des chaises")
    await person(library, admin, "jehan", "Autre")
    assert await library.people(alice, "JEAN") == ["jean", "Jean-Paul", "zz_9", "dupont", "menuisier", "jehan"]
    assert (await library.people(alice, "@jean-p"))[0] == "Jean-Paul"
    assert await library.people(alice, "emile") == ["dupont"]
    assert await library.people(alice, "chaise") == ["menuisier"]
    assert (await library.people(alice, "dupnot"))[0] == "dupont"
    assert await library.people(alice, "_") == []


async def test_names_of_stop_words_are_found(library: Library, admin: Admin, alice: Caller) -> None:
    """B-035: the vector of somebody named Will was empty."""
    await person(library, admin, "will", "Will")
    assert await library.people(alice, "will") == ["will"]


async def test_a_new_name_is_found_and_the_old_one_is_not(library: Library, admin: Admin, alice: Caller) -> None:
    bob = await person(library, admin, "bob", "Robert")
    assert await library.people(alice, "robert") == ["bob"]
    await accounts.change(library.db, bob, AccountChange(display_name="Bernard"))
    library.clock += memory.KEPT_SECONDS
    assert await library.people(alice, "bernard") == ["bob"]
    assert await library.people(alice, "robert") == []


async def test_nobody_is_found_who_does_not_want_it(library: Library, admin: Admin, alice: Caller) -> None:
    bob = await person(library, admin, "bob", "Bob", find_by_name="nobody")
    carol = await person(library, admin, "carol", "Carol", find_by_name="contacts")
    assert await library.people(alice, "bob") == []
    assert await library.people(bob, "bob") == ["bob"]
    assert await library.people(alice, "carol") == []
    await contacts.add(library.db, carol, alice.account, None)
    assert await library.people(alice, "carol") == ["carol"]


@pytest.mark.parametrize("by_alice", [True, False])
async def test_a_block_holds_from_the_next_search_on(
    library: Library, admin: Admin, alice: Caller, *, by_alice: bool
) -> None:
    """Whoever blocks, and although the candidates are remembered for a moment (R-322)."""
    bob = await person(library, admin, "bob", "Bob")
    assert await library.people(alice, "bob") == ["bob"]
    blocker, blocked = (alice, bob) if by_alice else (bob, alice)
    await contacts.block(library.db, blocker, blocked.account, None)
    assert await library.people(alice, "bob") == []


@pytest.mark.parametrize("column", ["deleted_at = now()", "is_suspended = true", "is_active = false"])
async def test_closed_accounts_are_not_found(library: Library, admin: Admin, alice: Caller, column: str) -> None:
    bob = await person(library, admin, "bob", "Bob")
    assert await library.people(alice, "bob") == ["bob"]
    await admin.execute(f"UPDATE accounts SET {column} WHERE account_id = $1", bob.account)  # noqa: S608 - from the list above
    assert await library.people(alice, "bob") == []


async def test_an_address_is_matched_whole_and_with_leave_alone(library: Library, admin: Admin, alice: Caller) -> None:
    """B-036: addresses stood among the words, and everybody found everybody by them."""
    bob = await person(library, admin, "bob", "Bob", find_by_email="everyone")
    carol = await person(library, admin, "carol", "Carol")
    for who, address in ((bob, "bricoleur@example.org"), (carol, "chanteuse@example.org")):
        await admin.execute("UPDATE accounts SET email = $2 WHERE account_id = $1", who.account, address)
    assert await library.people(alice, "bricoleur@example.org") == ["bob"]
    assert await library.people(alice, "chanteuse@example.org") == []
    for part in ("bricoleur@example", "bricoleur", "example", "example.org", "@example.org"):
        assert await library.people(alice, part) == [], part
    assert await library.people(alice._replace(role="admin"), "chanteuse@example.org") == ["carol"]
    held = [str(dict(row)) for row in await admin.fetch("SELECT username, name, words::text FROM account_search")]
    assert not any("example" in row for row in held)


async def test_a_number_is_matched_whole_and_with_leave_alone(library: Library, admin: Admin, alice: Caller) -> None:
    bob = await person(library, admin, "bob", "Bob", find_by_phone="everyone")
    await admin.execute("UPDATE accounts SET phone = '+33612345678' WHERE account_id = $1", bob.account)
    assert await library.people(alice, "+33 6 12 34 56 78") == ["bob"]
    assert await library.people(alice, "+3361234567") == []
    await accounts.change(library.db, bob, AccountChange(privacy=Privacy()))
    assert await library.people(alice, "+33612345678") == []


async def test_one_s_own_book_is_searched_by_nicknames_too(library: Library, admin: Admin, alice: Caller) -> None:
    """R-321."""
    bob = await person(library, admin, "bob", "Robert", find_by_name="nobody")
    await person(library, admin, "bobby", "Bobby")
    await contacts.add(library.db, alice, bob.account, "Le Plombier")
    assert await library.people(alice, "plombier", mine=True) == ["bob"]
    assert await library.people(alice, "rob", mine=True) == ["bob"]
    assert await library.people(alice, "bobby", mine=True) == []
    assert await library.people(alice, "!!", mine=True) == []


async def test_so_many_are_found_and_no_more(library: Library, admin: Admin, alice: Caller) -> None:
    for number in range(3):
        await person(library, admin, f"double{number}", "Double")
    assert len(await library.people(alice, "double", limit=3)) == 3
    assert len(await library.people(alice, "double", limit=2)) == 2


# Rooms ----------------------------------------------------------------------------------------------------------------


async def room(
    admin: Admin, owner: Caller, name: str, language: SearchLanguage = "fr", **columns: Any
) -> ConversationId:
    """A room of this name."""
    conversation = await rooms.room(admin, owner, name=name)
    await admin.execute("UPDATE conversations SET language = $2 WHERE conversation_id = $1", conversation, language)
    for column, value in columns.items():
        await admin.execute(f"UPDATE conversations SET {column} = $2 WHERE conversation_id = $1", conversation, value)  # noqa: S608 - names of this file
    return conversation


async def test_rooms_are_found_the_best_match_first(library: Library, admin: Admin, alice: Caller) -> None:
    """R-315, R-316, R-319: by name before topic and description, whatever the form of the words."""
    bob = await rooms.person(admin)
    await room(admin, bob, "Autre", topic="tout sur les échecs")
    await room(admin, bob, "Échecs et mat")
    await room(admin, bob, "Échecs")
    await room(admin, bob, "Jeux", description="Le Go, l’échec et le bridge")
    await library.indexer.look()
    found = await library.rooms(alice, "echecs")
    assert found[:2] == ["Échecs", "Échecs et mat"]
    assert set(found[2:]) == {"Autre", "Jeux"}
    assert (await library.rooms(alice, "échec et mt"))[0] == "Échecs et mat"
    assert await library.rooms(alice, "bridge") == ["Jeux"]
    assert await library.rooms(alice, "!!") == []


async def test_private_rooms_are_found_by_their_members_alone(library: Library, admin: Admin, alice: Caller) -> None:
    """And what is called otherwise, or closed, is found so from the next search on."""
    bob = await rooms.person(admin)
    private = await room(admin, bob, "Comité secret", is_public=False)
    await library.indexer.look()
    assert await library.rooms(bob, "secret") == ["Comité secret"]
    assert await library.rooms(alice, "secret") == []
    await admin.execute("UPDATE conversations SET is_public = true WHERE conversation_id = $1", private)
    library.clock += memory.KEPT_SECONDS
    assert await library.rooms(alice, "secret") == ["Comité secret"]
    await admin.execute("UPDATE conversations SET is_public = false WHERE conversation_id = $1", private)
    assert await library.rooms(alice, "secret") == []
    await admin.execute("UPDATE conversations SET deleted_at = now() WHERE conversation_id = $1", private)
    assert await library.rooms(bob, "secret") == []


async def test_what_is_not_for_every_eye_is_asked_for(library: Library, admin: Admin, alice: Caller) -> None:
    await room(admin, alice, "Salon rouge", is_nsfw=True)
    await library.indexer.look()
    assert await library.rooms(alice, "rouge") == []
    assert await library.rooms(alice, "rouge", nsfw=True) == ["Salon rouge"]


async def test_rooms_are_found_by_their_metadata(library: Library, admin: Admin, alice: Caller) -> None:
    """R-320."""
    one = await room(admin, alice, "Un salon")
    await room(admin, alice, "Deux salons")
    await admin.execute("""UPDATE conversations SET metadata = '{"team": "a"}' WHERE conversation_id = $1""", one)
    await library.indexer.look()
    assert await library.rooms(alice, team="a") == ["Un salon"]
    assert await library.rooms(alice, "salon", team="a") == ["Un salon"]
    assert await library.rooms(alice, "salon", team="b") == []
