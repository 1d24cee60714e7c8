"""Bodies of entries: from what the codec delivers to the struct that the registry of kinds names, and back.

MessagePack carries UUIDs inside bodies as 16 raw bytes, JSON as text; here they become the same.
"""

from typing import Any

import msgspec

from aparte.client.core import opened
from aparte.wire import kinds
from aparte.wire.messages import Entry


def body_of(entry: Entry) -> Any:
    """Read an entry's body as its kind's struct; None for erased entries, the raw value for kinds not known here."""
    if entry.body is None or entry.kind not in kinds.KINDS:
        return entry.body
    is_agreed = entry.kind == kinds.SETTINGS and opened.is_agreed(entry.body)
    try:
        return msgspec.convert(
            entry.body, opened.Agreed if is_agreed else kinds.KINDS[entry.kind].body, from_attributes=True
        )
    except msgspec.ValidationError:
        return None


def plain(entry: Entry) -> Any:
    """Render a body as plain values with UUIDs as text, the form that is stored."""
    return msgspec.to_builtins(body_of(entry), builtin_types=(bytes,))
