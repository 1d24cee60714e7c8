"""Search for people by name, as far as they let themselves be found, and in one's own address book."""

import re
from collections.abc import Sequence

from aparte.server.accounts import actions as accounts
from aparte.server.contacts import actions as contacts
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.search import rules, store
from aparte.server.search.folding import words_in
from aparte.server.search.memory import Memory
from aparte.wire.accounts import Contact, FindPerson, Person
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId
from aparte.wire.search import FoundPeople

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"\+[0-9 ()./-]{6,24}")


async def people(db: Database, memory: Memory, caller: Caller, typed: str, limit: int, *, mine: bool) -> FoundPeople:
    """Find people, the best match first; `mine` looks in one's own address book, nicknames included.

    A whole address or number finds who may be found by it, and nobody else (B-036); administrators find anybody by it.
    """
    text = typed.strip()
    if mine:
        return FoundPeople(await _in_book(db, caller, text, limit))
    if _EMAIL.fullmatch(text) or _PHONE.fullmatch(text):
        return FoundPeople(await _at(db, caller, text))
    async with memory.seat():
        return FoundPeople(await _named(db, memory, caller, text, limit))


async def _named(db: Database, memory: Memory, caller: Caller, typed: str, limit: int) -> list[Person]:
    words = words_in(typed)
    if not words:
        return []
    username = typed.lower().removeprefix("@")

    async def ask() -> Sequence[AccountId]:
        async with db.read() as reader:
            return await store.select_people(reader, username, " ".join(words), rules.all_words(words))

    candidates = await memory.candidates(("people", username), ask)
    async with db.read() as reader:
        allowed = await contacts.allowed(reader, caller.account, candidates, "find_by_name")
        allowed &= await store.select_open(reader, list(allowed))
        kept = [account for account in candidates if account in allowed][:limit]
        return list((await contacts.as_seen(reader, caller.account, kept)).values())


async def _at(db: Database, caller: Caller, address: str) -> list[Person]:
    wanted = FindPerson(email=address) if "@" in address else FindPerson(phone=address)
    if caller.role == "admin":
        async with db.read() as reader:
            rows = await accounts.people_at(reader, email=wanted.email, phone=wanted.phone)
            return list((await contacts.as_seen(reader, caller.account, [row.account for row in rows])).values())
    try:
        return [await contacts.find(db, caller, wanted)]
    except Refusal as refusal:
        if refusal.code != "not_found":
            raise
        return []


async def _in_book(db: Database, caller: Caller, typed: str, limit: int) -> list[Person]:
    words = words_in(typed)
    book = await contacts.contacts(db, caller)
    ranked = [
        (rank, contact.person.username, contact.person)
        for contact in book.contacts
        if words and not contact.is_blocked and (rank := rules.rank_of_names(_names(contact), words)) is not None
    ]
    return [person for _, _, person in sorted(ranked, key=lambda row: row[:2])[:limit]]


def _names(contact: Contact) -> list[str]:
    return [contact.person.username, contact.person.display_name, contact.nickname or ""]
