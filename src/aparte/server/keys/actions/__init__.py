"""What the world and other slices may ask of keys."""

from aparte.server.keys.actions.lists import (
    check_first,
    dormant,
    hashes_of,
    is_listed,
    is_same_first,
    lines_of,
    lists,
    lists_of,
    put_first,
    store_first,
    store_next,
    version_of,
)
from aparte.server.keys.actions.payloads import delete_old, done, send, waiting
from aparte.server.keys.actions.prekeys import bundles, bundles_of_many, forget, put_mine, put_prekeys, stock

__all__ = [
    "bundles",
    "bundles_of_many",
    "check_first",
    "delete_old",
    "done",
    "dormant",
    "forget",
    "hashes_of",
    "is_listed",
    "is_same_first",
    "lines_of",
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
