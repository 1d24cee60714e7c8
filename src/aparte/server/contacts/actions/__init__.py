"""What the world and other slices may ask about people, by verb."""

from aparte.server.contacts.actions.asking import accept, ask, decline, forget_old, requests, withdraw
from aparte.server.contacts.actions.blocking import block, blocks, unblock
from aparte.server.contacts.actions.book import add, contacts, remove
from aparte.server.contacts.actions.people import (
    Aspect,
    allowed,
    as_seen,
    audience,
    audiences,
    blocked_among,
    blocked_between,
    find,
    may_write,
    people,
    people_named,
    person,
)

__all__ = [
    "Aspect",
    "accept",
    "add",
    "allowed",
    "as_seen",
    "ask",
    "audience",
    "audiences",
    "block",
    "blocked_among",
    "blocked_between",
    "blocks",
    "contacts",
    "decline",
    "find",
    "forget_old",
    "may_write",
    "people",
    "people_named",
    "person",
    "remove",
    "requests",
    "unblock",
    "withdraw",
]
