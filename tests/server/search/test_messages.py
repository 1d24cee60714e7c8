"""Searching in messages: what is found, what is never found, and in which order."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from tests.server.search.conftest import Library, texts
from tests.support import rooms

from aparte.server.jobs.schedule import until_none
from aparte.server.kit.caller import Caller
from aparte.server.messages import actions as messages
from aparte.server.search import actions, rules
from aparte.wire.errors import Refusal
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId, first_id_at, time_of
from aparte.wire.messages import PinMessage, React

Admin = Any


@pytest.fixture
async def alice(admin: Admin) -> Caller:
    """Alice."""
    return await rooms.person(admin)


@pytest.fixture
async def bob(admin: Admin) -> Caller:
    """Bob."""
    return await rooms.person(admin)


@pytest.fixture
async def salon(admin: Admin, alice: Caller, bob: Caller) -> ConversationId:
    """A room where both are."""
    return await rooms.room(admin, alice, bob)


async def speaks(admin: Admin, room: ConversationId, language: str) -> None:
    """Have a room's words searched by another language's rules."""
    await admin.execute("UPDATE conversations SET language = $2 WHERE conversation_id = $1", room, language)


# Words ----------------------------------------------------------------------------------------------------------------


FOUND = [
    ("Les chevaux sont à l’écurie", "cheval écurie"),
    ("Les maisons bleues", "maison"),
    ("Ma grand-mère a dit oui", "grand mere"),
    ("Ma grand-mère a dit oui", '"grand mère" OUI'),
    ("Son œuvre est ﬁnie", "oeuvre finie"),
    ("STRASSE", "straße"),
    ("été", "e\u0301te\u0301"),
    ("le café est froid", "CAFE"),
    ("voir https://example.org/plan/b", "example.org"),
    ("voir https://example.org/plan/b", "plan"),
    ("bravo 🎉🎉", "🎉"),
    ("東京タワーに行く", "東京"),
    ("version 3.14 sortie", "3.14"),
    ("une nationalité double", "nationali"),
    ("on déménage demain", "démé"),
    ("oui", "oui"),
]
NOT_FOUND = [
    ("grand et belle mère", '"grand mère"'),
    ("mère grand", '"grand mère"'),
    ("le chat dort", "chat -dort"),
    ("le chat dort", "chat chien"),
    ("démarche", "arche"),
    ("concert", "co"),
]
SYNTAX = [
    "a & b",
    "'",
    "\\",
    "x:*",
    "!!!",
    "a <-> b",
    '"',
    "()",
    "-",
    "| or &",
    "%",
    "' OR 1=1 --",
    "\ufffd",
    "a" * 200,
]


async def test_words_are_found_whatever_their_form(library: Library, admin: Admin, alice: Caller) -> None:
    """Case, accents, ligatures and endings do not count, and a word may be begun."""
    for said, typed in FOUND:
        room = await rooms.room(admin, alice)
        await library.say(alice, room, "autre chose")
        await library.say(alice, room, said)
        assert await library.found(alice, typed, conversation=room) == [said]


async def test_words_that_do_not_fit_are_not_found(library: Library, admin: Admin, alice: Caller) -> None:
    for said, typed in NOT_FOUND:
        room = await rooms.room(admin, alice)
        await library.say(alice, room, said)
        assert await library.found(alice, typed, conversation=room) == [], typed


async def test_nothing_that_is_typed_is_a_query_s_syntax(
    library: Library, alice: Caller, salon: ConversationId
) -> None:
    """B-034: two words alone were a syntax error."""
    await library.say(alice, salon, "du texte")
    for typed in SYNTAX:
        assert await library.found(alice, typed) == [], typed
    assert await library.found(alice, "du texte") == ["du texte"]


async def test_names_that_are_stop_words_are_found(library: Library, admin: Admin, alice: Caller) -> None:
    """B-035: stemming in English dropped Will, and "or" was nothing at all."""
    room = await rooms.room(admin, alice)
    await speaks(admin, room, "en")
    await library.say(alice, room, "Will said yes or no")
    assert await library.found(alice, "will") == ["Will said yes or no"]
    assert await library.found(alice, "or") == ["Will said yes or no"]


async def test_each_room_has_the_endings_of_its_language(library: Library, admin: Admin, alice: Caller) -> None:
    """B-124: whatever the language, it was French. One search over all of them asks each by its own rules."""
    for language in ("en", "fr", "simple"):
        room = await rooms.room(admin, alice)
        await speaks(admin, room, language)
        await library.say(alice, room, f"we are running late, les chevaux aussi ({language})")
    assert await library.found(alice, "run -x") == ["we are running late, les chevaux aussi (en)"]
    assert await library.found(alice, "cheval -x") == ["we are running late, les chevaux aussi (fr)"]
    assert len(await library.found(alice, "running chevaux -x")) == 3


async def test_another_language_is_read_again_in_the_background(
    library: Library, admin: Admin, alice: Caller, salon: ConversationId
) -> None:
    await library.say(alice, salon, "we are running late")
    assert await library.found(alice, "run -x") == []
    await speaks(admin, salon, "en")
    await library.say(alice, salon, "now in English")
    assert await library.found(alice, "run -x") == ["we are running late"]


async def test_or_finds_one_of_two(library: Library, alice: Caller, salon: ConversationId) -> None:
    for text in ("un chat", "un chien", "un lapin"):
        await library.say(alice, salon, text)
    assert await library.found(alice, "chat OR chien") == ["un chien", "un chat"]
    assert await library.found(alice, "un -chat -chien") == ["un lapin"]
    assert await library.found(alice, "-chat -chien") == ["un lapin"]


async def test_mark_up_is_no_word(library: Library, alice: Caller, salon: ConversationId) -> None:
    text = "<strong>gras</strong> &amp; maigre"
    await library.say(alice, salon, text, format="html")
    assert await library.found(alice, "strong -x") == []
    answer = await library.search(alice, "gras maigre")
    [(a, b), (c, d)] = answer.found[0].highlights
    kept = texts(answer)[0]
    assert (kept[a:b], kept[c:d]) == ("gras", "maigre")


async def test_places_of_words_are_told(library: Library, alice: Caller, salon: ConversationId) -> None:
    said = "🎉 L’Œuvre, les œuvres et l’e\u0301te\u0301"
    await library.say(alice, salon, said)
    answer = await library.search(alice, "oeuvre été")
    shown = texts(answer)[0]
    assert [shown[begin:end].lower() for begin, end in answer.found[0].highlights] == ["œuvre", "œuvres", shown[-3:]]


# Filters --------------------------------------------------------------------------------------------------------------


async def test_filters_narrow_a_search(library: Library, admin: Admin, alice: Caller, bob: Caller) -> None:
    one, other = await rooms.room(admin, alice, bob), await rooms.room(admin, alice, bob)
    first = await library.say(alice, one, "thé un")
    second = await library.say(bob, one, "thé deux")
    third = await library.say(alice, other, "thé trois")
    assert await library.found(alice, "the") == ["thé trois", "thé deux", "thé un"]
    assert await library.found(alice, "the", conversation=one) == ["thé deux", "thé un"]
    assert await library.found(bob, "the", author=alice.account) == ["thé trois", "thé un"]
    assert await library.found(bob, author=bob.account) == ["thé deux"]
    assert await library.found(alice, "the", before=third) == ["thé deux", "thé un"]
    assert await library.found(alice, "the", after=first) == ["thé trois", "thé deux"]
    assert await library.found(alice, "the", after=first, before=third) == ["thé deux"]
    later = first_id_at(time_of(third) + timedelta(seconds=1))
    assert await library.found(alice, "the", after=later) == []
    assert await library.found(alice, "the", before=second, author=bob.account) == []


async def test_what_messages_have_is_asked_for(
    library: Library, alice: Caller, bob: Caller, salon: ConversationId
) -> None:
    link = await library.say(alice, salon, "ici https://example.org")
    code = await library.say(alice, salon, "print()", format="code")
    reply = await library.say(bob, salon, "bien vu", reply=link)
    mention = await library.say(alice, salon, f"merci @{await name_of(library, bob)}")
    asked: dict[str, EntryId] = {"link": link, "code": code, "reply": reply, "mention": mention}
    for thing, message in asked.items():
        answer = await library.search(bob, has=(thing,))
        assert [one.message.id for one in answer.found] == [message], thing
    assert await library.found(bob, "ici", has=("link", "code")) == []


async def name_of(library: Library, who: Caller) -> str:
    """Somebody's user name."""
    async with library.db.read() as reader:
        name: str = await reader.fetchval("SELECT username FROM accounts WHERE account_id = $1", who.account)
        return name


async def test_what_is_done_to_messages_is_asked_for(
    library: Library, alice: Caller, bob: Caller, salon: ConversationId
) -> None:
    """And no longer, once it is taken back."""
    message = await library.say(alice, salon, "une idée")
    for thing in ("reaction", "pin", "thread"):
        assert await library.found(bob, has=(thing,)) == []
    await messages.react(library.db, bob, salon, message, React(ClientMessageId(uuid4()), "👍"))
    await messages.pin(library.db, alice, salon, message, PinMessage(ClientMessageId(uuid4())))
    answer = await library.say(bob, salon, "d’accord", thread=message)
    for thing in ("reaction", "pin", "thread"):
        assert await library.found(bob, "idée", has=(thing,)) == ["une idée"], thing
    await messages.react(library.db, bob, salon, message, React(ClientMessageId(uuid4()), "👍", on=False))
    await messages.pin(library.db, alice, salon, message, PinMessage(ClientMessageId(uuid4()), on=False))
    await library.delete(bob, salon, answer)
    for thing in ("reaction", "pin", "thread"):
        assert await library.found(bob, has=(thing,)) == [], thing


HELD = {"build": 7, "ok": True, "tags": ["a", "b"], "by": {"name": "ci", "at": 1}, "none": None}
WANTED: list[tuple[dict[str, Any], bool]] = [
    ({"build": 7}, True),
    ({"build": 7.0}, True),
    ({"build": "7"}, False),
    ({"ok": True}, True),
    ({"tags": ["b"]}, True),
    ({"tags": ["z"]}, False),
    ({"by": {"name": "ci"}}, True),
    ({"by": {"name": "me"}}, False),
    ({"build": 7, "ok": False}, False),
    ({"none": None}, True),
    ({"other": None}, False),
]


async def test_metadata_are_asked_for_by_what_they_hold(library: Library, alice: Caller, salon: ConversationId) -> None:
    """R-320."""
    await library.say(alice, salon, "construit", metadata=HELD)
    await library.say(alice, salon, "sans rien")
    for wanted, is_found in WANTED:
        expected = ["construit"] if is_found else []
        assert await library.found(alice, metadata=wanted) == expected, wanted
        assert await library.found(alice, "construit", metadata=wanted) == expected, wanted


async def test_a_search_for_everything_is_refused(library: Library, alice: Caller) -> None:
    with pytest.raises(Refusal, match="invalid"):
        await library.search(alice, "  ")


# Who finds ------------------------------------------------------------------------------------------------------------


async def test_only_members_find(library: Library, admin: Admin, alice: Caller, bob: Caller) -> None:
    """And from the moment on at which they are no longer in, nothing."""
    stranger = await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    await library.say(alice, room, "entre nous")
    assert await library.found(bob, "entre") == ["entre nous"]
    assert await library.found(stranger, "entre") == []
    with pytest.raises(Refusal, match="not_member"):
        await library.search(stranger, "entre", conversation=room)
    await admin.execute(
        "UPDATE members SET left_at = now(), left_seq = 1, left_id = joined_id WHERE account_id = $1", bob.account
    )
    assert await library.found(bob, "entre") == []


async def test_nothing_is_found_in_conversations_that_are_gone(
    library: Library, admin: Admin, alice: Caller, salon: ConversationId
) -> None:
    """And their words leave the index."""
    await library.say(alice, salon, "adieu")
    assert await library.found(alice, "adieu") == ["adieu"]
    await admin.execute("UPDATE conversations SET deleted_at = now() WHERE conversation_id = $1", salon)
    assert await library.found(alice, "adieu") == []
    await forget(library)
    assert await kept(admin) == []


async def forget(library: Library) -> None:
    """Run the jobs of this slice."""
    await until_none(library.db, actions.forget_expired)
    await until_none(library.db, actions.forget_closed)


async def kept(admin: Admin) -> list[str]:
    """All that the index holds of messages."""
    return [row["words"] for row in await admin.fetch("SELECT words::text FROM message_search")]


# What is no longer there ----------------------------------------------------------------------------------------------


async def test_an_edit_is_found_by_its_new_words_alone(
    library: Library, admin: Admin, alice: Caller, salon: ConversationId
) -> None:
    message = await library.say(alice, salon, "ancien mot")
    assert await library.found(alice, "ancien") == ["ancien mot"]
    await library.edit(alice, salon, message, "nouveau mot")
    assert await library.found(alice, "ancien") == []
    assert await library.found(alice, "nouveau mot") == ["nouveau mot"]
    assert not any("ancien" in words for words in await kept(admin))


async def test_what_is_deleted_is_not_found_from_that_moment_on(
    library: Library, admin: Admin, alice: Caller, bob: Caller, salon: ConversationId
) -> None:
    """The index may be late; the search is not. A restore brings it back."""
    message = await library.say(alice, salon, "mot secret")
    assert await library.found(bob, "secret") == ["mot secret"]
    library.is_deaf = True
    await library.indexer.look()
    await library.delete(alice, salon, message)
    assert await library.found(bob, "secret") == []
    assert await kept(admin) != []
    await library.indexer.look()
    assert await library.found(bob, "secret") == []
    assert await kept(admin) == []
    library.is_deaf = False
    await messages.restore(library.db, alice, salon, message, ClientMessageId(uuid4()))
    assert await library.found(bob, "secret") == ["mot secret"]


async def test_what_is_hidden_is_found_by_the_others(
    library: Library, alice: Caller, bob: Caller, salon: ConversationId
) -> None:
    message = await library.say(alice, salon, "gênant")
    await messages.hide(library.db, bob, salon, message)
    assert await library.found(bob, "genant") == []
    assert await library.found(alice, "genant") == ["gênant"]


async def test_what_has_disappeared_is_not_found_and_leaves_the_index(
    library: Library, admin: Admin, alice: Caller, salon: ConversationId
) -> None:
    await library.say(alice, salon, "bref instant", ttl=5)
    await library.say(alice, salon, "long instant")
    assert await library.found(alice, "instant") == ["long instant", "bref instant"]
    await admin.execute("UPDATE messages SET expires_at = now() WHERE expires_at IS NOT NULL")
    await admin.execute("UPDATE message_search SET expires_at = now() WHERE expires_at IS NOT NULL")
    assert await library.found(alice, "instant") == ["long instant"]
    await forget(library)
    assert len(await kept(admin)) == 1


# Pages ----------------------------------------------------------------------------------------------------------------


async def test_pages_go_through_all_that_is_found(library: Library, admin: Admin, alice: Caller, bob: Caller) -> None:
    """Newest first over all rooms, without hole or repeat, whatever is hidden from the asker in between."""
    here = [await rooms.room(admin, alice, bob) for _ in range(3)]
    said = {await library.say(alice, here[n % 3], f"mot {n}"): n for n in range(30)}
    gone = [list(said)[n] for n in (3, 4, 10, 29)]
    for message in gone[1:]:
        await messages.hide(library.db, bob, here[said[message] % 3], message)
    await library.delete(alice, here[said[gone[0]] % 3], gone[0])
    seen: list[str] = []
    answer = await library.search(bob, "mot", 7)
    while answer.next is not None:
        seen += texts(answer)
        answer = await library.search(bob, "mot", 7, before=answer.next)
    seen += texts(answer)
    assert seen == [f"mot {said[message]}" for message in sorted(said, reverse=True) if message not in gone]


async def test_no_hit_is_lost_or_found_twice_between_spans(
    library: Library, admin: Admin, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest spans one by one, older ones several at a time, from wherever a page begins."""
    monkeypatch.setattr(rules, "SPAN", 2)
    here = [await rooms.room(admin, alice) for _ in range(2)]
    said = [await library.say(alice, here[n % 3 == 0], "mot rare" if n % 7 == 0 else "mot") for n in range(90)]
    await library.edit(alice, here[0], said[1], "autre")
    for typed, wanted in (("mot ", {*range(90)} - {1}), ("rare ", {*range(0, 90, 7)})):
        for room in (None, *here):
            expected = sorted((said[n] for n in wanted if room in {None, here[n % 3 == 0]}), reverse=True)
            for limit in (1, 5, 50):
                assert await all_ids(library, alice, typed, limit, room) == expected


async def all_ids(library: Library, who: Caller, typed: str, limit: int, room: ConversationId | None) -> list[EntryId]:
    """What all pages of a search hold, in their order."""
    answer = await library.search(who, typed, limit, conversation=room)
    ids = [one.message.id for one in answer.found]
    while answer.next is not None:
        answer = await library.search(who, typed, limit, conversation=room, before=answer.next)
        ids += [one.message.id for one in answer.found]
    return ids
