"""What the world and other slices may ask of keys."""

from aparte.server.keys.actions.lists import (
    check_first,
    dormant,
    is_listed,
    is_same_first,
    lists,
    lists_of,
    put_first,
    store_first,
    store_next,
    version_of,
)
from aparte.server.keys.actions.payloads import delete_old, done, send, waiting
from aparte.server.keys.actions.prekeys import bundles, forget, put_mine, put_prekeys, stock

__all__ = [
    "bundles",
    "check_first",
    "delete_old",
    "done",
    "dormant",
    "forget",
    "is_listed",
    "is_same_first",
    "lists",
    "lists_of",
    "put_first",
    "put_mine",
    "put_prekeys",
    "send",
    "stock",
    "store_first",
    "store_next",
    "version_of",
    "waiting",
]
